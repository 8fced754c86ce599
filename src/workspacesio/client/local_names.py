"""Names that files can have here. An object whose name a file can't have is told of, never renamed.

Windows: "Naming Files, Paths, and Namespaces" and "Maximum Path Length Limitation", Microsoft Learn.
"""

from __future__ import annotations

import os
import sys

from workspacesio.client import operating_system

MAX_NAME_BYTES = 255
"""Of a file or folder on all common file systems but Windows', which count UTF-16 units."""
_NO_CHARACTERS = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{name}{number}" for name in ("COM", "LPT") for number in "123456789\u00b9\u00b2\u00b3"}
)


class Rules:
    """What names a folder can hold. `folds`: names that differ in case only are one name.

    `composes`: and those that differ in Unicode's normal form. `longest`: in characters, of a whole path.
    """

    __slots__ = ("composes", "folds", "longest", "windows")

    def __init__(
        self, *, windows: bool = False, folds: bool = False, composes: bool = False, longest: int | None = None
    ) -> None:
        self.windows = windows
        self.folds = folds
        self.composes = composes
        self.longest = longest


POSIX = Rules()
WINDOWS = Rules(windows=True, folds=True, longest=259)
WINDOWS_LONG = Rules(windows=True, folds=True, longest=32_000)


def rules_for(folder: str) -> Rules:
    """Those of a local folder, or of where it will be made."""
    if os.name == "nt":
        return WINDOWS_LONG if _takes_long_paths() else WINDOWS
    return Rules(folds=_folds_case(folder), composes=sys.platform == "darwin")


def _takes_long_paths() -> bool:
    """Whether an administrator has switched them on (LongPathsEnabled), and this Python can use them."""
    import ctypes

    try:
        # `windll` exists on Windows only.
        return bool(getattr(ctypes, "windll").ntdll.RtlAreLongPathsEnabled())  # noqa: B009
    except (AttributeError, OSError):
        return False


def _folds_case(folder: str) -> bool:
    """Looks whether a name that is there is found in the other case, where no other is listed.

    Inodes don't tell: those of FUSE may be of a path. In an empty disk a name is made for a moment.
    """
    path = os.path.abspath(folder)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        with os.scandir(path) as entries:
            known = next((one.name for one in entries if one.name != one.name.swapcase()), "")
        if known:
            other = known.swapcase()
            return os.path.lexists(os.path.join(path, other)) and other not in os.listdir(path)
        made = os.path.join(path, f".wio-case-{os.getpid()}")
        os.mkdir(made)
        try:
            return os.path.lexists(os.path.join(path, os.path.basename(made).upper()))
        finally:
            os.rmdir(made)
    except OSError:  # who can't list it or write to it can't copy there, either
        return False


def reason_against(path: str, folder: str, rules: Rules) -> str:
    """Why no file below `folder` can have this path of an object; "" if one can. Nothing may lead out of it."""
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        return "no local file can have this name"
    if parts and is_part(parts[-1]):
        return "files are called so here while they come"
    try:
        if not rules.windows and any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in parts):
            return f"a name in it is longer than the {MAX_NAME_BYTES} bytes that a local file can have"
    except UnicodeEncodeError:
        return f"its name can't be written in {sys.getfilesystemencoding()}, which files here are named in"
    if rules.windows:
        return next(filter(None, map(_reason_of_windows, parts)), "") or _too_long(path, folder, rules)
    return ""


def is_part(name: str) -> bool:
    """Whether a file is what has come of a download."""
    return name.startswith(".wio-") and name.endswith(".part")


class Ways:
    """Whether paths below a folder lead through links: somebody else may have put them there."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._above = self._reason = ""

    def reason_against(self, path: str) -> str:
        """Why nothing is written there; "" if it may be."""
        above = path.rpartition("/")[0]
        if above != self._above:
            self._above, self._reason = above, ""
            way = self._folder
            for name in above.split("/"):
                way = os.path.join(way, name)
                try:
                    is_link = operating_system.is_link(way)
                except OSError:  # it will be made, or it is said when it is written
                    break
                if is_link:
                    self._reason = f"{way} is a link, which is not followed; name it itself to write there"
                    break
        return self._reason


def _reason_of_windows(name: str) -> str:
    held = next((one for one in name if one in _NO_CHARACTERS or ord(one) < 32), None)
    if held is not None:
        return f"there is {held if held.isprintable() else ascii(held)} in its name, which Windows can't hold"
    if name[-1] in ". ":
        return f"a name in it ends with a {'dot' if name[-1] == '.' else 'blank'}, which Windows can't hold"
    device = name.partition(".")[0].rstrip(" ").upper()
    if device in _DEVICES:
        return f"{device} is a device of Windows, which no file can be named after"
    if len(name.encode("utf-16-le")) // 2 > MAX_NAME_BYTES:
        return f"a name in it is longer than the {MAX_NAME_BYTES} characters that Windows can hold"
    return ""


def _too_long(path: str, folder: str, rules: Rules) -> str:
    whole = os.path.join(os.path.abspath(folder), path)
    if rules.longest is None or len(whole.encode("utf-16-le", "surrogatepass")) // 2 <= rules.longest:
        return ""
    return f"its path here would be longer than the {rules.longest} characters that Windows can hold"


class Taken:
    """Names given so far, where two can be one. For paths of one folder in the order of S3, which goes through one
    folder below it after the other, so that no more is remembered than the names in those that are open.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._open: list[tuple[str, dict[str, str]]] = [("", {})]

    def reason_against(self, path: str) -> str:
        """Why it can't be there beside what came before; "" if it can, and then it counts."""
        if not self._rules.folds and not self._rules.composes:
            return ""
        parts = path.split("/")
        for depth, name in enumerate(parts):
            before = "/".join(parts[:depth])
            if depth == len(self._open) or self._open[depth][0] != before:
                del self._open[depth:]
                self._open.append((before, {}))
            other = self._open[depth][1].setdefault(folded(name, self._rules), name)
            if other != name:
                return f"{'/'.join([*parts[:depth], other])!r} has the same name for this system"
        return ""


def folded(name: str, rules: Rules) -> str:
    """The same for names that are one name. Case as Windows folds it: character by character."""
    if rules.composes and not name.isascii():
        import unicodedata

        name = unicodedata.normalize("NFC", name)
    if not rules.folds:
        return name
    upper = name.upper()
    if len(upper) == len(name):
        return upper
    return "".join(high if len(high := one.upper()) == 1 else one for one in name)
