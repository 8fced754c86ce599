"""From the settings to the catalogue and the engines: for the worker that writes, and for all who read.

STATE/index/catalogue.sqlite      or tables beside the service's, in PostgreSQL
STATE/index/engine-N/             tantivy's; on a search server the engine has its number in its name
"""

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from workspacesio.database.index_tables import Crawl, IndexCatalogue
from workspacesio.database.sessions import Database, sqlite_url
from workspacesio.database.tables import Root
from workspacesio.domain.errors import Unavailable
from workspacesio.domain.vocabulary import CrawlReason, CrawlState
from workspacesio.index.catalogue import Catalogue, EngineRow
from workspacesio.index.catalogue_store import CatalogueMissing
from workspacesio.index.catalogue_tables import ENGINES_OF_A_CATALOGUE
from workspacesio.index.engine import Engine, EngineReader
from workspacesio.index.opensearch_server import SearchServer
from workspacesio.index.remembered import Remembered
from workspacesio.services.crawl_requests import request_crawl
from workspacesio.settings import Settings

TANTIVY = "tantivy"
OPENSEARCH = "opensearch"

OLDER_DATABASE = "the database is older than it"

_LOOK_AGAIN_SECONDS = 1.0
"""For another engine that serves. The one before is erased a minute later at the earliest."""

_BEHIND_SECONDS = 20.0
"""A crawl commits every five, and events at once: what takes longer is not on its way."""

_OLD_ENGINES = 20

logger = logging.getLogger(__name__)


def index_folder(settings: Settings) -> Path:
    return settings.state_dir / "index"


def open_catalogue(settings: Settings, database_url: str) -> Catalogue:
    """Whether there is one or not: nothing is looked at yet."""
    if make_url(database_url).get_backend_name() == "sqlite":
        return Catalogue(sqlite_url(index_folder(settings) / "catalogue.sqlite"))
    return Catalogue(database_url)


class Engines:
    """Opens engines by kind and number; `kind` is the one that the settings want."""

    def __init__(self, settings: Settings, owner: int) -> None:
        self._folder = index_folder(settings)
        self._server = SearchServer.of(settings)
        self._owner = f"{owner:016x}"

    @property
    def kind(self) -> str:
        return TANTIVY if self._server is None else OPENSEARCH

    def __call__(self, kind: str, number: int) -> Engine | None:
        if kind == TANTIVY:
            from workspacesio.index.tantivy_engine import TantivyEngine

            return TantivyEngine(self._folder / f"engine-{number}")
        if kind == OPENSEARCH and self._server is not None:
            from workspacesio.index.opensearch_engine import OpenSearchEngine

            return OpenSearchEngine(self._server, number, self._owner)
        return None

    def erase_others(self, rows: Sequence[EngineRow], catalogue_number: int) -> None:
        """Engines that the catalogue doesn't know: of an older one, or of a start that was cut off."""
        known = {row.number for row in rows}
        for folder in self._folder.glob("engine-*"):
            if folder.name.removeprefix("engine-") not in map(str, known):
                logger.info("%s is left from an older index, and removed", folder)
                shutil.rmtree(folder, ignore_errors=True)
        if self._server is not None and catalogue_number > 1:
            first = (catalogue_number - 1) * ENGINES_OF_A_CATALOGUE + 1
            with suppress(Unavailable):
                for number in range(first, first + _OLD_ENGINES):
                    if (engine := self(OPENSEARCH, number)) is not None:
                        engine.erase()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


def prepare_catalogue(
    catalogue: Catalogue, database: Database, *, fence: int, beat: int | None = None, unfit: str | None = None
) -> None:
    """For the worker that took the lease under `fence`: a catalogue that is sound, though it may be empty.

    One that is damaged, missing or of another version is made anew, and everything is crawled again. So is one
    that was changed after the lease's `beat`, as the worker found it: a backup of the database was restored, and
    the numbers of workspaces that it doesn't know are given out again, to others. `unfit`: what else is known.
    """
    problem = catalogue.store.problem()
    held = {"catalogue": 0} if problem is not None else catalogue.numbers()
    if problem is None and (held["fence"] > fence or (beat is not None and held["beat"] > beat)):
        problem = OLDER_DATABASE
    problem = problem or unfit
    if problem is not None:
        with database.journal(durable=True) as session:
            made = _next_catalogue(session)
            if made.id > 1 or held["catalogue"]:
                logger.warning("the index is made again, since %s", problem)
                _crawl_everything(session)
            number, owner, made_at = max(made.id, held["catalogue"] + 1), made.owner, made.made_at
        catalogue.store.make(number, round(made_at.timestamp() * 1_000_000), owner)
    catalogue.store.set_fence(fence)


