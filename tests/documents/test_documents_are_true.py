"""What the documents name exists: files, links, settings, commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from workspacesio.cli.registry import COMMANDS, SHORT_FORMS
from workspacesio.nodes.minio.fitness import ADMINISTRATION_ACTIONS
from workspacesio.settings import SETTINGS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Read by the client, by the start script or by the test machinery; documented with the commands or in the README.
NOT_OF_THE_SERVER = {"WIO_API_URL", "WIO_TOKEN", "WIO_MC", "WIO_USER_PATH"}


def _documents() -> list[str]:
    found = [name for name in os.listdir(ROOT) if name.endswith(".md")]
    for path, _, files in os.walk(os.path.join(ROOT, "docs")):
        found += [os.path.relpath(os.path.join(path, name), ROOT) for name in files if name.endswith(".md")]
    return sorted(found)


def _read(name: str) -> str:
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", _documents())
def test_links_lead_somewhere(name: str) -> None:
    here = os.path.dirname(os.path.join(ROOT, name))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", _read(name)):
        if "://" not in target:
            assert os.path.exists(os.path.join(here, target)), target


@pytest.mark.parametrize("name", _documents())
def test_named_files_exist(name: str) -> None:
    for path in re.findall(r"`((?:tests|src|scripts|benchmarks|docs)/[\w./-]+)`", _read(name)):
        assert os.path.exists(os.path.join(ROOT, path)), path
    for path in re.findall(r"`((?:domain|database|nodes|services|api|s3|cli)/[\w./-]*\.py)`", _read(name)):
        assert os.path.exists(os.path.join(ROOT, "src/workspacesio", path)), path


def test_every_variable_that_the_server_reads_is_in_the_table() -> None:
    documented = {setting.name for setting in SETTINGS}
    used = set()
    for path, _, files in os.walk(os.path.join(ROOT, "src/workspacesio")):
        for name in files:
            if name.endswith(".py"):
                used |= set(re.findall(r'"(WIO_[A-Z0-9_]+)"', _read(os.path.join(path, name))))
    assert used - NOT_OF_THE_SERVER == documented - {"WEB_CONCURRENCY"}


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "scripts/generate-docs"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_lock_files_name_no_address() -> None:
    for name in ("server", "dev"):
        text = _read(f"requirements/{name}.txt")
        assert "://" not in text
        packages = re.findall(r"^[a-z0-9][\w.-]*==\S+.*$", text, flags=re.MULTILINE)
        assert len(packages) > 20
        assert text.count("--hash=sha256:") >= len(packages)


def test_the_policy_for_minio_is_what_the_node_needs() -> None:
    policy = re.search(r"```json\n(.*?)```", _read("docs/minio.md"), flags=re.DOTALL)
    assert policy is not None
    first, _ = json.loads(policy[1])["Statement"]
    assert sorted(first["Action"]) == sorted(ADMINISTRATION_ACTIONS)


def test_the_commands_of_the_readme_exist() -> None:
    words = {command.split()[0] for command in [*COMMANDS, *SHORT_FORMS]}
    for line in re.findall(r"^(?:eval \"\$\()?wio ([a-z-]+)", _read("README.md"), flags=re.MULTILINE):
        assert line in words, line
