"""Buckets: the ones that a principal reaches, and for the operator of a folder of buckets, making and
removing them."""

from workspacesio.domain.errors import Invalid
from workspacesio.domain.names import check_bucket
from workspacesio.nodes.values import BucketInfo
from workspacesio.s3 import xml_documents as xml
from workspacesio.s3.body import read_document
from workspacesio.s3.context import Context
from workspacesio.s3.error_codes import ErrorCode, S3Error
from workspacesio.s3.object_metadata import refuse_unsupported
from workspacesio.s3.request import Request
from workspacesio.s3.responses import Response, no_content, xml_response
from workspacesio.s3.xml_parsing import parse_xml

MAX_BUCKETS = 10_000


async def check_reached(context: Context, request: Request) -> None:
    """Raise S3Error AccessDenied unless the principal may read something in the bucket."""
    if request.bucket not in await context.authority.buckets(context.principal):
        raise S3Error(ErrorCode.AccessDenied)


async def list_buckets(context: Context, request: Request) -> Response:
    """Only what the principal reaches, whatever else the node holds."""
    reached = set(await context.authority.buckets(context.principal))
    prefix = request.query.get("prefix")
    after = request.query.get("continuation-token") or ""
    most = request.number("max-buckets", MAX_BUCKETS, most=MAX_BUCKETS)
    if most == 0:
        raise S3Error(ErrorCode.InvalidArgument, "max-buckets must be above 0", ArgumentName="max-buckets")
    found = {bucket.name: bucket for bucket in await context.driver.buckets()}
    names = sorted(name for name in reached & found.keys() if name > after and name.startswith(prefix or ""))
    shown: list[BucketInfo] = [found[name] for name in names[:most]]
    return xml_response(
        xml.buckets_document(
            shown,
            region=context.settings.region,
            prefix=prefix,
            continuation_token=shown[-1].name if len(names) > len(shown) else None,
        )
    )


async def head_bucket(context: Context, request: Request) -> Response:
    """Whether the principal reaches the bucket, on a node that isn't down."""
    await check_reached(context, request)
    await context.driver.check()
    return Response(200, [("x-amz-bucket-region", context.settings.region)])


async def get_bucket_location(context: Context, request: Request) -> Response:
    """The region; us-east-1 is written as nothing, as in S3."""
    await check_reached(context, request)
    region = context.settings.region
    shown = "" if region == "us-east-1" else xml.escaped(region)
    return xml_response(f"<LocationConstraint {xml.NAMESPACE}>{shown}</LocationConstraint>")


async def get_bucket_versioning(context: Context, request: Request) -> Response:
    """Never switched on."""
    await check_reached(context, request)
    return xml_response(f"<VersioningConfiguration {xml.NAMESPACE}/>")


async def create_bucket(context: Context, request: Request) -> Response:
    """A new folder, a root over it and a workspace of the operator. Raises S3Error.

    rclone creates the bucket before every upload and takes "you have it already" for success, so that is what
    whoever reaches the bucket is told.
    """
    if request.bucket in await context.authority.buckets(context.principal):
        raise S3Error(ErrorCode.BucketAlreadyOwnedByYou, BucketName=request.bucket)
    await _check_manages(context)
    refuse_unsupported(request)
    try:
        bucket = check_bucket(request.bucket)
    except Invalid:
        raise S3Error(ErrorCode.InvalidBucketName, BucketName=request.bucket) from None
    body = await read_document(context, request)
    if body:
        parse_xml(body, "CreateBucketConfiguration")
    await context.driver.create_bucket(bucket)
    try:
        await context.authority.bucket_created(context.principal, bucket)
    except BaseException:
        await context.driver.delete_bucket(bucket)
        raise
    return Response(200, [("location", f"/{bucket}")])


async def delete_bucket(context: Context, request: Request) -> Response:
    """Only where nothing is in it any more."""
    await _check_manages(context)
    await context.driver.delete_bucket(request.bucket)
    await context.authority.bucket_deleted(context.principal, request.bucket)
    return no_content()


async def _check_manages(context: Context) -> None:
    if not await context.authority.may_manage_buckets(context.principal):
        raise S3Error(ErrorCode.AccessDenied)
