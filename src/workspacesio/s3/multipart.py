"""What an object that was uploaded in parts is made of: its ETag, its checksum, and the parts that
completion names.

Sources: "Uploading and copying objects using multipart upload" and "Checking object integrity" in the
Amazon S3 user guide. The ETag is the MD5 of the concatenated MD5s of the parts, `-`, and their number.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from workspacesio.nodes.driver import NodeDriver
from workspacesio.nodes.values import ObjectAddress, PartInfo, RequestedPart, UploadInfo
from workspacesio.s3 import checksums, declared_checksums
from workspacesio.s3.checksums import ChecksumAlgorithm, ChecksumType
from workspacesio.s3.conditions import unquoted
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request import Request
from workspacesio.s3.xml_parsing import Element, parse_xml

MAX_PARTS = 10_000

_MD5 = re.compile(r"[0-9a-f]{32}")


def named_upload(request: Request) -> str:
    """The `uploadId`. Raises S3Error NoSuchUpload for an empty one."""
    upload_id = request.query.get("uploadId")
    if not upload_id:
        raise S3Error(ErrorCode.NoSuchUpload)
    return upload_id


def named_part(request: Request) -> tuple[str, int]:
    """The upload and the number of the part that is being sent. Raises S3Error."""
    number = request.number("partNumber", 0)
    if not 1 <= number <= MAX_PARTS:
        raise S3Error(
            ErrorCode.InvalidArgument,
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=request.query.get("partNumber") or "",
        )
    return named_upload(request), number


async def all_parts(driver: NodeDriver, address: ObjectAddress, upload_id: str) -> dict[int, PartInfo]:
    """Every part that the upload has now, by number."""
    found: dict[int, PartInfo] = {}
    after = 0
    while True:
        parts, more = await driver.parts(address, upload_id, after=after, max_parts=MAX_PARTS)
        found.update((part.number, part) for part in parts)
        if not more or not parts:
            return found
        after = parts[-1].number


def parse_completion(body: bytes) -> list[RequestedPart]:
    """The parts of a `CompleteMultipartUpload` document. Raises S3Error MalformedXML or InvalidPartOrder."""
    if not body:
        raise S3Error(ErrorCode.InvalidRequest, "You must specify at least one part")
    elements = parse_xml(body, "CompleteMultipartUpload").all("Part")
    if not elements or len(elements) > MAX_PARTS:
        raise S3Error(ErrorCode.MalformedXML)
    parts = [_requested_part(element) for element in elements]
    if any(later.number <= earlier.number for earlier, later in pairwise(parts)):
        raise S3Error(ErrorCode.InvalidPartOrder)
    return parts


def _requested_part(element: Element) -> RequestedPart:
    number = element.required("PartNumber").strip()
    if not (number.isascii() and number.isdecimal() and len(number) <= 5):
        raise S3Error(ErrorCode.MalformedXML)
    values = {}
    for algorithm in ChecksumAlgorithm:
        value = element.find(algorithm.element)
        if value:
            values[algorithm.value] = declared_checksums.parse_value(algorithm, value.strip())
    return RequestedPart(int(number), unquoted(element.required("ETag")), values)


def etag_of(parts: Sequence[RequestedPart]) -> str:
    """The ETag of an object of these parts. Raises S3Error InvalidPart for what can't be a part's ETag."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        if _MD5.fullmatch(part.etag) is None:
            raise S3Error(ErrorCode.InvalidPart, PartNumber=part.number, ETag=part.etag)
        digest.update(bytes.fromhex(part.etag))
    return f"{digest.hexdigest()}-{len(parts)}"


def chosen_parts(requested: Sequence[RequestedPart], there: Mapping[int, PartInfo]) -> list[PartInfo]:
    """The parts that are named, as they are. Raises S3Error InvalidPart for one that is absent or another."""
    chosen = []
    for part in requested:
        found = there.get(part.number)
        if found is None or found.etag != part.etag:
            raise S3Error(ErrorCode.InvalidPart, PartNumber=part.number, ETag=part.etag)
        for algorithm, value in part.checksums.items():
            if found.checksums.get(algorithm, value) != value:
                raise S3Error(ErrorCode.InvalidPart, PartNumber=part.number, ETag=part.etag)
        chosen.append(found)
    return chosen


def object_checksums(upload: UploadInfo, parts: Sequence[PartInfo]) -> dict[str, str]:
    """The object's checksum, of the algorithm and type that the upload was created with, or none."""
    if upload.checksum_algorithm is None:
        return {}
    algorithm = ChecksumAlgorithm(upload.checksum_algorithm)
    values = [part.checksums.get(algorithm.value) for part in parts]
    known = [value for value in values if value is not None]
    if len(known) < len(parts):
        return {}
    if upload.checksum_type == ChecksumType.FULL_OBJECT:
        sizes = [part.size for part in parts]
        whole = checksums.combined_value(algorithm, list(zip(known, sizes, strict=True)))
    else:
        whole = checksums.composite_value(algorithm, known)
    return {algorithm.value: whole}


def check_declared(headers: Mapping[str, str], upload: UploadInfo, computed: Mapping[str, str], size: int) -> None:
    """Raise S3Error where a completion's headers declare another size, type or checksum than it comes to."""
    declared_size = headers.get("x-amz-mp-object-size")
    if declared_size is not None and declared_size != str(size):
        raise S3Error(
            ErrorCode.InvalidRequest,
            f"The provided 'x-amz-mp-object-size' header value {declared_size} does not match what was "
            f"computed: {size}",
        )
    declared_type = headers.get("x-amz-checksum-type")
    if declared_type is not None and declared_type.upper() != (upload.checksum_type or ""):
        raise declared_checksums.invalid_value("x-amz-checksum-type")
    for name, algorithm in checksums.BY_HEADER.items():
        text = headers.get(name)
        if text is None:
            continue
        if algorithm.value not in computed:
            raise declared_checksums.invalid_value(name)
        kind = ChecksumType(upload.checksum_type or ChecksumType.FULL_OBJECT)
        declared = declared_checksums.parse_object_value(algorithm, text, kind)
        found = computed[algorithm.value]
        if declared not in (found, found.partition("-")[0]):
            raise S3Error(ErrorCode.BadDigest)
