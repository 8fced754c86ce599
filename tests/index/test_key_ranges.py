"""Servers that list as no server should: a crawl of them ends, with an error, and takes nothing for gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice

import pytest

from workspacesio.index import crawl_server, key_ranges
from workspacesio.index.crawl_folder import Known
from workspacesio.index.crawl_server import ServerWalk
from workspacesio.index.exclusions import Exclusions
from workspacesio.index.key_ranges import Answer, AskPage
from workspacesio.index.marks import Touches
from workspacesio.nodes.errors import NodeDown
from workspacesio.nodes.minio.listing_pages import KeyPage, ListedObject, PageAnswer

STEPS = 300
"""A healthy walk over what is listed here has fewer."""

Listing = Callable[[str, str | None], KeyPage]


def page(keys: Sequence[str], token: str | None) -> KeyPage:
    return KeyPage([ListedObject(key, 1, 1, "e") for key in keys], [], token)


class Answered:
    def __init__(self, page: KeyPage) -> None:
        self.token = page.token
        self.last_key = page.objects[-1].key if page.objects else None
        self._page = page

    def read(self) -> KeyPage:
        return self._page


def server(listing: Listing, folders: Sequence[str] = ()) -> AskPage:
    def ask_page(prefix: str, *, start_after: str = "", token: str | None = None, delimiter: str = "") -> Answer:
        return Answered(KeyPage([], folders, None) if delimiter else listing(start_after, token))

    return ask_page


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if pages took their time, so that several ranges are listed at once."""
    monkeypatch.setattr(crawl_server, "QUICK_PAGE_SECONDS", 0)


def walked(ask_page: AskPage, steps: int = STEPS) -> list[str]:
    """Paths of the objects in the first listings."""
    known = Known(Touches().mark, lambda *_: {})
    walk = ServerWalk(ask_page, "", 1, known, exclusions=Exclusions(()), expected=None)
    met = list(islice(walk.walk(), steps))
    assert len(met) < steps, "it has no end"
    return [one.listing.path + found.name for one in met if one.listing for found in one.listing.found]


def numbered(number: int) -> list[str]:
    return [f"k{number:04}-{one}" for one in range(3)]


def counted(start_after: str, token: str | None) -> KeyPage:
    """Ten pages as they should be; the token is the page's number."""
    number = int(token or 0)
    return page(numbered(number), str(number + 1) if number < 9 else None)


def test_pages_in_order_are_walked() -> None:
    assert walked(server(counted)) == [key for number in range(10) for key in numbered(number)]


@pytest.mark.parametrize(("seconds", "places"), [(0.0, 2), (60.0, 0)])
def test_only_slow_servers_are_listed_at_several_places(
    monkeypatch: pytest.MonkeyPatch, seconds: float, places: int
) -> None:
    monkeypatch.setattr(crawl_server, "QUICK_PAGE_SECONDS", seconds)
    starts = []

    def noted(start_after: str, token: str | None) -> KeyPage:
        if token is None:
            starts.append(start_after)
            if start_after:
                return page([], None)
        return counted(start_after, token)

    walked(server(noted, ("k0007/", "k0008/")))
    assert len(starts) == 1 + places


def test_bytes_that_are_no_text_have_their_order_too() -> None:
    """Keys are ordered as bytes; those that are no UTF-8 are spelled with surrogates."""
    keys = ["\U0001f600", b"\xff".decode(errors="surrogateescape")]
    assert keys != sorted(keys)
    walked(server(lambda _, token: page([keys[bool(token)]], None if token else "1")))


def test_the_next_page_is_asked_for_before_one_is_read() -> None:
    asked = [threading.Event() for _ in range(10)]
    early = []

    class Slow(Answered):
        def read(self) -> KeyPage:
            number = int(self.token or 10)
            if 2 < number < 10:  # the first two come one by one
                early.append(asked[number].wait(5))
            return super().read()

    def ask_page(prefix: str, *, start_after: str = "", token: str | None = None, delimiter: str = "") -> Answer:
        if delimiter:
            return Answered(KeyPage([], [], None))
        asked[int(token or 0)].set()
        return Slow(counted(start_after, token))

    assert walked(ask_page) == [key for number in range(10) for key in numbered(number)]
    assert early == [True] * 7


