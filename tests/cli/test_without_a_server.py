"""What `wio` says when it can't do what was asked: one sentence, the right exit status, never a traceback."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cli.home import WIO, Home


def sentence(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line on standard error of a command that printed nothing else."""
    assert done.returncode == status, done
    assert done.stdout == ""
    assert done.stderr.startswith("wio: ")
    assert done.stderr.endswith((".\n", "?\n"))
    assert done.stderr.count("\n") == 1
    return done.stderr


@contextmanager
def answering(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that sends the same bytes to everybody; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with connection if context is None else context.wrap_socket(connection, server_side=True) as peer:
                    peer.recv(65536)
                    peer.sendall(answer)
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A certificate for localhost that nobody has signed, and a server's use of it."""
    folder = str(tmp_path_factory.mktemp("tls"))
    path, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"]
    subprocess.run([*command, "-keyout", key, "-out", path], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return path, context


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "say what to do"),
        (["nonsense"], "there is no command 'nonsense'"),
        (["workspace"], "`wio workspace` needs a command"),
        (["workspace", "fly"], "`wio workspace` has no command 'fly'"),
        (["node", "add", "tape"], "`wio node add` has no command 'tape'"),
        (["share", "data"], "required: USER|@GROUP|everyone"),
        (["share", "data", "ben", "--permission", "all"], "invalid choice: 'all'"),
        (["share", "data", "ben", "--expires", "soon"], "'soon' is no duration"),
        (["share", "data", "ben", "--perm", "read"], "unrecognized arguments"),
        (["login"], "`wio login --help`"),
        (["login", "https://a.example", "a@x.org", "more"], "wio login [https://HOST] EMAIL"),
        (["login", "https://u:p@a.example", "a@x.org"], "is not the address of a server"),
        (["login", "http://127.0.0.1:1", "a@x.org"], "no terminal to ask for the password"),
        (["exec", "data"], "write the command after --"),
        (["mc", "fly"], "needs one of the verbs"),
        (["mc", "--duration", "long", "ls"], "is no duration"),
        (["root", "import", "existing"], "name the folders to import"),
        (["root", "set", "private"], "say what to change"),
        (["user", "invite"], "say whom to invite"),
        (["mc", "ls"], "name a workspace"),
        (["share", "a", "b", "--expires", "soon"], "or a date such as 2027-01-31"),
        (["credential", "revoke", "x"], "invalid int value"),
        (["serve", "--certificate", "x"], "--certificate and --key go together"),
    ],
)
def test_wrong_usage_is_2(home: Home, arguments: list[str], part: str) -> None:
    assert part in sentence(home.run(*arguments), 2)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["workspace", "--help"], ["token", "-h"], ["mc", "--help"]]
)
def test_help_is_0(home: Home, arguments: list[str]) -> None:
    done = home.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "WORKSPACE" in done.stdout.upper()


def test_not_signed_in(home: Home) -> None:
    assert "type `wio login http://localhost:8100 EMAIL`" in sentence(home.run("ls"), 1)
    assert "sign in" in home.run("token").stderr or "wio login" in home.run("token").stderr


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("http://127.0.0.1:1", "nothing listens at http://127.0.0.1:1; start it with `wio serve`"),
        ("http://no-such-host.invalid", "no machine is called 'no-such-host.invalid'"),
        ("http://127.0.0.1:99999", "names no usable port"),
    ],
)
def test_nobody_there(home: Home, address: str, part: str) -> None:
    assert part in sentence(home.run("ls", env={"WIO_API_URL": address, "WIO_TOKEN": "x"}), 1)


