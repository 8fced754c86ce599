"""Which extractors there are, which one a file goes to, and the stamps that entries bear once looked at."""

import importlib.util
import logging
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import entry_points

from workspacesio.domain.search_types import extension_of
from workspacesio.index.extraction.kinds import BUILT_IN
from workspacesio.index.extraction.protocol import ENTRY_POINTS, GENERAL_VERSION, Extractor

_log = logging.getLogger(__name__)


class Registry:
    """Earlier ones go before later ones."""

    def __init__(self, extractors: Iterable[Extractor]) -> None:
        self.extractors = tuple(extractors)
        self._by_type: dict[str, Extractor] = {}
        self._by_extension: dict[str, Extractor] = {}
        for extractor in self.extractors:
            for content_type in extractor.content_types:
                self._by_type.setdefault(content_type, extractor)
            for extension in extractor.extensions:
                self._by_extension.setdefault(extension, extractor)
        self._missing = {one.name: _absent(one.libraries) for one in self.extractors}

    def choose(self, content_type: str, name: str) -> Extractor | None:
        """By the content type, else the extension, else the kind of content type (`image/*`)."""
        return (
            self._by_type.get(content_type)
            or self._by_extension.get(extension_of(name))
            or self._by_type.get(content_type.partition("/")[0] + "/*")
        )

    def named(self, name: str) -> Extractor | None:
        return next((one for one in self.extractors if one.name == name), None)

    def missing(self, extractor: Extractor) -> Sequence[str]:
        """The libraries that it needs and that are not installed."""
        return self._missing[extractor.name]

    # --- stamps: how an entry was looked at; others than the current ones are looked at again ---------------

    def stamp(self, extractor: Extractor | None) -> str:
        if extractor is None:
            return self._none_fits
        lacking = "-" if self.missing(extractor) else ""
        return f"{GENERAL_VERSION}:{extractor.name}/{extractor.version}{lacking}"

    @cached_property
    def content_stamps(self) -> frozenset[str]:
        """All that an entry at level content may bear."""
        return frozenset({self._none_fits, *map(self.stamp, self.extractors)})

    @cached_property
    def _none_fits(self) -> str:
        known = repr([(one.name, one.content_types, one.extensions) for one in self.extractors])
        return f"{GENERAL_VERSION}:-/{blake2b(known.encode(), digest_size=4).hexdigest()}"


METADATA_STAMP = f"{GENERAL_VERSION}:metadata"


def as_fields(extractors: Iterable[Extractor]) -> list[tuple[object, ...]]:
    """For a message to a child."""
    return [astuple(one) for one in extractors]


def installed() -> Registry:
    """Those of other packages, by the names of their entry points, then the built-in ones."""
    found: dict[str, Extractor] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            extractor = point.load()
        except Exception:
            _log.exception("The extractor %s can't be loaded; it is left out.", point.name)
            continue
        if not isinstance(extractor, Extractor) or not extractor.name or extractor.name in found:
            _log.error("The entry point %s is no Extractor with a name of its own; it is left out.", point.name)
            continue
        found[extractor.name] = extractor
    for extractor in BUILT_IN:
        found.setdefault(extractor.name, extractor)
    return Registry(found.values())


def _absent(libraries: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in libraries if importlib.util.find_spec(name) is None)
