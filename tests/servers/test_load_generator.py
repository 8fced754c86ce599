"""The load generator of the benchmarks signs as S3 expects, counts right and never hides an error."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from servers.minio_subjects import DENY_NOTHING_ALLOWED, MinioSubjects
from servers.s3_server import S3Server

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import load
from benchmarks.endpoint import Endpoint


@pytest.fixture(scope="session")
def loadgen() -> str:
    return load.build()


@pytest.fixture(params=["minio_server", "versitygw_server"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def endpoint(server: S3Server, request: pytest.FixtureRequest) -> Endpoint:
    bucket = f"load-{abs(hash(request.node.name)) % 10**8}"
    server.boto3_client().create_bucket(Bucket=bucket)
    return Endpoint(server.endpoint, server.access_key, server.secret_key, "", bucket, "ä b/", server.process)


@pytest.mark.parametrize("payload", ["signed", "unsigned"])
def test_what_is_put_is_listed_and_got(loadgen: str, endpoint: Endpoint, server: S3Server, payload: str) -> None:
    put = load.Load("put", "%03d/%03d.bin", 1_050, 4, size=3, payload=payload, requests=1_050)
    assert load.run(loadgen, endpoint, put).requests == 1_050
    listed = server.boto3_client().get_paginator("list_objects_v2").paginate(Bucket=endpoint.bucket)
    keys = [entry["Key"] for page in listed for entry in page["Contents"]]
    assert (keys[0], keys[-1], len(keys)) == ("ä b/000/000.bin", "ä b/001/049.bin", 1_050)

    walk = load.run(loadgen, endpoint, load.Load("list", "", 1_050, 1, requests=4, reconnect=True))
    assert walk.requests == 4
    got = load.run(loadgen, endpoint, load.Load("get", put.keys, 1_050, 4, size=3, seconds=0.3, warmup=0))
    assert got.requests > 10
    assert got.bytes_per_second == pytest.approx(3 * got.requests_per_second)


def test_errors_are_raised_and_not_averaged_away(loadgen: str, endpoint: Endpoint) -> None:
    load.run(loadgen, endpoint, load.Load("put", "%d", 10, 1, size=5, requests=10))
    with pytest.raises(load.LoadFailed, match="NoSuchKey"):
        load.run(loadgen, endpoint, load.Load("get", "%d", 11, 1, size=5, requests=200))
    with pytest.raises(load.LoadFailed, match="5 bytes instead of 6"):
        load.run(loadgen, endpoint, load.Load("get", "%d", 10, 1, size=6, requests=1))
    with pytest.raises(load.LoadFailed, match="named 10 keys instead of 11"):
        load.run(loadgen, endpoint, load.Load("list", "", 11, 1, requests=1))
    with pytest.raises(load.LoadFailed, match="SignatureDoesNotMatch"):
        load.run(loadgen, replace(endpoint, secret_key="wrong"), load.Load("get", "%d", 1, 1, requests=1))


def test_a_session_token_is_signed(loadgen: str, minio_server: S3Server) -> None:
    keys = minio_server.boto3_client("sts").assume_role(
        RoleArn="arn:xxx:xxx:xxx:xxxx", RoleSessionName="test", DurationSeconds=900
    )["Credentials"]
    minio_server.boto3_client().create_bucket(Bucket="load-token")
    endpoint = Endpoint(
        minio_server.endpoint,
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
        "load-token",
        "",
        minio_server.process,
    )
    assert load.run(loadgen, endpoint, load.Load("put", "%d", 5, 1, size=0, requests=5)).requests == 5


def test_keys_are_asked_for(loadgen: str, minio_server: S3Server, tmp_path: Path) -> None:
    subjects = MinioSubjects(minio_server, str(tmp_path))
    subjects.write_policy("load-keys", DENY_NOTHING_ALLOWED)
    subjects.add_user("load-keys", ["load-keys"])
    holder = Endpoint(minio_server.endpoint, "load-keys", "load-keys" * 2, "", "", "", minio_server.process)
    wanted = load.Load("assume-role", "", 1, 2, requests=6)
    assert load.run(loadgen, holder, wanted).requests == 6
    with pytest.raises(load.LoadFailed, match="answered with 403"):
        load.run(loadgen, replace(holder, secret_key="another"), wanted)
    subjects.root.close()
