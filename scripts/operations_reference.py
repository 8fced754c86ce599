"""docs/s3-operations.md from the endpoint's table of operations."""

from workspacesio.s3.error_codes import FOREIGN
from workspacesio.s3.operations import IMPLEMENTED, NOT_IMPLEMENTED


def markdown() -> str:
    served = sorted({row.name for row in IMPLEMENTED})
    refused = sorted({row.name for row in NOT_IMPLEMENTED} - set(served))
    lines = [
        "# S3 operations",
        "",
        "The endpoint speaks S3 with path-style addresses and Signature Version 4, in headers or in the query. Errors",
        "are S3's own codes and XML, and a few that Amazon doesn't have. What lies outside one's sight is answered 403",
        "AccessDenied, whether it exists or not.",
        "",
        "Any region is accepted in a signature. At region `us-east-1` boto3 and aws make presigned links of an older",
        "signature version, which are refused; credentials name the region `local`, where they don't.",
        "",
        "## Served",
        "",
        *[f"- `{name}`" for name in served],
        "",
        "## Answered NotImplemented, by name",
        "",
        ", ".join(f"`{name}`" for name in refused) + ".",
        "",
        "## Errors that Amazon doesn't have",
        "",
        "Spelled as other S3 servers spell them, but for `StorageReadOnly`, which is this endpoint's own.",
        "",
        "| code | status | message |",
        "|---|---|---|",
        *[f"| `{code.name}` | {code.status} | {code.message} |" for code in FOREIGN],
    ]
    return "\n".join(lines) + "\n"
