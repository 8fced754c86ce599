"""Keys of a server that keeps no policies of ours, on a real MinIO: sessions of a plain user, and of a role."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.kinds import database_fixture
from servers.minio_subjects import MinioSubjects
from servers.s3_server import S3Server
from services.minio_service import HOUR, Door, Hand, KeysScope, MinioService, put
from services.test_minio_credentials import decided
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Credential, Node, Workspace
from workspacesio.domain.errors import Conflict, Invalid
from workspacesio.domain.facts import Caller, Narrowing
from workspacesio.domain.vocabulary import RootType
from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.aws import iam
from workspacesio.nodes.aws.driver import AwsDriver
from workspacesio.nodes.minio.sts import Keys
from workspacesio.nodes.sessions.issuer import unfitness
from workspacesio.nodes.sessions.plain_minio import PlainMinioDriver
from workspacesio.services.actors import Actor
from workspacesio.services.credentials import revoke_credential
from workspacesio.services.effect_marks import marked
from workspacesio.services.minio_credentials import IssuedThere
from workspacesio.services.node_effects import SettledNode, settled_nodes
from workspacesio.services.session_credentials import issue_session_credential
from workspacesio.services.session_nodes import (
    add_session_node,
    aws_server,
    check_session_server,
    plain_server,
    session_node_state,
)
from workspacesio.services.session_servers import SessionServer
from workspacesio.services.users import disable_user

ROLE = "arn:aws:iam::123456789012:role/science/workspacesio"
SECRET = "backendbackend"
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)

database = database_fixture("sqlite")


@pytest.fixture(scope="module")
def backend(minio_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> S3Server:
    """The server with a user `backend`, whose only policy is `readwrite`."""
    MinioSubjects(minio_server, str(tmp_path_factory.mktemp("mc"))).add_user("backend", ["readwrite"])
    return minio_server


def plain(server: S3Server, *, key: str = "backend", secret: str = SECRET) -> SessionServer:
    return plain_server(endpoint=server.endpoint, public_endpoint=None, region=None, access_key=key, secret=secret)


def by_role(s3: S3Server, sts: str | None = None) -> SessionServer:
    return aws_server(
        role_arn=ROLE,
        region="us-east-1",
        sts_endpoint=sts or s3.endpoint,
        s3_endpoint=s3.endpoint,
        external_id="lab-7",
        access_key="backend",
        secret=SECRET,
        may_deny_sessions=False,
    )


KINDS: dict[str, Callable[[S3Server], SessionServer]] = {"plain": plain, "role": by_role}


@pytest.fixture
def service(database: Database, backend: S3Server, tmp_path: Path) -> MinioService:
    """With a role, where the kinds don't differ."""
    return with_node(database, backend, tmp_path, "role")


def with_node(database: Database, backend: S3Server, tmp_path: Path, kind: str) -> MinioService:
    """Users root, ada, bob and eve; a node `there` with a private and a public root in a bucket of its own."""
    found = MinioService(database, tmp_path)
    found.user("root", administrator=True)
    for username in ("ada", "bob", "eve"):
        found.user(username)
    add(found, KINDS[kind](backend))
    bucket = "sessions-" + tmp_path.name[-12:].strip("-_").replace("_", "-").lower()
    backend.boto3_client().create_bucket(Bucket=bucket)
    found.root(bucket, "private/", RootType.PRIVATE, "private")
    found.root(bucket, "public/", RootType.PUBLIC, "public")
    return found


def add(service: MinioService, server: SessionServer) -> int:
    check_session_server(service, server, by_administrator=True)
    with service.door("root").write() as (session, actor, now):
        return add_session_node(
            session, actor=actor, keyring=service.keyring, name="there", server=server, read_only=False, now=now
        ).id


def issue(
    service: MinioService,
    username: str,
    *,
    workspaces: frozenset[int] | None = None,
    read_only: bool = False,
    duration: timedelta | None = None,
    door: Door | None = None,
) -> IssuedThere:
    def scope_of(session: Session, actor: Actor, _: datetime) -> KeysScope:
        row = session.scalars(select(Node).where(Node.name == "there")).one()
        narrowing = actor.caller.narrowing.within(Narrowing(workspaces, read_only))
        return KeysScope(row, Caller(actor.user_id, True, False, actor.caller.groups, narrowing))

    return issue_session_credential(service, door or service.door(username), scope_of=scope_of, duration=duration)


