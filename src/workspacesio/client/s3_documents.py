"""The XML of S3 that the client reads ("Amazon S3 API Reference"): listings, and why something was refused."""

from __future__ import annotations

from urllib.parse import unquote_plus
from xml.etree import ElementTree

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
    """ListObjectsV2 with encoding-type=url. Raises ValueError for what is none."""
    objects, folders, token = [], [], ""
    for child in _root(content, "ListBucketResult"):
        name = _name(child)
        if name == "Contents":
            field = {_name(one): one.text or "" for one in child}
            objects.append(
                Object(
                    unquote_plus(field["Key"]), int(field["Size"]), field["LastModified"], field.get("ETag", "")
                )
            )
        elif name == "CommonPrefixes":
            folders += [unquote_plus(one.text or "") for one in child]
        elif name == "NextContinuationToken":
            token = child.text or ""
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
