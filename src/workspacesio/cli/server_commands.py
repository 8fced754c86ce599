"""`wio serve` and `wio admin`: their options. What they do is in `server`, the one command module that knows more
than the HTTP API; it and the libraries of a server are loaded when one of them runs."""

from __future__ import annotations

import argparse
import importlib
import os

from workspacesio.client.errors import CommandError, UsageError


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="a folder to serve; on a fresh state it becomes a node"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=8100, metavar="N", help="of API and web (default: %(default)s)"
    )
    parser.add_argument(
        "--s3-port", type=_port, default=8101, metavar="N", help="of the endpoint (default: %(default)s)"
    )
    parser.add_argument("--role", choices=("all", "api", "s3", "worker"), default="all", help="which part to run")
    parser.add_argument("--read-only", action="store_true", help="refuse every write")
    parser.add_argument("--managed", metavar="PATH", help="put the roots `private` and `public` under this prefix")
    layout = parser.add_mutually_exclusive_group()
    layout.add_argument("--bucket", metavar="NAME", help="the bucket's name (default: made from DIR's)")
    layout.add_argument("--buckets", action="store_true", help="serve each folder in DIR as a bucket")
    parser.add_argument("--certificate", metavar="FILE", help="serve TLS with this certificate chain (PEM)")
    parser.add_argument("--key", metavar="FILE", help="and this private key (PEM)")
    parser.add_argument("--state-dir", metavar="DIR", help="database and secrets (default: WIO_STATE_DIR)")
    parser.add_argument("--serve-owner-only", action="store_true", help="serve what only its owner may read, too")
    parser.add_argument(
        "--cross-filesystems", action="store_true", help="enter other filesystems that are mounted inside"
    )


def serve(arguments: argparse.Namespace) -> int:
    """`wio serve`."""
    if bool(arguments.certificate) != bool(arguments.key):
        raise UsageError("--certificate and --key go together.")
    if arguments.role == "all" and arguments.port == arguments.s3_port:
        raise UsageError("--port and --s3-port are two different ports.")
    return _run("serve", arguments)


def admin_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(action="setup-token")
    parser.add_argument("--state-dir", metavar="DIR", help="database and secrets (default: WIO_STATE_DIR)")


def admin(arguments: argparse.Namespace) -> int:
    """`wio admin setup-token`."""
    if arguments.state_dir:
        os.environ["WIO_STATE_DIR"] = os.path.abspath(arguments.state_dir)
    return _run("admin", arguments)


def _port(typed: str) -> int:
    if not (typed.isascii() and typed.isdecimal() and 1 <= int(typed[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{typed!r} is no number from 1 to 65535")
    return int(typed)


def _run(name: str, arguments: argparse.Namespace) -> int:
    try:
        status: int = getattr(importlib.import_module("workspacesio.cli.server"), name)(arguments)
    except ModuleNotFoundError as error:
        raise CommandError(
            f"running a service needs {error.name}, which isn't installed; type `pip install 'FOLDER[server]'`, "
            "FOLDER being a copy of this project."
        ) from error
    return status
