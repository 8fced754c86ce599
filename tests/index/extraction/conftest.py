from __future__ import annotations

from collections.abc import Iterator

import pytest

from index.extraction.children import Looker, looking


@pytest.fixture(scope="module")
def look() -> Iterator[Looker]:
    """With the built-in extractors and the usual limits."""
    with looking() as looker:
        yield looker
