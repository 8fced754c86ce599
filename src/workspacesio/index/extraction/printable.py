"""Strings of strangers made fit to be stored and shown."""

import re

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Without control characters but for spaces and ends of lines, and without lone surrogates."""
    return _UNPRINTABLE.sub(" ", text)


def one_line(text: object, most: int) -> str:
    """At most so many characters; '' for what is no string."""
    return " ".join(printable(text).split())[:most] if isinstance(text, str) else ""