def test_only_some_pages_are_asked_for_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads slowly, to hold a rate, holds little in memory and asks little of the server."""
    monkeypatch.setattr(key_ranges, "PAGES_AHEAD", 3)
    asked = []

    def noted(start_after: str, token: str | None) -> KeyPage:
        asked.append(int(token or 0))
        return page(numbered(asked[-1]), str(asked[-1] + 1) if asked[-1] < 99 else None)

    known = Known(Touches().mark, lambda *_: {})
    walk = ServerWalk(server(noted), "", 1, known, exclusions=Exclusions(()), expected=None).walk()
    for _ in range(3):
        next(walk)
    time.sleep(0.2)
    assert 3 <= len(asked) <= 3 + 3 + 1
    walk.close()
    time.sleep(0.3)
    assert len(asked) <= 3 + 3 + 2


@pytest.mark.parametrize(("seconds", "pages"), [(0.0, 2), (60.0, crawl_server.PAGES_AT_FIRST)])
def test_the_first_pages_are_worked_on_one_by_one(
    monkeypatch: pytest.MonkeyPatch, seconds: float, pages: int
) -> None:
    monkeypatch.setattr(crawl_server, "QUICK_PAGE_SECONDS", seconds)
    asked = []

    def noted(start_after: str, token: str | None) -> KeyPage:
        asked.append((start_after, token))
        return counted(start_after, token)

    known = Known(Touches().mark, lambda *_: {})
    walk = ServerWalk(server(noted), "", 1, known, exclusions=Exclusions(()), expected=1).walk(after="k")
    met = [len(asked) for _ in islice(walk, pages)]
    walk.close()
    assert met == list(range(1, pages + 1))
    assert asked[:3] == [("k", None), ("", "1"), ("", "2")][: len(asked)]


def same_page(start_after: str, token: str | None) -> KeyPage:
    return page(numbered(0), "1" if token is None else token + "1")


def same_token(start_after: str, token: str | None) -> KeyPage:
    return page([] if token else ["a"], "1")


def backwards(start_after: str, token: str | None) -> KeyPage:
    number = int(token or 0)
    return page(numbered(5000 - number), str(number + 1))


def shuffled(start_after: str, token: str | None) -> KeyPage:
    number = int(token or 0)
    return page([f"{number}b", f"{number}c", f"{number}a"], str(number + 1) if number < 2 else None)


def shuffled_at_once(start_after: str, token: str | None) -> KeyPage:
    return page(["b", "c", "a"], None)


@pytest.mark.parametrize("answer", [same_page, same_token, backwards, shuffled, shuffled_at_once])
@pytest.mark.parametrize("folders", [(), ("k/", "l/")])
def test_a_listing_without_order_or_end_is_none(
    answer: Listing, folders: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ranges, "WAITS", ())
    with pytest.raises(NodeDown, match="order"):
        walked(server(answer, folders))


def endless(start_after: str, token: str | None) -> KeyPage:
    return page([], str(int(token or 0) + 1))


def endless_after_a_key(start_after: str, token: str | None) -> KeyPage:
    return page([] if token else ["a"], str(int(token or 0) + 1))


@pytest.mark.parametrize("answer", [endless, endless_after_a_key])
@pytest.mark.parametrize("folders", [(), ("k/", "l/")])
def test_empty_pages_without_end_are_no_listing(answer: Listing, folders: Sequence[str]) -> None:
    with pytest.raises(NodeDown, match="without a key"):
        walked(server(answer, folders), steps=3 * key_ranges.MAX_EMPTY_PAGES)


def test_some_empty_pages_are_passed_over() -> None:
    """As where a million versions were deleted."""
    last = key_ranges.MAX_EMPTY_PAGES

    def sparse(start_after: str, token: str | None) -> KeyPage:
        number = int(token or 0)
        keys = [f"k{number:05}"] if number % last == 0 else []
        return page(keys, str(number + 1) if number < 2 * last else None)

    assert walked(server(sparse), steps=3 * last) == ["k00000", f"k{last:05}", f"k{2 * last:05}"]


CONTENTS = (
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><LastModified>%s</LastModified>"
    "<ETag>e</ETag><Size>%s</Size></Contents></ListBucketResult>"
)


@pytest.mark.parametrize(
    ("modified", "size"),
    [
        ("", "1"),
        ("yesterday at noon in Rome", "1"),
        ("2026-11-22T18:32:1x.987Z", "1"),
        ("2026-11-22T18:32:11Z", "9" * 5000),
    ],
)
def test_a_page_with_what_is_no_time_or_size_is_no_listing(modified: str, size: str) -> None:
    with pytest.raises(NodeDown):
        PageAnswer((CONTENTS % (modified, size)).encode()).read()
