"""How the body of a request reaches a staged object, and what is compared when all of it has.

A body comes as it is, or encoded as aws-chunked; its signature, checksums, Content-MD5 and length are
declared in the headers or follow in a trailer. Everything that can be refused before the first byte is
refused by `expect_body`.
"""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Protocol

from workspacesio.nodes.driver import Buffer, Hasher
from workspacesio.s3 import checksums, declared_checksums
from workspacesio.s3.checksums import ChecksumAlgorithm, ChecksumHasher
from workspacesio.s3.context import Context
from workspacesio.s3.declared_checksums import DeclaredChecksum
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.request import Request
from workspacesio.s3.streaming_body import ChunkedDecoder, chunked_decoder, decoded_length

MAX_OBJECT_BYTES = 5 * 1024**4
"""5 TiB, the size of the largest S3 object. The filesystem's own limit may be lower."""

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
"""The longest XML document: 1,000 keys to delete, each of 1,024 bytes that XML writes as six."""


class Sink(Protocol):
    """Where a body goes: a staged object or part."""

    async def write(self, data: Buffer) -> None: ...

    async def finish(self) -> None: ...


class ExpectedBody:
    """A body that is about to be read. `hashers` must see its bytes; `size` is how many those will be."""

    __slots__ = (
        "_by_algorithm",
        "_content_md5",
        "_declared",
        "_decoder",
        "_request",
        "_sha256",
        "size",
    )

    def __init__(
        self,
        request: Request,
        *,
        size: int,
        decoder: ChunkedDecoder | None,
        sha256: str | None,
        declared: DeclaredChecksum | None,
        content_md5: bytes | None,
        also: tuple[ChecksumAlgorithm, ...],
    ) -> None:
        self.size = size
        self._request = request
        self._decoder = decoder
        self._sha256 = sha256
        self._declared = declared
        self._content_md5 = content_md5
        wanted = set(also)
        if sha256 is not None:
            wanted.add(ChecksumAlgorithm.SHA256)
        if content_md5 is not None:
            wanted.add(ChecksumAlgorithm.MD5)
        if declared is not None:
            wanted.add(declared.algorithm)
        self._by_algorithm: dict[ChecksumAlgorithm, ChecksumHasher] = {
            algorithm: checksums.new_hasher(algorithm) for algorithm in wanted
        }

    @property
    def hashers(self) -> tuple[Hasher, ...]:
        """What has to be fed the bytes, in their order, by whoever takes them."""
        return tuple(self._by_algorithm.values())

    @property
    def algorithm(self) -> ChecksumAlgorithm | None:
        """The algorithm of the checksum that comes with the body."""
        return self._declared.algorithm if self._declared is not None else None

    async def pour_into(self, sink: Sink) -> None:
        """Everything into `sink`, which is finished. Raises S3Error unless the body is what was declared."""
        decoder = self._decoder
        if (whole := await self._request.body.short()) is not None:
            for piece in (whole,) if decoder is None else decoder.feed(whole):
                await sink.write(piece)
        else:
            async for chunk in self._request.body.chunks():
                for piece in (chunk,) if decoder is None else decoder.feed(chunk):
                    await sink.write(piece)
        if decoder is not None:
            decoder.finish()
        await sink.finish()
        self._compare(decoder.trailers if decoder is not None else {})

    def _compare(self, trailers: Mapping[str, str]) -> None:
        if self._sha256 is not None:
            computed = self._by_algorithm[ChecksumAlgorithm.SHA256].digest().hex()
            if not compare_digest(computed, self._sha256):
                raise S3Error(
                    ErrorCode.XAmzContentSHA256Mismatch,
                    ClientComputedContentSHA256=self._sha256,
                    S3ComputedContentSHA256=computed,
                )
        if self._content_md5 is not None:
            computed_md5 = self._by_algorithm[ChecksumAlgorithm.MD5].digest()
            declared_checksums.check_content_md5(self._content_md5, computed_md5)
        if self._declared is not None:
            algorithm, value = self._declared
            if value is None:
                trailing = trailers.get(algorithm.header, "")
                value = declared_checksums.parse_value(algorithm, trailing, where="trailing header")
            declared_checksums.check(algorithm, value, self._by_algorithm[algorithm])

    def digest(self, algorithm: ChecksumAlgorithm) -> bytes:
        """The digest of what was poured, of an algorithm that was declared or asked for."""
        return self._by_algorithm[algorithm].digest()

    @property
    def etag(self) -> str:
        """The MD5 of what was poured, in hexadecimal; the body was expected with `also=(MD5,)`."""
        return self.digest(ChecksumAlgorithm.MD5).hex()

    @property
    def checksums(self) -> dict[str, str]:
        """The checksum to store with the object, by S3's name of the algorithm."""
        algorithm = self.algorithm
        return {} if algorithm is None else {algorithm.value: checksums.encode(self.digest(algorithm))}


def expect_body(
    context: Context,
    request: Request,
    *,
    also: tuple[ChecksumAlgorithm, ...] = (ChecksumAlgorithm.MD5,),
    checksum_is_of_object: bool = False,
) -> ExpectedBody:
    """What the headers say of the body. `also`: algorithms to compute besides those that the request declares.

    Raises S3Error for headers that contradict each other or can't be true.
    """
    headers = request.headers
    mode = context.signature.payload_mode
    content_md5 = headers.get("content-md5")
    decoder = None
    if mode.chunked:
        size = decoded_length(headers)
        decoder = chunked_decoder(context.signature, context.secret_access_key, headers)
    else:
        if request.body.length is None:
            raise S3Error(ErrorCode.MissingContentLength)
        size = request.body.length
    if size > MAX_OBJECT_BYTES:
        raise S3Error(ErrorCode.EntityTooLarge)
    return ExpectedBody(
        request,
        size=size,
        decoder=decoder,
        sha256=context.signature.payload_sha256,
        declared=None if checksum_is_of_object else declared_checksums.declared_checksum(headers),
        content_md5=declared_checksums.parse_content_md5(content_md5) if content_md5 is not None else None,
        also=also,
    )


class _Memory:
    """A sink for documents."""

    def __init__(self, hashers: tuple[Hasher, ...]) -> None:
        self.body = bytearray()
        self._hashers = hashers

    async def write(self, data: Buffer) -> None:
        self.body += data
        if len(self.body) > MAX_DOCUMENT_BYTES:
            raise S3Error(ErrorCode.MaxMessageLengthExceeded)
        for hasher in self._hashers:
            hasher.update(data)

    async def finish(self) -> None: ...


async def read_document(context: Context, request: Request, *, checksum_is_of_object: bool = False) -> bytes:
    """The body of a request that carries a document, compared with what was declared of it. Raises S3Error.

    `checksum_is_of_object`: the x-amz-checksum-… headers speak of an object, not of the document.
    """
    expected = expect_body(context, request, also=(), checksum_is_of_object=checksum_is_of_object)
    if expected.size > MAX_DOCUMENT_BYTES:
        raise S3Error(ErrorCode.MaxMessageLengthExceeded)
    memory = _Memory(expected.hashers)
    await expected.pour_into(memory)
    return bytes(memory.body)
