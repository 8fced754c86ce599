"""`wio exec`: commands with keys that they renew, run as if they ran by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from cli.terminal import on_terminal
from servers.service import Person, Service, service

PYTHON = sys.executable


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = str(tmp_path_factory.mktemp("exec") / "lab")
    for name in ("plates/a.csv", "secret/plan"):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("a,b\n")
    with service(folder, base=str(tmp_path_factory.mktemp("service"))) as started:
        yield started


@pytest.fixture(scope="module")
def ada(served: Service) -> Person:
    person = served.administrator()
    person.wio("root", "import", "existing", "plates", "secret")
    return person


LONG = """
import sys, time, boto3, obstore
from obstore.store import S3Store
s3 = boto3.client("s3")
store = S3Store("lab", prefix="plates")
def keys():
    found = s3._request_signer._credentials.get_frozen_credentials()
    return found.access_key, found.token
before = keys()
def use():
    assert s3.get_object(Bucket="lab", Key="plates/a.csv")["Body"].read() == b"a,b\\n"
    assert bytes(obstore.get(store, "a.csv").bytes()) == b"a,b\\n"
use()
time.sleep(17)
use()
assert keys() != before
ended = boto3.client("s3", aws_access_key_id=before[0], aws_session_token=before[1],
    aws_secret_access_key="whatever")
try:
    ended.get_object(Bucket="lab", Key="plates/a.csv")
except ended.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
try:
    s3.get_object(Bucket="lab", Key="secret/plan")
except s3.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""


def test_a_program_that_takes_longer_than_keys_live(ada: Person) -> None:
    done = ada.run("exec", "plates", "--duration", "15s", "--", PYTHON, "-c", LONG)
    assert (done.returncode, done.stdout) == (0, "ExpiredToken\nAccessDenied\n"), done.stderr


def test_tools_that_ask_for_keys_and_tools_that_do_not(ada: Person, mc_path: str) -> None:
    lines = """
        aws s3 ls s3://lab/plates/ | grep -o a.csv
        rclone lsf wio:lab/plates/ 2>/dev/null
        "$0" ls wio/lab/plates/ | grep -o a.csv
        echo "${AWS_ACCESS_KEY_ID-none}"
    """
    done = ada.run("exec", "plates", "--", "bash", "-c", lines, mc_path)
    assert (done.returncode, done.stdout) == (0, "a.csv\na.csv\na.csv\nnone\n"), done.stderr
    script = (
        "import os; from pyarrow import fs; "
        "s3 = fs.S3FileSystem(endpoint_override=os.environ['AWS_ENDPOINT_URL_S3']); "
        "print(s3.open_input_file('lab/plates/a.csv').read())"
    )
    assert ada.run("exec", "plates", "--", PYTHON, "-c", script).stdout == "b'a,b\\n'\n"
    keys = ada.run(
        "exec", "--keys", "plates", "--", "sh", "-c", "echo ${AWS_SESSION_TOKEN:+keys} $AWS_CONFIG_FILE"
    )
    assert keys.stdout == "keys\n"
    assert ada.run("exec", "--keys", "plates", "--", "aws", "s3", "ls", "s3://lab/plates/a.csv").returncode == 0


def test_keys_of_ones_own_do_not_go_before(ada: Person) -> None:
    os.makedirs(os.path.join(ada.home, ".aws"), exist_ok=True)
    for name in ("credentials", "config"):
        with open(os.path.join(ada.home, ".aws", name), "w", encoding="utf-8") as file:
            file.write("[default]\naws_access_key_id = MINE\naws_secret_access_key = mine\nrole_arn = x\n")
    ada.wio("config", "rclone", "secret", "--write", "--profile", "wio")
    mine = {
        "AWS_ACCESS_KEY_ID": "MINE",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_PROFILE": "other",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/nothing",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/mine",
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "no_proxy": "localhost",
    }
    for command in ("aws s3 ls s3://lab/plates/a.csv", "rclone lsf wio:lab/plates/"):
        done = ada.shell("wio", "exec", "plates", "--", *command.split(), env=mine)
        assert (done.returncode, "a.csv" in done.stdout) == (0, True), done.stderr


