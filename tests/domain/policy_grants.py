"""Strategies for grants: few buckets, folders and moments, so that they meet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from workspacesio.domain.s3_policies import Grant

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BUCKETS = ["alpha", "alph", "beta.x"]
FOLDERS = ["", "a/", "a/b/", "ab/", "a/b c/", "ä/", "ä/", "$/", "{a}/", '"<&>\\/', "a\n/", "\u2028/", "A/", "%2A/"]
KEYS = [
    "",
    "k",
    "a",
    "a/",
    "a/k",
    "a/b/",
    "a/b/k",
    "a/bb",
    "ab/k",
    "a/b c/k",
    "ä/k",
    "$/",
    '"<&>\\/k',
    "a\n/k",
    "A/k",
]
MOMENTS = [NOW + timedelta(seconds=seconds) for seconds in (-90, -1, 0, 1, 90)]

grants = st.builds(
    Grant, st.sampled_from(BUCKETS), st.sampled_from(FOLDERS), st.booleans(), st.none() | st.sampled_from(MOMENTS)
)
grant_lists = st.lists(grants, max_size=12)


def gives(held: list[Grant], bucket: str, path: str, *, writing: bool = False, at: datetime = NOW) -> bool:
    """What grants mean, in the plainest words."""
    return any(
        grant.bucket == bucket
        and path.startswith(grant.prefix)
        and (grant.writes or not writing)
        and (grant.expires_at is None or at < grant.expires_at)
        for grant in held
    )


def same_document(written: str, read_back: str) -> bool:
    """Whether a server gives back what was written: it keeps lists as sets, in any order.

    What is no JSON, because somebody else wrote there, is not the same.
    """
    try:
        return bool(_without_order(json.loads(written)) == _without_order(json.loads(read_back)))
    except ValueError:
        return False


def _without_order(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_order(value) for name, value in part.items()}
    if isinstance(part, list):
        return sorted((_without_order(item) for item in part), key=lambda item: json.dumps(item, sort_keys=True))
    return part
