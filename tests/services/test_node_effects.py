"""What was answered as enforced is so on a real server, on the very next request, with keys issued before."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from database.kinds import database_fixture
from servers.s3_server import S3Server
from services.minio_service import Hand, MinioService, put, service_with_node
from workspacesio.database.sessions import Database
from workspacesio.database.tables import Share, User, Workspace
from workspacesio.domain.errors import Invalid
from workspacesio.domain.vocabulary import RootType
from workspacesio.nodes.minio.administration import normal_form
from workspacesio.services.effect_marks import Marked
from workspacesio.services.imports import Wanted, plan_import
from workspacesio.services.node_effects import continue_effects, pending_effects, settle, settle_one
from workspacesio.services.node_repair import reconcile
from workspacesio.services.roots import change_root
from workspacesio.services.users import disable_user, enable_user
from workspacesio.services.workspace_removal import remove_workspace
from workspacesio.services.workspaces import hand_over_workspace, place_workspace, release_workspace

database = database_fixture("sqlite")

ROOT, ADA, BOB, EVE = 1, 2, 3, 4


@pytest.fixture
def service(database: Database, minio_server: S3Server, tmp_path: Path) -> MinioService:
    return service_with_node(database, minio_server, tmp_path)


@pytest.fixture
def scans(service: MinioService, minio_server: S3Server) -> Workspace:
    """Ada's workspace, with an object in it and in a folder of it."""
    workspace = service.workspace("ada", "scans")
    put(minio_server, workspace, "x", "in/x")
    return workspace


def enforced(service: MinioService, changed: Marked) -> None:
    assert changed
    assert settle_one(service, changed) == "enforced"


def shared(service: MinioService, workspace: Workspace, subject: str, level: str = "readwrite") -> Hand:
    """Bob's keys, after the workspace was shared."""
    settle_one(service, service.share("ada", workspace, subject, level))
    hand = service.keys("bob")
    assert hand.rights(workspace) == ("lrw" if level != "read" else "lr")
    return hand


# --- taking back


@pytest.mark.parametrize("subject", ["bob", "@lab", "everyone"])
def test_un_share(service: MinioService, scans: Workspace, subject: str) -> None:
    service.group("lab", BOB)
    hand = shared(service, scans, subject)
    enforced(service, service.unshare("ada", scans, subject))
    assert hand.rights(scans) == ""


def test_a_lower_level(service: MinioService, scans: Workspace) -> None:
    hand = shared(service, scans, "bob")
    enforced(service, service.share("ada", scans, "bob", "read"))
    assert hand.rights(scans) == "lr"


def test_a_share_that_is_given_later_works_with_keys_from_before(service: MinioService, scans: Workspace) -> None:
    hand = service.keys("bob")
    assert hand.rights(scans) == ""
    enforced(service, service.share("ada", scans, "bob", folder="in"))
    assert hand.rights(scans, "in/x") == "lr"
    assert hand.rights(scans, "x") == ""


def test_an_expiry_ends_a_right_with_nobody_of_us_there(service: MinioService, scans: Workspace) -> None:
    until = service.clock() + timedelta(seconds=4)
    enforced_before = service.keys("bob")
    enforced(service, service.share("ada", scans, "bob", "readwrite", expires_at=until))
    assert enforced_before.rights(scans) == "lrw"
    while service.clock() <= until:
        time.sleep(0.05)
    assert enforced_before.rights(scans) == ""


def test_what_rested_on_a_share_goes_with_it(service: MinioService, scans: Workspace) -> None:
    settle_one(service, service.share("ada", scans, "bob", "own"))
    hand = service.keys("eve")
    enforced(service, service.share("bob", scans, "eve", "readwrite"))
    assert hand.rights(scans) == "lrw"
    enforced(service, service.unshare("ada", scans, "bob"))
    assert hand.rights(scans) == ""


def test_a_disabled_user(service: MinioService, scans: Workspace) -> None:
    hand = service.keys("ada")
    assert hand.rights(scans) == "lrw"
    service.enforced("root", disable_user, username="ada")
    assert hand.rights(scans) == ""
    service.enforced("root", enable_user, username="ada")
    assert hand.rights(scans) == "", "what was ended stays ended"
    assert service.keys("ada").rights(scans) == "lrw"
    assert hand.rights(scans) == ""


