"""A PostgreSQL cluster of its own in a temporary folder, and fresh databases in it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from servers.installed import ServerMissing, installed
from servers.process import Process, ServerFailed, free_port

# Nothing here has to survive a power cut, and a test must not wait for a disk.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "1h",
}


class PostgresqlServer:
    """A running PostgreSQL that trusts every local connection as user `postgres`."""

    def __init__(self, port: int, folder: str, user: str | None) -> None:
        self.port = port
        self._folder = folder
        self._user = user
        self._made = 0
        self.process = self._start()

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy address of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str | None = None) -> str:
        """Makes a database and returns its SQLAlchemy address.

        It is empty, or a copy of the database whose address is `template`, to which nobody may be connected:
        migrate one, then hand out copies of it.
        """
        self._made += 1
        name = f"test_{self._made}"
        source = urlsplit(template).path.lstrip("/") if template else "template0"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source))
        )
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drops a database, cutting off who is still connected."""
        name = urlsplit(url).path.lstrip("/")
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Ends the server at once, as a test of a database that is gone needs it; `start` brings it back."""
        self.process.stop()

    def start(self) -> None:
        """Starts the server again, on the same port and data."""
        self.process = self._start()

    def _start(self) -> Process:
        command = [installed("postgres"), "-D", os.path.join(self._folder, "data"), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: it ends connections instead of waiting for them.
        process = Process(
            command,
            cwd=self._folder,
            user=self._user,
            log_path=os.path.join(self._folder, "postgresql.log"),
            stop_signal=signal.SIGINT,
        )
        try:
            process.wait_until(self._answers)
        except ServerFailed:
            process.stop()
            raise
        return process

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            connection.execute(statement)

    def _conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"


@contextmanager
def postgresql() -> Iterator[PostgresqlServer]:
    """Makes a cluster, runs it and removes it.

    PostgreSQL refuses to run as root: root runs it as the user `postgres`, everybody else as themselves,
    and that user must reach the folder, so it lies directly in /tmp and not in a test's private folder.
    """
    user = _system_user()
    folder = tempfile.mkdtemp(prefix="workspacesio-postgresql-")
    try:
        if user is not None:
            shutil.chown(folder, user, user)
        command = [installed("initdb"), "-D", os.path.join(folder, "data"), "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        subprocess.run(
            command,
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        server = PostgresqlServer(free_port(), folder, user)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _system_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError as error:
        raise ServerMissing(
            "The user postgres doesn't exist: run `make test-servers`, which installs it."
        ) from error
