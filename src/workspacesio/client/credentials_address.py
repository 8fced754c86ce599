"""Keys at an address of this machine, for a program that asks there for new ones by itself.

The "Container credential provider" of the AWS SDKs and Tools Reference Guide: a GET with a secret in the header
Authorization is answered with AccessKeyId, SecretAccessKey, Token and Expiration. All AWS SDKs know it, and take
plain HTTP from loopback addresses. The address is there while the object is entered, and answers

- only who has the secret: the program gets it by its environment, and by a private file if that is all it takes;
- only under its own name: a web page can lead a browser here by another name, but then the browser says that one;
- what the service gives at that moment: when a right has ended, an error and no keys.
"""

from __future__ import annotations

import contextlib
import hmac
import http.server
import json
import os
import secrets
import shutil
import socket
import socketserver
import tempfile
import threading
import time

from workspacesio.client.errors import CommandError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    Issue = Callable[[], dict[str, Any]]

PATH = "/credentials"
ONE_ANSWER_SECONDS = 2.0
"""So long several who ask get the same keys: workers of one program that begin together."""
MOST_OPEN = 500
"""Connections: a process may often have 1,024 files open."""
PATIENCE_SECONDS = 1.5
"""SDKs wait two seconds (botocore, ContainerMetadataFetcher); keys that are still good are better than none."""


class CredentialsAddress:
    """`issue` asks the service for a new credential; `first` is one that it gave just now."""

    def __init__(self, issue: Issue, first: dict[str, Any]) -> None:
        self._keys = _Keys(issue, first)
        self._secret = secrets.token_urlsafe(32)
        self._server = _Server(self._keys, self._secret)
        self._folder = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="credentials", daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="wio-")  # for this user alone
        with open(self._secret_file(), "x", encoding="ascii") as file:
            file.write(self._secret)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):  # what it waits for is somebody who asks
            socket.create_connection(("127.0.0.1", self._server.server_address[1]), 1).close()
        self._thread.join(1)
        self._server.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._server.handle_request()

    def environment(self) -> dict[str, str]:
        """Where SDKs look for the address and the secret."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{self._server.name}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._secret,
            # Of the two the SDKs take the file; object_store (obstore, polars) knows nothing else.
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self._secret_file(),
        }

    def _secret_file(self) -> str:
        return os.path.join(self._folder, "token")


class _Keys:
    """The latest credential. For several threads."""

    def __init__(self, issue: Issue, first: dict[str, Any]) -> None:
        self._issue = issue
        self._lock = threading.Lock()
        self._latest, self._at = first, time.monotonic()
        self._asking: _Asking | None = None

    def get(self) -> dict[str, Any]:
        """Raises Refused where the service gives none, CommandError where it doesn't answer and none is left."""
        with self._lock:
            if time.monotonic() - self._at < ONE_ANSWER_SECONDS:
                return self._latest
            if self._asking is None or self._asking.ended.is_set():
                self._asking = _Asking(self._issue)
                self._asking.start()
            asking = self._asking
        asking.ended.wait(PATIENCE_SECONDS)
        with self._lock:
            if asking.issued is not None:
                self._latest, self._at = asking.issued, asking.at
            elif isinstance(asking.problem, Refused) and 400 <= asking.problem.status < 500:
                raise asking.problem
            elif not _is_good(self._latest):
                raise asking.problem or CommandError("the service doesn't answer; try again.")
            return self._latest


class _Asking(threading.Thread):
    """One question to the service, which may take longer than anybody waits."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(name="asking", daemon=True)
        self._issue = issue
        self.at = time.monotonic()
        self.issued: dict[str, Any] | None = None
        self.problem: CommandError | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            self.issued = self._issue()
        except CommandError as error:
            self.problem = error
        finally:
            self.ended.set()


def _is_good(issued: dict[str, Any]) -> bool:
    from datetime import datetime

    return datetime.fromisoformat(issued["expires_at"]).timestamp() > time.time()


class _Server(socketserver.ThreadingTCPServer):
    """On a free port of 127.0.0.1. `name`: its host and port, as they stand in the Host header."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024
    """Workers of one program begin together; who finds no room in the queue asks again a second later."""

    def __init__(self, keys: _Keys, secret: str) -> None:
        self._open: dict[socket.socket, None] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys = keys
        self.secret = secret.encode()
        self.name = f"127.0.0.1:{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Another user of this machine may connect, and say nothing: who has waited longest makes room."""
        self._open[request] = None
        while len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            self._open.pop(oldest, None)
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """As the library has it."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever went away isn't told of."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "wio", ""
    timeout = 10

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "").encode(errors="surrogateescape")
        if self.headers.get_all("Host") != [self.server.name]:
            self.send_error(403, "NotHere", "this is the address of one program on this machine.")
        elif not hmac.compare_digest(given, self.server.secret):
            self.send_error(401, "Unauthorized", "the token in Authorization is another one.")
        elif self.path != PATH:
            self.send_error(404, "NotFound", f"keys are at {PATH}.")
        else:
            self._give()

    def _give(self) -> None:
        try:
            issued = self.server.keys.get()
        except Refused as refused:
            self.send_error(403, refused.code or "Refused", str(refused))
            return
        except CommandError as error:
            self.send_error(503, "Unavailable", str(error))
            return
        keys = {
            "AccessKeyId": issued["access_key_id"],
            "SecretAccessKey": issued["secret_access_key"],
            "Token": issued["session_token"],
            "Expiration": issued["expires_at"],
        }
        self._answer(200, keys)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As SDKs read it, for what the library refuses as well: `message` is the error's code."""
        status = 405 if code == 501 else code
        self._answer(status, {"code": message or str(status), "message": explain or "it can't be asked that way."})

    def _answer(self, status: int, value: dict[str, str]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the command's output is its own."""
