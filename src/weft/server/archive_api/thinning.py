"""Making this server's own records small: what the archive has goes, and comes back when it is needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Protocol, cast

import msgspec

from weft.archive import (
    AsyncArchive,
    Query,
    Restored,
    RetentionRule,
    SourceSpec,
    StoreRetention,
    check_share,
    delete_archived,
    preview_delete_archived,
    restore_conversations,
    restore_to_their_apps,
)
from weft.errors import WeftError
from weft.files import FileStore, open_file_store
from weft.runs import WORKSPACE_ID, delete_unused_files, sweep_files
from weft.server.archive_api.call import check_range, read_date
from weft.server.archive_api.desk import ArchiveDesk
from weft.server.archive_api.target import refused
from weft.store import StoredApp, changes, compact, free_share

View = dict[str, object]
Deed = Callable[[], Awaitable[object]]
LONGEST_DAYS: Final = 36_500
STRAY_DAYS: Final = 1
"""Days after which nobody can be about to show what a run has made."""
_SHOWN: Final = 100
_MUCH: Final = 0.05
"""Share of a database's file that is free, from which on it is worth to write it anew for that alone."""
_STIFF: Final = (
    "the database was made by an earlier version, so its file stays as large as it is until "
    "`weft archive thin` is done once while no server and no worker runs"
)
_SUMS: Final = ("conversations", "candidates", "deleted", "messages", "runs", "size_bytes", "files")


class Step(Protocol):
    """What a job gives its work: parts that are done once, and a way to say how far it is."""

    async def step(self, name: str, run: Deed) -> object:
        """Do a part of the work, once in the life of the job; what it returns is JSON."""
        ...

    def tell(self, **progress: object) -> None:
        """Say how far the work is."""
        ...

    def advance(self) -> None:
        """Say that something is done for good."""
        ...


class ThinArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The arguments of a thinning; as they are stored with a job."""

    older_than_days: float | None = None
    """Days since the last activity; the setting archive.store_days unless given."""
    app_ids: list[str] | None = None
    """Only these apps."""
    max_share: float = 1.0
    """Refuse when more than this share of the chosen conversations would go, 0 to 1."""
    keep_annotated: bool = False
    keep_files: bool = False
    """Leave attached files where they are; otherwise those go whose bytes the archive has."""
    dry_run: bool = False
    pull: bool = False
    """Bring the archive up to date first."""

    def check(self, days: int) -> ThinArgs:
        """The same with the days that count.

        Args:
            days: What the settings say; 0 is nothing.

        Raises:
            InvalidRequestError: A number is missing or out of bounds.
        """
        older = self.older_than_days
        if older is None:
            if not days:
                raise refused("older_than_days", "is missing, and archive.store_days is not set")
            older = float(days)
        if not 0 <= older <= LONGEST_DAYS:
            raise refused("older_than_days", f"is not a number from 0 to {LONGEST_DAYS}")
        if not 0 <= self.max_share <= 1:
            raise refused("max_share", "is not a number from 0 to 1")
        return msgspec.structs.replace(self, older_than_days=older)


class RestoreArgs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The arguments of a restore; as they are stored with a job."""

    app_id: str | None = None
    """The app that they are to belong to; each to its own unless given."""
    from_app_ids: list[str] | None = None
    """Only those that were archived from these apps; from `app_id` when only that is given."""
    conversation_ids: list[str] | None = None
    organization_id: str | None = None
    end_user_id: str | None = None
    from_source: str | None = None
    start_date: str | None = None
    end_date: str | None = None

    def query(self) -> Query:
        """The conversations that are meant.

        Raises:
            InvalidRequestError: A date is none, or the range ends before it begins.
        """
        apps = self.from_app_ids
        if apps is None and self.app_id is not None and self.conversation_ids is None:
            apps = [self.app_id]
        start = None if self.start_date is None else read_date(self.start_date, "start_date")
        end = None if self.end_date is None else read_date(self.end_date, "end_date")
        check_range(start, end)
        return Query(
            organization_id=self.organization_id,
            start=start,
            end=end,
            app_ids=None if apps is None else frozenset(apps),
            from_sources=None if self.from_source is None else frozenset({self.from_source}),
            end_user_id=self.end_user_id,
            conversation_ids=None if self.conversation_ids is None else frozenset(self.conversation_ids),
        )


PullOne = Callable[[AsyncArchive, SourceSpec], Awaitable[View]]
"""Pulls a source, and tells what `duty.pull_view` tells."""


