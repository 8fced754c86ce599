"""Five S3 clients that people use, behind one small interface, to see that all of them meet the same rights."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore.config
import botocore.exceptions
import obstore
import obstore.exceptions
import obstore.store

from servers.installed import installed

T = TypeVar("T")


class Refused(Exception):
    """The server answered 403."""


class Client(Protocol):
    def list(self, bucket: str, prefix: str) -> set[str]: ...

    def read(self, bucket: str, key: str) -> bytes: ...

    def write(self, bucket: str, key: str, data: bytes) -> None: ...


def boto3_client(credential: dict[str, Any]) -> Any:
    """A client with boto3's own defaults, but for retries."""
    return boto3.client(
        "s3",
        endpoint_url=credential["endpoint"],
        region_name=credential["region"],
        aws_access_key_id=credential["access_key_id"],
        aws_secret_access_key=credential["secret_access_key"],
        aws_session_token=credential["session_token"],
        config=botocore.config.Config(retries={"max_attempts": 1}),
    )


class Boto3:
    def __init__(self, credential: dict[str, Any]) -> None:
        self.s3 = boto3_client(credential)

    def list(self, bucket: str, prefix: str) -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return _refusing(lambda: {entry["Key"] for page in pages for entry in page.get("Contents", ())})

    def read(self, bucket: str, key: str) -> bytes:
        return _refusing(lambda: bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def write(self, bucket: str, key: str, data: bytes) -> None:
        _refusing(lambda: self.s3.put_object(Bucket=bucket, Key=key, Body=data))


def _refusing(call: Callable[[], T]) -> T:
    try:
        return call()
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            raise Refused(str(error)) from error
        raise


class _CommandLine:
    """What the clients that are programs share: an environment, and how they say that they were refused."""

    refusals: tuple[str, ...] = (
        "AccessDenied",
        "Insufficient permissions",
        "Access Denied",
        "StorageReadOnly",
        "read-only",
        "takes no writes",
        "Forbidden",
        "403",
        "InvalidAccessKeyId",
    )

    def __init__(self, credential: dict[str, Any]) -> None:
        self.folder = tempfile.mkdtemp(prefix="workspacesio-client-")
        self.env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": self.folder,
            "AWS_ACCESS_KEY_ID": credential["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": credential["secret_access_key"],
            "AWS_SESSION_TOKEN": credential["session_token"],
            "AWS_ENDPOINT_URL_S3": credential["endpoint"],
            "AWS_REGION": credential["region"],
            "AWS_MAX_ATTEMPTS": "1",
        }

    def run(self, *command: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(command, input=stdin, env=self.env, capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            return done.stdout
        said = (done.stdout + done.stderr).decode(errors="replace")
        if any(word in said for word in self.refusals):
            raise Refused(said)
        raise AssertionError(f"{command}: {said}")


class AwsCli(_CommandLine):
    def _aws(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return self.run(installed("aws"), *arguments, stdin=stdin)

    def list(self, bucket: str, prefix: str) -> set[str]:
        printed = self._aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix, "--output", "json")
        return {entry["Key"] for entry in json.loads(printed or b"{}").get("Contents", ())}

    def read(self, bucket: str, key: str) -> bytes:
        return self._aws("s3", "cp", f"s3://{bucket}/{key}", "-")

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self._aws("s3", "cp", "-", f"s3://{bucket}/{key}", stdin=data)


class Mc(_CommandLine):
    def __init__(self, credential: dict[str, Any]) -> None:
        super().__init__(credential)
        parts = urlsplit(credential["endpoint"])
        keys = ":".join(credential[name] for name in ("access_key_id", "secret_access_key", "session_token"))
        self.env["MC_HOST_wio"] = f"{parts.scheme}://{keys}@{parts.netloc}"

    def _mc(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return self.run(installed("mc"), "--config-dir", self.folder, *arguments, stdin=stdin)

    def list(self, bucket: str, prefix: str) -> set[str]:
        printed = self._mc("ls", "--recursive", "--json", f"wio/{bucket}/{prefix}")
        return {prefix + json.loads(line)["key"] for line in printed.splitlines()}

    def read(self, bucket: str, key: str) -> bytes:
        return self._mc("cat", f"wio/{bucket}/{key}")

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self._mc("pipe", f"wio/{bucket}/{key}", stdin=data)


class Rclone(_CommandLine):
    def __init__(self, credential: dict[str, Any]) -> None:
        super().__init__(credential)
        self.env |= {
            "RCLONE_CONFIG_WIO_TYPE": "s3",
            "RCLONE_CONFIG_WIO_PROVIDER": "Other",
            "RCLONE_CONFIG_WIO_ENV_AUTH": "true",
            "RCLONE_CONFIG_WIO_ENDPOINT": credential["endpoint"],
            "RCLONE_CONFIG_WIO_REGION": credential["region"],
            "RCLONE_CONFIG_WIO_NO_CHECK_BUCKET": "true",
            "RCLONE_CONFIG": os.path.join(self.folder, "rclone.conf"),
            "RCLONE_LOW_LEVEL_RETRIES": "1",
            "RCLONE_RETRIES": "1",
        }

    def list(self, bucket: str, prefix: str) -> set[str]:
        printed = self.run(installed("rclone"), "lsf", "--recursive", "--files-only", f"wio:{bucket}/{prefix}")
        return {prefix + line for line in printed.decode().splitlines()}

    def read(self, bucket: str, key: str) -> bytes:
        return self.run(installed("rclone"), "cat", f"wio:{bucket}/{key}")

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self.run(installed("rclone"), "rcat", f"wio:{bucket}/{key}", stdin=data)


class Obstore:
    def __init__(self, credential: dict[str, Any]) -> None:
        self.credential = credential

    def _store(self, bucket: str) -> obstore.store.S3Store:
        return obstore.store.S3Store(
            bucket,
            endpoint=self.credential["endpoint"],
            region=self.credential["region"],
            access_key_id=self.credential["access_key_id"],
            secret_access_key=self.credential["secret_access_key"],
            session_token=self.credential["session_token"],
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def list(self, bucket: str, prefix: str) -> set[str]:
        pages = obstore.list(self._store(bucket), prefix)
        return self._refusing(lambda: {entry["path"] for page in pages for entry in page})

    def read(self, bucket: str, key: str) -> bytes:
        return self._refusing(lambda: bytes(obstore.get(self._store(bucket), key).bytes()))

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self._refusing(lambda: obstore.put(self._store(bucket), key, data))

    def _refusing(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (obstore.exceptions.PermissionDeniedError, obstore.exceptions.UnauthenticatedError) as error:
            raise Refused(str(error)) from error
        except obstore.exceptions.GenericError as error:  # what a refused listing gets there
            if "status: 403" not in str(error):
                raise
            raise Refused(str(error)) from error


CLIENTS: dict[str, Callable[[dict[str, Any]], Client]] = {
    "boto3": Boto3,
    "aws": AwsCli,
    "mc": Mc,
    "rclone": Rclone,
    "obstore": Obstore,
}
