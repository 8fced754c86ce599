"""Puts and removes entries on the search server.

All goes through bulk requests of a few megabytes, in order. The index shows nothing of it until `commit` refreshes
it; only where the server itself is started again in between, what it had taken is seen before. Whoever gets
Unavailable writes again what was not committed: every step may be done twice.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from workspacesio.domain.errors import Unavailable
from workspacesio.index.engine import Entry
from workspacesio.index.opensearch_index import EntryDocuments, remove
from workspacesio.index.opensearch_patterns import Json
from workspacesio.index.opensearch_queries import terms
from workspacesio.index.opensearch_server import BLOCKED, CODE, SearchServer, SearchServerRefused, refusal_sentence

BULK_BYTES = 4_000_000
"""Small search servers of cloud providers take 10 MB in a request."""
WRITE_SECONDS = 20.0
COMMIT_SECONDS = 60.0
"""The recorder waits for these, and with it events, crawls and `du`. What was given up is written again later."""

_FOUND_AT_ONCE = 10_000
_BACK_OFF = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds between attempts while the server has too much to do."""
_BUSY = (429, 503)


class OpenSearchWriter:
    """`target` is the alias of the index: with `require_alias` no index is made by writing to it."""

    def __init__(self, server: SearchServer, target: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._server = server
        self._target = target
        self._sleep = sleep
        self._documents = EntryDocuments()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._is_hidden = False
        """Whether something was sent that searches don't show yet."""

    def put(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._add(self._documents.put(entry))

    def remove(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            self._add(remove(entry_id))

    def remove_folders(self, folder_ids: Iterable[int], *, direct_only: bool = False) -> None:
        self._remove_found(terms("parent" if direct_only else "folders", map(str, folder_ids)))

    def commit(self) -> None:
        self._send()
        if self._is_hidden:
            self._show()

    def close(self) -> None:
        """What was not sent is not kept."""
        self._lines = []
        self._bytes = 0

    def _add(self, lines: bytes) -> None:
        self._lines.append(lines)
        self._bytes += len(lines)
        if self._bytes >= BULK_BYTES:
            self._send()

    def _remove_found(self, query: Json) -> None:
        """What was put before is removed with the rest, so it must be found; what is put after stays.

        By ids and not by the server's `_delete_by_query`: that is one request without bound.
        """
        self._send()
        if self._is_hidden:
            self._show()
        asked: dict[str, object] = {
            "query": {"bool": {"filter": [query]}},
            "size": _FOUND_AT_ONCE,
            "sort": [{"id": "asc"}],
            "_source": False,
            "track_total_hits": False,
        }
        while True:
            hits = self._request("POST", "_search", asked)["hits"]["hits"]
            self.remove(hit["sort"][0] for hit in hits)
            if len(hits) < _FOUND_AT_ONCE:
                return
            asked["search_after"] = hits[-1]["sort"]

    def _send(self) -> None:
        if not self._lines:
            return
        body = b"".join(self._lines)
        self._lines = []
        self._bytes = 0
        self._is_hidden = True
        for seconds in (*_BACK_OFF, None):
            try:
                self._bulk(body)
                return
            except SearchServerRefused as error:
                # A block stays until somebody makes room.
                if error.status not in _BUSY or error.kind == BLOCKED or seconds is None:
                    raise
            self._sleep(seconds)

    def _bulk(self, body: bytes) -> None:
        answer = self._server.ask(
            "POST",
            f"/{self._target}/_bulk",
            body,
            parameters={"require_alias": "true", "filter_path": "errors,items.*.status,items.*.error.type"},
            seconds=WRITE_SECONDS,
        )
        if not answer["errors"]:
            return
        # 404: an entry was to be removed that isn't there.
        failed = [
            outcome
            for item in answer["items"]
            for outcome in item.values()
            if "error" in outcome and outcome["status"] != 404
        ]
        failed.sort(key=lambda outcome: outcome["status"] in _BUSY)
        if failed:
            status, kind = failed[0]["status"], str(failed[0]["error"].get("type"))
            raise SearchServerRefused(refusal_sentence(status, kind), status=status, kind=kind)

    def _show(self) -> None:
        answer = self._request("POST", "_refresh", None, seconds=COMMIT_SECONDS)
        if answer["_shards"]["failed"]:
            raise Unavailable("The search server could not show what was written; it is tried again.", code=CODE)
        self._is_hidden = False

    def _request(self, method: str, call: str, body: object, *, seconds: float = WRITE_SECONDS) -> Any:
        return self._server.ask(method, f"/{self._target}/{call}", body, seconds=seconds)
