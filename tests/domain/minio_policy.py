"""What a MinIO server makes of policy documents, in few lines of our own, for the policies that we write.

After minio/pkg/policy: a denial wins, values of a condition's key are looked up among headers first, `*` and `?`
are patterns everywhere, and a bucket's own operations ask for the resource `bucket/`.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request: `key` is '' for a bucket's own operations; `values` are headers and parameters by name."""

    action: str
    bucket: str
    key: str = ""
    at: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    values: Mapping[str, list[str]] = field(default_factory=dict)

    def found(self, name: str) -> list[str]:
        """Of the canonical spelling, which is a header's, else of the plain one."""
        name = name.partition(":")[2]
        everything = {**self.values, "CurrentTime": [self.clock, *self.values.get("CurrentTime", [])]}
        canonical = "-".join(part.capitalize() for part in name.split("-"))
        return everything.get(canonical, everything.get(name, []))

    @property
    def clock(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


def allowed(documents: Iterable[str], asked: Asked) -> bool:
    statements = [statement for document in documents for statement in json.loads(document)["Statement"]]
    applying = {statement["Effect"] for statement in statements if _applies(statement, asked)}
    return "Deny" not in applying and "Allow" in applying


def matches(pattern: str, text: str) -> bool:
    spelled = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(spelled, text, re.DOTALL) is not None


def _applies(statement: dict[str, Any], asked: Asked) -> bool:
    if not any(matches(action, asked.action) for action in statement["Action"]):
        return False
    place = f"{asked.bucket}/{asked.key}"
    resources = [resource.removeprefix("arn:aws:s3:::") for resource in statement.get("Resource", ["*"])]
    if not any(matches(pattern, place) or posixpath.normpath(place) == pattern for pattern in resources):
        return False
    return all(
        _CONDITIONS[operator](asked.found(name), [_filled_in(value, asked) for value in given])
        for operator, keys in statement.get("Condition", {}).items()
        for name, given in keys.items()
    )


def _filled_in(value: Any, asked: Asked) -> Any:
    return value.replace("${aws:CurrentTime}", asked.clock) if isinstance(value, str) else value


_CONDITIONS = {
    "DateLessThan": lambda found, given: bool(found) and found[0] < given[0],
    "ForAllValues:StringLike": lambda found, given: all(any(matches(g, f) for g in given) for f in found),
    "ForAllValues:StringNotEquals": lambda found, given: not set(found) <= set(given),
    "Null": lambda found, given: (not found) == given[0],
}
