"""Every call of MinIO's S3 API, with keys that reach some of a bucket, and forms and links that such keys sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from escalation.lab import MINE, USER, Lab, boto3_of, followed
from escalation.s3_calls import BUCKET_CALLS, OBJECT_CALLS, READING
from servers.signed_connection import Answer, Keys
from workspacesio.domain.grants import Grant
from workspacesio.domain.s3_policies import compile_documents, session_policy

BODIES = {
    "?select": b"<SelectObjectContentRequest><Expression>select * from S3Object</Expression><ExpressionType>SQL"
    b"</ExpressionType><InputSerialization><CSV/></InputSerialization><OutputSerialization><CSV/>"
    b"</OutputSerialization></SelectObjectContentRequest>",
    "?tagging": b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "?retention": b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate>"
    b"</Retention>",
    "?legal-hold": b"<LegalHold><Status>ON</Status></LegalHold>",
    "?policy": b'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},'
    b'"Action":["s3:*"],"Resource":["arn:aws:s3:::lab/*"]}]}',
    "?object-lock": b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
    b"<DefaultRetention><Mode>COMPLIANCE</Mode><Days>36500</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    "?versioning": b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
}


def call(lab: Lab, keys: Keys, path: str, line: str) -> Answer:
    """`METHOD ?query | name: value, …` of one of the lists."""
    request, _, named = line.partition(" | ")
    method, _, query = request.partition(" ")
    headers = [(name, value) for name, _, value in (one.partition(": ") for one in named.split(", ")) if name]
    body = next((body for part, body in BODIES.items() if query.startswith(part)), b"x")
    if method not in ("PUT", "POST"):
        body = b""
    if body:
        headers.append(("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()))
    return lab.send(keys, method, path, query.removeprefix("?"), body=body, headers=headers)


def is_refused(answer: Answer) -> bool:
    """For lack of rights, or because the server has no such call at all."""
    return (answer.status == 403 and answer.code in ("AccessDenied", "")) or answer.code == "NotImplemented"


def contents(lab: Lab) -> dict[str, bytes]:
    return {key: lab.send(lab.root, "GET", f"/lab/{key}").body for key in ("secret/k", "mine/k", "mine/a/k")}


@pytest.mark.parametrize("line", OBJECT_CALLS)
def test_no_call_does_anything_with_an_object_beside_the_right(lab: Lab, keys: Keys, line: str) -> None:
    before = contents(lab)
    outside = ["secret/k"] if keys is lab.keys else ["secret/k", "mine/k"]
    for key in outside:
        answer = call(lab, keys, f"/lab/{key}", line)
        assert is_refused(answer) or (line in REFUSED_OTHERWISE and answer.status == 400), answer
        assert b"bytes" not in answer.body
    assert contents(lab) == before


REFUSED_OTHERWISE = {
    "PUT | x-amz-write-offset-bytes: 5",
    "PUT | x-amz-acl: public-read",
    "PUT ?retention",  # where a bucket can hold objects: `test_nothing_is_held_where_a_bucket_can_hold_it`
}
"""Calls that MinIO refuses before it looks at rights."""


@pytest.mark.parametrize("line", OBJECT_CALLS)
def test_a_right_to_read_changes_nothing(lab: Lab, line: str) -> None:
    before = contents(lab)
    answer = call(lab, lab.narrowed, "/lab/mine/a/k", line)
    if line in READING:
        assert answer.status in (200, 206, 404), answer
    else:
        assert is_refused(answer) or (line in REFUSED_OTHERWISE and answer.status == 400), answer
    assert contents(lab) == before


@pytest.mark.parametrize("line", BUCKET_CALLS)
def test_no_call_tells_of_a_bucket_or_changes_it(lab: Lab, keys: Keys, line: str) -> None:
    """What MinIO takes amiss before it looks at rights is sent with a right body in `test_minio_escalation.py`."""
    answer = call(lab, keys, "/lab", line)
    harmless = line == "DELETE ?website"  # there are none; the call does nothing
    assert is_refused(answer) or harmless or answer.code in ("MalformedXML", "InvalidRequest"), answer
    assert b"secret/" not in answer.body
    assert b"secret" not in lab.send(keys, "GET", "/").body


def test_nothing_is_held_where_a_bucket_can_hold_it(lab: Lab) -> None:
    """Not with the right to write there: what is held outlives the right, and nobody could delete it."""
    path = "/lockable/mine/k"
    assert lab.send(lab.keys, "GET", path).body == b"bytes"
    assert lab.send(lab.keys, "PUT", "/lockable/mine/new", body=b"x").status == 200
    holding = (
        "x-amz-object-lock-mode: COMPLIANCE, x-amz-object-lock-retain-until-date: 2099-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold: ON",
    )
    for line in (
        "PUT ?retention",
        "PUT ?legal-hold",
        "PUT ?object-lock",
        *(f"PUT | {headers}" for headers in holding),
        *(f"PUT | x-amz-copy-source: /lockable/mine/k, {headers}" for headers in holding),
        *(f"POST ?uploads | {headers}" for headers in holding),
    ):
        answer = call(lab, lab.keys, "/lockable" if line == "PUT ?object-lock" else path, line)
        assert is_refused(answer), (line, answer)
    held = [lab.send(lab.root, "GET", path, query) for query in ("retention", "legal-hold")]
    assert [answer.code for answer in held] == ["NoSuchObjectLockConfiguration"] * 2


def test_of_several_keys_only_those_within_the_right_are_deleted(lab: Lab) -> None:
    assert lab.send(lab.keys, "PUT", "/lab/mine/gone", body=b"x").status == 200
    named = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("mine/gone", "secret/k", "theirs/k"))
    body = f"<Delete>{named}</Delete>".encode()
    headers = [("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode())]
    answer = lab.send(lab.keys, "POST", "/lab", "delete", body=body, headers=headers)
    assert answer.status == 200
    assert answer.body.count(b"<Error><Code>AccessDenied</Code>") == 2
    assert lab.send(lab.root, "GET", "/lab/secret/k").status == 200
    assert lab.send(lab.root, "GET", "/lab/mine/gone").status == 404


def post_form(lab: Lab, keys: Keys, key: str, *, filename: str = "f", **fields: str) -> tuple[int, bytes]:
    """A browser's upload, with a form that the holder of the keys signed for a week."""
    form: dict[str, Any] = boto3_of(lab, keys).generate_presigned_post(
        "lab",
        key,
        Fields=fields,
        Conditions=[{name: value} for name, value in fields.items()],
        ExpiresIn=604_800,
    )
    return send_form(lab, form["fields"], filename)


