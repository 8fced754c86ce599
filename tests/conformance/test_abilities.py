"""What a kind of node says it can do, it does; what it can't, it doesn't; and docs/abilities.md says the same."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest

from conformance.kinds import FOLDER_OF_BUCKETS, KINDS, Ground
from conformance.node import Node, added
from conformance.proofs import PROOFS
from workspacesio.nodes.values import Abilities

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "abilities.md")


BUCKETS_DIFFER_IN = ("creates_buckets", "lists_uploads", "hides_names")


@pytest.mark.parametrize("ability", PROOFS)
def test_a_node_does_what_it_declares_and_nothing_else(node: Node, ability: str) -> None:
    assert PROOFS[ability](node) == node.abilities[ability]


def test_a_folder_of_buckets_does_what_it_declares(ground: Ground) -> None:
    node = added(ground, FOLDER_OF_BUCKETS, "buckets")
    assert _table()[node.kind.column] == node.abilities
    for ability in BUCKETS_DIFFER_IN:
        assert PROOFS[ability](node) == node.abilities[ability]


def test_every_ability_is_tried_out() -> None:
    assert set(PROOFS) == {field.name for field in dataclasses.fields(Abilities)}


def test_the_table_says_what_the_node_says(node: Node) -> None:
    assert _table()[node.kind.column] == node.abilities


def test_the_table_has_a_column_for_each_kind_that_is_tried_out() -> None:
    assert list(_table()) == [kind.column for kind in (KINDS[0], FOLDER_OF_BUCKETS, *KINDS[1:])]


def _table() -> dict[str, dict[str, bool]]:
    with open(DOCUMENT, encoding="utf-8") as file:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in file if line.startswith("|")]
    heading, _, *lines = rows
    columns: dict[str, dict[str, bool]] = {name: {} for name in heading[1:]}
    for meaning, *cells in lines:
        ability = re.match(r"\*\*(.*?)\*\*", meaning)
        assert ability is not None
        for column, cell in zip(columns.values(), cells, strict=True):
            column[ability[1].replace(" ", "_")] = {"yes": True, "no": False}[cell]
    return columns
