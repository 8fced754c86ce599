"""Accident: names of hidden things in error messages. The API answers 404 for what may not be seen, to the
byte as for what isn't there, on every route that names something; so does the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from accidents.api import JsonAnswer
from accidents.lab import BUCKET, Lab
from servers.service import Person


@dataclass
class Scene:
    lab: Lab
    hidden: int
    half: int
    person: Person
    credential: int
    api_key: int


ABSENT_ID = 999_999


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Scene:
    """ada's workspaces `hidden`, of which bob sees nothing, and `half`, of which he reads one folder."""
    lab.write("hidden/file", b"secret content")
    lab.write("half/open/file", b"open")
    lab.write("half/shut/file", b"secret content")
    hidden, half = lab.imported("hidden"), lab.imported("half")
    lab.ada.share(half, "bob", "own", "open/")
    lab.ada.share(hidden, "carol", "read")
    lab.ada.share(half, "carol", "read", "shut/")
    lab.bob.create("of-bob")
    lab.ada.done("POST", "/groups", {"name": "lab"})
    lab.ada.done("POST", "/groups/lab/members", {"username": "carol"})
    person = lab.shell("bob", lab.bob)
    assert "open" in person.wio("mc", "cat", "ada/half/open/file")
    credential = lab.ada.issue("hidden")["id"]
    api_key = lab.ada.done("POST", "/api-keys", {"name": "hidden-key"})["id"]
    return Scene(lab, hidden, half, person, credential, api_key)


def shape(answer: JsonAnswer, *names: str) -> tuple[int, bytes]:
    """What remains when the names that were asked for are taken out."""
    body = answer.body
    for name in names:
        body = body.replace(name.encode(), b"NAME")
    return answer.status, body


WORKSPACE_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"name": "taken-over"}),
    ("DELETE", "", None),
    ("DELETE", "?delete_objects=true", None),
    ("POST", "/hand-over", {"to": "bob"}),
    ("POST", "/hand-over", {"to": "nobody-of-that-name"}),
    ("POST", "/release", None),
    ("GET", "/shares", None),
    ("POST", "/shares", {"subject": "bob", "level": "own"}),
    ("POST", "/shares", {"subject": "everyone", "level": "read", "folder": "file"}),
    ("POST", "/shares", {"subject": "@no-such-group"}),
    ("DELETE", "/shares?subject=carol", None),
    ("DELETE", "/shares?subject=bob&folder=open/", None),
    ("GET", "/access", None),
    ("GET", "/sizes", None),
    ("GET", "/sizes?path=file", None),
    ("GET", "/sizes?depth=3", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WORKSPACE_ROUTES)
def test_a_hidden_workspace_is_answered_as_an_absent_one(scene: Scene, method: str, path: str, body: Any) -> None:
    hidden = scene.lab.bob.call(method, f"/workspaces/{scene.hidden}{path}", body)
    absent = scene.lab.bob.call(method, f"/workspaces/{ABSENT_ID}{path}", body)
    assert hidden.status == 404
    assert shape(hidden) == shape(absent)
    assert scene.lab.ada.workspace("hidden")["id"] == scene.hidden


REFERENCES: list[tuple[str, str, Any]] = [
    ("GET", "/workspaces/resolve?reference={}", None),
    ("GET", "/workspaces/resolve?reference={}&purpose=write", None),
    ("POST", "/credentials", {"workspaces": ["{}"]}),
    ("POST", "/credentials", {"workspaces": ["of-bob", "{}"]}),
    ("POST", "/presign", {"reference": "{}/file"}),
    ("POST", "/presign", {"reference": "{}/file", "method": "PUT"}),
    ("POST", "/api-keys", {"name": "k", "workspaces": ["{}"]}),
    ("GET", "/audit?workspace={}", None),
    ("GET", "/search?q=in:{}", None),
    ("GET", "/search?q=-in:{}%20file", None),
    ("GET", "/aggregate?q=in:{}&by=ext", None),
    ("POST", "/crawls", {"workspace": "{}"}),
    ("GET", "/crawls?workspace={}", None),
]


