"""Sound, by mutagen: length, how it is recorded, and its tags."""

from typing import Any

import mutagen

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable

_TAGS = ("title", "artist", "album", "date", "genre", "composer", "comment")


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        try:
            found: Any = mutagen.File(stream, easy=True)
        except mutagen.MutagenError as error:
            raise Unreadable("It is damaged: its sound can't be read.") from error
    if found is None or found.info is None:
        raise Unreadable("It is damaged, or of a kind of sound that is not read.")
    info = found.info
    facts = present(
        seconds=_rounded(getattr(info, "length", None)),
        sample_rate=getattr(info, "sample_rate", None),
        channels=getattr(info, "channels", None),
        bit_rate=getattr(info, "bitrate", None),
        bits_per_sample=getattr(info, "bits_per_sample", None),
        codec=getattr(info, "codec", None),
    )
    text = Text(file.text_characters)
    for name in _TAGS:
        said = _said(found.tags, name)
        text.add(said)
        facts.update(present(**{name: said}))
    return Extracted(facts, str(text))


def _said(tags: Any, name: str) -> str:
    try:
        values = tags.get(name) if tags is not None else None
    except (KeyError, ValueError):
        return ""
    return ", ".join(map(str, values)) if isinstance(values, list) else ""


def _rounded(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.3f}".rstrip("0").rstrip(".")