async def thin(
    desk: ArchiveDesk, work: Step, args: ThinArgs, *, pull: PullOne | None = None, alone: bool = False
) -> View:
    """Delete from the own store what the archive provably has, then give the room back.

    Apps are done one after the other; one that is in trouble stops no other.

    Args:
        desk: The archive and the store.
        work: Remembers which apps were done.
        args: As `ThinArgs.check` gives them.
        pull: Brings the archive up to date, where that is wanted.
        alone: No other process uses the store, so that its file can be written anew.

    Raises:
        RetentionError: More would go than may; nothing was deleted.
        ArchiveLockedError: Another process writes to the archive.
    """
    specs = desk.own_sources()
    view: View = {"success": True, "dry_run": args.dry_run, "older_than_days": args.older_than_days}
    if args.dry_run:
        async with desk.reading() as archive:
            found = [await _preview(desk, work, archive, spec, args) for spec in specs]
        return {**view, **_summed([one for some in found for one in some])}
    apps: list[View] = []
    async with desk.writing() as archive:
        for number, spec in enumerate(specs):
            apps += await _thin_source(desk, work, archive, spec, args, pull, str(number))
    view |= _summed(apps)
    # Where nothing was deleted now, somebody may have been broken off who had deleted before.
    free = await free_share(desk.store)
    if view["deleted"] or free:
        alone = alone and bool(view["deleted"] or free >= _MUCH)
        view["disk"] = await work.step("compact", partial(_compact, desk, work, alone))
    return view


async def _thin_source(
    desk: ArchiveDesk,
    work: Step,
    archive: AsyncArchive,
    spec: SourceSpec,
    args: ThinArgs,
    pull: PullOne | None,
    name: str,
) -> list[View]:
    behind: dict[str, str] = {}
    if args.pull and pull is not None:
        pulled = cast(View, await work.step(f"pull.{name}", partial(pull, archive, spec)))
        told = cast("list[View]", pulled.get("apps", []))
        behind = {str(one["id"]): f"it could not be pulled: {one['error']}" for one in told if one["error"]}
        if not pulled["success"] and not behind and not told:
            return [{"id": spec.app_id, "name": "", "error": f"nothing could be pulled: {pulled['error']}"}]
    if args.max_share < 1:
        plans = await _preview(desk, work, archive, spec, args)
        total = StoreRetention(
            total=sum(cast(int, one.get("conversations", 0)) for one in plans),
            candidates=sum(cast(int, one.get("candidates", 0)) for one in plans),
        )
        check_share(total, args.max_share)
    apps: list[View] = []
    content = None if args.keep_files else await open_file_store(desk.settings.files_url)
    try:
        for app in await _apps(desk, spec, args):
            if app.id in behind:
                apps.append({"id": app.id, "name": app.name, "error": behind[app.id]})
                continue
            one = partial(_thin_app, desk, work, archive, spec, args, app, content)
            apps.append(cast(View, await work.step(f"thin.{name}.{app.id}", one)))
    finally:
        if content is not None:
            await content.close()
    return apps


async def _thin_app(
    desk: ArchiveDesk,
    work: Step,
    archive: AsyncArchive,
    spec: SourceSpec,
    args: ThinArgs,
    app: StoredApp,
    content: FileStore | None,
) -> View:
    def told(now: StoreRetention) -> None:
        work.tell(app=app.name or app.id, deleted=now.deleted)
        if now.deleted or now.files:
            work.advance()

    try:
        report = await delete_archived(
            desk.store,
            archive.archive,
            [_rule(args)],
            app_ids=[app.id],
            organization_id=spec.organization_id,
            max_share=1.0,
            keep_annotated=args.keep_annotated,
            delete_files=None if content is None else content.delete,
            progress=told,
        )
    except WeftError as error:
        return {"id": app.id, "name": app.name, "error": f"{type(error).__name__}: {error}"}
    return _view(app, report)


async def _preview(
    desk: ArchiveDesk, work: Step, archive: AsyncArchive, spec: SourceSpec, args: ThinArgs
) -> list[View]:
    found: list[View] = []
    for app in await _apps(desk, spec, args):
        try:
            report = await preview_delete_archived(
                desk.store,
                archive.archive,
                [_rule(args)],
                app_ids=[app.id],
                organization_id=spec.organization_id,
                keep_annotated=args.keep_annotated,
                progress=partial(_tell_looked, work, app),
            )
        except WeftError as error:
            found.append({"id": app.id, "name": app.name, "error": f"{type(error).__name__}: {error}"})
        else:
            found.append(_view(app, report))
    return found


def _tell_looked(work: Step, app: StoredApp, now: StoreRetention) -> None:
    work.tell(app=app.name or app.id, looked_at=now.candidates + sum(now.kept_count.values()))


