"""The MinIO client on this machine, and the configuration folder that it is run with."""

from __future__ import annotations

import json
import os

from workspacesio.client import private_files
from workspacesio.client.errors import CommandError

INSTALL = "go install github.com/minio/mc@latest"
"""Its project is archived and gives out its source only."""


def find() -> str:
    """The path of the real one: WIO_MC, else `mc` or `mcli` on the PATH. Raises CommandError."""
    if given := os.environ.get("WIO_MC"):
        if not _is_minio_client(given):
            raise CommandError(f"WIO_MC names {given}, which is not the MinIO client; correct or unset it.")
        return given
    other = None
    for name in ("mc", "mcli"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder or ".", name + (".exe" if os.name == "nt" else ""))
            if os.path.isfile(path) and os.access(path, os.X_OK):
                if _is_minio_client(path):
                    return path
                other = other or path
    found = (
        f"{other} is not the MinIO client (Midnight Commander has the same name)"
        if other
        else "it isn't installed"
    )
    raise CommandError(
        f"`wio mc` needs the MinIO client, and {found}; type `{INSTALL}` and put it on the "
        "PATH, or set WIO_MC to its path."
    )


def _is_minio_client(path: str) -> bool:
    """Ask the program, once for each version of it."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    identity = [os.path.abspath(path), status.st_mtime_ns, status.st_size]
    cached = os.path.join(private_files.cache_dir(), "mc.json")
    if private_files.read_json(cached) == identity:
        return True
    import subprocess

    try:
        answer = subprocess.run(  # noqa: S603 (a program of the caller's own PATH)
            [path, "--version"], capture_output=True, timeout=20, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    if b"MinIO" not in answer.stdout or b"Midnight" in answer.stdout:
        return False
    private_files.write_json(cached, identity)
    return True


def config_dir(program: str) -> str:
    """Where mc reads its configuration: the user's own, so that their aliases go on working.

    Where they have none, a folder of ours without any alias: else mc would make one in the home folder and say so.
    """
    if given := os.environ.get("MC_CONFIG_DIR"):
        return given
    name = os.path.basename(program)
    # cmd/config.go, mustGetMcConfigDir.
    own = os.path.join(os.path.expanduser("~"), os.path.splitext(name)[0] if os.name == "nt" else f".{name}")
    if os.path.exists(os.path.join(own, "config.json")):
        return own
    ours = os.path.join(private_files.cache_dir(), "mc")
    if not os.path.exists(os.path.join(ours, "config.json")):
        for name in ("uploads", "downloads"):  # else mc makes them and says so, too
            private_files.write_json(os.path.join(ours, "share", f"{name}.json"), {"version": "1", "shares": {}})
        private_files.write_json(os.path.join(ours, "config.json"), {"version": "10", "aliases": {}})
    return ours


def aliases(folder: str) -> frozenset[str]:
    """The aliases that mc knows by itself: of its configuration file and of MC_HOST_… variables."""
    found = {name[len("MC_HOST_") :] for name in os.environ if name.startswith("MC_HOST_")}
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            found.update(json.load(file).get("aliases", {}))
    except (OSError, ValueError, AttributeError):
        pass
    return frozenset(found)
