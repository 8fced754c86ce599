"""A key with an hour to live gives no right that outlives or exceeds it, on any of MinIO's APIs.

The key belongs to a user who may write `mine/` in a bucket, with documents as the product writes them. Afterwards
the server's users, groups, policies, access keys and bucket settings are what they were before.
"""

from __future__ import annotations

import http.client
import io
import json
import tarfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from escalation.admin_calls import ADMIN_CALLS, FAILING, HARMLESS, ONLY_WITH_SEVERAL_DRIVES
from escalation.lab import MINE, NEIGHBOUR, USER, Lab, boto3_of, followed
from servers.minio_subjects import assume_role
from servers.signed_connection import Keys
from workspacesio.domain.s3_policies import Grant, compile_documents, session_policy


def test_the_keys_work_for_what_they_are(lab: Lab) -> None:
    assert lab.send(lab.keys, "PUT", "/lab/mine/new", body=b"x").status == 200
    assert lab.send(lab.keys, "GET", "/lab/secret/k").status == 403
    assert lab.send(lab.narrowed, "GET", "/lab/mine/a/k").status == 200
    assert lab.send(lab.narrowed, "GET", "/lab/mine/k").status == 403
    assert lab.send(lab.narrowed, "PUT", "/lab/mine/a/new", body=b"x").status == 403


def test_without_the_denial_a_key_would_make_itself_permanent(lab: Lab) -> None:
    """What the denial in every document is for; this one is made without it, and taken away again."""
    document = json.loads(compile_documents([MINE])[0])
    document["Statement"] = [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]
    lab.subjects.write_policy("undenied", json.dumps(document))
    lab.subjects.add_user("undenied", ["undenied"])
    keys = lab.subjects.assume_role("undenied")
    made = lab.mc(keys, "admin", "accesskey", "create", "me")
    assert made.returncode == 0, made.stdout
    permanent = json.loads(made.stdout)
    outliving = Keys(permanent["accessKey"], permanent["secretKey"])
    assert lab.send(outliving, "GET", "/lab/mine/k").status == 200
    lab.subjects.mc("admin", "accesskey", "rm", "x", permanent["accessKey"])
    lab.subjects.mc("admin", "user", "rm", "x", "undenied")
    lab.subjects.mc("admin", "policy", "rm", "x", "undenied")


@pytest.mark.parametrize(
    "arguments",
    [
        ("accesskey", "create", "me"),
        ("accesskey", "create", "me", USER),
        ("accesskey", "create", "me", NEIGHBOUR),
        ("accesskey", "create", "me", "minio-root"),
        ("user", "svcacct", "add", "me", USER),
        ("user", "add", "me", USER, "a-new-secret"),
        ("user", "add", "me", NEIGHBOUR, "a-new-secret"),
        ("user", "add", "me", "intruder", "a-new-secret"),
        ("user", "disable", "me", NEIGHBOUR),
        ("user", "ls", "me"),
        ("policy", "attach", "me", "consoleAdmin", "--user", USER),
        ("policy", "create", "me", "short-lived-1", "{wide}"),
        ("policy", "create", "me", "intruder", "{wide}"),
        ("policy", "ls", "me"),
        ("group", "add", "me", "lab", USER),
        ("group", "ls", "me"),
        ("config", "set", "me", "identity_openid", "config_url=http://127.0.0.1:9"),
        ("config", "get", "me", "api"),
        ("info", "me"),
    ],
    ids=" ".join,
)
def test_the_administration_client_is_refused(
    lab: Lab, keys: Keys, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    wide = tmp_path / "wide.json"
    allowing = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    wide.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allowing]}))
    done = lab.mc(keys, "admin", *(argument.format(wide=wide) for argument in arguments))
    assert "Access Denied" in done.stdout or "not allowed" in done.stdout, done.stdout
    assert done.returncode != 0 or arguments[0] == "info", done.stdout


