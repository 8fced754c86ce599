"""Laws of the decision, on random facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.permission_facts import (
    FOLDERS,
    NOW,
    actions,
    callers,
    ids,
    moments,
    narrowings,
    share_lists,
    shares,
    targets,
    workspaces,
)
from workspacesio.domain.facts import UNNARROWED, Caller, Narrowing, ShareFacts, Target, WorkspaceFacts
from workspacesio.domain.permissions import Allowed, decide, granted_level, sharing_limit
from workspacesio.domain.vocabulary import DATA_ACTIONS, READING_ACTIONS, Action, Level, SubjectKind

many = settings(max_examples=150, deadline=None)


@many
@given(callers, actions, targets, moments)
def test_a_narrowed_credential_never_allows_what_its_user_cannot(
    caller: Caller, action: Action, target: Target, now: datetime
) -> None:
    if decide(caller, action, target, now):
        assert decide(replace(caller, narrowing=UNNARROWED), action, target, now)
        assert not caller.narrowing.read_only or action in READING_ACTIONS
        if caller.narrowing.workspaces is not None:
            assert target.workspace is not None
            assert target.workspace.workspace_id in caller.narrowing.workspaces


@many
@given(callers, actions, targets, moments, narrowings)
def test_narrowing_twice_allows_what_both_allow(
    caller: Caller, action: Action, target: Target, now: datetime, second: Narrowing
) -> None:
    def allowed(narrowing: Narrowing) -> bool:
        return bool(decide(replace(caller, narrowing=narrowing), action, target, now))

    both = allowed(caller.narrowing) and allowed(second)
    assert allowed(caller.narrowing.within(second)) is both
    assert allowed(second.within(caller.narrowing)) is both


@many
@given(callers, actions, targets, moments, shares)
def test_adding_a_share_removes_no_right_and_revoking_one_adds_none(
    caller: Caller, action: Action, target: Target, now: datetime, share: ShareFacts
) -> None:
    more = replace(target, shares=(share, *target.shares))
    assert decide(caller, action, more, now) or not decide(caller, action, target, now)
    assert (granted_level(caller, more, now) or (0, ""))[0] >= (granted_level(caller, target, now) or (0, ""))[0]


@many
@given(callers, actions, targets, moments, st.randoms(use_true_random=False))
def test_the_order_of_shares_has_no_say(
    caller: Caller, action: Action, target: Target, now: datetime, random: object
) -> None:
    reordered = list(target.shares)
    random.shuffle(reordered)  # type: ignore[attr-defined]
    other = replace(target, shares=tuple(reordered))
    assert bool(decide(caller, action, other, now)) is bool(decide(caller, action, target, now))


@many
@given(callers, actions, targets, moments, shares)
def test_everyone_gives_at_least_what_a_user_or_group_would_get(
    caller: Caller, action: Action, target: Target, now: datetime, share: ShareFacts
) -> None:
    with_share = replace(target, shares=(share, *target.shares))
    to_everyone = replace(share, subject_kind=SubjectKind.EVERYONE, subject_id=None)
    with_everyone = replace(target, shares=(to_everyone, *target.shares))
    assert decide(caller, action, with_everyone, now) or not decide(caller, action, with_share, now)


@many
@given(callers, actions, targets, moments, shares, st.sampled_from(Level))
def test_a_higher_level_or_a_wider_folder_removes_no_right(
    caller: Caller, action: Action, target: Target, now: datetime, share: ShareFacts, level: Level
) -> None:
    before = replace(target, shares=(share,))
    for wider in (replace(share, level=max(level, share.level)), replace(share, folder="")):
        after = replace(target, shares=(wider,))
        assert decide(caller, action, after, now) or not decide(caller, action, before, now)


@many
@given(callers, actions, targets, moments, moments)
def test_time_only_takes_away(
    caller: Caller, action: Action, target: Target, one: datetime, other: datetime
) -> None:
    earlier, later = sorted((one, other))
    assert decide(caller, action, target, earlier) or not decide(caller, action, target, later)


@many
@given(callers, actions, targets, moments)
def test_shares_of_others_do_nothing(caller: Caller, action: Action, target: Target, now: datetime) -> None:
    own = tuple(share for share in target.shares if share.concerns(caller))
    assert decide(caller, action, replace(target, shares=own), now) == decide(caller, action, target, now)


@many
@given(callers, actions, targets, moments)
def test_a_disabled_user_may_do_nothing(caller: Caller, action: Action, target: Target, now: datetime) -> None:
    assert not decide(replace(caller, enabled=False), action, target, now)


@many
@given(callers, targets, moments)
def test_whoever_may_do_more_may_do_less(caller: Caller, target: Target, now: datetime) -> None:
    def may(action: Action) -> bool:
        return bool(decide(caller, action, target, now))

    assert may(Action.READ_DATA) is may(Action.LIST_DATA)
    assert may(Action.READ_DATA) or not may(Action.WRITE_DATA)
    assert may(Action.READ_DATA) or not may(Action.SHARE_WORKSPACE)
    assert may(Action.SEE_WORKSPACE) or not any(
        may(action) for action in Action if action.area in ("data", "workspace")
    )


@many
@given(callers, workspaces, share_lists, moments, st.sampled_from(FOLDERS))
def test_managing_gives_no_contents(
    caller: Caller, workspace: WorkspaceFacts, held: tuple[ShareFacts, ...], now: datetime, path: str
) -> None:
    """Contents come from ownership, a share or a public root: node and root may as well be unknown."""
    target = Target(workspace=replace(workspace, owner_id=9), path=path, shares=held)
    concerning = [share for share in held if share.concerns(caller) and share.holds(now) and share.covers(path)]
    may_read = decide(replace(caller, enabled=True, narrowing=UNNARROWED), Action.READ_DATA, target, now)
    assert bool(may_read) is bool(concerning)


@many
@given(callers, workspaces, share_lists, shares, moments, st.sampled_from(FOLDERS))
def test_sharing_on_gives_no_more_than_is_held(
    caller: Caller,
    workspace: WorkspaceFacts,
    others: tuple[ShareFacts, ...],
    own: ShareFacts,
    now: datetime,
    folder: str,
) -> None:
    """For an `own` share: what is given on rests on a share that covers the folder, and ends no later."""
    caller = replace(caller, enabled=True, narrowing=UNNARROWED)
    own = replace(own, level=Level.OWN, subject_kind=SubjectKind.USER, subject_id=caller.user_id)
    target = Target(workspace=workspace, path=folder, shares=(*others, own))
    if not decide(caller, Action.SHARE_WORKSPACE, target, now):
        return
    level, until, rests_on = sharing_limit(caller, target, now)
    assert level is Level.OWN
    if rests_on is None:
        assert workspace.owner_id == caller.user_id
        return
    bases = [
        share
        for share in target.shares
        if share.level is Level.OWN
        and share.concerns(caller)
        and share.holds(now)
        and folder.startswith(share.folder)
    ]
    assert (until, rests_on) in [(share.expires_at, share.share_id) for share in bases]
    assert until is None or all(share.expires_at is not None and share.expires_at <= until for share in bases)


def test_sharing_limit_refuses_to_answer_who_may_not_share() -> None:
    with pytest.raises(ValueError, match="only after"):
        sharing_limit(Caller(1), Target(workspace=WorkspaceFacts(1, 2)), NOW)


@given(ids, share_lists)
def test_no_workspace_no_level(user_id: int, held: tuple[ShareFacts, ...]) -> None:
    assert granted_level(Caller(user_id), Target(shares=held), NOW) is None


@many
@given(callers, st.sampled_from(sorted(DATA_ACTIONS)), targets, moments)
def test_a_right_on_data_reaches_as_far_as_it_holds_and_no_further(
    caller: Caller, action: Action, target: Target, now: datetime
) -> None:
    verdict = decide(caller, action, target, now)
    if isinstance(verdict, Allowed):
        assert target.path.startswith(verdict.folder)
        assert decide(caller, action, replace(target, path=verdict.folder), now)
        if verdict.folder:
            above = verdict.folder[: verdict.folder.rstrip("/").rfind("/") + 1]
            assert not decide(caller, action, replace(target, path=above), now)