SEEN = """
import os, sys
address = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
assert address.startswith("http://127.0.0.1:")
parent = f"/proc/{os.getppid()}"
assert token not in open(f"{parent}/cmdline").read()
assert token not in open(f"{parent}/environ").read()
port = "%04X" % int(address.split(":")[2].split("/")[0])
listening = [line.split()[1] for line in open("/proc/net/tcp") if line.split()[3] == "0A"]
assert [one for one in listening if one.endswith(":" + port)] == ["0100007F:" + port]
print(address, os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
"""


def test_the_address_is_there_for_the_command_alone(ada: Person) -> None:
    done = ada.run("exec", "plates", "--", PYTHON, "-c", SEEN)
    assert done.returncode == 0, done.stderr
    address, path = done.stdout.split()
    assert not os.path.exists(path)
    assert ada.shell("curl", "-s", address).returncode == 7  # nothing listens


REFUSED = """
import os, time, urllib.error, urllib.request, boto3
boto3.client("s3").get_object(Bucket="lab", Key="plates/a.csv")
print("ready", flush=True)
input()
time.sleep(2.1)  # for so long one answer is given to all who ask
asked = urllib.request.Request(
    os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
    headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
)
try:
    urllib.request.urlopen(asked)
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().decode())
"""


def test_a_share_that_is_taken_back(ada: Person, served: Service) -> None:
    bob = served.colleague("bob")
    ada.wio("share", "plates", "bob")
    with subprocess.Popen(
        ["wio", "exec", "ada/plates", "--", PYTHON, "-c", REFUSED],
        env=bob.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        ada.wio("unshare", "plates", "bob")
        said = running.communicate("go\n", timeout=60)[0]
    assert said.startswith("403 ")
    assert "There is no workspace" in said
    assert "AccessKeyId" not in said


@contextmanager
def started(ada: Person, *command: str) -> Iterator[subprocess.Popen[str]]:
    """It is ready, and hears signals that nohup or the background of a shell have the tests ignore."""
    running = subprocess.Popen(
        ["env", "--default-signal=INT,HUP", "wio", "exec", "plates", "--", *command],
        env=ada.env(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_the_commands(ada: Person, number: signal.Signals) -> None:
    trap = f"trap 'echo got; exit 5' {number.name[3:]}; echo ready; while :; do sleep 0.1; done"
    with started(ada, "bash", "-c", trap) as running:
        running.send_signal(number)
        assert running.communicate(timeout=20)[0] == "got\n"
        assert running.returncode == 5


def test_it_ends_as_the_command_ended(ada: Person) -> None:
    assert ada.run("exec", "plates", "--", "sh", "-c", "exit 9").returncode == 9
    missing = ada.run("exec", "plates", "--", "no-such-command")
    assert missing.returncode == 127
    assert "is it installed and on the PATH?" in missing.stderr
    with started(ada, "sh", "-c", "echo ready; exec sleep 60") as running:
        running.terminate()
        assert running.wait(20) == -signal.SIGTERM  # as a shell has to see it
    assert ada.run("exec", "plates", "--", "sh", "-c", "kill -ABRT $$").returncode == 128 + signal.SIGABRT


COUNTING = """
import signal, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
time.sleep(1)
print("seen", len(seen), flush=True)
"""


def test_an_interrupt_that_is_typed_comes_once(ada: Person) -> None:
    command = ("wio", "exec", "plates", "--", PYTHON, "-c", COUNTING)
    status, shown = on_terminal(ada, *command, typed=[(b"ready", b"\x03")])
    assert (status, b"seen 1" in shown) == (0, True), shown
    # Two that come at once are one to a process, so this is what tells.
    where = [PYTHON, "-c", "from workspacesio.cli.running import _in_foreground as typed; print('typed', typed())"]
    assert b"typed True" in on_terminal(ada, *where)[1]
    alone = subprocess.run(
        where, env=ada.env(), start_new_session=True, capture_output=True, text=True, check=True
    )
    assert alone.stdout == "typed False\n"


def test_it_ends_while_the_command_begins(ada: Person) -> None:
    """A signal that comes before the command has been started ends it, or is the command's; none is lost."""
    for pause in (0.05, 0.15, 0.25, 0.4):
        running = subprocess.Popen(["wio", "exec", "plates", "--", "sleep", "30"], env=ada.env())
        time.sleep(pause)
        running.terminate()
        assert running.wait(20) != 0
