"""A running endpoint over a real folder of buckets, with an authority that tests turn as they like.

The server runs in this process, on a loop of its own in a thread, so that a test can change rights between two
steps of one request.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import uvloop
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from s3.rights import NODE_ID, Keys, Rights
from workspacesio.domain.vocabulary import FolderLayout, Level
from workspacesio.nodes.driver import NodeDriver
from workspacesio.nodes.folder.driver import FolderDriver
from workspacesio.nodes.values import Durability
from workspacesio.s3.app import Endpoint
from workspacesio.s3.context import EndpointSettings
from workspacesio.s3.http_server import HttpServer, bind
from workspacesio.s3.request_body import BodyLimits

BUCKET = "data"
ORIGIN = "https://web.example.org"

SETTINGS = EndpointSettings(
    cors_origins=(ORIGIN,),
    body_limits=BodyLimits(idle_seconds=1.0, grace_seconds=2.0),
    keepalive_seconds=0.2,
    poll_seconds=0.05,
)


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    """botocore's own, but that it signs the payload that a header names instead of the body's hash."""

    def add_auth(self, request: AWSRequest) -> None:
        self._named = request.headers.get("X-Amz-Content-SHA256")
        super().add_auth(request)

    def payload(self, request: AWSRequest) -> str:
        return str(self._named or super().payload(request))


class World:
    """Users ada (owner of `ada/` in the bucket `data`) and bob (nothing), and whatever a test adds."""

    def __init__(self, folder: str, driver: NodeDriver, rights: Rights, port: int) -> None:
        self.folder = folder
        self.driver = driver
        self.rights = rights
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ada = rights.issue("ada")
        self.bob = rights.issue("bob")

    def path(self, key: str, bucket: str = BUCKET) -> str:
        """Where an object's file lies."""
        return os.path.join(self.folder, bucket, key)

    def content(self, key: str, bucket: str = BUCKET) -> bytes:
        with open(self.path(key, bucket), "rb") as file:
            return file.read()

    def client(self, keys: Keys | None = None, **settings: Any) -> Any:
        """A boto3 client. `settings` go to botocore's Config."""
        keys = keys or self.ada
        settings = {"signature_version": "s3v4", "retries": {"total_max_attempts": 1}, **settings}
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, **settings),
        )

    def environment(self, keys: Keys | None = None) -> dict[str, str]:
        """For command lines that read AWS's variables."""
        keys = keys or self.ada
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def signed(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"", **options: Any
    ) -> dict[str, str]:
        """Headers for a raw request to `target` (path and query, encoded), signed by `keys` (ada's)."""
        keys: Keys = options.get("keys") or self.ada
        request = AWSRequest(method=method, url=self.url + target, data=body, headers=headers or {})
        _Signer(
            Credentials(keys.access_key, keys.secret_key, keys.token), "s3", options.get("region", "us-east-1")
        ).add_auth(request)
        return dict(request.headers.items())

    def raw(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        keys: Keys | None = None,
        sign: bool = True,
    ) -> Answer:
        """One request without a client's help."""
        sent = self.signed(method, target, headers, body, keys=keys) if sign else dict(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, target, body=body or None, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


class Answer:
    """Status, headers by lower-case name, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def code(self) -> str:
        """The S3 error code in the body, or ''."""
        _, _, rest = self.body.partition(b"<Code>")
        return rest.partition(b"</Code>")[0].decode() if rest else ""

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.headers}, {self.body[:500]!r})"


@contextmanager
def served(endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The endpoint on a free port, in a thread."""
    with served_handler(endpoint.handle, tls) as port:
        yield port


@contextmanager
def served_handler(handler: Any, tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """Whatever answers requests, on a free port, in a thread."""
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    loop = uvloop.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def run() -> None:
        server = HttpServer(listening, handler, tls, **options)
        server.start()
        started.set()
        await stop.wait()
        await server.stop()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run())

    thread = threading.Thread(target=serve)
    thread.start()
    started.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def always(driver: NodeDriver) -> Callable[[int, int | None], Awaitable[NodeDriver]]:
    """Every node's driver is this one."""

    async def drivers(_node_id: int, _rights_seen: int | None) -> NodeDriver:
        return driver

    return drivers


@contextmanager
def running_world(folder: str, state: str, settings: EndpointSettings = SETTINGS) -> Iterator[World]:
    """A world with the bucket `data`, in which ada owns `ada/`."""
    os.makedirs(os.path.join(folder, BUCKET))
    driver = FolderDriver(NODE_ID, folder, FolderLayout.BUCKETS, "", state, durability=Durability.PROCESS)
    rights = Rights()
    rights.share("ada", BUCKET, "ada/", Level.OWN)
    with served(Endpoint(rights, always(driver), settings)) as port:
        yield World(folder, driver, rights, port)
    asyncio.run(driver.close())
