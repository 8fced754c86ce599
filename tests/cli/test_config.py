"""`wio config`: what it writes is used by the tools themselves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

import pytest

from servers.service import Person, Service, service
from workspacesio.cli.config_command import check_plain
from workspacesio.client.errors import CommandError

PYTHON = sys.executable
BESIDE = """# mine
[default]
region = eu-central-1

[profile other]
# kept as it is
output=json
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("config") / "lab")
    os.makedirs(os.path.join(folder, "plates"))
    os.makedirs(os.path.join(folder, "secret"))
    for path in ("plates/a.csv", "secret/plan"):
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write("a,b\n")
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def ada(served: Service) -> Person:
    person = served.administrator()
    person.wio("root", "import", "existing", "plates", "secret")
    return person


def path(person: Person, name: str) -> str:
    return os.path.join(person.home, name)


def test_aws_asks_for_keys_by_itself(ada: Person) -> None:
    os.makedirs(path(ada, ".aws"))
    with open(path(ada, ".aws/config"), "w", encoding="utf-8") as file:
        file.write(BESIDE)
    for _ in range(2):
        assert "has [profile wio-plates] now" in ada.wio("config", "aws", "plates", "--write")
    with open(path(ada, ".aws/config"), encoding="utf-8") as file:
        written = file.read()
    assert written.startswith(BESIDE)
    assert written.count("[profile wio-plates]") == 1
    assert "secret" not in written
    listed = ada.shell("aws", "s3", "ls", "s3://lab/plates/", "--profile", "wio-plates")
    assert (listed.returncode, listed.stdout.split()[-1]) == (0, "a.csv"), listed.stderr
    assert ada.shell("aws", "s3", "ls", "s3://lab/secret/", "--profile", "wio-plates").returncode != 0
    script = (
        "import boto3; s3 = boto3.Session(profile_name='wio-plates').client('s3'); "
        "print(s3.get_object(Bucket='lab', Key='plates/a.csv')['Body'].read().decode())"
    )
    assert ada.shell(PYTHON, "-c", script).stdout.strip() == "a,b"
    ada.wio("config", "aws", "--write", "--read-only", "--profile", "all")
    assert ada.shell("aws", "s3", "cp", "s3://lab/secret/plan", "-", "--profile", "all").stdout == "a,b\n"
    assert ada.shell("aws", "s3", "cp", "-", "s3://lab/plates/x", "--profile", "all", stdin="x").returncode != 0


def test_rclone_asks_for_keys_by_itself(ada: Person) -> None:
    said = ada.wio("config", "rclone", "plates", "--write", "--profile", "lab")
    assert ["has [profile lab] now" in said, "has [lab] now" in said] == [True, True]
    listed = ada.shell("rclone", "lsf", "lab:lab/plates/")
    assert (listed.returncode, listed.stdout) == (0, "a.csv\n"), listed.stderr
    copied = ada.shell("rclone", "rcat", "lab:lab/plates/new.txt", stdin="new")
    assert copied.returncode == 0, copied.stderr
    assert ada.wio("cat", "plates/new.txt") == "new"
    ada.wio("rm", "plates/new.txt")


def test_a_node_and_a_server_of_its_own(ada: Person) -> None:
    """A profile of a node is named after it, and asks the server at which it was made, whichever is current."""
    ada.wio("config", "rclone", "--node", "local", "--write")
    elsewhere = {"WIO_API_URL": "http://127.0.0.1:9"}
    for workspace, name in (("plates", "a.csv"), ("secret", "plan")):
        aws = ada.shell("aws", "s3", "ls", f"s3://lab/{workspace}/", "--profile", "wio-local", env=elsewhere)
        assert (aws.returncode, name in aws.stdout) == (0, True), aws.stderr
        rclone = ada.shell("rclone", "lsf", f"wio-local:lab/{workspace}/", env=elsewhere)
        assert name in rclone.stdout.split(), rclone.stderr
    assert "not signed in" in ada.refused("token", "--server", "http://127.0.0.1:9")


