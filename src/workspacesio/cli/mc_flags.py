"""Which of mc's arguments are what: flags, values of flags, and the positions where a workspace may stand.

Read as mc reads them (github.com/minio/cli, Command.Run): flags may stand anywhere, `-name` and `--name` are the
same, a flag that takes a value takes the next argument unless it has an `=`, and after `--` there are no flags.
A test compares the table with `mc VERB --help`.
"""

from __future__ import annotations

from workspacesio.client.references import READ, WRITE

_GLOBAL = [
    *("config-dir", "C", "resolve", "limit-upload", "limit-download"),
    *("conn-read-deadline", "conn-write-deadline", "custom-header", "H"),
]
_ENCRYPTION = ["enc-c", "enc-kms", "enc-s3"]
_AGE = ["older-than", "newer-than"]
_VERSION = ["rewind", "version-id", "vid"]
_STORED_AS = ["storage-class", "sc", "attr", "checksum"]
_RETENTION = ["retention-mode", "retention-duration", "legal-hold"]
_EXCLUDED = ["exclude", "exclude-bucket", "exclude-storageclass"]
_EXPRESSIONS = ["ignore", "name", "path", "regex", "larger", "smaller", "maxdepth", "metadata", "tags"]

VALUE_FLAGS: dict[str, frozenset[str]] = {
    verb: frozenset([*_GLOBAL, *flags])
    for verb, flags in {
        "ls": ["rewind", "storage-class", "sc"],
        "cp": [*_VERSION, *_AGE, *_STORED_AS, *_ENCRYPTION, *_RETENTION, "tags"],
        "mv": [*_AGE, "storage-class", "sc", "attr", *_ENCRYPTION],
        "rm": [*_VERSION, *_AGE],
        "diff": [],
        "cat": [*_VERSION, "offset", "tail", "part-number", "enc-c"],
        "head": [*_VERSION, "n", "lines", "enc-c"],
        "tree": ["depth", "d", "rewind"],
        "mirror": [*_AGE, *_STORED_AS, *_ENCRYPTION, *_EXCLUDED, "region", "monitoring-address"],
        "watch": ["events", "prefix", "suffix"],
        "find": [*_AGE, *_EXPRESSIONS, "exec", "print"],
        "stat": [*_VERSION, "enc-c"],
        "du": ["depth", "d", "rewind"],
        "pipe": [*_STORED_AS, *_ENCRYPTION, "tags", "concurrent", "part-size", "pipe-max-size"],
    }.items()
}

VERBS = tuple(VALUE_FLAGS)

_WRITES_LAST = frozenset({"cp", "mirror"})
_WRITES_ALL = frozenset({"mv", "rm", "pipe"})


def before_verb(argv: list[str]) -> int:
    """How many arguments stand before the verb: mc's own flags and their values."""
    index = 0
    while index < len(argv) and argv[index].startswith("-") and argv[index] != "-":
        index += 2 if _takes_next(argv[index], frozenset(_GLOBAL)) else 1
    return index


def positions(verb: str, arguments: list[str]) -> list[int]:
    """The indexes of what is neither a flag nor a flag's value."""
    return [index for index, kind in enumerate(kinds(verb, arguments)) if kind == "position"]


def has_flag(verb: str, arguments: list[str], *names: str) -> bool:
    """Whether one of these flags was given."""
    return any(
        kind == "flag" and _name(argument).partition("=")[0] in names
        for argument, kind in zip(arguments, kinds(verb, arguments), strict=True)
    )


def flag_value(verb: str, arguments: list[str], name: str) -> str | None:
    """The value of a flag that takes one, the last where it is given twice; None where it isn't given."""
    found = None
    asked = kinds(verb, arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = _name(argument).partition("=")
        if asked[index] == "flag" and flag == name:
            found = value if equals else "".join(arguments[index + 1 : index + 2])
    return found


def kinds(verb: str, arguments: list[str]) -> list[str]:
    """For each argument `position`, `flag`, `value`, or `end` for the one that ends the flags."""
    found = []
    value_follows = ended = False
    for argument in arguments:
        if ended:
            found.append("position")
        elif value_follows:
            value_follows = False
            found.append("value")
        elif argument == "--":
            ended = True
            found.append("end")
        elif argument.startswith("-") and argument != "-":
            value_follows = _takes_next(argument, VALUE_FLAGS[verb])
            found.append("flag")
        else:
            found.append("position")
    return found


def purposes(verb: str, arguments: list[str]) -> dict[int, str]:
    """For each position, whether the verb reads or writes there."""
    places = positions(verb, arguments)
    if verb in _WRITES_ALL or has_flag(verb, arguments, "active-active"):
        return dict.fromkeys(places, WRITE)
    wanted = dict.fromkeys(places, READ)
    if verb in _WRITES_LAST and len(places) > 1:
        wanted[places[-1]] = WRITE
    return wanted


def watched(verb: str, arguments: list[str]) -> list[int]:
    """The positions whose changes the verb waits for: mc asks the server for a stream of them."""
    places = positions(verb, arguments)
    if verb == "watch" or (verb == "find" and has_flag(verb, arguments, "watch")):
        return places
    if verb == "mirror" and has_flag(verb, arguments, "watch", "w", "active-active", "multi-master"):
        return places[:1]
    return []


def only_reads(verb: str, arguments: list[str], places: list[int]) -> bool:
    """Whether a credential for reading is enough for the workspaces in these positions."""
    # What `find --exec` runs may do anything with what was found.
    wanted = purposes(verb, arguments)
    return all(wanted[index] == READ for index in places) and not has_flag(verb, arguments, "exec")


def _takes_next(argument: str, value_flags: frozenset[str]) -> bool:
    return argument.startswith("-") and "=" not in argument and _name(argument) in value_flags


def _name(argument: str) -> str:
    return argument[2:] if argument.startswith("--") else argument[1:]
