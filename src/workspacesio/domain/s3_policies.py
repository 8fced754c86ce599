"""Rights as policy documents of a MinIO server.

A subject (a user, a group, or everyone) holds grants; `compile_documents` says them in MinIO's policy language,
in as few documents as their limit of bytes allows. The server unites the documents of a user with those of the
user's groups, so every document stands for its own grants alone and widens no other.

Grants are said one by one. A prefix that several workspaces have in common says more than the list of them: the
permission core denies a key that lies in no workspace, and nobody would tell the server when the next workspace
under that prefix belongs to somebody else. So a shorter prefix replaces longer ones only where it is itself
granted, at least as far and as long (`without_dominated`).

What the server gets wrong (found by running it, and in its sources: minio/pkg/policy) shapes what is written here:

- Nothing escapes `*`, `?` and `${…}` in a name: `check_expressible` refuses them, and what else can't be said.
- Condition keys are looked up among the request's headers first. `Currenttime: 2001-…` would undo an expiry, so
  a document with expiries denies every request whose `aws:CurrentTime` is not the server's own: a policy variable
  is replaced by the server's value, never by a header's.
- `s3:prefix` can be falsified in the same way (a header or parameter `Prefix`), and there is no variable to
  compare it with. A listing is bound for every client that doesn't set out to deceive the server; who does, and
  holds some grant in a bucket, can list names in that bucket. Whoever needs names hidden gives them a bucket of
  their own, or puts a proxy in front that refuses the header and the parameter.
- A condition on `s3:prefix` holds if one of several values fits; `ForAllValues` asks for all of them, and `Null`
  that there is one.
- `s3:ListenBucketNotification` and `s3:ListBucketMultipartUploads` can't be bound to a prefix: never granted. Nor
  are retention and legal holds, whose effect would outlive the right.
- A user may make access keys that never expire unless a document denies it: every document does.
- For each request the server compares every statement with every other one (`dropDuplicateStatements`): first by
  action and resource, then by conditions, which is slow. 1,000 shares, each with an expiry of its own, took 6 s.
  So few moments are told apart (`MAX_MOMENTS`), and statements for listings name keys that tell them apart.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from workspacesio.domain.grants import (
    Grant,
    NotExpressible,
    check_expressible,
    check_grant,
    divide_expressible,
    without_dominated,
)

__all__ = [
    "MAX_MOMENTS",
    "Grant",
    "Language",
    "NotExpressible",
    "TooLong",
    "check_expressible",
    "compile_documents",
    "divide_expressible",
    "refresh_at",
    "session_policy",
    "without_dominated",
]

MAX_DOCUMENT_BYTES = 18_000
"""The server takes 20 KiB (`EntityTooLarge` beyond)."""

MAX_SESSION_POLICY_CHARACTERS = 2048
"""AWS and MinIO: AssumeRole's `Policy`. MinIO counts bytes of its own spelling, which is the one written here."""

MAX_MOMENTS = 16
"""How many expiries the documents of one subject tell apart; see `refresh_at`."""

READING = ("s3:GetObject", "s3:GetObjectTagging")
WRITING = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
REACHING = ("s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:HeadBucket")
"""What whoever reaches something in a bucket may ask about it."""

REACHING_ON_AWS = ("s3:GetBucketLocation", "s3:GetBucketVersioning")
"""HeadBucket is no action there, but a listing ("Actions, resources, and condition keys for Amazon S3")."""

DENIED = (("admin:*",), ("sts:AssumeRoleWithWebIdentity",))
"""One statement each: MinIO doesn't mix kinds of actions. It has no name for all of STS; the other calls take no
policy, and refuse temporary keys."""


class Language(StrEnum):
    """Whose policies are written. AWS knows no MinIO actions, and denies by itself what isn't allowed."""

    MINIO = "minio"
    AWS = "aws"


class TooLong(ValueError):
    """A policy would be longer than the server takes. It is never cut."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"The policy would have {length:,} characters, and the server takes {limit:,}.")
        self.length = length
        self.limit = limit


def compile_documents(grants: Iterable[Grant], *, max_bytes: int = MAX_DOCUMENT_BYTES) -> tuple[str, ...]:
    """The documents of one subject: canonical JSON, the same for the same grants in any order, never none.

    Expired grants are the caller's to leave out (no clock here); they would give nothing. Every document denies
    administration and STS. Of more than MAX_MOMENTS expiries the later ones are written as the last that is told
    apart: nothing lasts too long, and `refresh_at` says when to write again so that nothing ends too early.
    Raises NotExpressible (see `divide_expressible`), and TooLong where one grant alone doesn't fit.
    """
    waiting = _with_few_moments(without_dominated(grants))
    for grant in waiting:
        check_grant(grant)
    documents: list[str] = []
    while waiting or not documents:
        taken = _fitting(waiting, max_bytes)
        documents.append(_document(waiting[:taken]))
        waiting = waiting[taken:]
    return tuple(documents)


def refresh_at(grants: Iterable[Grant]) -> datetime | None:
    """When the documents of these grants are to be compiled again, without those that expired meanwhile, or None.

    Half of the moments that are told apart lie after it: as long as that lasts, being late does no harm.
    """
    moments = _moments(without_dominated(grants))
    return moments[MAX_MOMENTS // 2 - 1] if len(moments) > MAX_MOMENTS else None


def session_policy(
    grants: Iterable[Grant],
    *,
    max_characters: int = MAX_SESSION_POLICY_CHARACTERS,
    language: Language = Language.MINIO,
) -> str:
    """What a narrowed credential is limited to: the server intersects it with the stored documents.

    Raises NotExpressible, and TooLong with the length it would have.
    """
    kept = without_dominated(grants)
    for grant in kept:
        check_grant(grant)
    policy = _document(kept, language)
    if _size(policy) > max_characters:
        raise TooLong(_size(policy), max_characters)
    return policy


def _moments(grants: Iterable[Grant]) -> list[datetime]:
    """The different expiries in whole seconds, as the server's clock has them: a bit early, never late."""
    return sorted({grant.expires_at.replace(microsecond=0) for grant in grants if grant.expires_at})


