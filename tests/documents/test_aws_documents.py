"""docs/aws.md: its policies are those that the code needs and writes."""

import json
import os
import re
from datetime import UTC, datetime
from typing import Any

from workspacesio.domain.s3_policies import Grant, Language, session_policy
from workspacesio.nodes.aws.iam import POLICY_NAME, denial

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "aws.md")


def policies() -> list[dict[str, Any]]:
    """Role, trust, denial."""
    with open(DOCUMENT, encoding="utf-8") as file:
        return [json.loads(found) for found in re.findall(r"```json\n(.*?)```", file.read(), flags=re.DOTALL)]


def test_the_role_may_do_exactly_what_sessions_are_given() -> None:
    role, trust, _ = policies()
    document = json.loads(session_policy([Grant("b", "a/", writes=True)], language=Language.AWS))
    given = {action for one in document["Statement"] for action in one["Action"]}
    assert {action for one in role["Statement"] for action in one["Action"]} - {"s3:ListAllMyBuckets"} == given
    assert trust["Statement"][0]["Action"] == "sts:AssumeRole"


def test_the_denial_is_the_one_that_is_written() -> None:
    documented = policies()[2]
    assert documented == json.loads(denial(datetime(2026, 11, 22, 13, 50, 12, tzinfo=UTC)))
    with open(DOCUMENT, encoding="utf-8") as file:
        assert f"`{POLICY_NAME}`" in file.read()
