"""The grants of a user, the user's groups and everyone together are what the permission core decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hypothesis import given, settings

from domain.permission_facts import FOLDERS as SHARED
from domain.permission_facts import NOW, callers, moments, nodes, roots, share_lists, workspaces
from workspacesio.domain.facts import UNNARROWED, Caller, NodeFacts, RootFacts, ShareFacts, Target, WorkspaceFacts
from workspacesio.domain.permissions import decide
from workspacesio.domain.s3_policies import Grant
from workspacesio.domain.subject_grants import EVERYONE, PlacedWorkspace, grants_by_subject
from workspacesio.domain.vocabulary import Action, Level, SubjectKind

PATHS = ["", "k", "a", "a/", "a/k", "a/b/", "a/b/k", "ab/", "ab/k", "b/k"]


@settings(max_examples=300, deadline=None)
@given(callers, nodes, roots, workspaces, share_lists, moments)
def test_grants_are_the_decision(
    caller: Caller,
    node: NodeFacts,
    root: RootFacts,
    workspace: WorkspaceFacts,
    shares: tuple[ShareFacts, ...],
    now: datetime,
) -> None:
    caller = replace(caller, enabled=True, narrowing=UNNARROWED)
    target = Target(node, root, workspace, "", shares)
    placed = PlacedWorkspace("alpha", "r/w/", workspace.owner_id, root.type.is_public, node.read_only, shares)
    held = grants_by_subject([placed], now)
    subjects = [EVERYONE, (SubjectKind.USER, caller.user_id), *((SubjectKind.GROUP, g) for g in caller.groups)]
    grants = [grant for subject in subjects for grant in held.get(subject, [])]
    for path in PATHS:
        at = [grant for grant in grants if ("r/w/" + path).startswith(grant.prefix)]
        assert bool(at) == bool(decide(caller, Action.READ_DATA, replace(target, path=path), now))
        assert bool(at) == bool(decide(caller, Action.LIST_DATA, replace(target, path=path), now))
        writes = any(grant.writes for grant in at)
        assert writes == bool(decide(caller, Action.WRITE_DATA, replace(target, path=path), now))


def test_grants_last_as_long_as_their_shares() -> None:
    share = ShareFacts(SubjectKind.GROUP, 7, Level.OWN, SHARED[1], NOW, 1)
    placed = PlacedWorkspace("alpha", "w/", 3, shares=(share,))
    before = grants_by_subject([placed], NOW.replace(year=2029))
    assert before[SubjectKind.GROUP, 7] == [Grant("alpha", "w/a/", True, NOW)]
    assert grants_by_subject([placed], NOW) == {(SubjectKind.USER, 3): [Grant("alpha", "w/", True)]}
