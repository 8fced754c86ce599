"""One entry that is due, looked at: from what storage holds to what the recorder is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from workspacesio.index.catalogue import Due
from workspacesio.index.extraction.pool import Findings, Slot
from workspacesio.index.extraction.printable import one_line
from workspacesio.index.extraction.protocol import Enrichment
from workspacesio.index.extraction.registry import METADATA_STAMP, Registry
from workspacesio.index.extraction.sources import Source, opened
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeDown, NodeError, NoSuchBucket, NoSuchObject, ObjectChanged
from workspacesio.nodes.values import Scope

MOST_LABELS = 100
MOST_LABEL_CHARACTERS = 500


class Reading(Enum):
    """How much of an entry is to be known. HEADERS: what its server says, without reading a byte of it."""

    HEADERS = "headers"
    METADATA = "metadata"
    CONTENT = "content"


class Later(Enum):
    """Why nothing came of looking. CHANGED: it is not what was found; GONE: it isn't there; events or the next
    crawl tell. DOWN: its node can't be used now."""

    CHANGED = "changed"
    GONE = "gone"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Looked:
    """`enrichment` or why there is none; `bytes_asked`: how much its server was asked for."""

    due: Due
    enrichment: Enrichment | None
    later: Later | None = None
    bytes_asked: int = 0


def look_at(
    due: Due,
    *,
    driver: StorageDriver,
    workspace_id: int,
    scope: Scope,
    reading: Reading,
    slot: Slot,
    registry: Registry,
) -> Looked:
    """Raises NurseryLost; whatever else goes wrong is of this entry alone."""
    findings = Findings()
    try:
        with opened(driver, scope, due) as source:
            if source.file is not None and due.size and reading is not Reading.HEADERS:
                findings = slot.look(workspace_id, source.file, content=reading is Reading.CONTENT)
    except ObjectChanged:
        return Looked(due, None, Later.CHANGED, findings.bytes_asked)
    except (NoSuchObject, NoSuchBucket):
        return Looked(due, None, Later.GONE, findings.bytes_asked)
    except NodeDown:
        return Looked(due, None, Later.DOWN, findings.bytes_asked)
    except NodeError as error:
        source, findings = Source(), Findings(problem=str(error))
    return Looked(due, _enrichment(due, source, findings, reading, registry), None, findings.bytes_asked)


def _enrichment(due: Due, source: Source, findings: Findings, reading: Reading, registry: Registry) -> Enrichment:
    stamp = METADATA_STAMP
    if reading is Reading.CONTENT:
        stamp = registry.stamp(registry.named(findings.extractor))
    return Enrichment(
        entry_id=due.entry_id,
        size=due.size,
        modified=due.modified_us,
        etag=due.etag,
        looked=stamp,
        content_type=findings.content_type or one_line(source.content_type, MOST_LABEL_CHARACTERS),
        user=_bounded(source.user),
        tags=_bounded(source.tags),
        facts=findings.facts,
        text=findings.text,
        problem=findings.problem,
    )


def _bounded(labels: Mapping[str, str]) -> dict[str, str]:
    """Whoever may write a file in a folder may write any attribute to it."""
    return {
        one_line(name, MOST_LABEL_CHARACTERS): one_line(value, MOST_LABEL_CHARACTERS)
        for name, value in list(labels.items())[:MOST_LABELS]
        if isinstance(name, str) and isinstance(value, str)
    }


def names_again(due: Due) -> Enrichment:
    """Nothing but the name is to be known any more."""
    return Enrichment(due.entry_id, due.size, due.modified_us, due.etag, looked="")
