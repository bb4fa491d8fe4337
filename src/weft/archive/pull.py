"""Copying from a source into an archive: the driver of every `Source`.

For each page: items whose version the archive has are passed over, the others are loaded side by side,
stored, and only when they are durable the page's cursor is. So after a kill at any point the next pull
gives the missing conversations again, and those that came through write nothing a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal, Protocol

from msgspec.structs import replace

from weft.archive.attachment import iter_attachments
from weft.archive.conversation import Conversation
from weft.archive.cursor import Cursor, Cursors, FailedItem
from weft.archive.fetching import FileFetcher, FileRules, is_complete, missing_files
from weft.archive.instant import render_instant
from weft.archive.manifest import Entry, describe_conversation
from weft.archive.name import encode_name
from weft.archive.pipeline import Pipeline
from weft.archive.query import Query
from weft.archive.redaction import Redactor
from weft.archive.saving import Saved, Saver
from weft.archive.source import Loaded, Source, SourceApp, SourceItem, SourcePage
from weft.archive.vault import Vault
from weft.clock import Clock
from weft.errors import (
    ArchiveError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    WeftError,
)

_LOG = logging.getLogger(__name__)
_BUSY = (TooManyRequestsError, RateLimitedError, TransportError, ServerError)
LONGEST_WAIT = 900.0
"""Seconds that a server may ask us to stay away."""
LONGEST_PAUSE = 60.0
"""Seconds, where it does not say."""
STORED_AT_ONCE = 100
"""Conversations that are stored together."""
HELD = 2 * STORED_AT_ONCE
"""Those that are in memory, besides those that are being loaded: the disk is never waited for while one batch
is being stored and the next is complete."""
CURSOR_SECONDS = 1.0
"""Seconds for which a cursor may stay behind what is stored, as each waits for the disk. After a kill some
pages are listed again, and what is on them is known by its version."""
SHORTEST_PAUSE = 1.0
STALE_PAGES = 3
"""Pages in a row that bring neither a new item nor a new cursor; then the source goes round in circles."""
MAX_FAILED = 10_000
"""Items that one app's cursor file remembers as failed; beyond it the app's pull ends."""


class PullTarget(Protocol):
    """What a pull needs of an archive."""

    @property
    def vault(self) -> Vault:
        """Its files."""
        ...

    @property
    def redactor(self) -> Redactor | None:
        """What is taken out before anything is stored."""
        ...

    @property
    def file_rules(self) -> FileRules | None:
        """Which attached files are kept; none keeps what is known of them only."""
        ...


@dataclass(frozen=True, slots=True)
class PullOptions:
    """How hard a pull works."""

    concurrency: int = 8
    """Conversations that are loaded at the same time, of all apps together."""
    app_concurrency: int = 2
    """Apps that are pulled at the same time."""
    attempts: int = 6
    """Times that an item is asked for when the server is busy or fails, before it is noted as failed."""
    restart: bool = False
    """Begin at the start of the source, whatever was pulled before."""


@dataclass(slots=True)
class AppReport:
    """What became of one app."""

    app: SourceApp
    seen: int = 0
    """Items on its pages, repeated ones included."""
    written: int = 0
    unchanged: int = 0
    """Loaded or not, nothing had changed."""
    runs: int = 0
    """Runs that were written."""
    gone: int = 0
    """Items that the source does not have any more."""
    files: int = 0
    """Attached files that were fetched."""
    files_missing: int = 0
    """Attached files whose bytes could not be had; their conversations say why."""
    bytes_written: int = 0
    failed: list[FailedItem] = field(default_factory=list)
    """Conversations that could not be had; the next pull tries them again."""
    paths: list[str] = field(default_factory=list)
    """Files of stored conversations, relative to the archive's root; only kept when asked for."""
    error: str = ""
    """Why the app's pull ended before its end; empty when it did not."""


