"""The JSON API over HTTP, with nothing between the test and the wire."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accidents.wire import Answer, Keys


@dataclass(frozen=True)
class JsonAnswer(Answer):
    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The error's code; every error has the one shape."""
        content = self.json["error"]
        assert set(content) == {"code", "message", "details"}, content
        return str(content["code"])


class Api:
    """One caller. Without a token: nobody."""

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.host, self.port, self.token = host, port, token

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        **query: str,
    ) -> JsonAnswer:
        """`path` behind /api/v1; `raw` is sent as it is in the place of `body`."""
        address = f"/api/v1{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        return self.send(method, address, body, headers=headers, raw=raw)

    def send(
        self,
        method: str,
        address: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> JsonAnswer:
        sent = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= headers or {}
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # A body that is too long is answered before all of it has come.
                connection.request(method, address, body=content, headers=sent)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            endless = received.get("content-type", "").startswith("text/event-stream")
            return JsonAnswer(response.status, received, response.read1() if endless else response.read())
        finally:
            connection.close()

    def done(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """A call that must succeed; returns what it answered."""
        answer = self.call(method, path, body, **query)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer.json if answer.body else None

    # --- what tests do all the time --------------------------------------------------------------------------

    def issue(self, *workspaces: str, read_only: bool = False, seconds: int = 3600) -> dict[str, Any]:
        """A credential as the API answers it."""
        wanted: dict[str, Any] = {"read_only": read_only, "duration_seconds": seconds}
        if workspaces:
            wanted["workspaces"] = list(workspaces)
        answer: dict[str, Any] = self.done("POST", "/credentials", wanted)
        return answer

    def keys(self, *workspaces: str, read_only: bool = False, seconds: int = 3600) -> Keys:
        return Keys.of(self.issue(*workspaces, read_only=read_only, seconds=seconds))

    def workspace(self, reference: str) -> dict[str, Any]:
        """What a reference means to this caller."""
        found: dict[str, Any] = self.done("GET", "/workspaces/resolve", reference=reference)["workspace"]
        return found

    def create(self, name: str, **wanted: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.done("POST", "/workspaces", {"name": name, **wanted})
        return made

    def share(self, workspace: int, subject: str, level: str = "read", folder: str = "", **more: Any) -> Any:
        wanted = {"subject": subject, "level": level, "folder": folder, **more}
        return self.done("POST", f"/workspaces/{workspace}/shares", wanted)

    def unshare(self, workspace: int, subject: str, folder: str = "") -> Any:
        return self.done("DELETE", f"/workspaces/{workspace}/shares", subject=subject, folder=folder)

    def import_folder(self, folder: str, *, root: str = "existing", **more: Any) -> dict[str, Any]:
        """The report of an import, which must succeed."""
        answer = self.call("POST", f"/roots/{root}/import", {"folders": [folder], **more})
        assert answer.status == 200, answer
        lines = [json.loads(line) for line in answer.body.splitlines()]
        assert "report" in lines[-1], lines[-1]
        report: dict[str, Any] = lines[-1]["report"]
        return report