def test_another_kind_of_server(home: Home) -> None:
    with answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>") as port:
        env = {"WIO_API_URL": f"http://127.0.0.1:{port}", "WIO_TOKEN": "x"}
        assert "answered 502 Bad Gateway, not as WorkspacesIO does" in sentence(home.run("ls", env=env), 1)
        secure = {**env, "WIO_API_URL": f"https://127.0.0.1:{port}"}
        assert "does its address begin with http:// instead?" in sentence(home.run("ls", env=secure), 1)
    with answering(
        b"HTTP/1.1 301 Moved\r\nLocation: https://x.example/api/v1/me\r\nContent-Length: 0\r\n\r\n"
    ) as port:
        env = {"WIO_API_URL": f"http://127.0.0.1:{port}", "WIO_TOKEN": "x"}
        assert "type `wio login https://x.example EMAIL`" in sentence(home.run("whoami", env=env), 1)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi") as port:
        env = {"WIO_API_URL": f"http://127.0.0.1:{port}", "WIO_TOKEN": "x"}
        assert "didn't answer as WorkspacesIO does" in sentence(home.run("ls", env=env), 1)
    with answering(b"") as port:
        env = {"WIO_API_URL": f"http://127.0.0.1:{port}", "WIO_TOKEN": "x"}
        assert "closed the connection" in sentence(home.run("ls", env=env), 1)


def test_certificates_are_verified(home: Home, certificate: tuple[str, ssl.SSLContext]) -> None:
    path, context = certificate
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
    with answering(answer, context) as port:
        env = {"WIO_API_URL": f"https://localhost:{port}", "WIO_TOKEN": "x"}
        assert "set SSL_CERT_FILE" in sentence(home.run("ls", env=env), 1)
        assert home.run("ls", "--json", env={**env, "SSL_CERT_FILE": path}).stdout == "[]\n"
        plain = {"WIO_API_URL": f"http://localhost:{port}", "WIO_TOKEN": "x"}
        assert "does its address begin with https:// instead?" in sentence(home.run("ls", env=plain), 1)


def test_a_proxy_in_the_way(home: Home) -> None:
    with answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as port:
        env = {"https_proxy": f"http://me:secret@127.0.0.1:{port}", "WIO_TOKEN": "x"}
        said = sentence(home.run("ls", env={**env, "WIO_API_URL": "https://a.example"}), 1)
        assert f"refused through the proxy 127.0.0.1:{port}" in said
        assert "set no_proxy" in said
        assert "secret" not in said
    env = {"http_proxy": "http://127.0.0.1:1", "WIO_TOKEN": "x", "WIO_API_URL": "http://a.example"}
    assert "through the proxy 127.0.0.1:1" in sentence(home.run("ls", env=env), 1)


def test_a_request_goes_through_the_proxy(home: Home) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]") as port:
        env = {"http_proxy": f"127.0.0.1:{port}", "WIO_TOKEN": "x", "WIO_API_URL": "http://a.example"}
        assert home.run("ls", "--json", env=env).stdout == "[]\n"


def test_serving_what_holds_its_own_state_makes_nothing(home: Home) -> None:
    done = home.run("serve", home.folder, "--state-dir", os.path.join(home.folder, "state"))
    assert (done.returncode, "put the state elsewhere" in done.stderr) == (1, True)
    assert not os.path.exists(os.path.join(home.folder, "state"))


def test_a_setup_token_needs_a_service(home: Home) -> None:
    state = os.path.join(home.folder, "nowhere")
    done = home.run("admin", "setup-token", "--state-dir", state)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no service in the state folder {state}" in done.stderr
    assert not os.path.exists(state)


def test_help_of_one_command(home: Home) -> None:
    assert home.run("help", "share").stdout == home.run("share", "--help").stdout != ""


def test_output_that_nobody_reads(home: Home) -> None:
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; wio --help | true"],
        env={**home.environment, "PATH": f"{os.path.dirname(WIO)}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_the_overview_has_every_command(home: Home) -> None:
    from workspacesio.cli import registry

    shown = {line[2:24].strip() for line in home.run("--help").stdout.splitlines() if line.startswith("  ")}
    assert shown == set(registry.COMMANDS)