async def _apps(desk: ArchiveDesk, spec: SourceSpec, args: ThinArgs) -> list[StoredApp]:
    wanted = args.app_ids
    return [
        app
        for app in await desk.store.read(changes.list_apps)
        if spec.app_id in ("", app.id) and (wanted is None or app.id in wanted)
    ]


def _rule(args: ThinArgs) -> RetentionRule:
    return RetentionRule(
        name=f"store: older than {args.older_than_days:g} days", keep_days=args.older_than_days
    )


def _view(app: StoredApp, report: StoreRetention) -> View:
    return {
        "id": app.id,
        "name": app.name,
        "error": "",
        "conversations": report.total,
        "candidates": report.candidates,
        "deleted": report.deleted,
        "messages": report.messages,
        "runs": report.runs,
        "size_bytes": report.size_bytes,
        "files": report.files,
        "kept": dict(report.kept_count),
        "kept_conversations": [
            {"conversation_id": one.conversation_id, "why": one.why} for one in report.kept[:_SHOWN]
        ],
    }


def _summed(apps: Sequence[View]) -> View:
    kept: dict[str, int] = {}
    for app in apps:
        for why, count in cast("dict[str, int]", app.get("kept", {})).items():
            kept[why] = kept.get(why, 0) + count
    sums: View = {name: sum(cast(int, app.get(name, 0)) for app in apps) for name in _SUMS}
    errors = [f"{app['name'] or app['id'] or 'own store'}: {app['error']}" for app in apps if app["error"]]
    return {"success": not errors, "error": "; ".join(errors), **sums, "kept": kept, "apps": list(apps)}


async def _compact(desk: ArchiveDesk, work: Step, alone: bool) -> object:
    settings = desk.settings
    try:
        done = await compact(
            desk.store,
            settings.database_url,
            desk.clock,
            search_index=settings.server.search_index,
            alone=alone,
            tell=lambda stage: work.tell(giving_back=stage),
        )
    except WeftError as error:
        return {"error": str(error)}  # what was deleted is; the next time gives the room back
    return {
        "before": done.before,
        "after": done.after,
        "is_whole": done.is_whole,
        "advice": _STIFF if done.is_stiff else "",
        "error": "",
    }


async def sweep(desk: ArchiveDesk) -> View:
    """Delete files that nothing refers to: what failed runs have made, and uploads that nobody used.

    Raises:
        StoreError: Some could not be deleted; the next time goes on.
    """
    days, now = desk.settings.archive.unused_file_days, desk.clock.now()
    content = await open_file_store(desk.settings.files_url)
    try:
        stray = await sweep_files(desk.store, content, now - timedelta(days=STRAY_DAYS))
        unused = 0
        if days:
            unused = await delete_unused_files(desk.store, content, now - timedelta(days=days))
    finally:
        await content.close()
    return {"stray": stray, "unused": unused}


async def check_restore(desk: ArchiveDesk, args: RestoreArgs) -> None:
    """Say before anything is begun that an app is not there, or is not this workspace's.

    Raises:
        InvalidRequestError: So it is.
    """
    if args.app_id is None:
        return
    known = {app.id: app for app in await desk.store.read(changes.list_apps)}
    app = known.get(args.app_id)
    if app is None or app.workspace_id != WORKSPACE_ID:
        raise refused("app_id", f"there is no app {args.app_id[:100]!r}; make it first")


async def restore(desk: ArchiveDesk, work: Step, args: RestoreArgs) -> View:
    """Put archived conversations back into the own store.

    Raises:
        InvalidRequestError: There is no such app, or a date is none.
        ArchiveError: The archive cannot be read.
        StoreError: The store refused; the same again goes on.
    """

    def told(now: Restored) -> None:
        work.tell(conversations=now.conversations, present=now.present, failed=len(now.failed))
        if now.conversations or now.files:
            work.advance()

    await check_restore(desk, args)
    query = args.query()
    content = await open_file_store(desk.settings.files_url)
    try:
        async with desk.reading() as archive:
            if args.app_id is None:
                done = await restore_to_their_apps(
                    archive.archive,
                    desk.store,
                    query=query,
                    workspace_id=WORKSPACE_ID,
                    progress=told,
                    files=content,
                )
            else:
                done = await restore_conversations(
                    archive.archive, desk.store, args.app_id, query=query, progress=told, files=content
                )
    finally:
        await content.close()
    return {
        "success": not done.failed and not done.left,
        "conversations": done.conversations,
        "messages": done.messages,
        "runs": done.runs,
        "files": done.files,
        "present": done.present,
        "failed_count": len(done.failed),
        "failed": [{"id": one.id, "reason": one.reason} for one in done.failed[:_SHOWN]],
        "apps_left": [{"app_id": id, "why": why} for id, why in sorted(done.left.items())[:_SHOWN]],
    }
