"""The archive of a process: one door to its files, the work that is done on it, and who is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

from weft.archive import (
    ArchiveIndex,
    AsyncArchive,
    FileRules,
    Redactor,
    Source,
    SourceSpec,
    kind_of_key,
)
from weft.archive import open_source as open_any_source
from weft.clock import Clock
from weft.egress import Egress, EgressConfig, open_egress
from weft.errors import ConfigError, InvalidRequestError
from weft.files import FileStore
from weft.ids import Ids
from weft.jobs import Job, JobEngine, JobKind, QueueRule, Schedule
from weft.server.archive_api.target import Target
from weft.server.archive_api.webhook import Webhooks
from weft.settings import Settings
from weft.store import Store

DEFAULT_SOURCE = "default"
"""Names what `archive.url`, `archive.app_id` and `archive.api_key` say."""
OWN_SOURCE = "own"
"""Names this server's own records, where the settings name no source at all."""
PULL, CLEAN, COPY, DISK, REPORT = "pull", "clean", "copy", "disk", "report"
"""Schedules that the settings make."""
DISK_CRON = "*/10 * * * *"
CROSSED_OUT = 0.05
"""Share of deleted messages from which on the search index of the archive is made anew."""
PULL_JOB, CLEAN_JOB, VERIFY_JOB = "archive-pull", "archive-clean", "archive-verify"
COPY_JOB, REPORT_JOB = "archive-copy", "archive-report"
THIN_JOB, RESTORE_JOB = "archive-thin", "archive-restore"
DISK_JOB, WEBHOOK_JOB = "archive-disk", "archive-webhook"
"""Kinds of jobs."""


class OpenSource(Protocol):
    """Makes a source of what is said about it."""

    def __call__(
        self, spec: SourceSpec, *, clock: Clock, store: Store
    ) -> AbstractAsyncContextManager[Source]:
        """The source, for as long as the context is open."""
        ...


