"""Patterns of names and paths as the search server takes them.

Substrings of names are phrases of grams, so they cost what words cost, however many names there are. What grams
alone can't say (`?`, a `*` between two texts) is compared by a script, with those names only that have the grams.
A script and not a regular expression: that would look at every distinct name first.

A path is its folder and its name. A pattern of a path is divided at every place where the name may begin: after
its last slash, or within a `**` behind it. So the expression of the first part looks at distinct folders only, and
the second part is a pattern of a name.
"""

import string
from collections.abc import Sequence

from workspacesio.domain.search_patterns import Steps, Wild, folders_and_names, pattern_parts
from workspacesio.index.opensearch_index import GRAM, NAME_END

Json = dict[str, object]

EVERYTHING: Json = {"match_all": {}}
NOTHING: Json = {"match_none": {}}

_PUNCTUATION = frozenset(string.punctuation)

# `p` is the pattern; where `k` has a letter other than 't' there is a wildcard: 'o' one character, 'a' any. On a
# mismatch the last '*' takes one character more. Characters are code points, strings here are UTF-16, in which
# 55296 to 56319 (D800 to DBFF) begin a pair.
_FITS_NAME = """
int next(String s, int i) {
  int c = (int) s.charAt(i);
  if (c >= 55296 && c <= 56319) { return i + 2; }
  return i + 1;
}
String path = doc['path'].value;
String s = doc['name'].size() == 0 ? path.substring(path.lastIndexOf('/') + 1) : doc['name'].value;
String p = params.p;
String k = params.k;
int i = 0;
int j = 0;
int star = -1;
int mark = 0;
while (i < s.length()) {
  char kind = j < p.length() ? k.charAt(j) : (char) ' ';
  if (kind == (char) 't' && p.charAt(j) == s.charAt(i)) { i++; j++; }
  else if (kind == (char) 'o') { i = next(s, i); j++; }
  else if (kind == (char) 'a') { star = j; mark = i; j++; }
  else if (star >= 0) { mark = next(s, mark); i = mark; j = star + 1; }
  else { return false; }
}
while (j < p.length() && k.charAt(j) == (char) 'a') { j++; }
return j == p.length();
"""


def all_of(queries: Sequence[Json]) -> Json:
    kept = [query for query in queries if query != EVERYTHING]
    if not kept:
        return EVERYTHING
    return kept[0] if len(kept) == 1 else {"bool": {"filter": kept}}


def any_of(queries: Sequence[Json]) -> Json:
    if not queries:
        return NOTHING
    return queries[0] if len(queries) == 1 else {"bool": {"should": list(queries), "minimum_should_match": 1}}


def name_query(pattern: str) -> Json:
    parts = pattern_parts(pattern)
    if any(isinstance(part, Wild) for part in parts):
        return _whole_name(parts)
    return _substring("".join(map(str, parts)))


def path_query(pattern: str) -> Json:
    return any_of([all_of([_folder(folder), _whole_name(name)]) for folder, name in folders_and_names(pattern)])


def _whole_name(parts: Steps) -> Json:
    """The name fits from end to end."""
    if not parts:
        return {"term": {"grams": NAME_END * GRAM}}
    texts = [part for part in parts if isinstance(part, str)]
    if any(NAME_END in text for text in texts):
        return NOTHING
    wanted = []
    for at, part in enumerate(parts):
        if isinstance(part, str):
            begin = NAME_END if at == 0 else ""
            end = NAME_END if at == len(parts) - 1 else ""
            wanted.append(_substring(part, begin, end))
    if Wild.ONE in parts or len(texts) > 1:
        wanted.append(_scripted(parts))
    return all_of(wanted)


def _substring(text: str, begin: str = "", end: str = "") -> Json:
    """Names that hold the text; at their beginning, or end, if those are `NAME_END`."""
    if not text:
        return EVERYTHING
    if NAME_END in text:
        return NOTHING
    # Twice behind the name: a text of one character at its end has a gram, too.
    text = begin + text + (end * 2 if len(begin + text + end) < GRAM else end)
    if len(text) >= GRAM:
        return {"match_phrase": {"grams": text}}
    # Each character of a name begins a gram, the last one with `NAME_END` twice.
    return {"prefix": {"grams": text}}


def _scripted(parts: Steps) -> Json:
    pattern = kinds = ""
    for part in parts:
        if isinstance(part, str):
            # In UTF-16, as the script sees it.
            pattern += part
            kinds += "t" * (len(part.encode("utf-16-le")) // 2)
        else:
            pattern += " "
            kinds += "o" if part is Wild.ONE else "a"
    return {"script": {"script": {"source": _FITS_NAME, "lang": "painless", "params": {"p": pattern, "k": kinds}}}}


def _folder(steps: Steps) -> Json:
    """`steps` end with a slash or `**`, or are none."""
    if not any(isinstance(step, Wild) for step in steps):
        return {"term": {"folder_path": "".join(map(str, steps))}}
    if list(steps) == [Wild.ANY_WITH_SLASHES]:
        return EVERYTHING
    if steps[-1] is Wild.ANY_WITH_SLASHES and all(isinstance(step, str) for step in steps[:-1]):
        return _below("".join(map(str, steps[:-1])))
    return {"regexp": {"folder_path": {"value": _expression(steps), "flags": "NONE"}}}


def _below(text: str) -> Json:
    """Folders whose path begins with it. A text in which a name begins is no whole folder: `raw/20**`."""
    return {"prefix": {"folder_path": text}}


def _expression(steps: Steps) -> str:
    """Lucene's: the whole value fits, `.` is any character, and no operator is known but these."""
    steps = list(steps)
    expression = ""
    if steps[:1] == [Wild.ANY_WITH_SLASHES] and steps[1:2] == ["/"]:
        expression = "(.*/)?"
        steps = steps[2:]
    shown = {Wild.ONE: "[^/]", Wild.ANY: "[^/]*", Wild.ANY_WITH_SLASHES: ".*"}
    for step in steps:
        if isinstance(step, Wild):
            expression += shown[step]
        else:
            expression += f"\\{step}" if step in _PUNCTUATION else step
    return expression