def settled(
    service: MinioService, by: str, use_case: Callable[..., object], /, **arguments: object
) -> SettledNode:
    _, changed = service.do(by, use_case, **arguments)
    return settled_nodes(service, changed, nodes=[1])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_keys_hold_the_rights_of_the_moment(
    kind: str, database: Database, backend: S3Server, tmp_path: Path
) -> None:
    """Own, shared at each level, with a group, with everyone, in a public root, one folder only, not at all."""
    service = with_node(database, backend, tmp_path, kind)
    service.group("lab", 2, 3)
    own, late = service.workspace("ada", "own"), service.workspace("bob", "late")
    read, written = service.workspace("bob", "read"), service.workspace("bob", "written")
    grouped, everybody = service.workspace("bob", "grouped"), service.workspace("bob", "everybody")
    folder, public = service.workspace("bob", "folder"), service.workspace("bob", "public", "public")
    hidden = service.workspace("bob", "hidden")
    service.share("bob", read, "ada")
    service.share("bob", written, "ada", "readwrite")
    service.share("bob", grouped, "@lab", "readwrite")
    service.share("bob", everybody, "everyone")
    service.share("bob", folder, "ada", "readwrite", folder="in")
    workspaces = (own, read, written, grouped, everybody, folder, public, hidden, late)
    for workspace in workspaces:
        put(backend, workspace, "x", "in/x", "in-other/x")
    for username, user_id in (("ada", 2), ("bob", 3), ("eve", 4)):
        hand = Hand(issue(service, username))
        reading = Hand(issue(service, username, read_only=True))
        narrowed = Hand(issue(service, username, workspaces=frozenset({written.id, hidden.id})))
        for workspace in workspaces:
            for path in ("x", "in/x", "in-other/x"):
                expected = decided(service, user_id, workspace, path)
                assert hand.rights(workspace, path) == expected, (username, workspace.name, path)
                assert reading.rights(workspace, path) == expected.replace("w", "")
                is_named = workspace.id in (written.id, hidden.id)
                assert narrowed.rights(workspace, path) == (expected if is_named else "")
    before = Hand(issue(service, "ada"))
    service.share("bob", late, "ada")
    assert before.rights(late) == ""
    assert Hand(issue(service, "ada")).rights(late) == "lr"


