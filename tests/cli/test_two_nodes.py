"""A copy between nodes: one credential for each, and every name is shown again."""

from __future__ import annotations

import os

import pytest

from servers.service import Service


def test_mc_across_nodes(tmp_path_factory: pytest.TempPathFactory, mc_path: str) -> None:
    lab = str(tmp_path_factory.mktemp("lab"))
    for name in ("first", "second"):
        os.makedirs(os.path.join(lab, name))
    running = Service(os.path.join(lab, "first"), base=str(tmp_path_factory.mktemp("service")))
    running.environment["WIO_FOLDER_PATHS"] = lab
    running.start()
    try:
        ada = running.administrator()
        ada.environment["WIO_MC"] = mc_path
        node = ada.json("node", "add", "folder", "other", os.path.join(lab, "second"))
        assert (node["bucket"], node["state"]) == ("second", "up")
        ada.wio("root", "create", "other", "second", "--type", "private", "--name", "there")
        ada.wio("create", "here")
        ada.wio("create", "away", "--root", "there")
        ada.wio("mc", "pipe", "here/x", stdin="across")
        copied = ada.wio("mc", "cp", "here/x", "away/y")
        assert "`here/x` -> `away/y`" in copied
        assert ada.wio("mc", "cat", "away/y") == "across"
        with open(os.path.join(lab, "second", "ada", "away", "y"), encoding="utf-8") as file:
            assert file.read() == "across"
        assert ada.wio("mc", "diff", "here/", "away/").splitlines() == ["< here/x", "> away/y"]
        assert ada.wio("mc", "du", "here/", "away/").splitlines() == ["6B\t1 object\there", "6B\t1 object\taway"]
        both = ada.run("token", "here", "away")
        assert both.returncode == 1
        assert both.stderr.count("\n") == 1
        assert ada.run("node", "rm", "other").returncode == 1
        ada.wio("node", "rm", "other", "--force")
        assert [one["name"] for one in ada.json("ls")] == ["here"]
    finally:
        running.stop()
