"""The query language: text to the tree of `search_query`.

    query  = [ either ]                                   nothing asks for everything
    either = all { "or" all }
    all    = single { [ "and" ] single }
    single = ( "-" | "not" ) single | "(" either ")" | term
    term   = [ field ":" ] value
    value  = piece { piece }                              pieces touch one another
    piece  = characters other than white space, quotes and parentheses
           | '"' characters '"'                           in which \\" is a quote and \\\\ a backslash

`or`, `and`, `not` and fields in any case; in quotes they are words. What a term means is said in `search_fields`.
The only exception is Invalid with code `invalid_query`: it says where, what and what to write instead.
"""

import re
from dataclasses import dataclass
from typing import Literal

from workspacesio.domain.search_fields import query_of
from workspacesio.domain.search_patterns import folder_comparisons, is_wild
from workspacesio.domain.search_query import AllOf, AnyOf, Everything, NameMatches, Not, PathMatches, Query, Words
from workspacesio.domain.search_term import Term, wrong_query

MAX_CHARACTERS = 2000
MAX_TERMS = 100
"""A phrase counts each of its words, which engines look up one by one."""

MAX_PATTERNS = 10
"""Terms with wildcards; engines may have to look at every name for one."""

MAX_FOLDER_COMPARISONS = 5
"""Of all folders with a pattern, in all of a query: each takes up to half a second where there are 200,000."""

MAX_DEPTH = 20
"""Of parentheses and negations in one another."""

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_]*):")
_KEYWORDS = frozenset({"or", "and", "not"})

Kind = Literal["or", "and", "not", "(", ")", "term", "end"]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    at: int
    length: int
    term: Term | None = None


def parse(text: str, now: int) -> Query:
    """`now`: microseconds since 1970 UTC, for ages. Raises Invalid."""
    if len(text) > MAX_CHARACTERS:
        raise wrong_query(
            f"A query has at most {MAX_CHARACTERS} characters", "leave something out", at=MAX_CHARACTERS
        )
    for at, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise wrong_query("No name holds this character", "leave it out", at=at)
    parser = _Parser(_tokens(text), now)
    return parser.whole()


class _Parser:
    """Recursive descent over the tokens, the last of which is `end`."""

    def __init__(self, tokens: list[_Token], now: int) -> None:
        self._tokens = tokens
        self._position = 0
        self._now = now
        self._terms = 0
        self._patterns = 0
        self._comparisons = 0

    def whole(self) -> Query:
        if self._next.kind == "end":
            return Everything()
        query = self._either(0)
        if self._next.kind == ")":
            raise wrong_query("This parenthesis closes none", "remove it, or put it in quotes", at=self._next.at)
        return query

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _take(self) -> _Token:
        self._position += 1
        return self._tokens[self._position - 1]

    def _either(self, depth: int) -> Query:
        parts = [self._all(depth)]
        while self._next.kind == "or":
            self._take()
            parts.append(self._all(depth))
        return _once(AnyOf, parts)

    def _all(self, depth: int) -> Query:
        parts = [self._single(depth)]
        while self._next.kind not in ("or", ")", "end"):
            if self._next.kind == "and":
                self._take()
            parts.append(self._single(depth))
        return _once(AllOf, parts)

    def _single(self, depth: int) -> Query:
        token = self._take()
        if depth > MAX_DEPTH:
            raise wrong_query(f"A query nests at most {MAX_DEPTH} deep", "make it flatter", at=token.at)
        match token.kind:
            case "not":
                return Not(self._single(depth + 1))
            case "(":
                query = self._either(depth + 1)
                if self._next.kind != ")":
                    raise wrong_query(
                        "This parenthesis is not closed", "close it, or put it in quotes", at=token.at
                    )
                self._take()
                return query
            case "term":
                return self._term(token)
            case _:
                raise self._missing(token)

    def _term(self, token: _Token) -> Query:
        assert token.term is not None, "of this kind"
        query = query_of(token.term, self._now)
        # Other readings of the same term come behind the first.
        first = query.parts[0] if isinstance(query, AnyOf) and query.parts else query
        self._terms += len(first.words) if isinstance(first, Words) else 1
        if self._terms > MAX_TERMS:
            raise wrong_query(
                f"A query has at most {MAX_TERMS} terms and words of phrases", "leave some out", at=token.at
            )
        if isinstance(first, NameMatches | PathMatches):
            self._count(first, token)
        return query

    def _count(self, query: NameMatches | PathMatches, token: _Token) -> None:
        """Raises Invalid for one too many."""
        self._patterns += is_wild(query.pattern)
        if isinstance(query, PathMatches):
            self._comparisons += folder_comparisons(query.pattern)
        if self._patterns > MAX_PATTERNS:
            what, hint = f"A query has at most {MAX_PATTERNS} patterns with wildcards", "leave some out"
        elif self._comparisons > MAX_FOLDER_COMPARISONS:
            what = f"A query has at most {MAX_FOLDER_COMPARISONS} patterns of folders"
            hint = "write folders out, such as path:raw/2026/**, or leave some out"
        else:
            return
        raise wrong_query(what, hint, at=token.at, length=token.length)

    def _missing(self, token: _Token) -> Exception:
        """`token` stands where something to look for must."""
        before = self._tokens[self._position - 2] if self._position > 1 else None
        if before is not None and before.kind in _KEYWORDS:
            return wrong_query(
                "Something to look for is missing behind this",
                "write it, or put the word in quotes if it is looked for itself",
                at=before.at,
                length=before.length,
            )
        if before is not None and before.kind == "(":
            return wrong_query("There is nothing in these parentheses", "remove them", at=before.at)
        if token.kind == ")":
            return wrong_query("This parenthesis closes none", "remove it, or put it in quotes", at=token.at)
        return wrong_query(
            "Something to look for is missing before this",
            "write it, or put the word in quotes if it is looked for itself",
            at=token.at,
            length=token.length,
        )


