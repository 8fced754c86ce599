"""What `wio serve` prints once it runs: where it is, and what to type next."""

import os
import shutil
import socket
import sys
from pathlib import Path

from workspacesio.cli.server.listening import Listening
from workspacesio.settings import Settings

_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def announce(listening: Listening, settings: Settings, folder: Path | None, token: str | None) -> None:
    """Addresses that other machines can use when it listens on more than loopback, and the next commands."""
    api = settings.public_name or f"{listening.scheme}://{reachable_host(listening.host)}:{listening.port}"
    endpoint = (
        settings.s3_public_name or f"{listening.scheme}://{reachable_host(listening.host)}:{listening.s3_port}"
    )
    lines = ["", "WorkspacesIO is running." if folder is None else f"WorkspacesIO serves {folder}"]
    lines += [f"  API      {api}", f"  S3       {endpoint}", f"  state    {settings.state_dir}", ""]
    wio = command_name()
    if token is not None:
        address = "" if api == "http://localhost:8100" else f"WIO_API_URL={api} "
        lines += [
            "Make yourself the administrator, once, in another terminal:",
            f"  {address}{wio} register YOU@EXAMPLE.ORG YOURNAME --setup-token {token}",
            "then see what could be shared, and share it:",
            f"  {wio} root import existing --all --dry-run",
            f"  {wio} root import existing FOLDER",
            f"  {wio} share FOLDER COLLEAGUE",
        ]
    else:
        lines += ["Sign in from any machine that reaches it:", f"  {wio} login {api} EMAIL"]
    if listening.host in _LOOPBACK:
        lines += ["", "Only this machine can reach it; --host 0.0.0.0 lets others in (see docs/deploying.md)."]
    elif not listening.certificate and not (settings.public_name or "").startswith("https://"):
        lines += ["", "Passwords and keys travel unencrypted; use --certificate and --key, or a reverse proxy."]
    print("\n".join(lines), flush=True)


def reachable_host(host: str) -> str:
    """A name or address under which other machines reach a socket that listens on `host`."""
    if host in _LOOPBACK:
        return "localhost"
    if host not in _EVERY_INTERFACE:
        return f"[{host}]" if ":" in host else host
    # No packet is sent: connecting a datagram socket only picks the interface of the default route.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
            address = str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
    return socket.gethostname() if address.startswith("127.") else address


def command_name() -> str:
    """How this `wio` is typed in a fresh shell here: by its name alone only if that finds this one."""
    own = os.path.join(os.path.dirname(sys.executable), "wio")
    found = shutil.which("wio", path=os.environ.get("WIO_USER_PATH", os.environ.get("PATH", "")))
    if found is not None and os.path.realpath(found) == os.path.realpath(own):
        return "wio"
    relative = os.path.relpath(own)
    return own if relative.startswith("..") else relative