def test_a_deleted_workspace(service: MinioService, scans: Workspace) -> None:
    bob, ada = shared(service, scans, "bob"), service.keys("ada")
    service.enforced("ada", remove_workspace, workspace_id=scans.id, holds_objects=True, delete_objects=True)
    assert (bob.rights(scans), ada.rights(scans)) == ("", "")


def test_a_released_workspace(service: MinioService, minio_server: S3Server) -> None:
    old = service.imported(ADA, "old", "old/there/", "there")
    put(minio_server, old, "x")
    hand = service.keys("ada")
    assert hand.rights(old) == "lrw"
    service.enforced("ada", release_workspace, workspace_id=old.id)
    assert hand.rights(old) == ""


def test_a_workspace_that_was_handed_over(service: MinioService, scans: Workspace) -> None:
    ada, bob = service.keys("ada"), service.keys("bob")
    service.enforced("ada", hand_over_workspace, workspace_id=scans.id, to="bob")
    assert (ada.rights(scans), bob.rights(scans)) == ("", "lrw")


def test_a_root_that_becomes_private(service: MinioService, minio_server: S3Server) -> None:
    workspace = service.workspace("ada", "open", "public")
    put(minio_server, workspace, "x")
    hand = service.keys("bob")
    assert hand.rights(workspace) == "lr"
    arguments = {"name": "public", "create": None, "creators": None, "managers": None}
    service.enforced("root", change_root, root_type=RootType.PRIVATE, **arguments)
    assert hand.rights(workspace) == ""


def test_leaving_and_joining_a_group(service: MinioService, scans: Workspace) -> None:
    lab = service.group("lab", BOB)
    hand = shared(service, scans, "@lab")
    enforced(service, service.leave(lab, BOB))
    assert hand.rights(scans) == ""
    enforced(service, service.join(lab, BOB))
    assert hand.rights(scans) == "lrw"


def test_a_group_that_is_dissolved(service: MinioService, scans: Workspace) -> None:
    lab = service.group("lab", BOB)
    hand = shared(service, scans, "@lab")
    enforced(service, service.dissolve(lab))
    assert hand.rights(scans) == ""
    assert service.administration().group(f"{service.prefix()}g{lab}") is None
    assert continue_effects(service) == 0
    assert reconcile(service, 1).repaired == (), "nothing of it was somebody else's doing"


def test_keys_never_become_more_than_they_are(service: MinioService, scans: Workspace) -> None:
    """No administration with them, so that no longer-lived ones come of them."""
    from minio import MinioAdmin
    from minio.credentials import StaticProvider
    from minio.error import MinioAdminException

    issued = service.issue("ada").issued
    provider = StaticProvider(issued.access_key_id, issued.secret_access_key, issued.session_token)
    endpoint = service.issue("ada").endpoint.removeprefix("http://")
    admin = MinioAdmin(endpoint=endpoint, credentials=provider, secure=False)
    for attempt in (admin.user_list, admin.info, lambda: admin.add_service_account(policy={"Version": ""})):
        with pytest.raises(MinioAdminException, match="403"):
            attempt()


# --- who is told, and of what


def test_only_those_are_told_whose_rights_can_change(service: MinioService, scans: Workspace) -> None:
    before = service.effects()
    assert set(before) == set(), "nobody has keys yet, and nothing is shared"
    assert not service.share("ada", scans, "bob"), "bob has no user on the server"
    service.keys("bob")
    service.keys("eve")
    changed = service.share("ada", scans, "bob", "readwrite")
    effects = service.effects()
    assert set(changed.generations) == {effects["user", BOB].id}
    changed = service.share("ada", scans, "everyone")
    assert set(changed.generations) == {service.effects()["everyone", 0].id}


def test_settle_names_each_node(service: MinioService, scans: Workspace) -> None:
    service.keys("bob")
    changed = service.share("ada", scans, "bob")
    assert settle(service, changed) == [("there", "enforced")]
    assert settle(service, Marked(), nodes=[1]) == [("there", "enforced")]
    assert settle(service, Marked()) == []


