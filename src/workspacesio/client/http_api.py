"""The HTTP API as the commands use it: JSON in and out, errors as exceptions that say what to do next."""

from __future__ import annotations

import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from workspacesio import __version__
from workspacesio.client import sign_in
from workspacesio.client.connection import connect, explain
from workspacesio.client.errors import CommandError, Refused

PAGE = 1000
"""The longest page of a listing that a server gives."""

Query = Mapping[str, str | int | bool | None]


class HttpApi:
    """One server, over one connection that is kept open. Not for use by several threads."""

    def __init__(self, server: str, token: str | None = None) -> None:
        self.server = server
        self._process = os.getpid()
        self._token = token
        self._connection, self._before_path, self._headers = connect(server)

    def close(self) -> None:
        """What is asked next opens another connection."""
        self._connection.close()

    def get(self, path: str, /, **query: str | int | bool | None) -> Any:
        """The answer to GET; raises Refused, and CommandError where there is none."""
        return self.request("GET", path, query=query)

    def pages(
        self, path: str, last: str, *, limit: int | None = None, **query: str | int | bool | None
    ) -> list[Any]:
        """A whole listing, or its first `limit`, page by page. `last`: the field by which the next page begins."""
        found: list[Any] = []
        after: str | int | None = None
        while True:
            wanted = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self.get(path, limit=wanted, after=after, **query)
            found += page
            if len(page) < wanted or len(found) == limit:
                return found
            after = page[-1][last]

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """As `get`. Fields that are None aren't sent."""
        return self.request("POST", path, body=body or {})

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `post`."""
        return self.request("PATCH", path, body=body)

    def delete(self, path: str, **query: str | int | bool | None) -> Any:
        """As `get`."""
        return self.request("DELETE", path, query=query)

    def request(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Query | None = None
    ) -> Any:
        """Ask and read the whole answer: the JSON, or None where it has no content."""
        response = self._ask(method, path, body, query or {})
        try:
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(explain(error, self.server)) from error
        if response.status == 204 or not content:
            return None
        return self._decode(content, response)

    def lines(self, path: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """POST, and each line of the answer as it comes (application/x-ndjson)."""
        response = self._ask("POST", path, body, {})
        # Between two lines a long walk may take its time.
        if self._connection.sock is not None:
            self._connection.sock.settimeout(None)
        try:
            while line := response.readline():
                if line.strip():
                    yield self._decode(line, response)
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(explain(error, self.server)) from error

    def messages(
        self, path: str, *, last: str | None = None, **query: str | int | bool | None
    ) -> Iterator[tuple[str, str, Any]]:
        """GET, and each message of a stream of server-sent events: its kind, its id and its JSON.

        A message without data is of the kind ''. `last`: the id behind which to go on. Ends, or raises
        CommandError, where the connection does.
        """
        headers = {"Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        response = self._ask("GET", path, None, query, headers)
        message: dict[str, str] = {}
        try:
            while line := response.readline():
                name, _, value = line.decode().rstrip("\n").partition(":")
                if name:
                    message[name] = value.removeprefix(" ")
                    continue
                if message:
                    data = message.get("data")
                    kind = message.get("event", "message") if data is not None else ""
                    yield kind, message.get("id", ""), None if data is None else json.loads(data)
                message = {}
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(explain(error, self.server)) from error
        except ValueError as error:
            raise CommandError(f"{self.server} didn't answer as WorkspacesIO does; check the address.") from error
        finally:
            self._connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Query,
        more: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        given = {name: _spelled(value) for name, value in query.items() if value is not None}
        address = f"{self._before_path}/api/v1{path}" + ("?" + urllib.parse.urlencode(given) if given else "")
        headers = {"Accept": "application/json", "User-Agent": f"wio/{__version__}", **self._headers}
        headers |= more or {}
        content = None
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            content = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
            headers["Content-Type"] = "application/json"
        if self._process != os.getpid():  # forked: the answers on this connection are the parent's
            self._process = os.getpid()
            self._connection.close()
        try:
            self._connection.request(method, address, body=content, headers=headers)
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self._connection.close()
            raise CommandError(explain(error, self.server)) from error
        if response.status >= 300:
            raise self._refusal(response)
        return response

    def _refusal(self, response: http.client.HTTPResponse) -> CommandError:
        if response.status < 400:
            location = response.headers.get("Location", "")
            moved, found, _ = location.partition("/api/v1")
            advice = f"type `wio login {moved} EMAIL`" if found else "check the address"
            return CommandError(f"{self.server} sends on to {location or 'another address'}; {advice}.")
        try:
            error = json.loads(response.read())["error"]
            code, message, details = str(error["code"]), str(error["message"]), error.get("details") or {}
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            return Refused(
                f"{self.server} answered {response.status} {response.reason}, not as WorkspacesIO does; check the "
                "address, or ask who runs it.",
                status=response.status,
            )
        if code == "not_signed_in" and self._token:
            message = sign_in.ended(self.server)
        candidates = details.get("candidates")
        if isinstance(candidates, list) and candidates and not any(str(one) in message for one in candidates):
            message = f"{message.rstrip('.')}: write one of {', '.join(map(str, candidates))}."
        return Refused(message, status=response.status, code=code, details=details)

    def _decode(self, content: bytes, response: http.client.HTTPResponse) -> Any:
        try:
            return json.loads(content)
        except ValueError as error:
            raise Refused(
                f"{self.server} didn't answer as WorkspacesIO does; check the address.", status=response.status
            ) from error


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def segment(text: str) -> str:
    """A name as one segment of a path of the API."""
    return urllib.parse.quote(text, safe="")


def signed_in() -> HttpApi:
    """A client for the current sign-in; raises CommandError that says how to sign in."""
    caller = sign_in.current()
    return HttpApi(caller.server, caller.token)