def _once(kind: type[AllOf | AnyOf], parts: list[Query]) -> Query:
    """Equal parts say nothing new, and engines would look each up."""
    different = tuple(dict.fromkeys(parts))
    return different[0] if len(different) == 1 else kind(different)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
            continue
        if character in "()":
            token = _Token("(" if character == "(" else ")", position, 1)
        elif character == "-":
            if not text[position + 1 : position + 2].strip():
                raise wrong_query(
                    "A minus stands right before what it excludes", "write -draft, or not draft", at=position
                )
            token = _Token("not", position, 1)
        else:
            token = _term_token(text, position)
        found.append(token)
        position += token.length
    return [*found, _Token("end", len(text), 0)]


def _term_token(text: str, at: int) -> _Token:
    field = _FIELD.match(text, at)
    position = value_at = field.end() if field else at
    value = pattern = ""
    quoted = False
    while position < len(text) and not text[position].isspace() and text[position] != ")":
        character = text[position]
        if character == "(":
            raise wrong_query(
                "This parenthesis touches a word",
                'put quotes around what it belongs to, such as name:"scan(1).tif", or a space before it',
                at=position,
            )
        if character == '"':
            piece, piece_pattern, position = _quoted(text, position)
            quoted = True
        else:
            piece = piece_pattern = character
            position += 1
        value += piece
        pattern += piece_pattern
    if text[position - 1] == "\\" and pattern.endswith("\\") and text[position : position + 1].isspace():
        raise wrong_query(
            "A backslash doesn't join words as in a shell",
            'put quotes around what has spaces, such as path:"raw data/**"',
            at=position - 1,
        )
    name = field[1].lower() if field else None
    term = Term(at, position - at, name, value_at, value, pattern, quoted)
    if name is None and not quoted and value.lower() in _KEYWORDS:
        keyword: Kind = "or" if value.lower() == "or" else "and" if value.lower() == "and" else "not"
        return _Token(keyword, at, term.length)
    return _Token("term", at, term.length, term)


def _quoted(text: str, at: int) -> tuple[str, str, int]:
    """What stands in the quotes that open at `at`: as value, as pattern, and the place behind them."""
    value = pattern = ""
    position = at + 1
    while position < len(text):
        character = text[position]
        if character == '"':
            return value, pattern, position + 1
        escaped = text[position + 1 : position + 2] if character == "\\" else ""
        if escaped in ('"', "\\") and escaped:
            value += escaped
            pattern += '"' if escaped == '"' else "\\\\"
            position += 2
        elif escaped:
            value += character + escaped
            pattern += character + escaped
            position += 2
        else:
            value += character
            pattern += character
            position += 1
    raise wrong_query("These quotes are not closed", 'write " at the end of the phrase', at=at)