@pytest.mark.parametrize("call", [*ADMIN_CALLS, *ONLY_WITH_SEVERAL_DRIVES])
def test_the_administration_api_is_refused(lab: Lab, keys: Keys, call: str) -> None:
    method, target = call.format(user=USER, key=keys.access_key).split(" ", 1)
    path, _, query = target.partition("?")
    body = b"{}" if method != "GET" else b""
    answer = lab.send(keys, method, f"/minio/admin/v3{path}", query, body=body)
    if call in HARMLESS:
        assert answer.status in (200, 204)
        assert b"secret/" not in answer.body
        return
    if call in FAILING:
        assert answer.status == 500
        return
    code = json.loads(answer.body)["Code"]
    if call in ONLY_WITH_SEVERAL_DRIVES:
        assert code == "XMinioAdminVersionMismatch"
    else:
        assert code == REFUSED_OTHERWISE.get(call, "AccessDenied"), answer


REFUSED_OTHERWISE = {
    "PUT /add-user?accessKey={user}": "XMinioInvalidIAMCredentials",
    "PUT /add-user?accessKey={key}": "XMinioInvalidIAMCredentials",
    # An encrypted body is expected: what mc sends, above.
    "PUT /add-service-account": "XMinioAdminConfigBadJSON",
    "PUT /idp/ldap/add-service-account": "XMinioAdminConfigBadJSON",
    "POST /revoke-tokens/builtin": "InvalidArgument",
}
"""Calls that MinIO refuses before it looks at rights."""


def test_the_key_management_and_metrics_apis_are_refused(lab: Lab, keys: Keys) -> None:
    for method, path in (
        ("GET", "/minio/kms/v1/status"),
        ("GET", "/minio/kms/v1/version"),
        ("GET", "/minio/kms/v1/key/list?pattern=*"),
        ("POST", "/minio/kms/v1/key/create?key-id=x"),
        ("GET", "/minio/v2/metrics/cluster"),
        ("GET", "/minio/metrics/v3/system"),
    ):
        bare, _, query = path.partition("?")
        assert lab.send(keys, method, bare, query).status in (400, 403, 404, 501), path


def test_no_sts_call_gives_another_key(lab: Lab, keys: Keys) -> None:
    whole = session_policy([Grant("lab", "")])
    assert assume_role(lab.server.endpoint, keys).status == 403
    assert assume_role(lab.server.endpoint, keys, policy=whole).status == 403
    assert assume_role(lab.server.endpoint, Keys(keys.access_key, keys.secret_key)).status in (400, 403)
    forms = (
        f"Action=AssumeRoleWithWebIdentity&WebIdentityToken={keys.token}&DurationSeconds=604800",
        f"Action=AssumeRoleWithClientGrants&Token={keys.token}",
        "Action=AssumeRoleWithLDAPIdentity&LDAPUsername=neighbour&LDAPPassword=x",
        "Action=AssumeRoleWithCertificate",
        f"Action=AssumeRoleWithCustomToken&Token={keys.token}&RoleArn=arn:minio:iam:::role/x",
        "Action=GetFederationToken&Name=x",
        "Action=GetSessionToken",
    )
    for form in forms:
        headers = [("Content-Type", "application/x-www-form-urlencoded")]
        body = f"{form}&Version=2011-06-15".encode()
        for service in ("sts", "s3"):
            answer = lab.send(keys, "POST", "/", body=body, headers=headers, service=service)
            assert answer.status >= 400, (form, answer)
            assert b"SecretAccessKey" not in answer.body
        answer = lab.send(keys, "POST", "/", body.decode())
        assert answer.status >= 400, (form, answer)


def test_a_changed_token_is_refused(lab: Lab) -> None:
    assert lab.keys.token
    header, _, signature = lab.keys.token.split(".")
    neighbour = lab.subjects.assume_role(NEIGHBOUR)
    for token in (None, "", f"{header}..{signature}", neighbour.token, lab.narrowed.token, "x"):
        changed = Keys(lab.keys.access_key, lab.keys.secret_key, token)
        assert lab.send(changed, "GET", "/lab/mine/k").status == 403
    unlimited = Keys(lab.narrowed.access_key, lab.narrowed.secret_key, lab.keys.token)
    assert lab.send(unlimited, "GET", "/lab/mine/k").status == 403


BUCKET_CHANGES = {
    "policy": b'{"Version":"2012-10-17","Statement":[]}',
    "lifecycle": b"<LifecycleConfiguration/>",
    "notification": b"<NotificationConfiguration/>",
    "replication": b"<ReplicationConfiguration/>",
    "versioning": b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    "encryption": b"<ServerSideEncryptionConfiguration/>",
    "tagging": b"<Tagging><TagSet/></Tagging>",
    "object-lock": b"<ObjectLockConfiguration/>",
    "acl": b"<AccessControlPolicy/>",
    "cors": b"<CORSConfiguration/>",
    "": b"",
}


