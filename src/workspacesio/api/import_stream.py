"""One import from beginning to end, as the lines of its answer."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from workspacesio.api.dependencies import Call
from workspacesio.database.journal_tables import Usage
from workspacesio.database.tables import Node, Root
from workspacesio.domain.errors import Conflict, NotFound
from workspacesio.domain.names import check_prefix
from workspacesio.services.folders_in_nodes import folders_under, is_folder, unix_owner
from workspacesio.services.imports import (
    Counted,
    Plan,
    Planned,
    Wanted,
    import_folders,
    plan_import,
    root_to_import,
)
from workspacesio.services.node_effects import Marked, State, marked, settle
from workspacesio.services.surveys import MAX_EXAMPLES, NotServed, Surveyed, merged, survey

Line = dict[str, object]


@dataclass(slots=True)
class ImportRun:
    """`prepare` raises what is wrong with the request as a whole; `lines` then walks and imports."""

    call: Call
    root: str
    folders: list[str] | None
    owner: str | None
    owner_from_unix: bool
    label: str | None
    dry_run: bool
    _wanted: list[Wanted] = field(default_factory=list, init=False)
    _loose: list[NotServed] = field(default_factory=list, init=False)

    def prepare(self) -> None:
        """Look for the folders on disk and at who may import them; nothing is walked yet."""
        with self.call.read() as (session, actor, now):
            root, node = root_to_import(session, actor=actor, name=self.root, now=now)
        self.call.storage(node.id).require_up()
        folders = self.folders if self.folders is not None else self._all(root, node)
        self._wanted = [self._look_at(root, node, folder, actor.username) for folder in folders]
        self._plan()

    def lines(self) -> Iterator[Line]:
        """Progress, and the report at the end. Raises what makes the whole import impossible."""
        plan = self._plan()
        new = [one for one in plan.planned if one.workspace_id is None]
        surveyed: dict[str, Surveyed] = {}
        entries = size = 0
        if new:
            with self.call.read() as (session, actor, now):
                root, _ = root_to_import(session, actor=actor, name=self.root, now=now)
            driver = self.call.visit.context.drivers(root.node_id)
            for one in new:
                try:
                    with contextlib.closing(survey(driver, root.bucket, one.prefix)) as walk:
                        for found in walk:
                            if isinstance(found, Surveyed):
                                surveyed[one.folder] = found
                            else:
                                yield _progress(entries + found.entries, size + found.bytes)
                except (Conflict, NotFound) as error:
                    self._refuse(one.folder, str(error))
                    continue
                entries += surveyed[one.folder].entries
                size += surveyed[one.folder].bytes
        if self.dry_run:
            yield {"report": self._report(self._plan(), surveyed, [])}
            return
        plan, concerned = self._import(surveyed)
        yield {"report": self._report(plan, surveyed, settle(self.call.visit.context, concerned))}

    def _all(self, root: Root, node: Node) -> list[str]:
        found = folders_under(node, self.call.visit.context.drivers(node.id), root.bucket, root.prefix)
        reasons: dict[str, list[str]] = {}
        for name, reason in found.unusable:
            reasons.setdefault(reason, []).append(name)
        self._loose = [
            NotServed(reason, len(names), tuple(names[:MAX_EXAMPLES])) for reason, names in sorted(reasons.items())
        ]
        return list(found.names)

    def _look_at(self, root: Root, node: Node, folder: str, username: str) -> Wanted:
        spelled = check_prefix(folder)
        prefix = root.prefix + spelled
        driver = self.call.visit.context.drivers(node.id)
        if not is_folder(node, driver, root.bucket, prefix):
            return Wanted(spelled, self.owner or username, "there is no such folder")
        if not self.owner_from_unix:
            return Wanted(spelled, self.owner or username)
        try:
            return Wanted(spelled, unix_owner(node, driver, root.bucket, prefix))
        except OSError:
            return Wanted(spelled, username, "its Unix owner can't be read")

    def _refuse(self, folder: str, problem: str) -> None:
        """One folder that can't be served is no reason not to import the others."""
        self._wanted = [replace(one, problem=problem) if one.folder == folder else one for one in self._wanted]

    def _plan(self) -> Plan:
        with self.call.read() as (session, actor, now):
            return plan_import(session, actor=actor, root=self.root, wanted=self._wanted, name=self.label, now=now)

    def _import(self, surveyed: dict[str, Surveyed]) -> tuple[Plan, Marked]:
        counted = {folder: Counted(found.objects, found.bytes) for folder, found in surveyed.items()}
        with self.call.write() as (session, actor, now):
            done = import_folders(
                session,
                actor=actor,
                root=self.root,
                wanted=self._wanted,
                name=self.label,
                counted=counted,
                now=now,
            )
            return done, marked(session)

    def _report(self, plan: Plan, surveyed: dict[str, Surveyed], settled: list[tuple[str, State]]) -> Line:
        not_served = [*self._loose, *merged(sorted(surveyed.items()))]
        return {
            "workspaces": [self._workspace(one, surveyed.get(one.folder)) for one in plan.planned],
            "not_served": [
                {"reason": one.reason, "count": one.count, "examples": list(one.examples)} for one in not_served
            ],
            "refused": [{"folder": one.folder, "reason": one.reason} for one in plan.refused],
            "enforced": [{"node": node, "state": state} for node, state in settled],
        }

    def _workspace(self, planned: Planned, surveyed: Surveyed | None) -> Line:
        objects, size = (surveyed.objects, surveyed.bytes) if surveyed else self._counted_before(planned)
        return {
            "folder": planned.folder,
            "name": planned.name,
            "owner": planned.owner,
            "objects": objects,
            "bytes": size,
            "created": planned.workspace_id is None and not self.dry_run,
        }

    def _counted_before(self, planned: Planned) -> tuple[int, int]:
        with self.call.read() as (session, _, _now):
            usage = session.get(Usage, planned.workspace_id)
        return (usage.objects, usage.bytes) if usage else (0, 0)


def _progress(entries: int, size: int) -> Line:
    return {"progress": {"entries": entries, "bytes": size}}
