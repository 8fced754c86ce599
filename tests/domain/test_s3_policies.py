"""Documents say exactly what their grants give: to a small evaluator of MinIO's policy language written apart."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.minio_policy import Asked, allowed
from domain.policy_grants import BUCKETS, FOLDERS, KEYS, MOMENTS, NOW, gives, grant_lists, same_document
from workspacesio.domain.s3_policies import (
    MAX_MOMENTS,
    Grant,
    Language,
    TooLong,
    compile_documents,
    refresh_at,
    session_policy,
    without_dominated,
)

many = settings(max_examples=200, deadline=None)

buckets = st.sampled_from(BUCKETS)
keys = st.sampled_from(KEYS) | st.sampled_from(FOLDERS)
moments = st.sampled_from(MOMENTS)
limits = st.sampled_from([1_500, 2_500, 18_000])

READS = ["s3:GetObject", "s3:GetObjectTagging"]
WRITES = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
WRITES += ["s3:PutObjectTagging", "s3:DeleteObjectTagging"]
NEVER = [
    "s3:ListenBucketNotification",
    "s3:ListenNotification",
    "s3:ListBucketMultipartUploads",
    "s3:DeleteBucket",
]
NEVER += ["s3:CreateBucket", "s3:PutBucketPolicy", "s3:PutObjectRetention", "s3:PutObjectLegalHold"]
NEVER += ["s3:ListAllMyBuckets", "s3:BypassGovernanceRetention", "s3:ReplicateObject", "s3:ForceDeleteBucket"]
NEVER += ["admin:CreateServiceAccount", "admin:CreateUser", "sts:AssumeRoleWithWebIdentity", "kms:CreateKey"]


@many
@given(grant_lists, buckets, keys, moments, limits, st.sampled_from(READS + WRITES))
def test_keys_are_answered_as_granted(
    grants: list[Grant], bucket: str, key: str, at: datetime, limit: int, action: str
) -> None:
    documents = compile_documents(grants, max_bytes=limit)
    key = key or "k"
    expected = gives(grants, bucket, key, writing=action in WRITES, at=at)
    assert allowed(documents, Asked(action, bucket, key, at)) == expected


@many
@given(grant_lists, buckets, st.none() | keys, moments, limits)
@example([Grant("alpha", "a/")], "alpha", None, NOW, 18_000)
def test_listings_are_bound_to_their_prefix(
    grants: list[Grant], bucket: str, prefix: str | None, at: datetime, limit: int
) -> None:
    documents = compile_documents(grants, max_bytes=limit)
    values = {} if prefix is None else {"prefix": [prefix]}
    expected = gives(grants, bucket, prefix or "", at=at)
    assert allowed(documents, Asked("s3:ListBucket", bucket, at=at, values=values)) == expected


@many
@given(grant_lists, buckets, keys, keys)
def test_a_prefix_that_is_said_twice_must_be_granted_twice(
    grants: list[Grant], bucket: str, first: str, second: str
) -> None:
    asked = Asked("s3:ListBucket", bucket, at=NOW, values={"prefix": [first, second]})
    if allowed(compile_documents(grants), asked):
        assert gives(grants, bucket, first)
        assert gives(grants, bucket, second)


@many
@given(grant_lists, buckets, moments, st.sampled_from(["s3:GetBucketLocation", "s3:HeadBucket"]))
def test_whoever_reaches_something_in_a_bucket_may_ask_where_it_is(
    grants: list[Grant], bucket: str, at: datetime, action: str
) -> None:
    reached = any(gives([grant], bucket, grant.prefix, at=at) for grant in grants)
    assert allowed(compile_documents(grants), Asked(action, bucket, at=at)) == reached


@many
@given(grant_lists, buckets, keys, keys, st.sampled_from(NEVER), st.booleans())
def test_what_cannot_be_bound_is_never_granted(
    grants: list[Grant], bucket: str, key: str, prefix: str, action: str, narrowed: bool
) -> None:
    documents = [session_policy(grants, max_characters=99_999)] if narrowed else compile_documents(grants)
    assert not allowed(documents, Asked(action, bucket, key, values={"prefix": [prefix]}))


@many
@given(grant_lists, buckets, keys, limits)
def test_no_document_is_wider_than_all_grants(grants: list[Grant], bucket: str, key: str, limit: int) -> None:
    for document in compile_documents(grants, max_bytes=limit):
        for action in ("s3:GetObject", "s3:PutObject"):
            if key and allowed([document], Asked(action, bucket, key, NOW)):
                assert gives(grants, bucket, key, writing=action == "s3:PutObject")


@many
@given(
    grant_lists, buckets, keys, st.sampled_from(["Currenttime", "CurrentTime"]), st.lists(st.sampled_from(MOMENTS))
)
def test_a_false_clock_in_the_request_revives_nothing(
    grants: list[Grant], bucket: str, key: str, name: str, false: list[datetime]
) -> None:
    clock = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in false]
    asked = Asked("s3:GetObject", bucket, key or "k", NOW, {name: clock} if clock else {})
    if allowed(compile_documents(grants), asked):
        assert gives(grants, bucket, key or "k")


@many
@given(grant_lists)
def test_no_kept_grant_is_included_in_another(grants: list[Grant]) -> None:
    kept = without_dominated(grants)
    assert set(kept) <= set(grants)
    assert not any(one != other and one.dominates(other) for one in kept for other in kept)
    assert all(any(one == grant or one.dominates(grant) for one in kept) for grant in grants)


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(
        [Grant(b, f, i % 3 == 0, m) for i, f in enumerate(FOLDERS[1:]) for b in BUCKETS for m in (None, NOW)]
    )
)
def test_order_and_repetition_change_nothing(grants: list[Grant]) -> None:
    assert compile_documents(grants, max_bytes=3_000) == compile_documents(
        sorted(grants + grants, key=repr), max_bytes=3_000
    )


@many
@given(grant_lists, limits)
def test_documents_stay_under_the_limit_and_none_could_be_spared(grants: list[Grant], limit: int) -> None:
    documents = compile_documents(grants, max_bytes=limit)
    assert all(len(document.encode()) <= limit for document in documents)
    together = compile_documents(grants, max_bytes=10**9)
    assert len(together) == 1
    assert (len(documents) == 1) == (len(together[0].encode()) <= limit)


def test_a_thousand_grants_fill_their_documents() -> None:
    grants = [Grant("research-data", f"private/user{n % 40}/project-{n}/", n % 2 == 0) for n in range(1_000)]
    documents = compile_documents(grants)
    total = sum(len(document.encode()) for document in documents)
    assert len(documents) == -(-total // 18_000)


@pytest.mark.parametrize("grants", [[], [Grant("alpha", "a/", True, NOW)]])
def test_every_document_denies_administration(grants: list[Grant]) -> None:
    for document in (*compile_documents(grants), session_policy(grants)):
        admin = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]}]}'
        assert allowed([admin], Asked("admin:CreateServiceAccount", ""))
        assert not allowed([admin, document], Asked("admin:CreateServiceAccount", ""))


def test_a_right_ends_never_late() -> None:
    (document,) = compile_documents([Grant("alpha", "a/", False, NOW + timedelta(milliseconds=700))])
    assert allowed([document], Asked("s3:GetObject", "alpha", "a/k", NOW - timedelta(seconds=1)))
    assert not allowed([document], Asked("s3:GetObject", "alpha", "a/k", NOW))


def test_a_session_policy_is_never_cut() -> None:
    grants = [Grant("alpha", f"some/folder/{n:03}/", True) for n in range(40)]
    with pytest.raises(TooLong, match="2,048") as refused:
        session_policy(grants)
    assert refused.value.limit == 2048
    fitting = session_policy(grants, max_characters=refused.value.length)
    assert len(fitting.encode()) == refused.value.length
    with pytest.raises(TooLong):
        session_policy(grants, max_characters=refused.value.length - 1)


@many
@given(grant_lists, buckets, keys, moments, st.sampled_from(READS + WRITES + NEVER))
@example([], "alpha", "a/k", NOW, "s3:GetObject")
def test_policies_for_aws_give_what_those_for_minio_give(
    grants: list[Grant], bucket: str, key: str, moment: datetime, action: str
) -> None:
    asked = Asked(action, bucket, key, moment)
    for_minio, for_aws = (
        session_policy(grants, max_characters=100_000, language=language) for language in Language
    )
    assert allowed([for_aws], asked) == allowed([for_minio], asked)
    assert json.loads(for_aws)["Statement"], "a policy without a statement is none"


def test_a_grant_that_fits_no_document_is_refused() -> None:
    with pytest.raises(TooLong):
        compile_documents([Grant("alpha", "a" * 200 + "/")], max_bytes=500)


def test_documents_are_spelled_as_the_server_spells_them() -> None:
    (document,) = compile_documents([Grant("alpha", 'a<&>ä"\u2028/')])
    assert 'a\\u003c\\u0026\\u003eä\\"\\u2028/' in document
    assert json.loads(document)["Statement"][2]["Resource"] == ['arn:aws:s3:::alpha/a<&>ä"\u2028/*']


@many
@given(grant_lists, grant_lists, st.randoms(use_true_random=False))
def test_a_document_read_back_is_the_same_in_any_order_and_only_then(
    grants: list[Grant], others: list[Grant], chance: random.Random
) -> None:
    (document,) = compile_documents(grants, max_bytes=10**9)
    (other,) = compile_documents(others, max_bytes=10**9)
    assert same_document(document, json.dumps(_shuffled(json.loads(document), chance), indent=1))
    assert same_document(document, other) == (without_dominated(grants) == without_dominated(others))


def _shuffled(part: Any, chance: random.Random) -> Any:
    if isinstance(part, dict):
        return {name: _shuffled(part[name], chance) for name in sorted(part, key=lambda _: chance.random())}
    if isinstance(part, list):
        return chance.sample([_shuffled(item, chance) for item in part], len(part))
    return part


@pytest.mark.parametrize("foreign", ["", "null", "{}", "[]", "not JSON", '{"Version":"2012-10-17"}'])
def test_what_somebody_else_wrote_is_not_the_same(foreign: str) -> None:
    assert not same_document(compile_documents([])[0], foreign)


def _each_with_its_own_expiry(count: int) -> list[Grant]:
    return [Grant("alpha", f"w{n:04}/", n % 2 == 0, NOW + timedelta(seconds=10 * n)) for n in range(1, count + 1)]


def test_few_expiries_are_told_apart_so_that_a_request_stays_quick() -> None:
    grants = _each_with_its_own_expiry(1_000)
    documents = compile_documents(grants)
    assert sum(len(json.loads(document)["Statement"]) for document in documents) < 4 * MAX_MOMENTS + 6 * len(
        documents
    )


@many
@given(st.integers(1, 60), st.integers(0, 60), st.integers(-5, 5))
def test_whoever_compiles_again_in_time_grants_to_the_second(count: int, tenth: int, seconds: int) -> None:
    grants = _each_with_its_own_expiry(count)
    at = NOW + timedelta(seconds=10 * tenth + seconds)
    while (again := refresh_at(grants)) is not None and again <= at:
        grants = [grant for grant in grants if grant.expires_at and again < grant.expires_at]
    documents = compile_documents(grants)
    for number in range(1, count + 1):
        asked = Asked("s3:GetObject", "alpha", f"w{number:04}/k", at)
        assert allowed(documents, asked) == (at < NOW + timedelta(seconds=10 * number))


@many
@given(st.integers(1, 60), st.integers(0, 700))
def test_whoever_is_late_ends_rights_early_and_never_late(count: int, seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    documents = compile_documents(_each_with_its_own_expiry(count))
    for number in range(1, count + 1):
        still = allowed(documents, Asked("s3:GetObject", "alpha", f"w{number:04}/k", at))
        assert not still or at < NOW + timedelta(seconds=10 * number)
        if seconds < 10 * min(number, MAX_MOMENTS):
            assert still


def test_nothing_needs_to_be_compiled_again_while_all_expiries_are_said() -> None:
    assert refresh_at(_each_with_its_own_expiry(MAX_MOMENTS)) is None
    assert refresh_at(_each_with_its_own_expiry(MAX_MOMENTS + 1)) == NOW + timedelta(
        seconds=10 * (MAX_MOMENTS // 2)
    )
    assert refresh_at([]) is None