def send_form(lab: Lab, fields: dict[str, str], filename: str = "f") -> tuple[int, bytes]:
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    file = f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\nposted'
    body = f"{parts}--b\r\n{file}\r\n--b--\r\n"
    connection = http.client.HTTPConnection(urlsplit(lab.server.endpoint).netloc)
    connection.request("POST", "/lab", body.encode(), {"Content-Type": "multipart/form-data; boundary=b"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def test_a_signed_form_does_what_its_keys_may_and_no_more(lab: Lab) -> None:
    assert post_form(lab, lab.keys, "mine/posted")[0] == 204
    assert lab.send(lab.root, "GET", "/lab/mine/posted").body == b"posted"
    assert post_form(lab, lab.narrowed, "mine/a/posted")[0] == 403
    for key, filename in (
        ("${filename}", "secret/planted"),
        ("mine/${filename}", "../secret/planted"),
        ("mine/../secret/${filename}", "planted"),
    ):
        post_form(lab, lab.keys, key, filename=filename)
    fan_out = json.dumps([{"key": "secret/planted"}, {"key": "mine/fanned"}])
    assert post_form(lab, lab.keys, "mine/fan", **{"x-minio-fanout-list": fan_out})[0] in (400, 403)
    objects = lab.send(lab.root, "GET", "/lab", "list-type=2").body
    assert b"planted" not in objects.replace(b"mine/planted", b"")
    assert b"fanned" not in objects


def test_neither_forms_nor_links_outlive_a_revocation(lab: Lab) -> None:
    lab.subjects.write_policy("ending", compile_documents([MINE])[0])
    lab.subjects.add_user("ending", ["ending"])
    try:
        keys = lab.subjects.assume_role("ending")
        s3 = boto3_of(lab, keys)
        form = s3.generate_presigned_post("lab", "mine/formed", ExpiresIn=604_800)["fields"]
        links = [
            s3.generate_presigned_url(operation, Params={"Bucket": "lab", **more}, ExpiresIn=604_800)
            for operation, more in (("get_object", {"Key": "mine/k"}), ("list_objects_v2", {"Prefix": "mine/"}))
        ]
        assert send_form(lab, form)[0] == 204
        assert [followed(link) for link in links] == [200, 200]
        lab.subjects.write_policy("ending", compile_documents([])[0])
        assert send_form(lab, form)[0] == 403
        assert [followed(link) for link in links] == [403, 403]
        lab.subjects.write_policy("ending", compile_documents([MINE])[0])
        assert send_form(lab, form)[0] == 204
        lab.subjects.mc("admin", "user", "disable", "x", "ending")
        assert send_form(lab, form)[0] == 403
        assert [followed(link) for link in links] == [403, 403]
    finally:
        lab.subjects.mc("admin", "user", "rm", "x", "ending")
        lab.subjects.mc("admin", "policy", "rm", "x", "ending")


def test_neither_forms_nor_links_outlive_narrowed_keys(lab: Lab) -> None:
    """Keys for less than the server's shortest time end by the date in their session policy."""
    ends = datetime.now(UTC) + timedelta(seconds=3)
    policy = session_policy([Grant("lab", "mine/", writes=True, expires_at=ends)])
    keys = lab.subjects.assume_role(USER, policy=policy)
    s3 = boto3_of(lab, keys)
    form = s3.generate_presigned_post("lab", "mine/formed", ExpiresIn=604_800)["fields"]
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "lab", "Key": "mine/k"}, ExpiresIn=604_800)
    assert (send_form(lab, form)[0], followed(link)) == (204, 200)
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()))
    assert (send_form(lab, form)[0], followed(link)) == (403, 403)
    # The form's fields are conditions of the policy, too, and name no other time.
    early = (ends - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert post_form(lab, keys, "mine/formed", CurrentTime=early)[0] == 403
    assert lab.send(keys, "GET", "/lab/mine/k").status == 403


def _token(keys: Keys, *, lives: timedelta) -> str:
    """What the server's metrics take: signed with a user's secret, for as long as who signs it likes."""

    def encoded(part: dict[str, object]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")

    expires = int((datetime.now(UTC) + lives).timestamp())
    claims = {"sub": keys.access_key, "accessKey": keys.access_key, "iss": "prometheus", "exp": expires}
    signed = encoded({"alg": "HS512", "typ": "JWT"}) + b"." + encoded(claims)
    digest = hmac.digest(keys.secret_key.encode(), signed, "sha512")
    return (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def test_a_token_signed_with_the_keys_opens_nothing(lab: Lab, keys: Keys) -> None:
    root_token, token = (_token(one, lives=timedelta(days=3650)) for one in (lab.root, keys))
    assert _bearing(lab, root_token, "/minio/v2/metrics/cluster") == 200
    for path in (
        "/minio/prometheus/metrics",
        "/minio/v2/metrics/cluster",
        "/minio/v2/metrics/bucket",
        "/minio/v2/metrics/node",
        "/minio/v2/metrics/resource",
        "/minio/metrics/v3",
        "/minio/metrics/v3/api",
        "/minio/admin/v3/info",
        "/minio/kms/v1/status",
        "/lab/mine/k",
    ):
        assert _bearing(lab, token, path) in (400, 403), path


def _bearing(lab: Lab, token: str, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(lab.server.endpoint).netloc)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status
