"""The fields of the query language: what each makes of its value. See docs/search.md for what people are told.

name:  path:  ext:  type:  size:  modified:  tag:  owner:  in:  node:  root:  public:
"""

from collections.abc import Callable
from difflib import get_close_matches

from workspacesio.domain.errors import Invalid
from workspacesio.domain.search_patterns import (
    Wild,
    fold_pattern,
    is_wild,
    literal_pattern,
    pattern_parts,
    printed_readings,
)
from workspacesio.domain.search_quantities import modified_query, size_query
from workspacesio.domain.search_query import (
    AnyOf,
    Everything,
    HasExtension,
    HasTag,
    Named,
    NamedField,
    NameMatches,
    Not,
    OfType,
    PathMatches,
    Query,
    Words,
)
from workspacesio.domain.search_term import Term, shown, wrong_query
from workspacesio.domain.search_types import MAX_EXTENSION_CHARACTERS, TYPES, media_type
from workspacesio.domain.search_words import fold, words

MAX_WILDCARDS = 10
"""In one pattern. The automata of engines grow with a power of it."""

MAX_PHRASE_WORDS = 50

_MEANT = {
    "after": "modified",
    "author": "owner",
    "bucket": "root",
    "bytes": "size",
    "date": "modified",
    "extension": "ext",
    "file": "name",
    "filename": "name",
    "filetype": "type",
    "folder": "path",
    "kind": "type",
    "label": "tag",
    "larger": "size",
    "meta": "tag",
    "mtime": "modified",
    "server": "node",
    "suffix": "ext",
    "tags": "tag",
    "time": "modified",
    "user": "owner",
    "workspace": "in",
}
_OPERATORS = {"|": "or", "||": "or", "&": "and", "&&": "and", "!": "not", "+": "and"}
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0"})


def query_of(term: Term, now: int) -> Query:
    """What one term asks for. `now`: microseconds since 1970. Raises Invalid (see `search_term`)."""
    if term.field is None:
        return _words(term)
    make = FIELDS.get(term.field)
    if make is None:
        raise _no_such_field(term, term.field)
    if not term.value and not (term.quoted and term.field == "ext"):
        raise term.wrong(
            f"{term.field}: has no value", f"write it right behind the colon, such as {EXAMPLES[term.field]}"
        )
    return make(term, now)


def _no_such_field(term: Term, field: str) -> Invalid:
    close = get_close_matches(field, FIELDS, n=1, cutoff=0.6)
    meant = _MEANT.get(field) or (close[0] if close else None)
    if meant is None:
        hint = "put quotes around it to look for these words, or use one of " + " ".join(f"{f}:" for f in FIELDS)
    else:
        hint = f"did you mean `{meant}:`?"[:-1]
    return wrong_query(f"There is no field `{shown(field)}:`", hint, at=term.at, length=len(field) + 1)


def _words(term: Term) -> Query:
    if not term.quoted and is_wild(term.pattern):
        if not any(part not in (Wild.ANY, Wild.ANY_WITH_SLASHES) for part in pattern_parts(term.pattern)):
            return Everything()
        return _path(term, 0) if "/" in term.pattern else _name(term, 0)
    found = words(term.value)
    if not found:
        operator = _OPERATORS.get(term.value)
        hint = f"write `{operator}`" if operator else 'a character alone is found in names with name:"…"'
        raise term.wrong(f"{term.shown!r} holds no letter and no digit", hint)
    if len(found) > MAX_PHRASE_WORDS:
        raise term.wrong(f"A phrase has at most {MAX_PHRASE_WORDS} words", "leave some out")
    phrase = Words(tuple(found))
    # What `wio search` has printed is found again, whatever it is.
    return AnyOf((phrase, *_printed(literal_pattern(term.value)))) if "/" in term.value else phrase


def _name(term: Term, now: int) -> Query:  # noqa: ARG001
    if "/" in term.pattern:
        raise term.wrong("A name holds no slash", "use path: for folders, such as path:raw/**")
    return NameMatches(_pattern(term))


