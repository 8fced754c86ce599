"""`wio exec`: a command with fresh keys, which it may ask for again as long as it runs."""

from __future__ import annotations

import argparse
import os

from workspacesio.cli.credential_arguments import add_request, request_of
from workspacesio.client import sign_in
from workspacesio.client.credentials import aws_environment, credential, mc_host
from workspacesio.client.errors import CommandError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
"""What would turn an SDK away from the keys that it is given (AWS SDKs and Tools Reference Guide)."""
EPILOG = """\
  wio exec plates -- python train.py          for as long as it takes
  wio exec plates -- rclone lsf wio:BUCKET/   the remote wio is there, in rclone and, as wio/BUCKET/, in mc
  wio exec --keys plates -- s3cmd ls          for what reads AWS_ACCESS_KEY_ID and knows nothing else
The AWS tools and SDKs (boto3, pyarrow, rclone, obstore, …) find a local address in the environment, at which they
get new keys by themselves while the command runs. With --keys they find keys there, which end as they are."""


def execute_arguments(parser: argparse.ArgumentParser) -> None:
    add_request(parser)
    parser.add_argument(
        "--keys", action="store_true", help="keys themselves in the environment: for tools that can't ask for them"
    )
    parser.usage = "wio exec [WORKSPACE ...] [options] -- COMMAND ..."
    parser.epilog = EPILOG
    parser.set_defaults(command=[])


def execute(arguments: argparse.Namespace) -> int:
    """`wio exec`: exit status and signals are the command's own."""
    if not arguments.command:
        raise UsageError("write the command after --, as in `wio exec WORKSPACE -- aws s3 ls`.")
    caller, request = sign_in.current(), request_of(arguments)
    # The command may take long, so it doesn't begin with a credential that is half used up.
    issued = credential(caller, request, left=0.5, fresh=arguments.fresh)
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    environment.update(_remotes(issued))
    if "SSL_CERT_FILE" in environment:
        # The certificates that we trust, under the name that AWS SDKs read.
        environment.setdefault("AWS_CA_BUNDLE", environment["SSL_CERT_FILE"])
    if arguments.keys:
        _replaced_by(arguments.command, {**environment, **aws_environment(issued)})
    return _beside(arguments.command, environment, issued, lambda: credential(caller, request, fresh=True))


def _replaced_by(command: list[str], environment: dict[str, str]) -> NoReturn:
    from workspacesio.cli.become import become

    try:
        become(command, environment)
    except OSError as error:
        raise _not_run(command, error) from error


def _beside(
    command: list[str], environment: dict[str, str], issued: dict[str, Any], issue: Callable[[], dict[str, Any]]
) -> int:
    from workspacesio.cli.running import end_as, run
    from workspacesio.client.credentials_address import CredentialsAddress

    with CredentialsAddress(issue, issued) as address:
        whole = {**environment, **_renewing(environment, issued), **address.environment()}
        try:
            status = run(command, whole)
        except OSError as error:
            raise _not_run(command, error) from error
    return end_as(status)


def _not_run(command: list[str], error: OSError) -> CommandError:
    told = CommandError(f"{command[0]} can't be run ({error.strerror}); is it installed and on the PATH?")
    told.exit_status = 127 if isinstance(error, FileNotFoundError) else 126  # as shells, env and nohup have it
    return told


def _renewing(environment: dict[str, str], issued: dict[str, Any]) -> dict[str, str]:
    """Beside the address itself: where the storage is, and nothing that SDKs would ask before it."""
    spelled = aws_environment(issued)
    given = {name: spelled[name] for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")}
    # Keys in the user's own files would go before the address, those of a machine of AWS behind an error of it.
    given |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
    given["AWS_EC2_METADATA_DISABLED"] = "true"
    if issued["endpoint"].startswith("http://"):
        given["AWS_ALLOW_HTTP"] = "true"  # object_store asks for this word
    if any(name.lower() in ("http_proxy", "all_proxy") for name in environment):
        direct = [environment.get("no_proxy") or environment.get("NO_PROXY") or "", "127.0.0.1"]
        given["no_proxy"] = given["NO_PROXY"] = ",".join(filter(None, direct))
    return given


def _remotes(issued: dict[str, Any]) -> dict[str, str]:
    """`wio:` for rclone (rclone.org/docs, "Config file" by environment variables) and `wio/` for mc."""
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "true",
        "PROFILE": "",  # of a remote of the same name that `wio config rclone` has written
        "ENDPOINT": issued["endpoint"],
        "REGION": issued["region"],
        "FORCE_PATH_STYLE": "true",
        "NO_CHECK_BUCKET": "true",
    }
    return {
        "MC_HOST_wio": mc_host(issued),
        **{f"RCLONE_CONFIG_WIO_{name}": value for name, value in settings.items()},
    }
