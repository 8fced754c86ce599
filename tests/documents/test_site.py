"""The site: it is built without a warning, and whoever reads it asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from documents.pages import ROOT

# Attributes that a browser follows by itself; those of `a` it follows when they are clicked.
FETCHED = {"src", "srcset", "data", "poster", "action"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Built as `make docs` builds it. A link to nowhere, or a page that the navigation doesn't have, ends it.

    With --quiet mkdocs doesn't count warnings.
    """
    folder = str(tmp_path_factory.mktemp("site"))
    command = [os.path.join(os.path.dirname(sys.executable), "mkdocs"), "build", "--strict", "-d", folder]
    env = {"PATH": os.defpath, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


class _Fetched(HTMLParser):
    """Addresses that a browser asks for when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in FETCHED or (tag == "link" and name == "href"):
                self.addresses.append(value or "")


def test_the_site_asks_no_other_host(site: str) -> None:
    pages = 0
    for folder, _, names in os.walk(site):
        for name in names:
            text = _read(os.path.join(folder, name)) if name.endswith((".html", ".css")) else ""
            if name.endswith(".html"):
                pages += 1
                parser = _Fetched()
                parser.feed(text)
                elsewhere = [one for one in parser.addresses if urlsplit(one).netloc]
                assert not elsewhere, f"{name}: {elsewhere}"
            assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^)'\"]*", text), name
    assert pages > 40


def test_every_page_is_there_and_search_knows_it(site: str) -> None:
    index = _read(os.path.join(site, "search", "search_index.json"))
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in names:
            if name.endswith(".md"):
                page = os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "docs"))[:-3] + ".html"
                assert os.path.exists(os.path.join(site, page)), page
                assert f'"location":"{page}"' in index, page
    for page in ("changelog.html", "contributing.html", "decisions/index.html"):
        assert f'"location":"{page}"' in index


def test_the_list_of_decisions_names_all(site: str) -> None:
    listed = _read(os.path.join(site, "decisions", "index.html"))
    for name in os.listdir(os.path.join(ROOT, "docs", "decisions")):
        assert f'href="{name[:-3]}.html"' in listed


def test_no_bar_in_a_table_is_spelled_out(site: str) -> None:
    for name in os.listdir(site):
        if name.endswith(".html"):
            assert not re.findall(r"<td>[^\n]*\\\|[^\n]*</td>", _read(os.path.join(site, name))), name


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
