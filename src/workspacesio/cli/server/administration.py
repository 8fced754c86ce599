"""`wio admin setup-token`: a new one-time token for the first administrator."""

import argparse
import sys
from datetime import UTC, datetime

from workspacesio.cli.server.announcement import command_name
from workspacesio.cli.server.state import database_file, prepare_state
from workspacesio.database.migrate import migrate
from workspacesio.domain.errors import NotFound, WorkspacesIOError
from workspacesio.services.one_time_tokens import ensure_setup_token
from workspacesio.settings import read_settings


def setup_token(_arguments: argparse.Namespace) -> int:
    """Print the command that makes the first administrator; an earlier token is void from then on."""
    try:
        settings = read_settings()
        if settings.database_url is None and not database_file(settings.state_dir).exists():
            raise NotFound(
                f"There is no service in the state folder {settings.state_dir}; name its own with --state-dir."
            )
        state = prepare_state(settings)
        database = state.open_database()
        migrate(state.database_url)
        with database.write() as session:
            token = ensure_setup_token(session, now=datetime.now(UTC))
    except WorkspacesIOError as error:
        print(f"wio admin: {error}", file=sys.stderr)
        return 1
    if token is None:
        print("wio admin: there is an administrator already; ask them for an invitation.", file=sys.stderr)
        return 1
    print(f"{command_name()} register EMAIL USERNAME --setup-token {token}")
    print(
        "Where the service isn't at http://localhost:8100, put WIO_API_URL=ITS_ADDRESS in front.", file=sys.stderr
    )
    return 0
