"""`wio config TOOL`: settings for other tools, with keys that renew themselves where the tool can ask for them.

Formats: "Configuration and credential file settings" and "Process credential provider" of the AWS SDKs and Tools
Reference Guide; rclone.org/s3; DuckDB's "S3 API support"; `mc` (MC_HOST_…); s3cmd's .s3cfg.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import urllib.parse

from workspacesio.cli import output
from workspacesio.cli.arguments import add_workspace
from workspacesio.client import private_files, sign_in
from workspacesio.client.credentials import credential, mc_host
from workspacesio.client.errors import CommandError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TOOLS = ("aws", "rclone", "duckdb", "mc", "s3cmd")
RENEWING = frozenset({"aws", "rclone", "duckdb"})
_MEANS_MORE = frozenset(" \"'`$\\;#|&<>")
"""To a shell, to SQL or in a file of settings."""
EPILOG = """\
  wio config aws plates --write       a profile for aws, boto3 and every AWS SDK: aws s3 ls --profile wio-plates …
  wio config rclone --write           a remote for rclone, with that profile: rclone lsf wio:BUCKET/PREFIX/
aws, rclone and duckdb ask for new keys by themselves; what is printed for mc ends with its keys, and s3cmd gets
them by `wio exec --keys plates -- s3cmd …`. `wio path plates` tells bucket and prefix."""


def config_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tool", choices=TOOLS, help="for which tool")
    add_workspace(parser, "workspaces", nargs="*", help="what its keys are narrowed to (default: all of the node)")
    parser.add_argument("--node", metavar="NODE", help="the node, where you reach more than one")
    parser.add_argument("--read-only", action="store_true", help="only for reading")
    parser.add_argument("--profile", metavar="NAME", help="its name (default: wio, wio-WORKSPACE or wio-NODE)")
    parser.add_argument("--write", action="store_true", help="write it to the tool's file instead of printing it")
    parser.epilog = EPILOG


def config(arguments: argparse.Namespace) -> None:
    """`wio config`."""
    if arguments.write and arguments.tool not in ("aws", "rclone"):
        raise UsageError(f"what {arguments.tool} takes can be printed only; leave out --write.")
    request = {
        "workspaces": arguments.workspaces,
        "node": arguments.node,
        "read_only": arguments.read_only,
        "duration_seconds": None,
    }
    issued = credential(sign_in.current(), request)
    check_plain(issued)
    profile = arguments.profile or _profile(arguments)
    if not profile.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UsageError(
            f"{profile!r} can't be the name of a profile; give one of letters and digits: --profile NAME."
        )
    sections = {
        "aws": _aws(profile, issued, _command(arguments, issued)),
        "rclone": _rclone(profile, issued),
    }
    if arguments.tool == "duckdb":
        print(_duckdb(profile, issued))
    elif arguments.tool == "mc":
        print(_mc(profile, issued))
    elif arguments.tool == "s3cmd":
        print(_s3cmd(issued), end="")
    elif not arguments.write:
        print(sections[arguments.tool], end="")
    else:
        for tool in dict.fromkeys(("aws", arguments.tool)):  # rclone takes its keys from the profile of aws
            path = _file_of(tool)
            _write_section(path, sections[tool], replaces=bool(arguments.profile))
            print(f"{output.safe(path)} has {_header(sections[tool])} now.")
        return
    if arguments.tool == "mc":
        print(
            f"It ends {output.when(issued['expires_at'])}; `wio exec … -- mc ls wio/…` has new keys.",
            file=sys.stderr,
        )
    if arguments.tool == "s3cmd":
        print("Keys come by `wio exec --keys … -- s3cmd …`.", file=sys.stderr)
    if arguments.tool in RENEWING and arguments.tool != "aws":
        print(
            f"It takes its keys from a profile: `wio config aws … --profile {profile} --write`.", file=sys.stderr
        )


def check_plain(issued: dict[str, Any]) -> None:
    """Raises CommandError: with a line of its own in these files a server could have a command run here."""
    for name in ("endpoint", "region", "node"):
        value = issued[name]
        if not value.isprintable() or set(value) & _MEANS_MORE:
            server = sign_in.server_address()
            raise CommandError(f"the {name} {value!r} can't stand in settings; ask who runs {server}.")


def _profile(arguments: argparse.Namespace) -> str:
    names = [one.strip("/").rpartition("/")[2].rpartition(":")[2] for one in arguments.workspaces]
    return "-".join(["wio", *(names or filter(None, [arguments.node]))])


def _command(arguments: argparse.Namespace, issued: dict[str, Any]) -> str:
    """What an SDK runs to get keys; it splits at blanks, and takes double quotes as a shell does."""
    wio = shutil.which(sys.argv[0]) or os.path.abspath(sys.argv[0])
    # Another server may be the one of the last sign-in by then.
    words = [wio, "token", "--format", "process", "--server", sign_in.server_address(), "--node", issued["node"]]
    words += [*(["--read-only"] if arguments.read_only else []), *arguments.workspaces]
    return " ".join(f'"{word}"' if shlex.quote(word) != word else word for word in words)


def _aws(profile: str, issued: dict[str, Any], command: str) -> str:
    return (
        f"[profile {profile}]\n"
        f"credential_process = {command}\n"
        f"endpoint_url = {issued['endpoint']}\n"
        f"region = {issued['region']}\n"
        "s3 =\n"
        "  addressing_style = path\n"
    )


def _rclone(profile: str, issued: dict[str, Any]) -> str:
    return (
        f"[{profile}]\n"
        "type = s3\n"
        "provider = Other\n"
        "env_auth = true\n"
        f"profile = {profile}\n"
        f"endpoint = {issued['endpoint']}\n"
        f"region = {issued['region']}\n"
        "force_path_style = true\n"
        "no_check_bucket = true\n"
    )


def _duckdb(profile: str, issued: dict[str, Any]) -> str:
    address = urllib.parse.urlsplit(issued["endpoint"])
    return (
        "INSTALL httpfs; INSTALL aws; LOAD httpfs; LOAD aws;\n"
        f"CREATE OR REPLACE SECRET {profile.replace('-', '_').replace('.', '_')} (\n"
        "    TYPE s3, PROVIDER credential_chain, CHAIN 'process', REFRESH auto,\n"
        f"    PROFILE '{profile}', REGION '{issued['region']}',\n"
        f"    ENDPOINT '{address.netloc}', URL_STYLE 'path', USE_SSL {str(address.scheme == 'https').lower()}\n"
        ");"
    )


def _mc(profile: str, issued: dict[str, Any]) -> str:
    name = profile.replace("-", "_").replace(".", "_")
    return f"export MC_HOST_{name}={shlex.quote(mc_host(issued))}"


def _s3cmd(issued: dict[str, Any]) -> str:
    """Without keys: with a token in its file s3cmd asks AWS' metadata address for others (S3/Config.py)."""
    address = urllib.parse.urlsplit(issued["endpoint"])
    return (
        "[default]\n"
        f"host_base = {address.netloc}\n"
        f"host_bucket = {address.netloc}\n"
        f"bucket_location = {issued['region']}\n"
        f"use_https = {address.scheme == 'https'}\n"
    )