@pytest.mark.parametrize("change", BUCKET_CHANGES)
def test_nothing_about_a_bucket_can_be_changed(lab: Lab, keys: Keys, change: str) -> None:
    answer = lab.send(keys, "PUT", "/lab", change, body=BUCKET_CHANGES[change])
    assert answer.status in (400, 403, 404, 409, 501), answer
    assert lab.send(keys, "DELETE", "/lab", change).status in (403, 404, 405, 501)
    assert lab.send(keys, "PUT", "/of-mine").status == 403
    forced = [("x-minio-force-delete", "true")]
    assert lab.send(keys, "DELETE", "/lab", headers=forced).status == 403
    assert lab.send(keys, "DELETE", "/lab/secret/", headers=forced).status == 403


@pytest.mark.parametrize("key", ["secret/k", "mine/k"])
def test_no_object_is_held_longer_than_the_right_lasts(lab: Lab, keys: Keys, key: str) -> None:
    hold = b"<LegalHold><Status>ON</Status></LegalHold>"
    until = (
        b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"
    )
    assert lab.send(keys, "PUT", f"/lab/{key}", "legal-hold", body=hold).status == 403
    assert lab.send(keys, "PUT", f"/lab/{key}", "retention", body=until).status in (400, 403)
    headers = [
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-object-lock-retain-until-date", "2099-01-01T00:00:00Z"),
    ]
    assert lab.send(keys, "PUT", f"/lab/{key}", body=b"x", headers=headers).status in (400, 403)
    replica = [("x-minio-source-replication-request", "true"), ("x-amz-replication-status", "REPLICA")]
    assert lab.send(keys, "PUT", f"/lab/{key}", body=b"x", headers=replica).status == 403


def test_no_way_of_writing_reaches_outside(lab: Lab) -> None:
    secret = [("x-amz-copy-source", "/lab/secret/k")]
    assert lab.send(lab.keys, "PUT", "/lab/mine/copied", headers=secret).status == 403
    upload = lab.send(lab.keys, "POST", "/lab/mine/parts", "uploads").body.decode()
    upload_id = upload.split("<UploadId>")[1].split("</UploadId>")[0]
    part = f"partNumber=1&uploadId={upload_id}"
    assert lab.send(lab.keys, "PUT", "/lab/mine/parts", part, headers=secret).status == 403
    assert lab.send(lab.keys, "DELETE", "/lab/mine/parts", f"uploadId={upload_id}").status == 204
    for header in ("secret/", "mine/../secret/", "/secret/", ""):
        packed = [("x-amz-meta-snowball-auto-extract", "true"), ("x-amz-meta-minio-snowball-prefix", header)]
        for name in ("planted", "../secret/planted", "/secret/planted", "../../planted"):
            lab.send(lab.keys, "PUT", "/lab/mine/x.tar", body=_tar(name), headers=packed)
    assert "planted" not in str(lab.state()["outside"])
    extract = [("x-minio-extract", "true")]
    assert lab.send(lab.keys, "GET", "/lab/secret/a.zip/k", headers=extract).status == 403


