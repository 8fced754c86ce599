"""Signing up, in and out: `wio register`, `login`, `logout`, `whoami`, `passwd`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workspacesio.cli import output, passwords
from workspacesio.client import sign_in
from workspacesio.client.errors import CommandError, Refused, UsageError
from workspacesio.client.http_api import HttpApi, signed_in


def register_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="+", metavar="[https://HOST] EMAIL USERNAME", help="who you are")
    parser.usage = "wio register [https://HOST] EMAIL USERNAME [options]"
    parser.add_argument("--setup-token", metavar="TOKEN", help="makes the first administrator")
    parser.add_argument("--invitation", metavar="TOKEN", help="the token of your invitation")
    passwords.password_argument(parser)


def register(arguments: argparse.Namespace) -> None:
    """`wio register`: make an account and sign in."""
    server, (email, username) = _server_first(arguments.words, 2, "wio register [https://HOST] EMAIL USERNAME")
    client = _client(server)
    password = passwords.read("New password", from_stdin=arguments.password_stdin, repeat=True)
    fields = {
        "email": email,
        "username": username,
        "password": password,
        "setup_token": arguments.setup_token,
        "invitation": arguments.invitation,
    }
    answer = client.post("/register", fields)
    sign_in.remember(server, answer)
    _welcome(server, answer["user"])
    if answer["user"].get("administrator"):
        print("Next: `wio root ls`, and `wio root import ROOT --all --dry-run` says what could be shared.")
    else:
        print("Next: `wio create NAME` makes a workspace, `wio ls` lists what you can reach.")


def login_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="+", metavar="[https://HOST] EMAIL|USERNAME", help="the server, once, and who you are"
    )
    parser.usage = "wio login [https://HOST] EMAIL|USERNAME [options]"
    passwords.password_argument(parser)


def login(arguments: argparse.Namespace) -> None:
    """`wio login`: sign in and keep the token in the configuration file."""
    server, (email,) = _server_first(arguments.words, 1, "wio login [https://HOST] EMAIL")
    client = _client(server)
    password = passwords.read("Password", from_stdin=arguments.password_stdin)
    answer = client.post("/sign-in", {"email": email, "password": password})
    sign_in.remember(server, answer)
    _welcome(server, answer["user"])


def logout_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def logout(arguments: argparse.Namespace) -> None:
    """`wio logout`: end the session at the server too; what is kept here goes whatever the server says."""
    del arguments
    caller = sign_in.current()
    from workspacesio.client import credential_cache

    credential_cache.clear(caller.cache_key)
    sign_in.forget(caller.server)
    answer = None
    try:
        answer = HttpApi(caller.server, caller.token).delete("/sign-in")
    except Refused as refused:
        if refused.status != 401:  # the session was over already
            raise
    except CommandError as error:
        raise CommandError(
            f"signed out here, but the session at the server goes on until it expires: {error}"
        ) from error
    print(f"Signed out of {caller.server}.{output.pending(answer)}")


def whoami_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def whoami(arguments: argparse.Namespace) -> None:
    """`wio whoami`."""
    client = signed_in()
    me = client.get("/me")
    if arguments.json:
        output.print_json({**me, "server": client.server})
        return
    output.print_fields(
        [
            ("username", me["username"]),
            ("email", me["email"]),
            ("server", client.server),
            ("groups", ", ".join(map(_group_name, me.get("groups") or [])) or None),
            ("administrator", "yes" if me["administrator"] else None),
        ]
    )


def passwd_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="[https://HOST]", help="the server, with --token")
    parser.usage = "wio passwd [options], or wio passwd [https://HOST] --token TOKEN [--password-stdin]"
    parser.add_argument("--token", metavar="TOKEN", help="a one-time token that an administrator gave you")
    passwords.password_argument(
        parser, lines="the current and the new password, a line each (only the new with --token)"
    )


def passwd(arguments: argparse.Namespace) -> None:
    """`wio passwd`: every other session, API key and credential of the user ends."""
    if arguments.token:
        server, _ = _server_first(arguments.words, 0, "wio passwd [https://HOST] --token TOKEN")
        password = passwords.read("New password", from_stdin=arguments.password_stdin, repeat=True)
        answer = HttpApi(server).post("/password-reset", {"token": arguments.token, "password": password})
        print(f"The password is changed. Sign in with `wio login {server} EMAIL`.{output.pending(answer)}")
        return
    if arguments.words:
        raise UsageError("`wio passwd` takes an address only with --token; WIO_API_URL chooses another server.")
    client = signed_in()
    current = passwords.read("Current password", from_stdin=arguments.password_stdin)
    new = passwords.read("New password", from_stdin=arguments.password_stdin, repeat=True)
    answer = client.post("/me/password", {"current_password": current, "new_password": new})
    # The credentials cached here ended with the old password.
    sign_in.forget_cached(client.server)
    ended = output.pending(answer)
    print(f"The password is changed. All other sessions, API keys and credentials have ended.{ended}")


def _server_first(words: list[str], count: int, form: str) -> tuple[str, list[str]]:
    server = sign_in.server_address()
    if words and "://" in words[0]:
        server, words = sign_in.check_server(words[0]), words[1:]
    if len(words) != count:
        raise UsageError(f"type it as `{form}`.")
    return server, words


def _client(server: str) -> HttpApi:
    host = server.partition("://")[2].partition("/")[0].rpartition(":")[0] or server.partition("://")[2]
    if server.startswith("http://") and host not in ("localhost", "127.0.0.1", "[::1]"):
        print(f"wio: {server} is not encrypted: others on the way can read your password.", file=sys.stderr)
    if sys.stdin.isatty():
        # Nobody should type a password to learn that the address is wrong.
        HttpApi(server).get("/service")
    return HttpApi(server)


def _welcome(server: str, user: dict[str, Any]) -> None:
    role = ", an administrator" if user.get("administrator") else ""
    print(f"Signed in to {server} as {output.safe(user['username'])}{role}.")


def _group_name(group: Any) -> str:
    return str(group["name"]) if isinstance(group, dict) else str(group)