def test_what_is_taken_back_before_keys_are_handed_out_is_not_in_them(
    service: MinioService, backend: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Un-shared while the server is asked: the keys that it gave are dropped, and others are asked for."""
    workspace = service.workspace("bob", "shared")
    put(backend, workspace, "x")
    service.share("bob", workspace, "ada")
    asked = []
    driver = service.drivers(1)
    really = driver.issue  # type: ignore[attr-defined]

    def issuing(**arguments: object) -> object:
        asked.append(arguments["policy"])
        keys = really(**arguments)
        if len(asked) == 1:
            changed = service.unshare("bob", workspace, "ada")
            # Nobody has keys, so that it is rightly called enforced.
            assert settled_nodes(service, changed, nodes=[1])[0].state == "enforced"
        return keys

    monkeypatch.setattr(driver, "issue", issuing)
    hand = Hand(issue(service, "ada"))
    assert len(asked) == 2
    assert hand.rights(workspace) == ""
    with service.database.read() as session:
        assert len(session.scalars(select(Credential)).all()) == 1

    def toggling(**arguments: object) -> object:
        keys = really(**arguments)
        share = service.share if len(asked) % 2 == 0 else lambda *_: service.unshare("bob", workspace, "ada")
        asked.append(share("bob", workspace, "ada"))
        return keys

    monkeypatch.setattr(driver, "issue", toggling)
    with pytest.raises(Conflict):
        issue(service, "ada")


def test_keys_live_as_long_as_asked_and_none_longer_than_what_they_were_made_with(service: MinioService) -> None:
    """That they end then is seen in tests/journeys/test_session_nodes_journey.py."""
    workspace = service.workspace("ada", "own")
    began = service.clock()
    there = issue(service, "ada", duration=timedelta(seconds=15))
    assert Hand(there).writes(workspace)
    assert there.issued.expires_at <= began + timedelta(seconds=16)
    usual = issue(service, "ada").issued
    assert QUARTER - MINUTE < usual.expires_at - began < QUARTER + MINUTE
    door = service.door("ada", expires_at=began + timedelta(seconds=30))
    assert issue(service, "ada", door=door).issued.expires_at <= began + timedelta(seconds=30)
    for refused in (2 * HOUR, timedelta(seconds=5)):
        with pytest.raises(Invalid, match="between 15 s and 1 h"):
            issue(service, "ada", duration=refused)


def test_the_last_keys_that_may_hold_it_say_when_it_takes_effect(service: MinioService) -> None:
    workspace, other = service.workspace("bob", "shared"), service.workspace("ada", "other")
    service.group("lab", 2, 4)
    issue(service, "bob", duration=HOUR)

    def unshared(subject: str) -> SettledNode:
        service.share("bob", workspace, subject)
        changed = service.unshare("bob", workspace, subject)
        return settled_nodes(service, changed, nodes=[1])[0]

    # Of the owner's own keys nothing is taken, nor of those that are narrowed to others.
    issue(service, "ada", workspaces=frozenset({other.id}))
    for subject in ("ada", "@lab", "everyone"):
        assert unshared(subject) == SettledNode("there", "enforced", None, denied=False)
    eve = issue(service, "eve", duration=timedelta(seconds=40)).issued
    assert unshared("ada").state == "enforced"
    for subject in ("eve", "@lab", "everyone"):
        found = unshared(subject)
        assert found.state == "at_expiry"
        assert found.at == eve.expires_at + timedelta(seconds=30)
    # Revoked rows count, since their keys work.
    with service.door("eve").write() as (session, actor, now):
        revoke_credential(session, user_id=actor.user_id, credential_id=eve.credential_id, now=now)
        changed = marked(session)
    assert settled_nodes(service, changed)[0].at == eve.expires_at + timedelta(seconds=30)
    assert unshared("eve").state == "at_expiry"
    # A share that grows takes nothing; one that shrinks does.
    assert settled_nodes(service, service.share("bob", workspace, "eve"), nodes=[1])[0].state == "enforced"
    grown = service.share("bob", workspace, "eve", "readwrite")
    assert settled_nodes(service, grown, nodes=[1])[0].state == "enforced"
    for weaker in ({"level": "read"}, {"expires_at": service.clock() + HOUR}):
        shrunk = service.share("bob", workspace, "eve", **weaker)
        assert settled_nodes(service, shrunk, nodes=[1])[0].state == "at_expiry"
    assert settled(service, "root", disable_user, username="eve").state == "at_expiry"
    service.ahead = timedelta(minutes=2)
    assert unshared("everyone").state == "enforced"


def test_what_does_not_fit_names_length_limit_and_remedy(service: MinioService) -> None:
    for number in range(20):
        service.workspace("ada", f"{'long' * 15}-{number}")
    with pytest.raises(Invalid) as refused:
        issue(service, "ada")
    assert refused.value.code == "narrowing_too_long"
    assert refused.value.details["limit"] == 2048
    assert int(str(refused.value.details["characters"])) > 2048
    with service.database.read() as session:
        assert session.scalars(select(Credential)).all() == []
        one = session.scalars(select(Workspace)).first()
    assert one is not None
    assert Hand(issue(service, "ada", workspaces=frozenset({one.id}))).writes(one)


def test_a_share_for_which_no_keys_could_be_issued_is_refused(service: MinioService) -> None:
    workspace = service.workspace("ada", "deep")
    deep = "/".join(["f" * 100] * 3) + "/"
    service.share("ada", workspace, "bob", folder=deep)
    assert issue(service, "bob")
    with pytest.raises(Invalid, match="share a folder above it") as refused:
        service.share("ada", workspace, "bob", folder=deep + "/".join(["g" * 100] * 4) + "/")
    assert refused.value.code == "not_expressible"
    assert issue(service, "bob")


def test_keys_that_may_issue_none_and_servers_that_are_away_are_said(
    service: MinioService, backend: S3Server
) -> None:
    for server, said in (
        (plain(backend, secret="not-the-secret"), "short-lived keys"),
        (plain(backend, key="nobody"), "short-lived keys"),
        (
            plain_server(
                endpoint="http://127.0.0.1:1", public_endpoint=None, region=None, access_key="k", secret="s"
            ),
            "reached",
        ),
    ):
        with pytest.raises(Invalid, match=said) as refused:
            check_session_server(service, server, by_administrator=True)
        assert refused.value.code == "server_unfit"
    for wrong in ("arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x", ROLE + "*"):
        with pytest.raises(Invalid):
            aws_server(
                role_arn=wrong, region="us-east-1", sts_endpoint=None, s3_endpoint=None, external_id=None,
                access_key="k", secret="s", may_deny_sessions=False,
            )  # fmt: skip
    state = session_node_state(service, 1)
    assert state.problems == ()
    service.ahead = timedelta(minutes=5)
    assert "clock" in session_node_state(service, 1).problems[0]


class Answering(ThreadingHTTPServer):
    """Answers every form with `body`, and remembers forms and signatures."""

    def __init__(self, body: str, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body, self.status = body.encode(), status
        self.forms: list[dict[str, str]] = []
        self.signed: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True)
        self.server.forms.append({name: value for name, (value,) in form.items()})
        self.server.signed.append(self.headers["Authorization"])
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(body: str, status: int = 200) -> Iterator[Answering]:
    server = Answering(body, status)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def assumed(key: str, secret: str) -> str:
    """AssumeRole's answer, with keys that no session policy limits."""
    ends = (datetime.now(UTC) + QUARTER).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken></SessionToken>"
        f"<Expiration>{ends}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


def test_a_server_that_ignores_session_policies_is_no_node(
    service: MinioService, backend: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = MinioSubjects(backend, "").assume_role("backend")
    keys = Keys(unlimited.access_key, unlimited.secret_key, unlimited.token or "", datetime.now(UTC) + QUARTER)
    monkeypatch.setattr(PlainMinioDriver, "issue", lambda *_, **__: keys)
    with pytest.raises(Invalid, match="nothing can be shared safely"):
        check_session_server(service, plain(backend), by_administrator=True)


def test_a_role_is_asked_for_as_aws_documents_it(service: MinioService, backend: S3Server) -> None:
    """Action, version, role, name, external id, seconds and policy of AssumeRole; and its errors are told."""
    refusal = "<ErrorResponse><Error><Code>PackedPolicyTooLarge</Code></Error></ErrorResponse>"
    with answering(refusal, status=400) as sts:
        with service.database.write() as session:
            node = session.get_one(Node, 1)
            node.kind, node.role_arn, node.external_id = "aws", ROLE, "lab-7"
            node.sts_endpoint, node.region = sts.endpoint, "eu-central-1"
        with pytest.raises(Invalid) as refused:
            issue(service, "ada", duration=HOUR)
        assert refused.value.code == "narrowing_too_long"
        (form,) = sts.forms
        assert "sts/aws4_request" in sts.signed[0]
    policy = form.pop("Policy")
    assert 3590 <= int(form.pop("DurationSeconds")) <= 3600  # what is left of the hour when it is asked
    assert form == {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "wio-u2",
        "ExternalId": "lab-7",
    }
    for unknown_there in ("admin:", "sts:", "HeadBucket", "[false]"):
        assert unknown_there not in policy


def test_older_sessions_are_denied_as_aws_documents_it(
    service: MinioService, backend: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not run against AWS: this holds the request to the form of the IAM API Reference."""
    workspace = service.workspace("bob", "shared")
    service.share("bob", workspace, "ada")
    with service.database.write() as session:
        node = session.get_one(Node, 1)
        node.kind, node.role_arn, node.sts_endpoint = "aws", ROLE, backend.endpoint
        node.may_deny_sessions = True
    with answering("<PutRolePolicyResponse/>") as there:
        monkeypatch.setattr("workspacesio.services.session_servers.IAM_ADDRESS", there.endpoint)
        service.drivers._servers.clear()
        issue(service, "ada")
        before = service.clock().replace(microsecond=0)
        changed = service.unshare("bob", workspace, "ada")
        (found,) = settled_nodes(service, changed, nodes=[1])
        assert (found.state, found.denied) == ("at_expiry", True)
        (form,) = there.forms
        assert "us-east-1/iam/aws4_request" in there.signed[0]
        document = form.pop("PolicyDocument")
        assert form == {
            "Action": "PutRolePolicy",
            "Version": "2010-05-08",
            "RoleName": "workspacesio",
            "PolicyName": "workspacesio-older-sessions",
        }
        with service.database.read() as session:
            moment = session.get_one(Node, 1).sessions_denied_before
        assert moment is not None
        assert before <= moment <= service.clock()
        assert document == iam.denial(moment)
        # The moment never goes back, whatever clocks say.
        later = service.clock().replace(microsecond=0) + HOUR
        with service.database.write() as session:
            session.get_one(Node, 1).sessions_denied_before = later
        settled_nodes(service, changed, nodes=[1])
        assert there.forms[-1]["PolicyDocument"] == iam.denial(later)
    (found,) = settled_nodes(service, changed, nodes=[1])
    assert (found.state, found.denied) == ("at_expiry", False)


def test_addresses_of_aws_are_those_of_the_region() -> None:
    server = aws_server(
        role_arn=ROLE,
        region="eu-central-1",
        sts_endpoint=None,
        s3_endpoint=None,
        external_id=None,
        access_key="AKIAEXAMPLE",
        secret="s",
        may_deny_sessions=True,
    )
    assert (server.endpoint, server.sts_endpoint) == (
        "https://s3.eu-central-1.amazonaws.com",
        "https://sts.eu-central-1.amazonaws.com",
    )
    driver = server.open(AllowedAddresses())
    assert isinstance(driver, AwsDriver)
    assert driver.role.name == "workspacesio"
    assert driver.s3 is not None
    driver.close_now()
    with pytest.raises(Invalid, match="AWS itself"):
        aws_server(
            role_arn=ROLE,
            region="eu-central-1",
            sts_endpoint="https://sts.example.org",
            s3_endpoint=None,
            external_id=None,
            access_key="AKIAEXAMPLE",
            secret="s",
            may_deny_sessions=True,
        )


def test_a_key_is_tried_on_a_bucket_that_it_may_list(
    service: MinioService, backend: S3Server, tmp_path: Path
) -> None:
    """Refused in the first bucket anyway, it would prove nothing there."""
    s3 = backend.boto3_client()
    for bucket in ("00-a-before-all", "00-b-behind-it"):
        s3.create_bucket(Bucket=bucket)
    subjects = MinioSubjects(backend, str(tmp_path))
    some = {"Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::00-b-behind-it*"]}
    names = {"Action": ["s3:ListAllMyBuckets"], "Resource": ["arn:aws:s3:::*"]}
    statements = [{"Effect": "Allow", **one} for one in (some, names)]
    subjects.write_policy("some", json.dumps({"Version": "2012-10-17", "Statement": statements}))
    subjects.add_user("limited", ["some"])
    subjects.root.close()
    asked: list[str] = []
    server = plain(backend, key="limited", secret="limitedlimited")
    driver = server.open(AllowedAddresses())
    really = driver.s3_with

    class Watched:
        def __init__(self, keys: Keys) -> None:
            self._s3 = really(keys)

        def list_objects(self, bucket: str, *, recursive: bool) -> object:
            asked.append(bucket)
            return self._s3.list_objects(bucket, recursive=recursive)

    driver.s3_with = Watched  # type: ignore[assignment,method-assign]
    assert unfitness(driver, service.clock()) == []
    assert asked == ["00-b-behind-it"]
    driver.close_now()
    for bucket in ("00-a-before-all", "00-b-behind-it"):
        s3.delete_bucket(Bucket=bucket)
