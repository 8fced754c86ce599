"""What every server offers that issues sessions, and trying whether one keeps them within their limits.

A session's rights are the intersection of those of the node's own keys and of its policy, so that everything
rests on the server's taking the policy seriously: that is tried before a node is added, and whenever its state is
asked for.
"""

import secrets
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from minio import Minio

from workspacesio.domain.s3_policies import Language, session_policy
from workspacesio.nodes.driver import StorageDriver
from workspacesio.nodes.errors import NodeError
from workspacesio.nodes.minio.connection import NotPermitted, RequestRefused, failures
from workspacesio.nodes.minio.fitness import clock_problem
from workspacesio.nodes.minio.sts import SHORTEST_SECONDS, Keys
from workspacesio.nodes.values import Abilities

SESSION_ABILITIES = Abilities(
    creates_buckets=False,
    immediate_revocation=False,
    one_credential_for_all=True,
    ends_single_credentials=False,
    lists_uploads=False,
    streams_events=False,
    enforces_quotas=False,
    hides_names=False,
    refuses_uploads_under_way=False,
    shares_any_name=False,
)

_LIMITS_IGNORED = (
    "The server lets keys out of the session policy that they were issued with, so nothing can be shared safely."
)
_NOTHING_TO_TRY_WITH = (
    "There is no bucket that the node's keys may list, to try with it that short-lived keys stay within their "
    "session policy; make one, or allow its listing."
)
MAX_TRIED = 20


class Listing(Enum):
    """What becomes of asking for a listing."""

    GIVEN = "given"
    REFUSED = "refused"
    NO_BUCKET = "no bucket"


class SessionIssuer(StorageDriver, Protocol):
    """A node's storage, by its own keys, and its security token service. Methods are for threads."""

    language: Language

    def issue(self, *, session_name: str, seconds: int, policy: str) -> Keys:
        """Keys with at most the rights of `policy`. Raises NotPermitted, RequestRefused, NodeDown."""
        ...

    @property
    def s3(self) -> Minio:
        """The server's S3 interface with the node's own keys."""
        ...

    def bucket_names(self) -> list[str]: ...

    def s3_with(self, keys: Keys) -> Minio:
        """The server's S3 interface as the holder of these keys has it."""
        ...


def unfitness(issuer: SessionIssuer, now: datetime) -> list[str]:
    """Why the server can't be used, one sentence each: reach, keys, clock, and that sessions keep their limits.

    Raises NodeDown where the server isn't reached.
    """
    try:
        keys = issuer.issue(
            session_name="wio-trial", seconds=SHORTEST_SECONDS, policy=session_policy([], language=issuer.language)
        )
    except (NotPermitted, RequestRefused) as error:
        if not error.code:
            raise
        return [f"The server issues no short-lived keys to this access key and secret ({error.code})."]
    # AssumeRole says when the keys end by the server's clock.
    late = clock_problem(keys.expires_at - timedelta(seconds=SHORTEST_SECONDS), now)
    problems = [late] if late else []
    try:
        names = issuer.bucket_names()
    except NodeError as error:
        return [*problems, f"The node's own keys can't list buckets: {error}"]
    problem = _limits_problem(issuer, keys, names)
    return [*problems, problem] if problem else problems


def _limits_problem(issuer: SessionIssuer, keys: Keys, buckets: list[str]) -> str | None:
    """Keys that may do nothing must be refused a listing that the node's own keys are not refused."""
    for bucket in (*buckets[:MAX_TRIED], "wio-trial-" + secrets.token_hex(8)):
        own = _listing(issuer.s3, bucket)
        if own is Listing.REFUSED:
            continue
        trial = _listing(issuer.s3_with(keys), bucket)
        if trial is Listing.REFUSED:
            return None
        # Of a bucket that isn't there some servers say so to everybody.
        return _NOTHING_TO_TRY_WITH if trial is Listing.NO_BUCKET else _LIMITS_IGNORED
    return _NOTHING_TO_TRY_WITH


def _listing(s3: Minio, bucket: str) -> Listing:
    """Raises NodeError for every other answer."""
    try:
        with failures():
            next(iter(s3.list_objects(bucket, recursive=True)), None)
    except NotPermitted as error:
        if error.code == "AccessDenied":
            return Listing.REFUSED
        raise
    except RequestRefused as error:
        if error.code == "NoSuchBucket":
            return Listing.NO_BUCKET
        raise
    return Listing.GIVEN