def filled(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{}", name)
    if isinstance(value, list):
        return [filled(one, name) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, name) for key, one in value.items()}
    return value


@pytest.mark.parametrize(("method", "path", "body"), REFERENCES)
@pytest.mark.parametrize("written", ["ada/{}", "{}"])
def test_a_reference_to_a_hidden_workspace_is_answered_as_one_to_nothing(
    scene: Scene, method: str, path: str, body: Any, written: str
) -> None:
    names = written.format("hidden"), written.format("absent")
    answers = [scene.lab.bob.call(method, filled(path, name), filled(body, name)) for name in names]
    assert answers[0].status == 404
    assert shape(answers[0], names[0]) == shape(answers[1], names[1])


OTHERS: list[tuple[str, str, Any, str, str]] = [
    ("GET", "/nodes/{}", None, "local", "absnt"),
    ("DELETE", "/nodes/{}", None, "local", "absnt"),
    ("DELETE", "/nodes/{}?force=true", None, "local", "absnt"),
    ("GET", "/roots/{}", None, "existing", "absentia"),
    ("PATCH", "/roots/{}", {"create": "everyone"}, "existing", "absentia"),
    ("PATCH", "/roots/{}", {"managers": ["bob"]}, "existing", "absentia"),
    ("DELETE", "/roots/{}", None, "existing", "absentia"),
    ("POST", "/roots/{}/import", {"all": True}, "existing", "absentia"),
    ("POST", "/roots/{}/import", {"folders": ["hidden"], "dry_run": True}, "existing", "absentia"),
    ("PATCH", "/roots/{}", {"indexing": {"level": "none"}}, "existing", "absentia"),
    ("POST", "/crawls", {"root": "{}"}, "existing", "absentia"),
    ("GET", "/crawls?root={}", None, "existing", "absentia"),
    ("POST", "/index/verify", {"root": "{}"}, "existing", "absentia"),
    ("POST", "/roots", {"node": "{}", "bucket": BUCKET, "type": "public"}, "local", "absnt"),
    ("POST", "/workspaces", {"name": "x", "root": "{}"}, "existing", "absentia"),
    ("POST", "/credentials", {"node": "{}"}, "local-2", "absnt-2"),
    ("GET", "/nodes/{}/events", None, "local", "absnt"),
    ("POST", "/nodes/{}/events", {"apply": False}, "local", "absnt"),
    ("DELETE", "/nodes/{}/events", None, "local", "absnt"),
    ("POST", "/events/minio/{}", {"EventName": "x"}, "local", "absnt"),
    ("GET", "/groups/{}", None, "lab", "bla"),
    ("DELETE", "/groups/{}", None, "lab", "bla"),
    ("GET", "/groups/{}/members", None, "lab", "bla"),
    ("POST", "/groups/{}/members", {"username": "bob"}, "lab", "bla"),
    ("DELETE", "/groups/{}/members/bob", None, "lab", "bla"),
    ("DELETE", "/groups/{}/members/carol", None, "lab", "bla"),
    ("GET", "/users/{}", None, "carol", "crlao"),
    ("PATCH", "/users/{}", {"administrator": True}, "bob", "obb"),
    ("POST", "/users/{}/disable", None, "carol", "crlao"),
    ("POST", "/users/{}/enable", None, "carol", "crlao"),
    ("POST", "/users/{}/password-reset", None, "ada", "aad"),
]


@pytest.mark.parametrize(("method", "path", "body", "there", "absent"), OTHERS)
def test_nodes_roots_and_users_are_no_business_of_a_colleague(
    scene: Scene, method: str, path: str, body: Any, there: str, absent: str
) -> None:
    first = scene.lab.bob.call(method, filled(path, there), filled(body, there))
    second = scene.lab.bob.call(method, filled(path, absent), filled(body, absent))
    assert first.status in (403, 404)
    assert path.startswith(("/users", "/events")) or first.status == 404
    assert shape(first, there) == shape(second, absent)


