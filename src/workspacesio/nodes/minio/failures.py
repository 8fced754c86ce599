"""What can go wrong with a request to a server, as NodeErrors that name no key and no body."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import urllib3
from minio.error import MinioException, S3Error

from workspacesio.nodes.errors import NodeDown, NodeError

_CODE = re.compile(r"[A-Za-z0-9]{1,64}")
_KEY_PROBLEMS = {
    "InvalidAccessKeyId": "The server doesn't know the node's access key, or it is disabled there.",
    "SignatureDoesNotMatch": "The server refuses the secret of the node's access key.",
    "AccessDenied": "The node's access key may not do that on the server.",
    "XMinioAdminAccessDenied": "The node's access key may not do that on the server.",
    "AccountNotEligible": "The node's access key is disabled on the server.",
    "RequestTimeTooSkewed": "The server's clock and this one's differ too much.",
}


class NotPermitted(NodeDown):
    """The server doesn't do it with these keys, so the node can't be used. `code` is the server's."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class Unanswered(NodeDown):
    """No answer in time. What was asked for may or may not be done, now or later."""


class Absent(NodeError):
    """The user, group or policy that was named is not there."""


class RequestRefused(NodeError):
    """The server refuses the request for another reason. `code` is the server's."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def failures() -> Iterator[None]:
    """What the libraries raise becomes a NodeError that names no key and no body."""
    try:
        yield
    except urllib3.exceptions.LocationValueError as error:
        raise NodeDown("The node's address is no address.") from error
    except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError) as error:
        raise Unanswered("The server broke off or did not answer in time.") from error
    except urllib3.exceptions.SSLError as error:
        raise NodeDown("The server's certificate is not trusted here.") from error
    except urllib3.exceptions.HTTPError as error:
        raise NodeDown("The server can't be reached.") from error
    except S3Error as error:
        raise problem_of(403 if error.code in _KEY_PROBLEMS else 400, error.code or "") from error
    except (MinioException, ValueError, TypeError, KeyError, OSError, ElementTree.ParseError) as error:
        raise NodeDown("The server answers as no MinIO server does.") from error


@contextmanager
def understood() -> Iterator[None]:
    """Around reading an answer: one of another shape than a MinIO server's is NodeDown, whatever is in it."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise NodeDown("The server answers as no MinIO server does.") from error


def problem_of(status: int, code: str) -> NodeError:
    """What an answer with this status and error code means. A code that none could be is not passed on."""
    code = code if _CODE.fullmatch(code) else ""
    if code in _KEY_PROBLEMS:
        return NotPermitted(_KEY_PROBLEMS[code], code)
    if status == 404 and code.startswith("XMinioAdminNoSuch"):
        return Absent("The server has nothing of that name.")
    if status in (401, 403):
        return NotPermitted("The server refuses the node's access key.", code)
    if code:
        return RequestRefused(f"The server refuses that ({code}).", code)
    return NodeDown(f"The server answers with status {status}, as no MinIO server does.")


def error_code(body: bytes) -> str:
    """The error's code in an answer of the administration API (JSON) or of STS (XML)."""
    try:
        found = json.loads(body)
        return str(found.get("Code", "")) if isinstance(found, dict) else ""
    except ValueError:
        text = body.decode(errors="replace")
        return text.partition("<Code>")[2].partition("</Code>")[0][:100]
