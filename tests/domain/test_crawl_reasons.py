"""Reasons that leave something as it was known say so."""

from workspacesio.domain.crawl_reasons import ALL_KEPT


def test_each_says_that_it_was_kept() -> None:
    assert len(ALL_KEPT) == 3
    assert all(reason.endswith("; what was known of it was kept") for reason in ALL_KEPT)
