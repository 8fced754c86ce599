"""Strategies for facts of decisions: few ids, so that they meet, and times around one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from workspacesio.domain.facts import (
    Caller,
    GroupFacts,
    Narrowing,
    NodeFacts,
    RootFacts,
    ServiceFacts,
    ShareFacts,
    Target,
    WorkspaceFacts,
)
from workspacesio.domain.vocabulary import Action, AddNodePolicy, CreatePolicy, Level, RootType, SubjectKind

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
FOLDERS = ["", "a/", "a/b/", "ab/", "b/"]
PATHS = ["", "a", "a/", "a/b", "a/b/", "a/b/k", "ab/k", "b/k", "k", "a/../b/k", "a/b/../../b/k"]

ids = st.integers(1, 3)
id_sets = st.frozensets(ids)
moments = st.sampled_from([NOW + timedelta(seconds=seconds) for seconds in (-5, -1, 0, 1, 5)])
actions = st.sampled_from(Action)

narrowings = st.builds(Narrowing, st.none() | id_sets, st.booleans())
callers = st.builds(Caller, ids, st.booleans() | st.just(True), st.booleans(), id_sets, narrowings)
nodes = st.builds(NodeFacts, ids, ids, st.booleans(), st.booleans())
roots = st.builds(RootFacts, ids, st.sampled_from(RootType), id_sets, st.sampled_from(CreatePolicy), id_sets)
workspaces = st.builds(WorkspaceFacts, ids, ids)
groups = st.builds(GroupFacts, ids, id_sets)
services = st.builds(ServiceFacts, st.sampled_from(AddNodePolicy), id_sets)


@st.composite
def _shares(draw: st.DrawFn) -> ShareFacts:
    kind = draw(st.sampled_from(SubjectKind))
    return ShareFacts(
        kind,
        None if kind is SubjectKind.EVERYONE else draw(ids),
        draw(st.sampled_from(Level)),
        draw(st.sampled_from(FOLDERS)),
        draw(st.none() | moments),
        draw(st.integers(1, 9)),
    )


shares = _shares()
share_lists = st.lists(shares, max_size=5).map(tuple)
targets = st.builds(
    Target,
    st.none() | nodes,
    st.none() | roots,
    st.none() | workspaces,
    st.sampled_from(PATHS),
    share_lists,
    st.none() | groups,
    services,
)
