"""The commands on a running service, as people type them: what they print, what `--json` holds, refusals."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.terminal import complete, on_terminal
from servers.service import PASSWORD, Person, Service


@pytest.fixture(scope="module")
def ada(running: Service) -> Person:
    """The administrator."""
    return running.administrator()


@pytest.fixture(scope="module")
def ben(running: Service, ada: Person) -> Person:
    del ada  # the administrator comes first
    return running.colleague("ben")


def restored(person: Person) -> None:
    """Signed in as at the beginning."""
    person.wio("login", person.service.api_url, person.email, "--password-stdin", stdin=PASSWORD + "\n")


def test_signing_in_and_out(ada: Person, ben: Person, running: Service) -> None:
    assert ada.json("whoami")["administrator"] is True
    assert "username  ben" in ben.wio("whoami")
    assert "administrator" not in ben.wio("whoami")
    assert ben.wio("logout") == f"Signed out of {running.api_url}.\n"
    assert "type `wio login" in ben.refused("whoami")
    assert "type `wio login" in ben.refused("logout")
    wrong = ben.run("login", ben.email, "--password-stdin", stdin="wrong password\n")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.count("\n") == 1
    # The address is remembered from before.
    said = ben.wio("login", running.api_url, ben.email, "--password-stdin", stdin=PASSWORD + "\n")
    assert said == f"Signed in to {running.api_url} as ben.\n"
    assert ben.run("login", ben.email, "--password-stdin", stdin="").returncode == 1


def test_a_session_that_ended_elsewhere(ben: Person) -> None:
    token = session_token(ben)
    ben.wio("logout")
    elsewhere = ben.shell("wio", "ls", env={"WIO_TOKEN": token})
    assert elsewhere.returncode == 1
    assert "wio login" in elsewhere.stderr
    restored(ben)


def session_token(person: Person) -> str:
    with open(os.path.join(person.home, ".config", "workspacesio", "config.json"), encoding="utf-8") as file:
        kept: str = json.load(file)["servers"][person.service.api_url]["token"]
    return kept


def test_passwords_are_asked_for_without_echo(ben: Person, running: Service) -> None:
    secret = PASSWORD.encode() + b"\n"
    status, shown = on_terminal(ben, "wio", "login", running.api_url, ben.email, typed=[(b"Password: ", secret)])
    assert (status, PASSWORD.encode() in shown) == (0, False)
    new = b"another password\n"
    status, shown = on_terminal(
        ben,
        *("wio", "passwd"),
        typed=[(b"Current password: ", secret), (b"New password: ", new), (b"New password again: ", b"a typo\n")],
    )
    assert status == 1
    assert b"the two passwords differ" in shown
    said = ben.wio("passwd", "--password-stdin", stdin=f"{PASSWORD}\nanother password\n")
    assert "The password is changed" in said
    assert ben.wio("whoami")
    assert ben.run("login", ben.email, "--password-stdin", stdin=PASSWORD + "\n").returncode == 1
    ben.wio("passwd", "--password-stdin", stdin=f"another password\n{PASSWORD}\n")


def test_users(ada: Person, ben: Person, running: Service, tmp_path: os.PathLike[str]) -> None:
    assert [user["username"] for user in ada.json("user", "ls")] == ["ada", "ben"]
    assert re.search(r"ben +ben@example.org +enabled +user", ada.wio("user", "ls"))
    assert ben.run("user", "ls").returncode == 1
    ada.wio("user", "disable", "ben")
    assert ben.run("whoami").returncode == 1
    ada.wio("user", "enable", "ben")
    restored(ben)
    ada.wio("user", "administrator", "ben", "on")
    assert ben.json("whoami")["administrator"] is True
    ada.wio("user", "administrator", "ben", "off")
    assert ada.wio("user", "registration") == "open\n"
    assert ada.wio("user", "registration", "invitation") == "invitation\n"
    late = running.person("late")
    assert late.run("register", late.email, "late", "--password-stdin", stdin=PASSWORD + "\n").returncode == 1
    people = os.path.join(tmp_path, "people.csv")
    with open(people, "w", encoding="utf-8") as file:
        file.write(f"Name,Email\nLate,{late.email}\nOther,other@example.org\n")
    invitations = {one["email"]: one for one in ada.json("user", "invite", "--csv", people)}
    assert set(invitations) == {late.email, "other@example.org"}
    command = invitations[late.email]["command"].replace("USERNAME", "late").split()
    assert command[:3] == ["wio", "register", running.api_url]
    done = late.shell(*command, "--password-stdin", stdin=PASSWORD + "\n")
    assert done.returncode == 0, done
    reset = ada.json("user", "reset-password", "late")["command"].split()
    done = late.shell(*reset, "--password-stdin", stdin="a newer password\n")
    assert done.returncode == 0, done
    late.wio("login", late.email, "--password-stdin", stdin="a newer password\n")
    assert "wio passwd" in ada.wio("user", "reset-password", "late")
    assert "wio register" in ada.wio("user", "invite", "third@example.org")
    ada.wio("user", "registration", "open")


def test_workspaces(ada: Person, ben: Person) -> None:
    made = ada.json("create", "first")
    assert (made["owner"], made["name"], made["prefix"]) == ("ada", "first", "private/ada/first/")
    assert "wio cp FILE open/" in ada.wio("workspace", "create", "open", "--public")
    assert ada.run("create", "first").returncode == 1
    assert ada.run("create", "a/b").returncode == 1
    assert {one["name"] for one in ada.json("workspace", "ls")} >= {"first", "open"}
    assert {one["name"] for one in ada.json("w", "ls", "--public")} == {"open"}
    assert [one["reference"] for one in ben.json("ls")] == ["ada/open"]
    assert ben.json("ls", "--shared") == []
    assert "Nothing is shared." in ben.wio("ls", "--shared")
    assert re.search(r"^ada/open/ +read +ada", ben.wio("ls"), re.MULTILINE)
    assert re.search(r"^first/ +owner +ada", ada.wio("ls"), re.MULTILINE)
    shown = ada.wio("workspace", "show", "first")
    assert "s3://data/private/ada/first/" in shown
    assert ada.json("w", "show", "first")["reference"] == "ada/first"
    assert "names a path" in ada.run("w", "show", "first/path").stderr
    assert ada.wio("w", "rename", "first", "second") == "ada/first is called ada/second now.\n"
    assert ada.wio("path", "second/a b/é") == "s3://data/private/ada/first/a b/é\n"
    assert "There is no workspace" in ada.refused("path", "first/x")
    status, _ = on_terminal(ada, "wio", "w", "hand-over", "second", "ben", typed=[(b"[y/N] ", b"n\n")])
    assert (status, ada.json("w", "show", "second")["owner"]) == (1, "ada")
    ada.wio("w", "hand-over", "second", "ben")
    assert ben.json("w", "show", "second")["owner"] == "ben"
    assert ada.run("w", "delete", "ben/second").returncode == 1
    assert ben.wio("w", "delete", "second") == "ben/second is deleted.\n"
    assert "There is no workspace" in ben.refused("w", "show", "second")


def test_deleting_asks_on_a_terminal_and_needs_a_word_for_objects(ada: Person, mc_path: str) -> None:
    ada.environment["WIO_MC"] = mc_path
    ada.wio("create", "precious")
    ada.wio("mc", "pipe", "precious/x", stdin="x")
    assert "add --delete-objects" in ada.refused("workspace", "delete", "precious")
    status, shown = on_terminal(
        ada, "wio", "w", "delete", "precious", "--delete-objects", typed=[(b"for ever? [y/N] ", b"n\n")]
    )
    assert status == 1
    assert b"nothing was done" in shown
    assert ada.wio("mc", "cat", "precious/x") == "x"
    status, shown = on_terminal(
        ada, "wio", "w", "delete", "precious", "--delete-objects", typed=[(b"for ever? [y/N] ", b"y\n")]
    )
    assert (status, b"ada/precious is deleted." in shown) == (0, True)
    assert "There is no workspace" in ada.refused("w", "show", "precious")


def test_sharing(ada: Person, ben: Person, running: Service) -> None:
    ada.wio("create", "shared")
    said = ada.wio("share", "shared", "ben")
    assert said.startswith("ben may read ada/shared/. Enforced.\n")
    assert f"  wio login {running.api_url}" in said
    assert said.endswith("  wio ls ada/shared/\n")
    assert "\nThere is nothing at ada/shared/ yet that could be read; " in said
    there = os.path.join(running.folder, ada.json("w", "show", "shared")["prefix"], "there")
    os.makedirs(there)
    with open(os.path.join(there, "x"), "w", encoding="utf-8") as file:
        file.write("x")
    assert "There is nothing" not in ada.wio("share", "shared/there", "ben")
    ada.wio("unshare", "shared/there", "ben")
    assert ada.json("share", "shared/their", "ben")["empty"] is True
    ada.wio("unshare", "shared/their", "ben")
    given = ada.json("share", "shared/in it", "ben", "--permission", "readwrite", "--expires", "7d")
    assert (given["folder"], given["level"], given["enforced"]) == ("in it/", "readwrite", "enforced")
    ends = datetime.fromisoformat(given["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    listed = ada.json("shares", "shared")
    assert {(one["folder"], one["level"]) for one in listed["shares"]} == {("", "read"), ("in it/", "readwrite")}
    assert re.search(r"ben +in it/ +readwrite", ada.wio("shares", "shared"))
    # Who may not share the whole on sees what concerns them, by the name that reading takes.
    assert ben.json("shares", "shared")["access"] is None
    assert re.search(r"ben +/ +read +share", ben.wio("shares", "shared"))
    assert "write ada/shared" in ben.refused("share", "shared", "ada")
    ada.wio("share", "shared/mine", "ben", "--permission", "own", "--expires", "1d")
    assert "ada/shared/mine/ until " in ben.wio("share", "ada/shared/mine", "everyone")
    ada.wio("unshare", "shared/mine", "ben")
    assert [one["reference"] for one in ben.json("ls", "--shared")] == ["ada/shared"]
    assert ben.run("share", "ada/shared", "ada").returncode == 1
    unknown = ada.refused("share", "shared", "nobody-of-that-name")
    assert f"wio register {running.api_url} EMAIL USERNAME" in unknown
    gone = ada.json("unshare", "shared/in it", "ben")
    assert [one["folder"] for one in gone["revoked"]] == ["in it/"]
    assert ada.wio("unshare", "shared", "ben") == "ben has no share of ada/shared/ any more. Enforced.\n"
    assert ada.run("unshare", "shared", "ben").returncode == 1
    assert "everyone may read and write ada/shared/" in ada.wio(
        "share", "shared", "everyone", "--permission", "readwrite"
    )


def test_credentials(ada: Person, ben: Person) -> None:
    ada.wio("create", "keys")
    issued = ada.token("keys")
    assert [(one["reference"], one["prefix"]) for one in issued["workspaces"]] == [
        ("ada/keys", "private/ada/keys/")
    ]
    assert ada.token("keys") == issued  # cached
    assert ada.token("keys", "--fresh")["id"] != issued["id"]
    assert "ada/keys" in {one["reference"] for one in ada.token()["workspaces"]}
    short = ada.token("keys", "--read-only", "--duration", "15m")
    assert short["read_only"] is True
    remaining = datetime.fromisoformat(short["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < remaining <= timedelta(minutes=15)
    assert ada.token("--node", "local")["node"] == "local"
    assert ada.run("token", "--node", "nowhere").returncode == 1
    assert "There is no workspace" in ben.refused("token", "ada/keys")
    exported = ada.wio("token", "keys")
    assert re.fullmatch(r"(export AWS_[A-Z_0-9]+=\S+\n){6}", exported)
    process = json.loads(ada.wio("token", "keys", "--format", "process"))
    assert process["Expiration"] == ada.token("keys")["expires_at"]
    aws = ["aws", "s3", "ls", "s3://data/private/ada/keys/", "--recursive"]
    put = ada.run("exec", "keys", "--", "aws", "s3", "cp", "-", "s3://data/private/ada/keys/x", stdin="data")
    assert put.returncode == 0, put
    assert ada.run("exec", "keys", "--", *aws).stdout.endswith("private/ada/keys/x\n")
    assert ada.run("exec", "keys", "--", "sh", "-c", "exit 9").returncode == 9
    bundle = ["sh", "-c", "echo $AWS_CA_BUNDLE"]
    assert ada.shell("wio", "exec", "keys", "--", *bundle, env={"SSL_CERT_FILE": "/x"}).stdout == "/x\n"
    assert "is it installed" in ada.run("exec", "keys", "--", "no-such-command").stderr
    ids = [str(one["id"]) for one in ada.json("credential", "ls")]
    assert str(issued["id"]) in ids
    for one in ids:
        ada.wio("credential", "revoke", one)
    assert ada.json("credential", "ls") == []
    assert ada.token("keys")["id"] != issued["id"]  # one that has ended isn't taken from the cache


def test_presigned_links(ada: Person) -> None:
    ada.wio("create", "links")
    link = ada.wio("presign", "links/a b.txt", "--method", "PUT").strip()
    sent = ada.shell("curl", "-sS", "-f", "-X", "PUT", "--data-binary", "@-", link, stdin="through a link")
    assert sent.returncode == 0, sent
    link = ada.wio("presign", "links/a b.txt", "--expires", "5m")
    assert link.count("\n") == 1
    assert "X-Amz-Expires=300" in link
    assert ada.shell("curl", "-sS", "-f", link.strip()).stdout == "through a link"


def test_api_keys(ada: Person) -> None:
    ada.wio("create", "scripts")
    key = ada.wio(
        "api-key", "create", "robot", "--workspace", "scripts", "--read-only", "--expires", "30d"
    ).strip()
    assert key.startswith("wiok_")
    listed = ada.shell("wio", "ls", "--json", env={"WIO_TOKEN": key, "HOME": "/nonexistent"})
    assert [one["name"] for one in json.loads(listed.stdout)] == ["scripts"]
    assert ada.json("api-key", "ls")[0]["name"] == "robot"
    assert "ada/scripts (reading)" in ada.wio("api-key", "ls")
    assert "`wio api-key ls` shows their ids" in ada.refused("api-key", "revoke", "nothing")
    ada.wio("api-key", "revoke", "robot")
    assert ada.shell("wio", "ls", env={"WIO_TOKEN": key}).returncode == 1


def test_nodes_and_roots(ada: Person, ben: Person, running: Service) -> None:
    assert [(node["name"], node["state"]) for node in ada.json("node", "ls")] == [("local", "up")]
    assert running.folder in ada.wio("node", "show", "local")
    inside = os.path.join(running.base, "elsewhere")
    os.makedirs(inside)
    refused = ada.refused("node", "add", "folder", "other", inside)
    assert refused.count("\n") == 0
    assert ben.run("node", "add", "folder", "mine", inside).returncode == 1
    assert {root["name"] for root in ada.json("root", "ls")} == {"existing", "private", "public"}
    assert re.search(r"private +private +local +s3://data/private/ +everyone", ada.wio("root", "ls"))
    assert "created by ben" in ada.wio("root", "set", "private", "--create", "ben")
    assert ada.json("root", "show", "private")["creators"] == ["ben"]
    ada.wio("root", "set", "private", "--create", "everyone", "--managers", "ben")
    assert "managers" in ada.wio("root", "show", "private")
    made = ada.json("root", "create", "local", "data", "--prefix", "team", "--type", "private", "--name", "team")
    assert (made["prefix"], made["create"]) == ("team/", "everyone")
    assert ada.json("create", "in-team", "--root", "team")["prefix"] == "team/ada/in-team/"
    assert ada.run("root", "rm", "team").returncode == 1
    ada.wio("w", "delete", "in-team")
    ada.wio("root", "rm", "team")
    assert ada.run("root", "show", "team").returncode == 1


def test_the_secret_of_a_server_is_asked_for_without_echo(ada: Person, ben: Person) -> None:
    add = ["node", "add", "minio", "lab", "--endpoint", "http://127.0.0.1:1", "--access-key", "key"]
    secret = b"the server's secret"
    status, shown = on_terminal(ada, "wio", *add, typed=[(b"Secret of key: ", secret + b"\n")])
    assert (status, secret in shown) == (1, False)
    nobody_to_ask = ada.run(*add)
    assert (nobody_to_ask.returncode, "--secret-stdin" in nobody_to_ask.stderr) == (2, True)
    assert ada.run(*add, "--secret-stdin", stdin="").returncode == 1
    for person in (ada, ben):
        refused = person.run(*add, "--secret-stdin", stdin=secret.decode() + "\n")
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert secret.decode() not in refused.stderr
    assert "say what to change" in ada.run("node", "set", "local").stderr
    assert "no public_endpoint to change" in ada.refused("node", "set", "local", "--public-endpoint", "http://x:1")


def test_import(ada: Person, ben: Person, mc_path: str) -> None:
    ada.environment["WIO_MC"] = mc_path
    dry = ada.json("root", "import", "existing", "--all", "--dry-run")
    assert {one["folder"].rstrip("/") for one in dry["workspaces"]} >= {"images", "docs"}
    assert ada.run("w", "show", "images").returncode == 1
    said = ada.wio("root", "import", "existing", "images", "--owner", "ben")
    assert re.search(r"images/? +ben/images +2 ", said)
    assert ben.wio("w", "show", "images").splitlines()[1].endswith("s3://data/images/")
    ada.wio("root", "import", "existing", "./docs", "--name", "papers")
    assert ada.wio("mc", "cat", "papers/report.txt") == "docs/report.txt\n"
    refused = ada.run("root", "import", "existing", "images/raw", "nowhere")
    assert refused.returncode == 1
    assert "images/raw" in refused.stderr
    owned = ada.run("root", "import", "existing", "a", "b", "--owner", "nobody", "--dry-run").stderr
    assert owned == "wio: a/, b/ are refused: there is no such folder.\n"
    assert ". is refused: it holds" in ada.run("root", "import", "existing", ".", "--dry-run").stderr
    absolute = ada.run("root", "import", "existing", "/data/docs")
    assert (absolute.returncode, "below the root" in absolute.stderr) == (2, True)
    ada.wio("w", "release", "papers")
    assert ada.run("mc", "cat", "ada/papers/report.txt").returncode == 1


def test_audit(ada: Person, ben: Person) -> None:
    records: list[dict[str, Any]] = ada.json("audit", "--limit", "1000")
    assert {"user.register", "workspace.create"} <= {one["verb"] for one in records}
    assert "user.register" in ada.wio("audit", "--limit", "1000")
    ben.wio("create", "audited")
    assert [one["verb"] for one in ben.json("audit", "--workspace", "audited")] == ["workspace.create"]


def test_completion(ada: Person) -> None:
    ada.wio("create", "completed")
    for shell in ("bash", "zsh", "fish"):
        assert "wio" in ada.wio("completion", shell)
    assert complete(ada, "wio work") == {"workspace"}
    assert complete(ada, "wio workspace ren") == {"rename"}
    assert complete(ada, "wio token --form") == {"--format"}
    assert complete(ada, "wio share compl") == {"completed/"}
    assert complete(ada, "wio workspace show ada/compl") == {"ada/completed/"}
    assert complete(ada, "wio mc ls compl") == {"completed/"}
    assert complete(ada, "wio mc mir") == {"mirror"}
    assert complete(ada, "wio du compl") == {"completed/"}
    assert complete(ada, "wio crawl start --root exi") == {"existing"}
    assert complete(ada, "wio search --sort mod") == {"modified"}