def _next_catalogue(session: Session) -> IndexCatalogue:
    """Rows between the first, which has the owner, and the last are of no use: no number is given out again."""
    first = session.scalar(select(IndexCatalogue).order_by(IndexCatalogue.id).limit(1))
    if first is not None:
        session.execute(delete(IndexCatalogue).where(IndexCatalogue.id > first.id))
    made = IndexCatalogue(made_at=datetime.now(UTC), owner=secrets.randbits(62) if first is None else first.owner)
    session.add(made)
    session.flush()
    return made


def _crawl_everything(session: Session) -> None:
    """What was done is done no more, and forgotten; a crawl that is under way begins again."""
    now = datetime.now(UTC)
    session.execute(delete(Crawl).where(Crawl.state == CrawlState.DONE.value))
    session.execute(update(Crawl).where(Crawl.position.is_not(None)).values(position=None))
    for root_id in session.scalars(select(Root.id).order_by(Root.id)):
        request_crawl(session, root_id=root_id, reason=CrawlReason.SCHEDULE, now=now)


class IndexReader:
    """What API processes ask; safe in threads. Make one after each fork: nothing is opened before it is asked."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self.catalogue = open_catalogue(settings, database_url)
        self.remembered = Remembered()
        self._settings = settings
        self._engines: Engines | None = None
        self._lock = threading.Lock()
        self._row: EngineRow | None = None
        self._latest: EngineRow | None = None
        self._looked_at = float("-inf")
        self._owed: tuple[int, float] | None = None
        """A change of the catalogue that the engine lacks, and when it was first seen to."""
        self._reader: EngineReader | None = None
        self._before: EngineReader | None = None

    def engine(self) -> EngineReader:
        """Of the engine that serves now, or is being filled where none does. Raises Unavailable."""
        with self._lock:
            row, previous = self._serving(), self._row
            if self._reader is None or previous is None or row.number != previous.number:
                assert self._engines is not None
                engine = self._engines(row.kind, row.number)
                if engine is None:
                    raise _unavailable()
                if self._before is not None:
                    self._before.close()
                # Who asked a moment ago may be at it still.
                self._before, self._reader = self._reader, engine.reader()
            self._row = row
            return self._reader

    def incomplete(self) -> list[tuple[str, str]]:
        """Why answers may lack something that was indexed before: (code, sentence)."""
        try:
            with self._lock:
                row = self._serving()
        except Unavailable as error:
            return [(error.code, str(error))]
        if row.state == "serving":
            return [("index_behind", _BEHIND)] if self._is_behind() else []
        return [("index_rebuilding", "The index is being built again; what is missing follows in a while.")]

    def engines(self) -> Engines:
        """Those of the settings. Raises Unavailable while there is no catalogue."""
        with self._lock:
            return self._opened()

    def close(self) -> None:
        with self._lock:
            for reader in (self._reader, self._before):
                if reader is not None:
                    reader.close()
            self._reader = self._before = None
            if self._engines is not None:
                self._engines.close()
            self.catalogue.close()

    def _serving(self) -> EngineRow:
        now = time.monotonic()
        if self._latest is not None and self._reader is not None and now - self._looked_at < _LOOK_AGAIN_SECONDS:
            return self._latest
        self._opened()
        rows = [row for row in self.catalogue.engines() if row.state != "retired"]
        if not rows:
            raise CatalogueMissing("The index is being made; try again shortly.")
        self._looked_at = now
        self._latest = min(rows, key=lambda row: (row.state != "serving", row.number))
        if self._owed is None or self._latest.holds >= self._owed[0]:
            change = self.catalogue.change_number()
            self._owed = None if self._latest.holds >= change else (change, now)
        return self._latest

    def _is_behind(self) -> bool:
        owed = self._owed
        return owed is not None and time.monotonic() - owed[1] >= _BEHIND_SECONDS

    def _opened(self) -> Engines:
        if self._engines is None:
            self._engines = Engines(self._settings, self.catalogue.numbers()["owner"])
        return self._engines


_BEHIND = (
    "What changed lately is recorded and can't be written to the search engine at the moment, so it is not found; "
    "the server's log says why."
)


def _unavailable() -> Unavailable:
    return Unavailable(
        "The search engine is not set up; WIO_ELASTICSEARCH_NODE_1 names it.", code="engine_unavailable"
    )