def _file_of(tool: str) -> str:
    if tool == "aws":
        return os.environ.get("AWS_CONFIG_FILE") or os.path.join(os.path.expanduser("~"), ".aws", "config")
    # fs/config/config.go, makeConfigPath.
    folders = (os.environ.get("APPDATA") if os.name == "nt" else None, os.environ.get("XDG_CONFIG_HOME"))
    folder = next(filter(None, folders), os.path.join(os.path.expanduser("~"), ".config"))
    return os.environ.get("RCLONE_CONFIG") or os.path.join(folder, "rclone", "rclone.conf")


def _keys_of(section: str) -> str:
    """What a profile's keys are for: what `wio token` is asked, wherever `wio` is."""
    lines = [line.partition("=")[2] for line in section.splitlines() if line.startswith("credential_process")]
    return lines[0].partition(" token ")[2].strip() if lines else ""


def _header(section: str) -> str:
    return section.partition("\n")[0]


def _write_section(path: str, section: str, *, replaces: bool) -> None:
    """Put a section in place of the one with its header, or behind all others, which stay as they are.

    Raises CommandError, also where that one gets other keys, unless it `replaces` any.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read ({error}); nothing is changed.") from error
    header = _header(section)
    begin = next((index for index, line in enumerate(lines) if line.strip() == header), len(lines))
    end = next(
        (index for index in range(begin + 1, len(lines)) if lines[index].lstrip().startswith("[")), len(lines)
    )
    before, there, after = ("".join(part) for part in (lines[:begin], lines[begin:end], lines[end:]))
    if not replaces and there and _keys_of(there) != _keys_of(section):
        name = header.strip("[]").removeprefix("profile ")
        raise CommandError(
            f"{header} in {path} gets other keys already; give this one another name by --profile NAME, or "
            f"replace that one by --profile {name}."
        )
    if before and not before.endswith("\n"):
        before += "\n"
    # Where somebody keeps such files elsewhere, behind a link, they stay there.
    private_files.write_text(os.path.realpath(path), before + section + ("\n" if after else "") + after)