def test_thousands_of_shares_come_in_few_documents_and_go_again(
    service: MinioService, scans: Workspace, minio_server: S3Server
) -> None:
    hand = service.keys("bob")
    with service.database.write() as session:
        for number in range(900):
            session.add(
                Share(
                    workspace_id=scans.id,
                    folder=f"folder-number-{number:04}/",
                    subject_kind="user",
                    user_id=BOB,
                    level=1,
                    created_at=service.clock(),
                )
            )
    put(minio_server, scans, "folder-number-0000/x", "folder-number-0899/x", "folder-number-0450/x")
    enforced(service, service.share("ada", scans, "bob", folder="in"))
    documents = service.effects()["user", BOB].applied_documents
    assert 2 <= documents <= 12
    for folder in ("folder-number-0000", "folder-number-0450", "folder-number-0899", "in"):
        assert hand.reads(scans, f"{folder}/x"), folder
    with service.database.write() as session:
        from sqlalchemy import delete

        session.execute(delete(Share).where(Share.folder != "in/"))
    enforced(service, service.share("ada", scans, "bob", "readwrite", folder="in"))
    assert not hand.reads(scans, "folder-number-0450/x")
    assert hand.reads(scans, "in/x")
    policies = [name for name in service.administration().policy_names() if name.startswith(service.prefix())]
    assert policies == [f"{service.prefix()}u{BOB}-1"]


def test_a_name_that_can_not_be_said_keeps_no_revocation_back(service: MinioService, scans: Workspace) -> None:
    """It came into the database in another way; its right is left out, and said so."""
    hand = shared(service, scans, "bob")
    with service.database.write() as session:
        session.add(
            Share(
                workspace_id=scans.id,
                folder="a*b/",
                subject_kind="user",
                user_id=BOB,
                level=2,
                created_at=service.clock(),
            )
        )
    enforced(service, service.unshare("ada", scans, "bob"))
    assert hand.rights(scans) == ""
    assert hand.rights(scans, "a*b/x") == ""
    assert hand.rights(scans, "aZb/x") == ""
    assert "a*b/" in (service.effects()["user", BOB].problem or "")


# --- what can't be said is refused beforehand


@pytest.mark.parametrize("folder", ["a*b", "what?", "${aws:username}"])
def test_such_a_folder_is_not_shared(service: MinioService, scans: Workspace, folder: str) -> None:
    with pytest.raises(Invalid) as refusal:
        service.share("ada", scans, "bob", folder=folder)
    assert refusal.value.code == "not_expressible"
    assert folder in str(refusal.value)


def test_such_a_folder_is_not_imported_but_its_neighbours_are(service: MinioService) -> None:
    wanted = [Wanted("a*b/", "ada"), Wanted("plain/", "ada")]
    plan, _ = service.do("root", plan_import, root="old", wanted=wanted, name=None)
    assert [one.folder for one in plan.planned] == ["plain/"]
    assert [(one.folder, "'*'" in one.reason) for one in plan.refused] == [("a*b/", True)]


def test_no_root_and_no_workspace_is_made_there(service: MinioService) -> None:
    with pytest.raises(Invalid) as refusal:
        service.root("bucket", "odd?/", RootType.PRIVATE, "odd")
    assert refusal.value.code == "not_expressible"
    with service.database.write() as session:
        from workspacesio.database.tables import Root

        session.get_one(Root, 1).prefix = "odd?/"
    with pytest.raises(Invalid) as refusal:
        service.do("ada", place_workspace, name="scans", public=False, root="private")
    assert refusal.value.code == "not_expressible"


# --- what is compared


def test_documents_are_compared_whatever_their_spelling() -> None:
    ours = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:b","s3:a"],"Resource":"r"}]}'
    statement = '{"Action": ["s3:a", "s3:b"], "Resource": ["r"], "Effect": "Allow"}'
    theirs = f'{{"Statement": [{statement}], "Version": "2012-10-17"}}'
    assert normal_form(ours) == normal_form(theirs)
    for changed in (ours.replace("s3:b", "s3:c"), ours.replace("Allow", "Deny"), ours.replace('"r"', '["r","q"]')):
        assert normal_form(changed) != normal_form(theirs)


def test_a_user_without_keys_there_is_named_in_no_pending(service: MinioService, scans: Workspace) -> None:
    service.share("ada", scans, "bob")
    with service.database.read() as session:
        assert pending_effects(session, node_id=1) == []
        assert session.get(User, BOB) is not None


def test_a_read_only_node_lets_nobody_write(service: MinioService, scans: Workspace) -> None:
    from workspacesio.database.tables import Node
    from workspacesio.services.effect_marks import mark_node, marked

    hand = service.keys("ada")
    with service.database.write() as session:
        session.get_one(Node, 1).read_only = True
        mark_node(session, 1)
        changed = marked(session)
    enforced(service, changed)
    assert hand.rights(scans) == "lr"


def poll(found: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)
