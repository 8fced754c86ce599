"""The folder driver: `NodeDriver` over the modules beside it, each of which holds one idea.

A key becomes a place in `resolve`. GET: `opening`, `reading`. PUT: `staged`, `receiving`, `placing`, `publishing`,
`attributes`, `metadata`. Multipart uploads: `upload_folder`, `parts`, `assembling`, `completing`, `multipart`.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

from workspacesio.domain.vocabulary import FolderLayout
from workspacesio.nodes.driver import Hasher, OpenedObject, StagedObject, StagedPart
from workspacesio.nodes.errors import NodeReadOnly
from workspacesio.nodes.folder import buckets, completing, copying, multipart, removing
from workspacesio.nodes.folder.known_etags import KnownEtags
from workspacesio.nodes.folder.listing import list_folder
from workspacesio.nodes.folder.locks import KeyLocks
from workspacesio.nodes.folder.metadata import MetadataStore
from workspacesio.nodes.folder.node import FolderNode
from workspacesio.nodes.folder.opening import head_object, open_object
from workspacesio.nodes.folder.parts import StagedPartBody
from workspacesio.nodes.folder.resolve import NodeTree, check_key
from workspacesio.nodes.folder.snapshots import Snapshots
from workspacesio.nodes.folder.staged import StagedBody, check_takes_content
from workspacesio.nodes.folder.staging import Staging
from workspacesio.nodes.folder.stats import stat_objects
from workspacesio.nodes.folder.upload_listing import Uploads
from workspacesio.nodes.values import (
    FIRST_UPLOAD,
    NO_PRECONDITIONS,
    Abilities,
    BucketInfo,
    ByteRange,
    Durability,
    ListPage,
    ListRequest,
    ObjectAddress,
    ObjectInfo,
    ObjectMetadata,
    PartInfo,
    Preconditions,
    RequestedPart,
    Scope,
    StoredObject,
    UploadInfo,
    UploadMarker,
)


class FolderDriver:
    """One folder node. Making one touches nothing: a node that is down says so when it is used.

    `bucket_name` is for nodes that are one bucket. `filesystem_identity` is what `filesystem.read_identity` said
    when the node was added; None accepts any.
    """

    def __init__(
        self,
        node_id: int,
        path: str,
        layout: FolderLayout,
        bucket_name: str | None,
        state_dir: str | os.PathLike[str],
        *,
        read_only: bool = False,
        serve_owner_only: bool = False,
        cross_filesystems: bool = False,
        filesystem_identity: str | None = None,
        durability: Durability = Durability.FULL,
    ) -> None:
        tree = NodeTree(
            path,
            layout,
            bucket_name or "",
            cross_filesystems=cross_filesystems,
            serve_owner_only=serve_owner_only,
            filesystem_identity=filesystem_identity or "",
        )
        state = os.fspath(state_dir)
        self.abilities = Abilities(
            creates_buckets=layout is FolderLayout.BUCKETS and not read_only,
            immediate_revocation=True,
            one_credential_for_all=True,
            ends_single_credentials=True,
            lists_uploads=True,
            streams_events=True,
            enforces_quotas=False,
            hides_names=True,
            refuses_uploads_under_way=True,
            shares_any_name=True,
        )
        self.node = FolderNode(
            tree=tree,
            records=MetadataStore(state, node_id),
            locks=KeyLocks(state, node_id),
            staging=Staging(tree),
            read_only=read_only,
            durable=durability is Durability.FULL,
        )
        self._uploads = Uploads(self.node)
        self._known_etags = KnownEtags()
        self._snapshots = Snapshots(os.path.join(state, "listings", str(node_id)))

    def change(self, *, read_only: bool, serve_owner_only: bool, cross_filesystems: bool) -> None:
        """Whatever begins from now on goes by these. What is kept of the folder (names, records) isn't of them."""
        self.node.read_only = read_only
        creates_buckets = self.node.tree.layout is FolderLayout.BUCKETS and not read_only
        self.abilities = replace(self.abilities, creates_buckets=creates_buckets)
        self.node.tree.change(cross_filesystems=cross_filesystems, serve_owner_only=serve_owner_only)

    async def check(self) -> None:
        await self.node.in_thread(self.node.tree.check)

    async def check_writable(self) -> None:
        await self.node.in_thread(self.node.check_writable)

    async def close(self) -> None:
        self.node.close()

    # --- buckets and listings -------------------------------------------------------------------------------

    async def buckets(self) -> list[BucketInfo]:
        return await self.node.in_thread(buckets.list_buckets, self.node)

    async def create_bucket(self, bucket: str) -> None:
        await self.node.in_thread(buckets.create_bucket, self.node, bucket)

    async def delete_bucket(self, bucket: str) -> None:
        await self.node.in_thread(buckets.delete_bucket, self.node, bucket)

    async def list_objects(self, scope: Scope, request: ListRequest) -> ListPage:
        return await self.node.in_thread(self._list_objects, scope, request)

    def _list_objects(self, scope: Scope, request: ListRequest) -> ListPage:
        self.node.tree.check()
        node = self.node
        return list_folder(node.tree, node.records, self._snapshots, scope, request, known=self._known_etags)

    async def stat_objects(self, scope: Scope, keys: Sequence[str]) -> list[StoredObject | None]:
        return await self.node.in_thread(stat_objects, self.node.tree, self.node.records, scope, keys)

    # --- objects --------------------------------------------------------------------------------------------

    async def head(self, address: ObjectAddress) -> ObjectInfo:
        return await head_object(self.node, address)

    async def open(self, address: ObjectAddress, byte_range: ByteRange | None = None) -> OpenedObject:
        return await open_object(self.node, address, byte_range)

    async def stage(
        self, address: ObjectAddress, *, expected_size: int | None, hashers: Sequence[Hasher]
    ) -> StagedObject:
        self._check_key(address)
        return StagedBody(self.node, address, expected_size=expected_size, hashers=hashers)

    async def stage_copy(
        self,
        source: ObjectAddress,
        target: ObjectAddress,
        *,
        source_etag: str | None,
        hashers: Sequence[Hasher],
    ) -> StagedObject:
        self._check_key(target)
        opened = await copying.open_source(self.node, source, None, source_etag)
        try:
            check_takes_content(target, opened.size_to_send)
            staged = StagedBody(self.node, target, expected_size=opened.size_to_send, hashers=hashers)
            await copying.fill_staged(opened, staged, hashers)
        finally:
            await opened.close()
        return staged

    async def set_metadata(
        self, address: ObjectAddress, metadata: ObjectMetadata, *, expected: ObjectInfo
    ) -> ObjectInfo:
        self._check_key(address)
        return await self.node.in_thread(removing.replace_metadata, self.node, address, metadata, expected)

    async def delete(
        self, address: ObjectAddress, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> ObjectInfo | None:
        self._check_writable()
        return await self.node.in_thread(removing.delete_object, self.node, address, preconditions)

    # --- multipart uploads ----------------------------------------------------------------------------------

    async def create_upload(
        self,
        address: ObjectAddress,
        metadata: ObjectMetadata,
        *,
        initiator_id: int,
        checksum_algorithm: str | None,
        checksum_type: str | None,
    ) -> UploadInfo:
        self._check_key(address)
        return await self.node.in_thread(
            multipart.create_upload,
            self.node,
            address,
            metadata,
            initiator_id=initiator_id,
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
        )

    async def upload(self, address: ObjectAddress, upload_id: str) -> UploadInfo:
        return await self.node.in_thread(multipart.find_upload, self.node, address, upload_id)

    async def stage_part(
        self,
        address: ObjectAddress,
        upload_id: str,
        number: int,
        *,
        expected_size: int | None,
        hashers: Sequence[Hasher],
    ) -> StagedPart:
        return await self._stage_part(address, upload_id, number, expected_size, hashers)

    async def _stage_part(
        self,
        address: ObjectAddress,
        upload_id: str,
        number: int,
        expected_size: int | None,
        hashers: Sequence[Hasher],
    ) -> StagedPartBody:
        self._check_writable()
        await self.upload(address, upload_id)
        return StagedPartBody(self.node, address, upload_id, number, expected_size=expected_size, hashers=hashers)

    async def stage_part_copy(
        self,
        source: ObjectAddress,
        target: ObjectAddress,
        upload_id: str,
        number: int,
        byte_range: ByteRange | None,
        *,
        source_etag: str | None,
        hashers: Sequence[Hasher],
    ) -> StagedPart:
        opened = await copying.open_source(self.node, source, byte_range, source_etag)
        try:
            size = opened.size_to_send
            staged = await self._stage_part(target, upload_id, number, size, hashers)
            await copying.fill_staged(opened, staged, hashers)
        finally:
            await opened.close()
        return staged

    async def parts(
        self, address: ObjectAddress, upload_id: str, *, after: int = 0, max_parts: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        return await self.node.in_thread(multipart.list_parts, self.node, address, upload_id, after, max_parts)

    async def complete_upload(
        self, address: ObjectAddress, upload_id: str, parts: Sequence[RequestedPart]
    ) -> StagedObject:
        self._check_writable()
        return await completing.complete(self.node, address, upload_id, parts)

    async def completed_upload(
        self, address: ObjectAddress, upload_id: str, parts: Sequence[RequestedPart]
    ) -> ObjectInfo:
        return await self.node.in_thread(multipart.completed_before, self.node, address, upload_id, parts)

    async def abort_upload(self, address: ObjectAddress, upload_id: str) -> int:
        self._check_writable()
        return await completing.abort(self.node, address, upload_id)

    async def uploads(
        self, scope: Scope, prefix: str, *, after: UploadMarker = FIRST_UPLOAD, max_uploads: int = 1000
    ) -> tuple[list[UploadInfo], bool]:
        return await self.node.in_thread(self._uploads.page, scope, prefix, after, max_uploads)

    async def clear_abandoned(self, older_than_seconds: float) -> int:
        return await self.node.in_thread(multipart.clear_abandoned, self.node, older_than_seconds)

    # --- refusals that need no disk -------------------------------------------------------------------------

    def _check_writable(self) -> None:
        if self.node.read_only:
            raise NodeReadOnly("This node takes no writes.")

    def _check_key(self, address: ObjectAddress) -> None:
        """Raises NodeReadOnly, KeyNotPossible."""
        self._check_writable()
        check_key(address.key)
