"""`wio serve`: prepare the state, then run all parts, or the one that was named."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from workspacesio.cli.server.announcement import Prepared, announce, announce_part
from workspacesio.cli.server.listening import Listening, read_listening
from workspacesio.cli.server.process_start import begin_logging
from workspacesio.cli.server.pulse import Pulse
from workspacesio.cli.server.readiness import wait_until_ready
from workspacesio.cli.server.roles import INDEX, ROLES, WORKER_PARTS, run_role
from workspacesio.cli.server.state import ServerState, hold_state_folder, prepare_state
from workspacesio.cli.server.supervisor import Supervisor
from workspacesio.database.migrate import migrate
from workspacesio.domain.errors import Invalid, WorkspacesIOError
from workspacesio.nodes.folder.filesystem import machine_supported
from workspacesio.services.first_start import make_local_node, roots_to_import
from workspacesio.services.node_folders import check_outside_state
from workspacesio.services.one_time_tokens import ensure_setup_token
from workspacesio.settings import read_settings


def serve(arguments: argparse.Namespace) -> int:
    begin_logging()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        folder = _served_folder(arguments)
        _tell_environment(arguments, folder)
        settings = read_settings()
        if not machine_supported():
            raise Invalid("WorkspacesIO serves on Linux 5.6 or newer only.", code="machine_not_supported")
        if folder is not None:  # before anything is made in the state folder
            check_outside_state(str(folder), settings.state_dir)
        state = prepare_state(settings)
        lock = hold_state_folder(state, alone=arguments.role == "all")
        try:
            listening = read_listening(arguments)
            migrate(state.database_url)
            say = partial(announce_part, arguments.role, listening, state.settings)
            if arguments.role == "worker":
                return _parts(WORKER_PARTS, listening, state).run(say)
            if arguments.role != "all":
                return run_role(arguments.role, listening, state, say)
            return _supervise(listening, state, _prepare_service(state, arguments, folder))
        finally:
            os.close(lock)
    except WorkspacesIOError as error:
        print(f"wio serve: {error}", file=sys.stderr)
        return 1


def _served_folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.folder is None:
        return None
    folder = Path(arguments.folder).resolve()
    if not folder.is_dir():
        raise Invalid(f"{arguments.folder} is not a folder; name one that exists.", code="no_such_folder")
    return folder


def _tell_environment(arguments: argparse.Namespace, folder: Path | None) -> None:
    """What the command line said, where every part of the service reads it."""
    if arguments.state_dir:
        os.environ["WIO_STATE_DIR"] = str(Path(arguments.state_dir).absolute())
    if arguments.read_only:
        os.environ["WIO_READ_ONLY"] = "1"
    if folder is not None and not os.environ.get("WIO_FOLDER_PATHS"):
        os.environ["WIO_FOLDER_PATHS"] = str(folder)
    os.environ["WIO_API_PORT"] = str(arguments.port)
    os.environ["WIO_S3_PORT"] = str(arguments.s3_port)


def _prepare_service(state: ServerState, arguments: argparse.Namespace, folder: Path | None) -> Prepared:
    """The node on a fresh state, and the setup token while there is no administrator."""
    database = state.open_database()
    now = datetime.now(UTC)
    try:
        with database.write() as session:
            if folder is not None:
                make_local_node(
                    session,
                    path=folder,
                    state_dir=state.settings.state_dir,
                    bucket=arguments.bucket,
                    buckets=arguments.buckets,
                    managed=arguments.managed,
                    serve_owner_only=arguments.serve_owner_only,
                    cross_filesystems=arguments.cross_filesystems,
                    now=now,
                )
            return Prepared(folder, ensure_setup_token(session, now=now), roots_to_import(session))
    finally:
        database.dispose()


def _run_part(role: str, listening: Listening, state: ServerState, pulse: Pulse) -> int:
    try:
        return run_role(role, listening, state, alive=pulse.beat)
    except WorkspacesIOError as error:
        print(f"wio serve: {error}", file=sys.stderr, flush=True)
        return 1


def _parts(roles: Sequence[str], listening: Listening, state: ServerState) -> Supervisor:
    pulse = Pulse()
    parts = {role: partial(_run_part, role, listening, state, pulse) for role in roles}
    return Supervisor(parts, dispensable=(INDEX,), pulses={INDEX: pulse})


def _supervise(listening: Listening, state: ServerState, prepared: Prepared) -> int:
    supervisor = _parts((*ROLES, INDEX), listening, state)

    def when_ready() -> None:
        if wait_until_ready(listening, supervisor.alive):
            announce(listening, state.settings, prepared)

    return supervisor.run(when_ready)
