"""What an extractor is, what it is given and gives, and what becomes of that.

An extractor is described by an `Extractor`; the function that it names runs in a confined child process, which has
no network, no environment and no files but the one that it is given, and is killed when it takes too much.
Other packages add extractors through the entry point group `workspacesio.extractors`; see docs/extractors.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

ENTRY_POINTS = "workspacesio.extractors"
GENERAL_VERSION = 1
"""Of what is done with every file: its content type, its metadata. Raised when that gets better."""

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost, and what may come of it. Times in seconds; `most_read` bytes of the file."""

    seconds: float = 30.0
    processor_seconds: int = 20
    memory: int = 512 * MEBIBYTE
    most_read: int = 128 * MEBIBYTE
    text_characters: int = 200_000
    text_bytes: int = 256 << 10
    facts: int = 100
    fact_characters: int = 500
    files_per_child: int = 64


LIMITS = Limits()


class ReadTooMuch(Exception):
    """An extractor asked for more bytes of its file than `Limits.most_read`."""


class Unreadable(Exception):
    """The file can't be read, and the sentence says why, for people."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """The file that an extractor looks at. `open()` begins at its first byte, and may be called again.

    What `open` gives can be read and sought, never written, and raises ReadTooMuch. `name` is the last part of its
    path. `text_characters`: more words than that are cut off later, so need not be looked for.
    """

    name: str
    size: int
    content_type: str
    open: Callable[[], BinaryIO]
    text_characters: int = LIMITS.text_characters


@dataclass(slots=True)
class Extracted:
    """What an extractor found. `facts` short ones by name (`width`, `columns`); `text` the words of the content.

    `problem` is for what was readable in part; what isn't at all is raised as `Unreadable`.
    """

    facts: dict[str, str] = field(default_factory=dict)
    text: str = ""
    content_type: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Extractor:
    """`name` is never used by another; `version` is raised when it finds more: its entries are then redone.

    A file goes to the extractor that names its content type, else to one that names its extension (lower case, no
    dot), else to one with `image/*`. `function` is `package.module:name`, called with a
    `GivenFile`, returning `Extracted`. `libraries` are the modules without which it can't work, and `install` what
    a person types to have them.
    """

    name: str
    version: int
    content_types: tuple[str, ...]
    function: str
    libraries: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    install: str = "pip install 'workspacesio[extract]'"

    @property
    def module(self) -> str:
        return self.function.partition(":")[0]


class Enrichment(NamedTuple):
    """What is now known of an entry that was of this size, modified and etag when it was looked at.

    `looked` is the stamp of how it was looked at; '' when nothing but its name is to be indexed.
    """

    entry_id: int
    size: int
    modified: int
    etag: str
    looked: str
    content_type: str = ""
    user: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}
    text: str = ""
    problem: str = ""