def test_a_profile_for_other_keys_is_not_replaced_by_chance(ada: Person) -> None:
    env = {"AWS_CONFIG_FILE": path(ada, "others")}
    for arguments in ("plates", "plates", "plates --read-only", "ada/plates --profile wio-plates"):
        done = ada.shell("wio", "config", "aws", "--write", *arguments.split(), env=env)
        replaced = "read-only" not in arguments
        assert (done.returncode == 0) == replaced, done
        if not replaced:
            assert "replace that one by --profile wio-plates" in done.stderr
    with open(path(ada, "others"), encoding="utf-8") as file:
        assert file.read().count("[profile wio-plates]") == 1


def test_files_are_private_and_links_stay(ada: Person) -> None:
    os.makedirs(path(ada, "dotfiles"))
    os.symlink(path(ada, "dotfiles/aws"), path(ada, "linked"))
    env = {"AWS_CONFIG_FILE": path(ada, "linked")}
    assert ada.shell("wio", "config", "aws", "plates", "--write", env=env).returncode == 0
    assert os.path.islink(path(ada, "linked"))
    assert os.stat(path(ada, "dotfiles/aws")).st_mode & 0o777 == 0o600


def test_what_is_printed(ada: Person, mc_path: str) -> None:
    exported = ada.wio("config", "mc", "plates")
    assert exported.startswith("export MC_HOST_wio_plates=http://")
    listed = ada.shell("bash", "-c", f"{exported.strip()}; {mc_path} --json ls wio_plates/lab/plates/")
    assert [json.loads(line)["key"] for line in listed.stdout.splitlines()] == ["a.csv"], listed
    s3cmd = ada.run("config", "s3cmd", "plates")
    assert s3cmd.stdout.startswith("[default]\nhost_base = 127.0.0.1:")
    assert "key" not in s3cmd.stdout
    assert "wio exec --keys" in s3cmd.stderr
    duckdb = ada.run("config", "duckdb", "plates")
    assert "PROFILE 'wio-plates'" in duckdb.stdout
    assert "URL_STYLE 'path', USE_SSL false" in duckdb.stdout
    assert "wio config aws" in duckdb.stderr
    assert ada.wio("config", "aws", "plates").startswith("[profile wio-plates]\ncredential_process = ")


def test_wrong_usage(ada: Person) -> None:
    assert ada.run("config", "mc", "plates", "--write").returncode == 2
    assert ada.run("config", "aws", "--profile", "x]\n[y").returncode == 2
    assert ada.run("config", "excel").returncode == 2
    assert "no workspace" in ada.refused("config", "aws", "nope").lower()


@pytest.mark.parametrize("name", ["endpoint", "region", "node"])
@pytest.mark.parametrize("more", ["\ncredential_process = touch x", "$(touch x)", "'); --", "`x`", " x"])
def test_a_server_adds_no_lines_to_settings(name: str, more: str) -> None:
    issued = {"endpoint": "https://s3.example.org:9000/", "region": "us-east-1", "node": "lab.1"}
    check_plain(issued)
    with pytest.raises(CommandError, match=name):
        check_plain({**issued, name: issued[name] + more})


def test_keys_for_other_shells(ada: Person) -> None:
    plain = dict(line.removeprefix("export ").split("=", 1) for line in ada.wio("token", "plates").splitlines())
    fish = dict(line.removeprefix("set -gx ").split(" ", 1) for line in lines(ada, "fish"))
    powershell = dict(line.removeprefix("$env:").split(" = ", 1) for line in lines(ada, "powershell"))
    for named in (fish, powershell):
        assert {name: value.strip("'") for name, value in named.items()} == {
            name: value.strip("'") for name, value in plain.items()
        }
        assert all(value.startswith("'") and value.endswith("'") for value in named.values())


def lines(ada: Person, shell: str) -> list[str]:
    return ada.wio("token", "plates", "--format", shell).splitlines()
