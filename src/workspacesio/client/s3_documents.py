"""The XML of S3 that the client reads ("Amazon S3 API Reference"): listings, and why something was refused."""

from __future__ import annotations

from urllib.parse import unquote_plus
from xml.etree import ElementTree

from workspacesio.client.errors import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Object:
    """One object of a listing. `size` in bytes, `modified` as RFC 3339 in UTC."""

    __slots__ = ("etag", "key", "modified", "size")

    def __init__(self, key: str, size: int, modified: str, etag: str) -> None:
        self.key = key
        self.size = size
        self.modified = modified
        self.etag = etag


class Page:
    """Part of a listing, in the order of keys as UTF-8. `folders`: common prefixes. `token`: of the next page."""

    __slots__ = ("folders", "objects", "token")

    def __init__(self, objects: list[Object], folders: list[str], token: str) -> None:
        self.objects = objects
        self.folders = folders
        self.token = token


def page_of(content: bytes) -> Page:
    """ListObjectsV2, also with encoding-type=url. Raises ValueError, KeyError for what is none."""
    from datetime import datetime

    objects, folders, token, goes_on, is_encoded = [], [], "", False, False
    for child in _root(content, "ListBucketResult"):
        name = _name(child)
        if name == "Contents":
            field = {_name(one): one.text or "" for one in child}
            modified = field["LastModified"]
            datetime.fromisoformat(modified)
            objects.append(Object(field["Key"], int(field["Size"]), modified, field.get("ETag", "")))
        elif name == "CommonPrefixes":
            folders += [one.text or "" for one in child]
        elif name == "NextContinuationToken":
            token = child.text or ""
        elif name == "IsTruncated":
            goes_on = child.text == "true"
        elif name == "EncodingType":
            is_encoded = child.text == "url"
    if goes_on and not token:  # whoever took this for the end would delete what is missing elsewhere
        raise ValueError("it goes on, and doesn't tell where")
    if is_encoded:  # servers that don't know it give names as they are
        for one in objects:
            one.key = unquote_plus(one.key)
        folders = [unquote_plus(folder) for folder in folders]
    return Page(objects, folders, token)


def error_of(content: bytes) -> tuple[str, str]:
    """Code and message of a refusal, "" for what isn't there."""
    try:
        field = {_name(one): one.text or "" for one in _root(content, "Error")}
    except ValueError:
        return "", ""
    return field.get("Code", ""), field.get("Message", "")


def _root(content: bytes, name: str) -> Iterator[ElementTree.Element]:
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - expat limits what entities grow to
    except ElementTree.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    if _name(root) != name:
        raise ValueError(f"{_name(root)} instead of {name}")
    return iter(root)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def parts_of(content: bytes) -> tuple[list[tuple[int, str, int]], str]:
    """ListParts: number, ETag and size of each, and where the next page begins. Raises ValueError."""
    parts, marker, more = [], "", False
    for child in _root(content, "ListPartsResult"):
        name = _name(child)
        if name == "Part":
            field = {_name(one): one.text or "" for one in child}
            parts.append((int(field["PartNumber"]), field["ETag"], int(field["Size"])))
        elif name == "NextPartNumberMarker":
            marker = child.text or ""
        elif name == "IsTruncated":
            more = child.text == "true"
    return parts, marker if more else ""


def text_of(content: bytes, document: str, name: str) -> str:
    """One field of an answer. Raises CommandError where it is an error: S3 says some with status 200."""
    try:
        fields = {_name(one): one.text or "" for one in _root(content, document)}
    except ValueError as error:
        code, message = error_of(content)
        raise CommandError(message or code or f"the server's answer can't be read ({error}).") from error
    return fields.get(name, "")


def errors_of(content: bytes) -> list[tuple[str, str]]:
    """DeleteObjects: the keys that stay, and why. Raises ValueError."""
    found = []
    for child in _root(content, "DeleteResult"):
        if _name(child) == "Error":
            field = {_name(one): one.text or "" for one in child}
            found.append((field.get("Key", ""), field.get("Message") or field.get("Code", "")))
    return found
