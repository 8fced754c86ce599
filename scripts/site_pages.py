"""Pages of the site that are written elsewhere: the changelog, how to contribute, and the list of decisions.

A hook of MkDocs (mkdocs.org, "Hooks"): `on_files` is called once with everything that lies in docs/.
"""

from __future__ import annotations

import os
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAKEN = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
DECISIONS = (
    "# Decisions\n\nWhat is expensive to take back, and why it was decided so. They aren't edited afterwards.\n\n"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """What lies in docs/, and the pages made here."""
    for page, name in TAKEN.items():
        files.append(File.generated(config, page, content=_seen_from_docs(_read(name))))
    files.append(File.generated(config, "decisions/index.md", content=DECISIONS + _decisions()))
    return files


def _seen_from_docs(text: str) -> str:
    """A page of the project's own folder, with its links as they are within docs/."""
    return re.sub(r"\]\(docs/", "](", text)


def _decisions() -> str:
    folder = os.path.join(ROOT, "docs", "decisions")
    names = sorted(name for name in os.listdir(folder) if re.fullmatch(r"\d{4}-.*\.md", name))
    return "".join(f"- [{_title(_read(f'docs/decisions/{name}'))}]({name})\n" for name in names)


def _title(text: str) -> str:
    return re.sub(r"^# (\d+)\. ", r"\1 · ", text.partition("\n")[0])


def _read(name: str) -> str:
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()
