"""The listing of multipart uploads, page by page: memory is bounded by the page, whoever abandoned how many."""

import heapq
import os
from collections.abc import Iterator
from typing import NamedTuple

from workspacesio.nodes.errors import NoSuchUpload
from workspacesio.nodes.folder import upload_folder
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.staging import UPLOADS
from workspacesio.nodes.values import Scope, UploadInfo, UploadMarker

_REMEMBERED = 50_000
"""Uploads whose bucket and key are kept in memory, at some 250 bytes each."""


class _Place(NamedTuple):
    """An upload in the order of the listing. (Code points order as their UTF-8 does.)"""

    key: str
    upload_id: str
    device_root: bytes


class Uploads:
    """The uploads of one node. What one says of itself never changes, so it is remembered. Safe in threads."""

    def __init__(self, node: FolderNode) -> None:
        self._node = node
        self._known: dict[tuple[bytes, str], tuple[str, str]] = {}

    def page(
        self, scope: Scope, prefix: str, after: UploadMarker, max_uploads: int
    ) -> tuple[list[UploadInfo], bool]:
        """As `NodeDriver.uploads`. Blocking. A page is empty only when nothing follows."""
        self._node.tree.check()
        self._node.tree.bucket_place(scope.bucket)
        while True:
            chosen = heapq.nsmallest(max_uploads + 1, self._behind(scope, prefix, after))
            shown, more = chosen[:max_uploads], len(chosen) > max_uploads
            read = (self._read(place.device_root, place.upload_id) for place in shown)
            uploads = [upload for upload in read if upload is not None]
            if uploads or not shown or not more:
                return uploads, more
            after = UploadMarker(shown[-1].key, shown[-1].upload_id)

    def _behind(self, scope: Scope, prefix: str, after: UploadMarker) -> Iterator[_Place]:
        for device_root in self._node.staging.device_roots():
            for name in self._names(device_root):
                bucket, key = self._described(device_root, name)
                wanted = bucket == scope.bucket and key.startswith(scope.boundary) and key.startswith(prefix)
                if wanted and _is_behind(key, name, after):
                    yield _Place(key, name, device_root)

    def _names(self, device_root: bytes) -> Iterator[str]:
        fd = self._node.staging.find_folder(device_root, UPLOADS)
        if fd is None:
            return
        try:
            with os.scandir(fd) as entries:
                yield from (entry.name for entry in entries)
        finally:
            os.close(fd)

    def _described(self, device_root: bytes, name: str) -> tuple[str, str]:
        """Bucket and key; two times '' for what is no upload, or none yet."""
        known = self._known.get((device_root, name))
        if known is None:
            self._read(device_root, name)
            known = self._known.get((device_root, name), ("", ""))
        return known

    def _read(self, device_root: bytes, name: str) -> UploadInfo | None:
        try:
            upload_folder.check_upload_id(name)
        except NoSuchUpload:
            return None
        found = upload_folder.open_upload_at(self._node, device_root, name)
        if found is None:
            return None
        folder, bucket = found
        folder.close()
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[device_root, name] = (bucket, folder.upload.key)
        return folder.upload


def _is_behind(key: str, upload_id: str, after: UploadMarker) -> bool:
    if key != after.key:
        return key > after.key
    return after.upload_id != "" and upload_id > after.upload_id