def _tar(name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    return packed.getvalue()


@pytest.mark.parametrize(
    "key", ["secret/planted", "/secret/planted", "../secret/planted", "mine/../secret/planted"]
)
def test_a_form_upload_reaches_nothing_outside(lab: Lab, key: str) -> None:
    form = boto3_of(lab, lab.keys).generate_presigned_post("lab", key)
    fields = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    body = f'{fields}--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    connection = http.client.HTTPConnection(urlsplit(lab.server.endpoint).netloc)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    connection.request("POST", "/lab", body.encode(), headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.status in (400, 403), said


def test_no_stream_of_events_begins(lab: Lab, keys: Keys) -> None:
    for path in ("/lab", "/"):
        for prefix in ("", "mine/", "secret/"):
            query = f"events=s3%3AObjectCreated%3A%2A&prefix={prefix}"
            assert lab.send(keys, "GET", path, query).status == 403
    assert lab.send(keys, "GET", "/lab", "uploads&prefix=mine/").status == 403


def test_a_right_that_expires_ends_by_itself_whatever_the_request_says_of_the_time(lab: Lab) -> None:
    lab.subjects.write_policy("expiring", compile_documents([])[0])
    lab.subjects.add_user("expiring", ["expiring"])
    try:
        keys = lab.subjects.assume_role("expiring")
        expires = datetime.now(UTC) + timedelta(seconds=4)
        (document,) = compile_documents([Grant("lab", "mine/", writes=True, expires_at=expires)])
        lab.subjects.write_policy("expiring", document)
        link = boto3_of(lab, keys).generate_presigned_url("get_object", {"Bucket": "lab", "Key": "mine/k"})
        assert lab.send(keys, "GET", "/lab/mine/k").status == 200
        assert followed(link) == 200
        time.sleep(max(0.0, (expires - datetime.now(UTC)).total_seconds()))
        assert lab.send(keys, "GET", "/lab/mine/k").status == 403
        assert followed(link) == 403
        early = (expires - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        now = [(datetime.now(UTC) + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%SZ") for s in range(3)]
        for name in ("Currenttime", "CurrentTime", "currenttime", "aws:CurrentTime", "X-Amz-Currenttime"):
            for times in ([early], [early, *now], [*now, early]):
                headers = [(name, value) for value in times if ":" not in name]
                query = "&".join(f"{name}={value}" for value in times)
                assert lab.send(keys, "GET", "/lab/mine/k", headers=headers).status == 403
                assert lab.send(keys, "GET", "/lab/mine/k", query).status == 403
                assert lab.send(keys, "GET", "/lab", f"prefix=mine/&{query}", headers=headers).status == 403
                assert lab.send(keys, "PUT", "/lab/mine/late", query, body=b"x", headers=headers).status == 403
    finally:
        lab.subjects.mc("admin", "user", "rm", "x", "expiring")
        lab.subjects.mc("admin", "policy", "rm", "x", "expiring")


def test_what_was_begun_before_a_revocation_is_not_completed_after(lab: Lab) -> None:
    lab.subjects.write_policy("revoked", compile_documents([MINE])[0])
    lab.subjects.add_user("revoked", ["revoked"])
    try:
        keys = lab.subjects.assume_role("revoked")
        link = boto3_of(lab, keys).generate_presigned_url(
            "get_object", {"Bucket": "lab", "Key": "mine/k"}, ExpiresIn=604_800
        )
        begun = lab.send(keys, "POST", "/lab/mine/begun", "uploads").body.decode()
        upload = "uploadId=" + begun.split("<UploadId>")[1].split("</UploadId>")[0]
        assert lab.send(keys, "PUT", "/lab/mine/begun", f"partNumber=1&{upload}", body=b"x" * 100).status == 200
        assert followed(link) == 200
        lab.subjects.write_policy("revoked", compile_documents([])[0])
        parts = b"<CompleteMultipartUpload/>"
        assert lab.send(keys, "POST", "/lab/mine/begun", upload, body=parts).status == 403
        assert lab.send(keys, "PUT", "/lab/mine/begun", f"partNumber=2&{upload}", body=b"x").status == 403
        assert lab.send(keys, "GET", "/lab/mine/begun", upload).status == 403
        assert lab.send(keys, "GET", "/lab/mine/k").status == 403
        assert lab.send(keys, "GET", "/lab", "prefix=mine/").status == 403
        assert lab.send(keys, "HEAD", "/lab").status == 403
        assert followed(link) == 403
    finally:
        lab.subjects.mc("admin", "user", "rm", "x", "revoked")
        lab.subjects.mc("admin", "policy", "rm", "x", "revoked")


def test_keys_of_a_removed_user_open_nothing(lab: Lab) -> None:
    lab.subjects.write_policy("removed", compile_documents([MINE])[0])
    lab.subjects.add_user("removed", ["removed"])
    keys = lab.subjects.assume_role("removed")
    assert lab.send(keys, "GET", "/lab/mine/k").status == 200
    lab.subjects.mc("admin", "user", "rm", "x", "removed")
    lab.subjects.mc("admin", "policy", "rm", "x", "removed")
    assert lab.send(keys, "GET", "/lab/mine/k").status == 403