def _path(term: Term, now: int) -> Query:  # noqa: ARG001
    _pattern(term)
    inside = path_query(term.pattern)
    parts = inside.parts if isinstance(inside, AnyOf) else (inside,)
    printed = _printed(term.pattern)
    return AnyOf((*parts, *printed)) if printed else inside


def _printed(pattern: str) -> tuple[Named, ...]:
    return (Named("path", pattern),) if printed_readings(pattern) else ()


def path_query(pattern: str) -> Query:
    """The paths in a workspace that a pattern, not folded yet, means: without wildcards also all below it."""
    pattern = fold_pattern(pattern).lstrip("/")
    if not pattern:
        return Everything()
    if pattern.endswith("/"):
        return PathMatches(f"{pattern}**")
    if is_wild(pattern):
        return PathMatches(pattern)
    return AnyOf((PathMatches(pattern), PathMatches(f"{pattern}/**")))


def _pattern(term: Term) -> str:
    parts = pattern_parts(term.pattern)
    if sum(isinstance(part, Wild) for part in parts) > MAX_WILDCARDS:
        raise term.wrong(f"A pattern has at most {MAX_WILDCARDS} wildcards", "leave some out")
    return fold_pattern(term.pattern)


def _extension(term: Term, now: int) -> Query:  # noqa: ARG001
    extension = fold(term.value).removeprefix("*").removeprefix(".")
    if any(character in extension for character in "*?/,; "):
        raise term.wrong(f"{term.shown!r} is no extension", "write one, such as ext:tif, or (ext:tif or ext:jpg)")
    if "." in extension:
        return NameMatches("*." + literal_pattern(extension))
    if len(extension) > MAX_EXTENSION_CHARACTERS:
        raise term.wrong(
            f"An extension has at most {MAX_EXTENSION_CHARACTERS} characters",
            f"write name:*.{shown(extension)}",
        )
    return HasExtension(extension)


def _type(term: Term, now: int) -> Query:  # noqa: ARG001
    wanted = fold(term.value)
    if wanted in TYPES:
        return OfType(wanted)
    major, slash, minor = media_type(wanted).partition("/")
    if slash and major and minor and "*" not in wanted:
        return OfType(f"{major}/{minor}")
    close = [major] if slash and major in TYPES else get_close_matches(wanted, TYPES, n=1, cutoff=0.7)
    known = f"the types are {', '.join(TYPES)}, or a content type such as image/tiff"
    raise term.wrong(f"There is no type {term.shown!r}", f"did you mean type:{close[0]}" if close else known)


def _tag(term: Term, now: int) -> Query:  # noqa: ARG001
    key, has_value, value = term.value.partition("=")
    if not key.strip():
        raise term.wrong("A tag has a key", "write tag:key or tag:key=value")
    return HasTag(key, value if has_value else None)


def _named(field: NamedField) -> Callable[[Term, int], Query]:
    def make(term: Term, now: int) -> Query:  # noqa: ARG001
        return Named(field, term.value)

    return make


def _public(term: Term, now: int) -> Query:  # noqa: ARG001
    wanted = fold(term.value)
    if wanted in _YES:
        return Named("public", "yes")
    if wanted in _NO:
        return Not(Named("public", "yes"))
    raise term.wrong(f"{term.shown!r} is neither yes nor no", "write public:yes or public:no")


FIELDS: dict[str, Callable[[Term, int], Query]] = {
    "name": _name,
    "path": _path,
    "ext": _extension,
    "type": _type,
    "size": size_query,
    "modified": modified_query,
    "tag": _tag,
    "owner": _named("owner"),
    "in": _named("in"),
    "node": _named("node"),
    "root": _named("root"),
    "public": _public,
}
EXAMPLES = {
    "name": "name:*.tif",
    "path": "path:raw/**",
    "ext": "ext:tif",
    "type": "type:image",
    "size": "size:>1GB",
    "modified": "modified:<30d",
    "tag": "tag:project=apollo",
    "owner": "owner:ada",
    "in": "in:ada/data",
    "node": "node:local",
    "root": "root:private",
    "public": "public:yes",
}
