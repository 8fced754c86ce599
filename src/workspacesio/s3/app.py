"""The S3 endpoint: answers the requests that `http_server` reads.

Every request takes the same steps: parse, identify, find the operation, and its handler decides, acts and
says what to answer. `wire` writes it.
"""

from collections.abc import Awaitable, Callable

from workspacesio.domain.authority import Authority, NotIdentified
from workspacesio.nodes.driver import NodeDriver
from workspacesio.s3.context import Context, EndpointSettings
from workspacesio.s3.cors import Cors
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.exchange import Exchange, Head
from workspacesio.s3.operations import find_operation
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response
from workspacesio.s3.signature import parse_authorization, verify
from workspacesio.s3.wire import serve
from workspacesio.s3.xml_documents import OWNER_ID

HEALTH_PATH = "/-/health"
"""A path that can't name a bucket. Answers 200 without a signature while the process serves."""

_IDENTIFICATION = {
    "unknown_key": ErrorCode.InvalidAccessKeyId,
    "bad_token": ErrorCode.InvalidToken,
    "expired": ErrorCode.ExpiredToken,
    "revoked": ErrorCode.InvalidAccessKeyId,
}

_EXPECTED_OWNER = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")


class Endpoint:
    """One in each process. `drivers` gives the driver of a node by its number, as it is under the rights that the
    request was identified by."""

    def __init__(
        self,
        authority: Authority,
        drivers: Callable[[int, int | None], Awaitable[NodeDriver]],
        settings: EndpointSettings | None = None,
    ) -> None:
        self._authority = authority
        self._drivers = drivers
        self._settings = settings or EndpointSettings()
        self._cors = Cors(self._settings.cors_origins)

    async def handle(self, head: Head, exchange: Exchange) -> None:
        await serve(self.answer, self._cors, self._settings, head, exchange)

    async def answer(self, request: Request) -> Response:
        """What to send back; raises what `error_answers` knows."""
        if request.method == "OPTIONS":
            return self._cors.preflight(request)
        if request.path == HEALTH_PATH:
            return Response(200, [("content-type", "text/plain")], b"ok\n")
        context = await self._identify(request)
        operation = find_operation(request)
        if operation.handler is None:
            raise S3Error(
                ErrorCode.NotImplemented,
                f"The operation {operation.name} is not implemented",
                Operation=operation.name,
            )
        return await operation.handler(context, request)

    async def _identify(self, request: Request) -> Context:
        """Who signed the request. Raises S3Error for an anonymous one, and for a wrong signature."""
        now = self._settings.clock()
        parsed = parse_authorization(request.query, request.headers, now=now.timestamp())
        if parsed is None:
            raise S3Error(ErrorCode.AccessDenied)
        found = await self._authority.identify(parsed.access_key_id, parsed.security_token, now)
        if isinstance(found, NotIdentified):
            raise S3Error(_IDENTIFICATION.get(found.reason, ErrorCode.AccessDenied))
        verify(
            parsed,
            found.secret_access_key,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
        )
        for name in _EXPECTED_OWNER:
            if request.headers.get(name, OWNER_ID) != OWNER_ID:
                raise S3Error(ErrorCode.AccessDenied)
        principal = found.principal
        return Context(
            authority=self._authority,
            driver=await self._drivers(principal.node_id, found.rights_seen),
            principal=principal,
            signature=parsed,
            secret_access_key=found.secret_access_key,
            settings=self._settings,
            rights_seen=found.rights_seen,
        )
