"""The server's own store, read without HTTP: nothing is lost in translation, not a digit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

from weft.archive.attachment import iter_attachments
from weft.archive.source import FileOffer, Loaded, SourceApp, SourceItem, SourcePage
from weft.archive.sources.frontier import Frontier, load_frontier
from weft.archive.sources.newest_first import Stretch, iter_newest_first
from weft.archive.sources.stored import micros, read_runs, read_whole
from weft.archive.sources.stored_record import archived, archived_run
from weft.clock import Clock
from weft.errors import NotFoundError, WeftError
from weft.files import FileStore
from weft.store import Changed, Connection, Run, Store, StoredApp, changes, files, run_history

PAGE = 500
READ_AT_ONCE = 64
"""Conversations that one read brings at most."""
OVERLAP = 60_000_000
"""Microseconds before the newest known change that are looked at again: on Postgres a transaction may become
visible after one that has a later time."""
FULL_DAYS = 7.0
LONGEST_RUN = 30 * 86_400_000_000


class StoreSource:
    """Everything in a store that is not deleted.

    Args:
        store: The open store.
        app_ids: Only these apps; all of all workspaces when left out.
        organization_id: Where the conversations are filed.
        by_workspace: File each conversation under the id of its app's workspace instead.
        full_days: Days after which all conversations are looked at again, for feedback that was withdrawn.
        files: Where the bytes of the store's files are; none leaves them out.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        app_ids: Sequence[str] | None = None,
        organization_id: str | None = None,
        by_workspace: bool = False,
        full_days: float = FULL_DAYS,
        files: FileStore | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._app_ids = None if app_ids is None else frozenset(app_ids)
        self._organization_id = organization_id
        self._by_workspace = by_workspace
        self._full_days = full_days
        self._files = files
        self._apps: dict[str, StoredApp] = {}
        self._waiting: dict[str, dict[str, asyncio.Future[Loaded | None]]] = {}

    @property
    def name(self) -> str:
        """A server has one store."""
        return "own store"

    async def list_apps(self) -> Sequence[SourceApp]:
        """The chosen apps.

        Raises:
            NotFoundError: One of them does not exist.
        """
        self._apps = {app.id: app for app in await self._store.read(changes.list_apps)}
        for app_id in self._app_ids or ():
            if app_id not in self._apps:
                raise NotFoundError(f"there is no app {app_id!r}", kind="app", id=app_id)
        return [
            SourceApp(app.id, app.name, app.workspace_id if self._by_workspace else self._organization_id)
            for app in self._apps.values()
            if self._app_ids is None or app.id in self._app_ids
        ]

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        """Conversations, or runs of an app without any, newest change first."""
        before = load_frontier(cursor)
        frontier = before.begin(self._clock.now().timestamp(), OVERLAP, self._full_days)
        if app.id not in self._apps:
            await self.list_apps()
        if self._apps[app.id].mode == "workflow":
            async for page in self._runs(app, frontier):
                yield page
            return
        if before.top is not None:
            since = before.top - OVERLAP
            rated = await self._store.read(lambda connection: changes.list_rated(connection, app.id, since))
            if rated:
                yield SourcePage([_item(one) for one in rated], cursor)
        async for rows, known in iter_newest_first(frontier, lambda after: self._changed(app.id, after)):
            yield SourcePage([_item(one) for one in rows], known.dump())

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        """A conversation with everything that belongs to it, or a run.

        Those that are asked for at the same time are read together.
        """
        if item.data.get("kind") == "run":
            found = await self._store.read(lambda connection: read_runs(connection, app.id, [item.id]))
            loaded = Loaded(None, [archived_run(found[0])]) if found else None
        else:
            loaded = await self._together(app.id, item.id)
        if loaded is None:
            raise NotFoundError(f"there is no conversation {item.id!r}", kind="conversation", id=item.id)
        return loaded

    async def _together(self, app_id: str, id: str) -> Loaded | None:
        waiting = self._waiting.setdefault(app_id, {})
        is_first = not waiting
        own = waiting.setdefault(id, asyncio.get_running_loop().create_future())
        if is_first:
            try:
                await asyncio.sleep(0)  # lets the others come who are about to
                self._waiting[app_id] = {}
                await self._read(app_id, waiting)
            except BaseException:
                for future in waiting.values():
                    future.cancel()
                raise
        return await asyncio.shield(own)

    async def _read(self, app_id: str, wanted: dict[str, asyncio.Future[Loaded | None]]) -> None:
        ids = list(wanted)

        def read(connection: Connection) -> dict[str, Loaded]:
            found: dict[str, Loaded] = {}
            for start in range(0, len(ids), READ_AT_ONCE):
                part = read_whole(connection, app_id, ids[start : start + READ_AT_ONCE])
                found.update((id, archived(whole)) for id, whole in part.items())
            return self._with_offers(connection, app_id, found)

        try:
            found = await self._store.read(read)
        except WeftError as error:
            for future in wanted.values():
                if not future.done():
                    future.set_exception(error)
            return
        for id, future in wanted.items():
            if not future.done():
                future.set_result(found.get(id))

    def _with_offers(
        self, connection: Connection, app_id: str, found: dict[str, Loaded]
    ) -> dict[str, Loaded]:
        """The same with where the bytes of their files are."""
        content = self._files
        if content is None:
            return found
        attached = {
            id: list(iter_attachments(loaded.conversation))
            for id, loaded in found.items()
            if loaded.conversation is not None
        }
        wanted = {str(one.record.get("upload_file_id")) for some in attached.values() for one in some}
        rows = files.find_many(connection, app_id, wanted)
        done = dict(found)
        for id, some in attached.items():
            offers = []
            for one in some:
                row, url = rows.get(str(one.record.get("upload_file_id"))), one.record.get("url")
                if row is not None:
                    offers.append(FileOffer(one.place, read=partial(content.open, row.id, end=row.size)))
                elif isinstance(url, str) and url:
                    offers.append(FileOffer(one.place, link=url))
            done[id] = replace(found[id], offers=offers)
        return done

    async def _changed(self, app_id: str, after: str) -> AsyncGenerator[Stretch[Changed], None]:
        at, _, id = after.partition(" ")
        before = (int(at), id) if after else None
        while True:
            rows = await self._store.read(
                partial(changes.list_changed, app_id=app_id, before=before, limit=PAGE)
            )
            is_last = len(rows) < PAGE
            if rows:
                before = (rows[-1].at, rows[-1].id)
            text = "" if before is None else f"{before[0]} {before[1]}"
            yield Stretch(rows, [row.at for row in rows], text, is_last)
            if is_last:
                return

    async def _runs(self, app: SourceApp, frontier: Frontier) -> AsyncIterator[SourcePage]:
        async def read(after: str) -> AsyncGenerator[Stretch[Run], None]:
            last_id = after or None
            while True:
                page = await self._store.read(
                    partial(
                        run_history.list_page,
                        app_id=app.id,
                        triggered_from="app-run",
                        last_id=last_id,
                        limit=PAGE,
                    )
                )
                last_id = page.items[-1].id if page.items else last_id
                changed = [micros(run.created_at) for run in page.items]
                yield Stretch(page.items, changed, last_id or "", not page.has_more)
                if not page.has_more:
                    return

        now = micros(self._clock.now())
        waiting: int | None = None
        async for runs, known in iter_newest_first(frontier, read):
            for run in runs:
                at = micros(run.created_at)
                if run.finished_at is None and now - at < LONGEST_RUN:
                    waiting = at if waiting is None else min(waiting, at)
            known = known if waiting is None else known.held_at(waiting)
            yield SourcePage([SourceItem(id=run.id, data={"kind": "run"}) for run in runs], known.dump())


def _item(changed: Changed) -> SourceItem:
    return SourceItem(id=changed.id, version=changed.version)
