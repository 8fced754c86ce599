"""The engine on a search server: OpenSearch 2 and 3, Elasticsearch 7.10 and newer, with the same answers as the
embedded one.

    {prefix}-{number}-entries      the index
    {prefix}-{number}              its alias, by which it is written and asked

The number is the catalogue's, which also says which engine serves; so a new index is filled beside the one that
serves. In the index stands whose it is: services that have the same prefix by mistake leave each other's alone.

What it promises less than the embedded engine: a commit is shown by each copy of the index at once, but what was
sent of the next one is seen early if the server is started again in between.
"""

import re
from typing import Any

from workspacesio.domain.errors import Unavailable
from workspacesio.index.opensearch_index import VERSION, definition
from workspacesio.index.opensearch_reader import OpenSearchReader
from workspacesio.index.opensearch_server import CODE, MISSING, SearchServer, SearchServerRefused
from workspacesio.index.opensearch_writer import OpenSearchWriter

MAKE_SECONDS = 60.0

_FOREIGN = (
    "The search server has an index of another service under this one's names; "
    "give each a WIO_ELASTICSEARCH_PREFIX of its own."
)


class OpenSearchEngine:
    """`owner`: the installation. Making one asks the server nothing."""

    def __init__(self, server: SearchServer, number: int, owner: str) -> None:
        self._server = server
        self._owner = owner
        self._target = f"{server.prefix}-{number}"
        self._index = f"{self._target}-entries"
        self._is_erased = False

    def writer(self) -> OpenSearchWriter:
        """The index is made only if it was erased just now: one that vanished is `index_missing`, never an empty
        one in silence."""
        if self._is_erased:
            self._make()
            self._is_erased = False
        elif (problem := self.damaged()) is not None:
            raise Unavailable(f"The search index can't be used: {problem}.", code=MISSING)
        return OpenSearchWriter(self._server, self._target)

    def reader(self) -> OpenSearchReader:
        return OpenSearchReader(self._server, self._target)

    def damaged(self) -> str | None:
        found = self._meta()
        if found is None:
            return "it is missing on the search server"
        if found.get("owner") != self._owner:
            return "it belongs to another service on the search server"
        if found.get("version") != VERSION:
            return "it was made by another version"
        return None

    def is_removed(self) -> bool:
        return False

    def size_bytes(self) -> int:
        answer = self._server.ask("GET", f"/{self._target}/_stats/store")
        return int(answer["_all"]["total"]["store"]["size_in_bytes"])

    def erase(self) -> None:
        found = self._meta()
        if found is not None:
            if found.get("owner") != self._owner:
                raise Unavailable(_FOREIGN, code="index_foreign")
            self._server.ask(
                "DELETE", f"/{self._index}", parameters={"ignore_unavailable": "true"}, seconds=MAKE_SECONDS
            )
        self._is_erased = True

    def _make(self) -> None:
        body = definition(self._owner, whole_segments=_divides_searches(self._server.ask("GET", "/")))
        body["aliases"] = {self._target: {}}
        try:
            self._server.ask("PUT", f"/{self._index}", body, seconds=MAKE_SECONDS)
        except SearchServerRefused as error:
            # Asked twice, since the first answer was lost on its way.
            if error.kind != "resource_already_exists_exception" or self.damaged() is not None:
                raise

    def _meta(self) -> dict[str, Any] | None:
        """What stands in the index about itself; None if there is none."""
        try:
            answer = self._server.ask("GET", f"/{self._target}/_mapping")
        except SearchServerRefused as error:
            if error.status == 404:
                return None
            raise
        found = answer.get(self._index)
        if found is None:
            raise Unavailable(_FOREIGN, code="index_foreign")
        meta: dict[str, Any] = found["mappings"].get("_meta", {})
        return meta


def _divides_searches(information: dict[str, Any]) -> bool:
    """Whether the server is OpenSearch 2.17 or newer. Raises Unavailable for what is none that is known here."""
    version = information.get("version") if isinstance(information, dict) else None
    found = re.match(r"(\d+)\.(\d+)", str(version.get("number"))) if isinstance(version, dict) else None
    if found is None or not isinstance(version, dict):
        raise Unavailable(
            "What answers at the search server's address is no search server; check WIO_ELASTICSEARCH_NODE_1.",
            code=CODE,
        )
    number = (int(found[1]), int(found[2]))
    is_opensearch = version.get("distribution") == "opensearch"
    if number < ((2, 0) if is_opensearch else (7, 10)):
        raise Unavailable(
            "The search server is too old; OpenSearch 2 or Elasticsearch 7.10 is the oldest that will do.",
            code=CODE,
        )
    return is_opensearch and number >= (2, 17)
