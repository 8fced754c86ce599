"""What `wio serve` prints once it runs: where it is, and what to type next."""

import os
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workspacesio.cli.server.listening import Listening
from workspacesio.settings import Settings

_EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is served, the setup token while there is no administrator, and the roots to import from."""

    folder: Path | None
    token: str | None = field(repr=False)
    roots: Sequence[str]


def announce(listening: Listening, settings: Settings, prepared: Prepared) -> None:
    """Addresses that other machines can use when it listens on more than loopback, and the next commands."""
    api = settings.public_name or f"{listening.scheme}://{reachable_host(listening.host)}:{listening.port}"
    endpoint = (
        settings.s3_public_name or f"{listening.scheme}://{reachable_host(listening.host)}:{listening.s3_port}"
    )
    served = "is running." if prepared.folder is None else f"serves {prepared.folder}"
    lines = ["", f"WorkspacesIO {served}"]
    lines += [f"  API      {api}", f"  S3       {endpoint}", f"  state    {settings.state_dir}", ""]
    wio = command_name()
    if prepared.token is not None:
        address = "" if api == "http://localhost:8100" else f"WIO_API_URL={api} "
        lines += [
            "Make yourself the administrator, once, in another terminal:",
            f"  {address}{wio} register YOU@EXAMPLE.ORG YOURNAME --setup-token {prepared.token}",
            *_importing(wio, prepared.roots),
        ]
    elif listening.host in _LOOPBACK and settings.public_name is None:
        lines += ["Sign in:", f"  {wio} login {api} EMAIL"]
    else:
        lines += ["Sign in from any machine that reaches it:", f"  wio login {api} EMAIL"]
    if listening.host in _LOOPBACK:
        lines += ["", "Only this machine can reach it; --host 0.0.0.0 lets others in (see docs/deploying.md)."]
    elif not listening.certificate and not (settings.public_name or "").startswith("https://"):
        lines += ["", "Passwords and keys travel unencrypted; use --certificate and --key, or a reverse proxy."]
    print("\n".join(lines), flush=True)


def announce_part(role: str, listening: Listening, settings: Settings) -> None:
    """That one part of a service runs, when it was started alone."""
    port = {"api": listening.port, "s3": listening.s3_port}.get(role)
    does = f"listens at {listening.scheme}://{reachable_host(listening.host)}:{port}" if port else "works"
    print(
        f"WorkspacesIO's {role} part {does}, on the state folder {settings.state_dir}; it logs here.", flush=True
    )


def _importing(wio: str, roots: Sequence[str]) -> list[str]:
    if not roots:
        return []
    root = roots[0] if len(roots) == 1 else "ROOT"
    return [
        "then see what could be shared, and share it:",
        *([f"  {wio} root ls"] if len(roots) > 1 else []),
        f"  {wio} root import {root} --all --dry-run",
        f"  {wio} root import {root} FOLDER",
        f"  {wio} share FOLDER COLLEAGUE",
    ]


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
