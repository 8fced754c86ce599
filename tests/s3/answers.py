"""What clients get told: the status and code of a refused call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """HTTP status and S3 error code with which a boto3 call is refused; fails the test where it isn't."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