@dataclass(slots=True)
class PullReport:
    """What a pull did."""

    apps: list[AppReport] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether everything that the source gave is in the archive."""
        return all(not app.error and not app.failed for app in self.apps)

    def total(
        self,
        name: Literal[
            "seen", "written", "unchanged", "runs", "gone", "bytes_written", "files", "files_missing"
        ],
    ) -> int:
        """The sum of a count over all apps."""
        return sum(int(getattr(app, name)) for app in self.apps)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far an app is; given after each page that became durable."""

    app: SourceApp
    seen: int
    written: int
    unchanged: int
    failed: int
    runs: int = 0


class _TargetError(Exception):
    """The archive failed, not the source: that concerns every app."""

    def __init__(self, cause: ArchiveError) -> None:
        self.cause = cause
        super().__init__(str(cause))


async def pull(
    source: Source,
    archive: PullTarget,
    *,
    clock: Clock,
    options: PullOptions | None = None,
    progress: Callable[[PullProgress], None] | None = None,
    query: Query | None = None,
    organization_id: str | None = None,
    with_paths: bool = False,
) -> PullReport:
    """Copy what is new or changed at a source into an archive.

    Args:
        progress: Called in the event loop after each durable page.
        query: Store only what matches; cursors are then neither used nor moved, as they speak of everything.
        organization_id: Files everything there, whatever the source says.
        with_paths: Collect the paths of all files, which takes memory for each.

    Returns:
        A report for each app; an app that failed stopped no other.

    Raises:
        ArchiveError: The archive cannot be written to (full, read-only); what was durable stays so.
        WeftError: The source cannot list its apps.
    """
    archive.vault.check_writable()
    reports = [AppReport(app) for app in await source.list_apps()]
    puller = _Puller(source, archive, clock, options or PullOptions())
    puller.progress, puller.query = progress, query
    puller.organization_id, puller.with_paths = organization_id, with_paths
    limiter = asyncio.Semaphore(puller.options.app_concurrency)

    async def one(report: AppReport) -> None:
        async with limiter:
            await puller.pull_app(report)

    try:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            if archive.file_rules is not None:
                fetcher = FileFetcher(archive.vault.shelf, archive.file_rules)
                puller.fetcher = await stack.enter_async_context(fetcher)
            for report in reports:
                group.create_task(one(report))
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first.cause if isinstance(first, _TargetError) else first from None
    await asyncio.to_thread(archive.vault.checkpoint)
    return PullReport(reports)


