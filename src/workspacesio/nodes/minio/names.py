"""What things of ours are called on a server.

    wio-k3f9-u12       the server's user for user 12; `wio-k3f9-u12.1` and so on are those made later
    wio-k3f9-g3        the server's group for group 3
    wio-k3f9-everyone  the group of all of ours
    wio-k3f9-u12-1     a policy of user 12; `…-g3-1` and `…-everyone-1` likewise

The first nine characters are the node's own, so that several services and several nodes can use one server.
"""

import re
import secrets

MAX_USER_NAME = 20
"""MinIO's, for access keys."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_name_prefix() -> str:
    """`wio-` and four letters or digits; the caller looks whether anything on the server begins so already."""
    return "wio-" + "".join(secrets.choice(_LETTERS) for _ in range(4)) + "-"


def user_name(prefix: str, user_id: int, identity: int) -> str:
    """`identity` counts from 1. Raises ValueError where MinIO would have no room for the name."""
    name = f"{prefix}u{user_id}" + (f".{_base36(identity - 1)}" if identity > 1 else "")
    if len(name) > MAX_USER_NAME:
        raise ValueError("the server has no room for so long a user name")
    return name


def group_name(prefix: str, group_id: int) -> str:
    return f"{prefix}g{group_id}"


def everyone_name(prefix: str) -> str:
    return f"{prefix}everyone"


def document_name(prefix: str, subject: str, number: int) -> str:
    """`subject` is `u12`, `g3` or `everyone`; `number` counts from 1."""
    return f"{prefix}{subject}-{number}"


def subject_of(prefix: str, name: str) -> str:
    """The subject to which something of ours on the server belongs: `u12` for `wio-k3f9-u12.1` too."""
    return re.sub(r"[.-][0-9a-z]+\Z", "", name.removeprefix(prefix))


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
        if not number:
            return digits