def test_credentials_and_keys_of_others_are_answered_as_absent_ones(scene: Scene) -> None:
    for kind, there in (("credentials", scene.credential), ("api-keys", scene.api_key)):
        hidden = scene.lab.bob.call("DELETE", f"/{kind}/{there}")
        absent = scene.lab.bob.call("DELETE", f"/{kind}/{ABSENT_ID}")
        assert hidden.status == 404
        assert shape(hidden) == shape(absent)
        mine = scene.lab.ada.done("GET", f"/{kind}")
        assert there in [one["id"] for one in mine]
        assert there not in [one["id"] for one in scene.lab.bob.done("GET", f"/{kind}")]


IN_THE_WORKER = [
    ("GET", "/crawls/{}"),
    ("POST", "/crawls/{}/pause"),
    ("POST", "/crawls/{}/resume"),
    ("GET", "/index/requests/{}"),
]


@pytest.mark.parametrize(("method", "path"), IN_THE_WORKER)
def test_crawls_and_comparisons_of_others_are_answered_as_absent_ones(
    scene: Scene, method: str, path: str
) -> None:
    ada, bob = scene.lab.ada, scene.lab.bob
    there = ada.done("POST", "/index/verify" if "requests" in path else "/crawls", {"root": "existing"})["id"]
    hidden, absent = (bob.call(method, path.format(number)) for number in (there, ABSENT_ID))
    assert hidden.status == 404
    assert shape(hidden) == shape(absent)


def test_of_a_workspace_seen_in_part_the_other_part_stays_hidden(scene: Scene) -> None:
    bob, path = scene.lab.bob, f"/workspaces/{scene.half}"
    seen = bob.done("GET", path)
    assert [one["folder"] for one in seen["folders"]] == ["open/"]
    assert b"shut" not in bob.call("GET", path).body
    assert [one["subject"] for one in bob.done("GET", f"{path}/shares")] == ["bob"]
    assert bob.call("GET", f"{path}/access").status == 403
    assert bob.call("GET", "/audit", workspace="ada/half").status == 403
    there = bob.call("DELETE", f"{path}/shares?subject=carol&folder=shut/")
    absent = bob.call("DELETE", f"{path}/shares?subject=carol&folder=nope/")
    assert there.status in (403, 404)
    assert shape(there) == shape(absent)
    for action in (
        {"subject": "carol", "folder": "shut/"},
        {"subject": "carol", "folder": "nope/"},
        {"subject": "carol"},
    ):
        answer = bob.call("POST", f"{path}/shares", action)
        assert (answer.status, answer.error) == (403, "refused")
    for reference in ("ada/half/shut/file", "ada/half/shut/nope", "ada/half/nope"):
        assert bob.call("POST", "/presign", {"reference": reference}).status == 403
    given = bob.share(scene.half, "carol", "read", "open/")
    assert given["given_by"] == "bob"
    bob.unshare(scene.half, "carol", "open/")


def test_lists_hold_nothing_of_what_is_hidden(scene: Scene) -> None:
    for path in ("/workspaces", "/workspaces?scope=all", "/workspaces?scope=shared", "/workspaces?scope=public",
                 "/roots", "/nodes", "/credentials", "/api-keys", "/audit", "/me", "/service", "/search",
                 "/search?q=file", "/search?q=secret", "/aggregate?by=owner,workspace,folder,ext", "/crawls",
                 "/index", "/index/requests"):  # fmt: skip
        answer = scene.lab.bob.call("GET", path)
        assert answer.status == 200, path
        for name in (b"hidden", b"shut", b"carol", scene.lab.folder.encode()):
            assert name not in answer.body, (path, name)
        # A workspace that is seen says in which root it lies; the root itself is not listed.
        assert b"existing" not in answer.body or path.startswith(("/workspaces", "/search", "/aggregate"))
    assert scene.lab.bob.call("GET", "/users").status == 403