class _Puller:
    """One pull: what its apps share."""

    def __init__(self, source: Source, archive: PullTarget, clock: Clock, options: PullOptions) -> None:
        self.options = options
        self.progress: Callable[[PullProgress], None] | None = None
        self.query: Query | None = None
        self.organization_id: str | None = None
        self.with_paths = False
        self.fetcher: FileFetcher | None = None
        self._source = source
        self._vault = archive.vault
        self._redactor = archive.redactor
        self._clock = clock
        self._cursors = Cursors(archive.vault)
        self._loading = asyncio.Semaphore(options.concurrency)
        self._resume_at = 0.0
        """On the clock's monotonic scale: until then a busy server is asked nothing, by nobody."""

    async def pull_app(self, report: AppReport) -> None:
        """Pull one app to its end, or to its first error, which goes into the report."""
        try:
            await _AppPull(self, report).run()
        except WeftError as error:
            report.error = f"{type(error).__name__}: {error}"
        except Exception as error:
            # The border of one app: a source with a mistake in it must not stop the others.
            if isinstance(error, _TargetError):
                raise
            _LOG.exception("pulling app %r of %r failed", report.app.id, self._source.name)
            report.error = f"{type(error).__name__}: {error}"

    def get_cursor(self, app: SourceApp) -> Cursor:
        """Where the app stands."""
        if self.query is not None:
            return Cursor(source=self._source.name, app=app.id)
        try:
            cursor = self._cursors.get(self._source.name, app.id)
        except ArchiveError as error:
            raise _TargetError(error) from error
        # What was pulled while no files were kept has to be met again, once; versions save the rest.
        behind = self.fetcher is not None and not cursor.files
        return replace(cursor, position="") if self.options.restart or behind else cursor

    def put_cursor(self, cursor: Cursor) -> None:
        """Make it durable where the app stands."""
        if self.query is not None:
            return
        try:
            with self._vault.mutex:
                now = render_instant(self._clock.now())
                self._cursors.put(replace(cursor, updated_at=now, files=self.fetcher is not None))
        except ArchiveError as error:
            raise _TargetError(error) from error

    def iter_pages(self, app: SourceApp, position: str) -> AsyncIterator[SourcePage]:
        """The source's pages from there on."""
        return self._source.iter_pages(app, position)

    def find_known(self, app: SourceApp, item: SourceItem) -> tuple[str, Entry] | None:
        """Path and row of an item whose version the archive has already."""
        organization_id = self.organization_id or app.organization_id
        if item.version is None:
            return None
        try:
            organization = encode_name(organization_id, "organization_id") if organization_id else ""
            day = self._vault.locate("conversations", organization, item.id)
            entry = None if day is None else self._vault.find_entry(day, item.id)
        except ArchiveError as error:
            raise _TargetError(error) from error
        if day is None or entry is None or entry.source_version != item.version:
            return None
        if entry.unasked and self.fetcher is not None and (self.query is None or self.query.matches(entry)):
            return None  # it came while no files were kept
        return f"{day.path}/{entry.file}", entry

    def is_wanted(self, loaded: Loaded) -> bool:
        """Whether the conversation is to be stored."""
        if self.query is None or loaded.conversation is None:
            return self.query is None
        created_at = render_instant(loaded.conversation.created_at)
        try:
            entry, _ = describe_conversation(loaded.conversation, created_at)
        except InvalidRequestError:
            return True  # storing it will say what is wrong
        return self.query.matches(entry)

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded | FailedItem | None:
        """The conversation, why it cannot be had, or none when it has gone."""
        for attempt in range(1, self.options.attempts + 1):
            async with self._loading:
                await self.wait()
                try:
                    return await self.with_files(app, await self._source.load(app, item))
                except NotFoundError:
                    return None
                except _BUSY as error:
                    reason = f"{type(error).__name__}: {error}"
                    self.pause(error, attempt)
                except (WeftError, ValueError, LookupError, TypeError) as error:
                    return FailedItem(item=item, reason=f"{type(error).__name__}: {error}")
        return FailedItem(item=item, reason=f"{reason} (after {self.options.attempts} attempts)")

    async def with_files(self, app: SourceApp, loaded: Loaded) -> Loaded:
        """The same with the bytes of its files, if they are wanted."""
        conversation, fetcher = loaded.conversation, self.fetcher
        if fetcher is None or conversation is None or not self.is_wanted(loaded):
            return loaded
        if not any(True for _ in iter_attachments(conversation)):
            return loaded
        known = await asyncio.to_thread(self._kept_files, app, conversation)
        try:
            return await fetcher.fetch(loaded, known)
        except ArchiveError as error:
            raise _TargetError(error) from error

    def _kept_files(self, app: SourceApp, conversation: Conversation) -> set[tuple[str, str]]:
        """Keys of the conversation's files whose bytes the archive has."""
        filed = conversation.within(self.organization_id or app.organization_id)
        try:
            with self._vault.mutex:
                return Saver(self._vault, self._redactor).kept_files(filed)
        except InvalidRequestError:
            return set()  # storing it will say what is wrong
        except ArchiveError as error:
            raise _TargetError(error) from error

    def clean(self, text: str) -> str:
        """A text without what the archive takes out of everything."""
        return text if self._redactor is None else self._redactor.text(text)

    def pause(self, error: WeftError, attempt: int) -> None:
        """Leave the server alone, for as long as it says or for longer each time."""
        said = getattr(error, "retry_after", None)
        seconds = min(SHORTEST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
        if isinstance(said, int | float):
            seconds = min(max(float(said), 0.0), LONGEST_WAIT)
        self._resume_at = max(self._resume_at, self._clock.monotonic() + seconds)

    def now(self) -> float:
        """Seconds on the clock's monotonic scale."""
        return self._clock.monotonic()

    async def wait(self) -> None:
        """Return when the server may be asked again."""
        while (left := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)

    def store(self, app: SourceApp, loaded: Sequence[tuple[SourceItem, Loaded]]) -> tuple[Saved, Saved]:
        """Store conversations and their runs; when this returns they are on the disk."""
        organization_id = self.organization_id or app.organization_id
        try:
            with self._vault.mutex:
                conversations, runs = Saver(self._vault, self._redactor), Saver(self._vault, self._redactor)
                # Runs first: a conversation that is there with its version is never asked for again.
                for _, found in loaded:
                    for run in found.runs:
                        runs.add(run.within(organization_id))
                runs.flush()
                for item, found in loaded:
                    if found.conversation is not None:
                        version = item.version if is_complete(found) else None
                        conversations.add(found.conversation.within(organization_id), version, found.attached)
                return conversations.flush(), runs.saved
        except ArchiveError as error:
            raise _TargetError(error) from error


@dataclass(slots=True)
class _Page:
    """A page whose items are being loaded and stored."""

    position: str
    """The cursor that holds when they are durable."""
    seen: int
    """Items of the app up to here."""
    unchanged: list[str]
    """Files of items that the archive has already."""
    attempts: dict[str, int]
    """How often items were tried by earlier pulls."""
    failed: dict[str, FailedItem] = field(default_factory=dict)


class _AppPull:
    """The pull of one app; its pipeline does its work, see there."""

    def __init__(self, puller: _Puller, report: AppReport) -> None:
        self._puller = puller
        self._report = report
        self._app = report.app
        self._cursor = self._durable = Cursor(source="", app="")
        self._noted_at: float | None = None
        self._seen: set[tuple[str, str | None]] = set()
        self._positions: set[str] = set()
        self._stale = 0
        self._busy: set[str] = set()
        """Ids that are being loaded or stored."""

    async def run(self) -> None:
        self._cursor = self._durable = await asyncio.to_thread(self._puller.get_cursor, self._app)
        try:
            await self._pull()
        except _TargetError:
            raise
        except Exception:
            await self._note_cursor()
            raise
        await self._note_cursor()

    async def _pull(self) -> None:
        earlier = self._cursor.failed
        if earlier:
            self._cursor = replace(self._cursor, failed=[])
            async with self._pipeline() as pipeline:
                await self._take(pipeline, [old.item for old in earlier], self._cursor.position, earlier)
        attempt = 0
        while True:
            before = self._cursor.position
            try:
                await self._puller.wait()
                await self._read_pages()
                return
            except _BUSY as error:
                attempt = 1 if self._cursor.position != before else attempt + 1
                if attempt >= self._puller.options.attempts:
                    raise
                self._puller.pause(error, attempt)
                self._seen.clear()
                self._positions.clear()
                self._stale = 0

    async def _read_pages(self) -> None:
        pages = self._puller.iter_pages(self._app, self._cursor.position)
        try:
            async with self._pipeline() as pipeline:
                async for page in pages:
                    self._check_progress(page)
                    self._report.seen += len(page.items)
                    await self._take(pipeline, page.items, page.cursor)
        finally:
            close = getattr(pages, "aclose", None)
            if close is not None:
                await close()

    def _pipeline(self) -> Pipeline[_Page, SourceItem, Loaded | FailedItem | None]:
        most = HELD + self._puller.options.concurrency
        return Pipeline(self, most=most, batch=STORED_AT_ONCE)

    def _check_progress(self, page: SourcePage) -> None:
        keys = {(item.id, item.version) for item in page.items}
        is_stale = keys <= self._seen and page.cursor in self._positions
        self._stale = self._stale + 1 if is_stale else 0
        self._seen |= keys
        self._positions.add(page.cursor)
        if self._stale >= STALE_PAGES:
            raise ArchiveError(
                f"the source gives the same page again and again (cursor {page.cursor!r}); "
                "its paging is broken"
            )

    async def _take(
        self,
        pipeline: Pipeline[_Page, SourceItem, Loaded | FailedItem | None],
        items: Sequence[SourceItem],
        position: str,
        earlier: Sequence[FailedItem] = (),
    ) -> None:
        """Have the items of a page loaded and stored, and after them the cursor moved."""
        if not self._busy.isdisjoint(item.id for item in items):
            await pipeline.drain()  # of two versions of a conversation the later one has to be stored last
        page = _Page(position, self._report.seen, [], {old.item.id: old.attempts for old in earlier})
        wanted = await asyncio.to_thread(self._wanted, page, items)
        self._busy.update(item.id for item in wanted)
        await pipeline.put(page, wanted)

    def _wanted(self, page: _Page, items: Sequence[SourceItem]) -> list[SourceItem]:
        """The items to be loaded, each once; those that the archive has already are noted."""
        puller = self._puller
        wanted: list[SourceItem] = []
        for item in {item.id: item for item in items}.values():
            known = puller.find_known(self._app, item)
            if known is None:
                wanted.append(item)
            elif puller.query is None or puller.query.matches(known[1]):
                page.unchanged.append(known[0])
        return wanted

    async def load(self, item: SourceItem) -> Loaded | FailedItem | None:
        """Load an item."""
        return await self._puller.load(self._app, item)

    async def store(
        self, page: _Page, results: Sequence[tuple[SourceItem, Loaded | FailedItem | None]]
    ) -> None:
        """Make items durable, and note those that could not be had."""
        report = self._report
        loaded: list[tuple[SourceItem, Loaded]] = []
        for item, result in results:
            if result is None:
                report.gone += 1
            elif isinstance(result, FailedItem):
                page.failed[item.id] = result
            elif self._puller.is_wanted(result):
                loaded.append((item, result))
        saved, runs = await asyncio.to_thread(self._puller.store, self._app, loaded)
        report.written += saved.written
        report.unchanged += saved.unchanged
        report.runs += runs.written
        report.bytes_written += saved.bytes_written + runs.bytes_written
        for _, found in loaded:
            report.files += len(found.attached)
            report.files_missing += missing_files(found)
        if self._puller.with_paths:
            report.paths += saved.paths.values()
        items = {found.conversation.id: item for item, found in loaded if found.conversation is not None}
        items |= {run.id: item for item, found in loaded for run in found.runs}
        for failure in [*saved.failed, *runs.failed]:
            item = items[failure.id]
            page.failed[item.id] = FailedItem(item=item, reason=failure.reason)
        self._busy.difference_update(item.id for item, _ in results)

    async def finish(self, page: _Page) -> None:
        """Move the cursor behind a page."""
        report = self._report
        report.unchanged += len(page.unchanged)
        if self._puller.with_paths:
            report.paths += page.unchanged
        self._commit(page.failed, page.attempts)
        self._cursor = replace(self._cursor, position=page.position)
        now = self._puller.now()
        if self._noted_at is None or now - self._noted_at >= CURSOR_SECONDS:
            self._noted_at = now
            await self._note_cursor()
        if self._puller.progress is not None:
            self._puller.progress(
                PullProgress(
                    self._app,
                    page.seen,
                    report.written,
                    report.unchanged,
                    len(report.failed),
                    report.runs,
                )
            )

    async def _note_cursor(self) -> None:
        if self._cursor != self._durable:
            await asyncio.to_thread(self._puller.put_cursor, self._cursor)
            self._durable = self._cursor

    def _commit(self, failed: dict[str, FailedItem], attempts: dict[str, int]) -> None:
        if not failed:
            return
        # A reason may quote what could not be read, and it goes to the disk like everything else.
        clean = self._puller.clean
        new = [
            replace(item, reason=clean(item.reason), attempts=attempts.get(id, 0) + 1)
            for id, item in failed.items()
        ]
        others = [item for item in self._cursor.failed if item.item.id not in failed]
        if len(others) + len(new) > MAX_FAILED:
            raise ArchiveError(
                f"more than {MAX_FAILED} conversations of this app cannot be had; the last reason: "
                f"{new[-1].reason}"
            )
        self._cursor = replace(self._cursor, failed=[*others, *new])
        self._report.failed = list(self._cursor.failed)