class ArchiveDesk:
    """Opens the archive when somebody needs it, for writing only while somebody writes.

    So other programs on this machine, such as `weft archive`, may write in between.

    Args:
        settings: Every setting.
        store: Where jobs are kept, and this server's own records.
        clock: The time.
        ids: For jobs.
        kinds: Gives what can be done on the archive.
        on_end: Told of every job that ended, and of the one before it.
        open_source: Makes sources.
        egress: Sends messages about failures; made of the settings unless given.
        files: The bytes of this server's own files; none leaves them out.
        environ: Where schedules find keys that they name.
        lease_seconds: See `weft.jobs.JobEngine`.

    Raises:
        ConfigError: A setting cannot be right.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        clock: Clock,
        ids: Ids,
        kinds: Callable[[ArchiveDesk], Iterable[JobKind]],
        on_end: Callable[[ArchiveDesk, Job, Job | None], Awaitable[None]],
        open_source: OpenSource = open_any_source,
        egress: Egress | None = None,
        files: FileStore | None = None,
        environ: Mapping[str, str] | None = None,
        lease_seconds: float = 30.0,
    ) -> None:
        archive = settings.archive
        self.settings = settings
        self.clock = clock
        self.ids = ids
        self.folder = archive.folder or settings.data / "archive"
        self.files = files
        if files is not None and open_source is open_any_source:
            open_source = partial(open_any_source, files=files)
        self._open_source = open_source
        self.store = store
        self.environ = os.environ if environ is None else environ
        if archive.retention_days is not None and archive.store_days >= archive.retention_days:
            raise ConfigError(
                f"archive.store_days ({archive.store_days}) has to be smaller than archive.retention_days "
                f"({archive.retention_days}): what the archive has deleted is never deleted from the database"
            )
        self.sources = _sources(settings)
        """From where the settings say that conversations are pulled, by name."""
        self.watchers: set[asyncio.Event] = set()
        """Set whenever this process has changed the archive, or ends."""
        self.is_ending = False
        self._redactor = Redactor() if archive.redact else None
        self._file_rules = FileRules.of(archive)
        key = archive.redact_key
        self._secret_key = None if key is None else key.get_secret_value()
        self._egress = egress or open_egress(
            EgressConfig(allow_private_addresses=archive.webhook_private_addresses)
        )
        secret = archive.webhook_secret
        self.webhooks = Webhooks(
            archive.webhook_urls.replace(",", " ").split(),
            "" if secret is None else secret.get_secret_value(),
            egress=self._egress,
            clock=clock,
        )
        self.jobs = JobEngine(
            store,
            kinds(self),
            clock=clock,
            ids=ids,
            queues={
                "pull": QueueRule(concurrency=settings.jobs.pulls_at_once),
                "webhook": QueueRule(concurrency=4, per_minute=60),
            },
            on_end=partial(on_end, self),
            lease_seconds=lease_seconds,
            keep_days=settings.jobs.keep_days,
        )
        self._opening = asyncio.Lock()
        self._indexing = asyncio.Lock()
        self._writers = 0
        self._archive: AsyncArchive | None = None

    @asynccontextmanager
    async def open(self, *, work: bool) -> AsyncIterator[None]:
        """Keep the settings' schedules, and do jobs if wanted, for as long as the context is open.

        Raises:
            InvalidRequestError: A schedule of the settings makes no sense.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._egress.close)
            await self._set_schedules()
            if work:
                await stack.enter_async_context(self.jobs.working())
            yield

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncArchive]:
        """The archive for reading."""
        if self._archive is not None:
            yield self._archive
            return
        yield await AsyncArchive.open(self.folder, clock=self.clock, read_only=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncArchive]:
        """The archive for writing; everybody in this process shares it.

        Raises:
            ArchiveLockedError: Another process writes to it.
        """
        async with self._opening:
            if self._archive is None:
                self._archive = await AsyncArchive.open(
                    self.folder,
                    clock=self.clock,
                    redactor=self._redactor,
                    file_rules=self._file_rules,
                    secret_key=self._secret_key,
                    stable_tokens=self.settings.archive.redact_tokens == "archive",
                )
            self._writers += 1
            archive = self._archive
        try:
            yield archive
        finally:
            await asyncio.shield(self._leave())

    def open_source(self, spec: SourceSpec) -> AbstractAsyncContextManager[Source]:
        """The source that is meant, for as long as the context is open."""
        return self._open_source(spec, clock=self.clock, store=self.store)

    async def index(self, archive: AsyncArchive, *, tidy: bool = False) -> None:
        """Bring the search index up to date with an archive that is open for writing.

        Args:
            archive: The archive.
            tidy: Make it anew when much of what is in it has been deleted, as its words stay there.

        Raises:
            ArchiveError: The disk is full, or refuses; the index is as it was.
        """
        async with self._indexing:
            await archive.call(_refresh, archive, tidy)

    def say_changed(self) -> None:
        """Tell those who watch that there is something new."""
        for watcher in self.watchers:
            watcher.set()

    def end_watching(self) -> None:
        """Tell those who watch that nothing more will come."""
        self.is_ending = True
        self.say_changed()

    def resolve(self, target: Target, key: str = "") -> list[SourceSpec]:
        """What a target means: one source, or all that the settings know.

        Args:
            target: What was asked for.
            key: Its key, if it came with the request.

        Raises:
            ConfigError: No source is set, or the environment variable of its key is not.
            InvalidRequestError: The settings have no source of that name.
        """
        if target.source is not None:
            found = [self._named(target.source)] if target.source != "*" else list(self.sources.values())
            if not found:
                raise ConfigError(
                    "no source is set: set archive.url and archive.api_key, or a table [sources.<name>]"
                )
            wanted = target.organization_id
            return [replace(spec, organization_id=wanted or spec.organization_id) for spec in found]
        if target.key_env is not None:
            key = self.environ.get(target.key_env, "")
            if not key:
                raise ConfigError(f"the environment variable {target.key_env!r} is not set")
        if not key:
            raise ConfigError(
                f"the key for {target.url} was not stored and went with the process that had it; ask again"
            )
        return [
            SourceSpec(
                kind=target.kind or kind_of_key(key),
                url=target.url,
                app_id=target.app_id,
                api_key=key,
                organization_id=target.organization_id,
                is_guarded=not self.settings.archive.pull_private_addresses,
            )
        ]

    def own_sources(self) -> list[SourceSpec]:
        """How this server's own records are archived: as the settings say, or as they would by themselves."""
        own = [spec for spec in self.sources.values() if spec.kind == "own-store"]
        return own or [_own_source(self.settings)]

    def _named(self, name: str) -> SourceSpec:
        spec = self.sources.get(name)
        if spec is None:
            known = ", ".join(self.sources) or "none"
            raise InvalidRequestError(
                f"source: the settings have no source {name!r}; known: {known}", {"source": "unknown"}
            )
        return spec

    async def _leave(self) -> None:
        async with self._opening:
            self._writers -= 1
            if self._writers == 0 and self._archive is not None:
                archive, self._archive = self._archive, None
                await archive.close()
        self.say_changed()

    async def _set_schedules(self) -> None:
        archive = self.settings.archive
        wanted = {
            PULL: (archive.auto_pull, archive.pull_schedule, PULL_JOB, {"targets": [{"source": "*"}]}),
            CLEAN: (
                archive.retention_days is not None or archive.store_days > 0,
                archive.clean_schedule,
                CLEAN_JOB,
                {},
            ),
            COPY: (
                archive.pack_after_days is not None or archive.bucket is not None,
                archive.copy_schedule,
                COPY_JOB,
                {},
            ),
            REPORT: (archive.report_schedule is not None, archive.report_schedule or "", REPORT_JOB, {}),
            DISK: (bool(self.webhooks.urls), DISK_CRON, DISK_JOB, {}),
        }
        known = {one.id: one for one in await self.jobs.list_schedules()}
        for id, (is_wanted, cron, name, args) in wanted.items():
            if is_wanted:
                await self.jobs.put_schedule(Schedule(id, cron, name, args, zone=archive.timezone))
            elif id in known:
                await self.jobs.remove_schedule(id)


def _refresh(archive: AsyncArchive, tidy: bool) -> None:
    index = ArchiveIndex(archive.archive.vault)
    try:
        index.refresh()
        if tidy:
            known = index.status()
            if known.tombstones > CROSSED_OUT * (known.tombstones + known.messages):
                index.rebuild()
    finally:
        index.close()


def _sources(settings: Settings) -> dict[str, SourceSpec]:
    """What the settings say about sources.

    Raises:
        ConfigError: It makes no sense.
    """
    archive = settings.archive
    found: dict[str, SourceSpec] = {}
    if archive.url is not None and archive.api_key is not None:
        key = archive.api_key.get_secret_value()
        found[DEFAULT_SOURCE] = SourceSpec(
            kind=kind_of_key(key),
            url=archive.url,
            app_id=archive.app_id or "",
            api_key=key,
            organization_id=archive.organization_id,
        )
    for name, table in settings.sources.items():
        spec = SourceSpec.parse(name, table)
        found[name] = replace(spec, organization_id=spec.organization_id or archive.organization_id)
    return found or {OWN_SOURCE: _own_source(settings)}


def _own_source(settings: Settings) -> SourceSpec:
    return SourceSpec(kind="own-store", organization_id=settings.archive.organization_id)