def _with_few_moments(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    moments = _moments(grants)
    if len(moments) <= MAX_MOMENTS:
        return grants
    last = moments[MAX_MOMENTS - 1]
    return without_dominated(
        replace(grant, expires_at=last) if grant.expires_at and grant.expires_at > last else grant
        for grant in grants
    )


_LEAST_BYTES = 30
"""Less than any grant takes."""


def _fitting(grants: Sequence[Grant], max_bytes: int) -> int:
    """How many of the first grants go into one document: a document grows with each."""
    least, most = 0, min(len(grants), max_bytes // _LEAST_BYTES)
    while least < most:
        middle = (least + most + 1) // 2
        if _size(_document(grants[:middle])) <= max_bytes:
            least = middle
        else:
            most = middle - 1
    if grants and not least:
        raise TooLong(_size(_document(grants[:1])), max_bytes)
    return least


def _document(grants: Sequence[Grant], language: Language = Language.MINIO) -> str:
    """One document of grants in the order of `_order`."""
    statements: list[dict[str, Any]] = []
    if language is Language.MINIO:
        statements += [{"Effect": "Deny", "Action": list(actions)} for actions in DENIED]
    elif not grants:
        statements.append(_DENY_EVERYTHING)
    if language is Language.MINIO and any(grant.expires_at for grant in grants):
        statements.append(_DENY_FALSE_CLOCK)
    last_of_bucket: dict[str, str | None] = {}
    for moment, lasting in groupby(grants, lambda grant: _moment(grant.expires_at)):
        together = list(lasting)
        statements += _statements(together, moment, language)
        for grant in together:
            if last_of_bucket.get(grant.bucket, "") is not None:
                last_of_bucket[grant.bucket] = moment
    for moment in dict.fromkeys(last_of_bucket.values()):
        buckets = [bucket for bucket, last in last_of_bucket.items() if last == moment]
        reaching = REACHING if language is Language.MINIO else REACHING_ON_AWS
        statements.append(_allow(reaching, buckets, _until(moment)))
    return _canonical({"Version": "2012-10-17", "Statement": statements})


_DENY_EVERYTHING = {"Effect": "Deny", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
"""A policy without a statement is none."""

_DENY_FALSE_CLOCK = {
    "Effect": "Deny",
    "Action": ["s3:*"],
    "Resource": ["arn:aws:s3:::*"],
    "Condition": {"ForAllValues:StringNotEquals": {"aws:CurrentTime": ["${aws:CurrentTime}"]}},
}
"""MinIO negates the whole of `ForAllValues:StringEquals`: this denies if any value is not the server's."""


def _statements(grants: Sequence[Grant], moment: str | None, language: Language) -> list[dict[str, Any]]:
    """Reading, writing and listing for grants of one expiry."""
    found = []
    for actions, writes in ((READING, False), (READING + WRITING, True)):
        keys = [_keys(grant) for grant in grants if grant.writes is writes]
        if keys:
            found.append(_allow(actions, keys, _until(moment)))
    by_bucket: dict[str, list[Grant]] = {}
    for grant in grants:
        by_bucket.setdefault(grant.bucket, []).append(grant)
    for bucket, held in by_bucket.items():
        condition = {**_until(moment), **_listing(sorted({grant.prefix for grant in held}), language)}
        # The keys give nothing here; with them the server sees without reading the conditions that two differ.
        found.append(_allow(("s3:ListBucket",), (bucket, _keys(held[0])), condition))
    return found


def _keys(grant: Grant) -> str:
    return f"{grant.bucket}/{grant.prefix}*"


def _until(moment: str | None) -> dict[str, dict[str, list[str]]]:
    return {"DateLessThan": {"aws:CurrentTime": [moment]}} if moment else {}


def _listing(prefixes: Sequence[str], language: Language) -> dict[str, dict[str, Sequence[str | bool]]]:
    """The condition that a listing's prefix begins with one of `prefixes`."""
    if "" in prefixes:
        return {}
    return {
        "ForAllValues:StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]},
        "Null": {"s3:prefix": [False if language is Language.MINIO else "false"]},
    }


def _allow(actions: Iterable[str], places: Iterable[str], condition: Mapping[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(f"arn:aws:s3:::{place}" for place in places),
    }
    return {**statement, "Condition": dict(condition)} if condition else statement


def _moment(expires_at: datetime | None) -> str | None:
    return expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if expires_at else None


_GO_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def _canonical(document: Mapping[str, Any]) -> str:
    """JSON as Go's encoding/json writes it: what the server counts and gives back."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_GO_ESCAPES)


def _size(document: str) -> int:
    return len(document.encode())