def test_two_hidden_workspaces_of_a_name_make_nothing_ambiguous(scene: Scene) -> None:
    for owner in (scene.lab.ada, scene.lab.carol):
        owner.create("same-name")
    answers = [
        scene.lab.bob.call("GET", "/workspaces/resolve", reference=name) for name in ("same-name", "same-nome")
    ]
    assert answers[0].status == 404
    assert shape(answers[0], "same-name") == shape(answers[1], "same-nome")
    made = scene.lab.bob.create("same-name")
    assert scene.lab.bob.workspace("same-name/x")["id"] == made["id"]


COMMANDS = [
    ["workspace", "show", "{}"],
    ["workspace", "rename", "{}", "mine"],
    ["workspace", "delete", "{}", "--yes"],
    ["workspace", "release", "{}", "--yes"],
    ["workspace", "hand-over", "{}", "bob", "--yes"],
    ["shares", "{}"],
    ["share", "{}", "bob"],
    ["unshare", "{}", "carol"],
    ["token", "{}"],
    ["presign", "{}/file"],
    ["path", "{}/file"],
    ["exec", "{}", "--", "true"],
    ["mc", "ls", "{}"],
    ["mc", "cat", "{}/file"],
    ["mc", "cp", "{}/file", "of-bob/copy"],
    ["mc", "mirror", "{}", "of-bob/copy"],
    ["audit", "{}"],
    ["search", "in:{}"],
    ["du", "{}"],
    ["du", "{}/file"],
    ["crawl", "start", "{}"],
    ["crawl", "status", "{}"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_command_line_says_of_a_hidden_workspace_what_it_says_of_none(
    scene: Scene, command: list[str]
) -> None:
    said = []
    for name in ("hidden", "absent"):
        done = scene.person.run(*[part.format(f"ada/{name}") for part in command])
        assert done.returncode in (1, 2), (command, done)
        assert "Traceback" not in done.stderr
        said.append((done.returncode, (done.stdout + done.stderr).replace(name, "NAME")))
    assert said[0] == said[1]
    assert "secret content" not in said[0][1]


def test_mc_in_a_shared_folder_never_names_what_lies_beside_it(scene: Scene) -> None:
    for command in (
        ["mc", "ls", "--recursive", "ada/half/open"],
        ["mc", "tree", "--files", "ada/half/open"],
        ["mc", "find", "ada/half/open"],
        ["mc", "du", "ada/half/open"],
        ["mc", "ls", "ada/half"],
        ["mc", "tree", "ada/half"],
        ["mc", "ls", "ada/half/shut"],
        ["mc", "stat", "ada/half/shut/file"],
        ["mc", "cat", "ada/half/shut/file"],
        ["ls"],
        ["workspace", "show", "ada/half"],
        ["token", "ada/half", "--json"],
        ["search", "--all"],
        ["search", "in:ada/half"],
        ["search", "--facets"],
        ["du", "ada/half", "--depth", "3"],
        ["du", "ada/half/shut"],
        ["index", "status"],
    ):
        done = scene.person.run(*command)
        said = done.stdout + done.stderr
        for part in command:
            said = said.replace(part, "")
        assert "secret content" not in said, command
        assert "hidden" not in said, command
        assert "shut" not in said, (command, said)


def test_every_route_that_names_something_is_in_these_tables(scene: Scene) -> None:
    """A new route has to be thought of here."""
    described = scene.lab.nobody.done("GET", "/openapi.json")["paths"]
    named = {path.removeprefix("/api/v1") for path in described if "{" in path}
    tested = {"/workspaces/{workspace_id}" + path.partition("?")[0] for _, path, _ in WORKSPACE_ROUTES}
    for _, path, *_ in OTHERS:
        start = re.sub("(?<=/members/).*", "{username}", path.partition("?")[0])
        named_by = {"/users": "{username}", "/events": "{node}"}.get("/" + start.split("/")[1], "{name}")
        tested.add(start.replace("{}", named_by))
    tested |= {"/credentials/{credential_id}", "/api-keys/{api_key_id}"}
    tested |= {
        path.replace("{}", "{crawl_id}" if "crawls" in path else "{request_id}") for _, path in IN_THE_WORKER
    }
    assert named == {path for path in tested if "{" in path and not path.startswith("/workspaces/{name}")}
