"""What tests need to know of a running S3 server that isn't ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servers.process import Process


@dataclass(frozen=True)
class S3Server:
    """A running S3 server: address without a final slash, the root user's keys, the folder of its data."""

    endpoint: str
    access_key: str
    secret_key: str
    data_dir: str
    process: Process
    region: str = "us-east-1"

    def boto3_client(self, service: str = "s3", **settings: Any) -> Any:
        """A boto3 client of `s3` (path style) or `sts` with the root user's keys."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **settings),
        )
