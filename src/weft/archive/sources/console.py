"""A console account of a Weft or Dify server: everything that was ever said in its apps.

Conversations are listed with the newest change first. Dify changes `updated_at` with every message, and not
when somebody rates or annotates an answer; a row of the list shows those too, so its digest is the version,
and every week the whole list is read again, at a hundred rows a request, to find them.

Neither conversations nor messages are asked for one by one: that would mark them as read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from weft import wire
from weft.archive.conversation import Conversation
from weft.archive.json_text import JsonObject
from weft.archive.run_record import RunRecord
from weft.archive.source import Loaded, SourceApp, SourceItem, SourcePage
from weft.archive.sources.console_message import MessagePage, read_messages
from weft.archive.sources.frontier import Frontier, load_frontier
from weft.archive.sources.held import HeldRows
from weft.archive.sources.newest_first import NumberedPage, Stretch, iter_newest_first, iter_numbered
from weft.archive.sources.pace import Pace
from weft.archive.sources.row import conversation_of, message_fields, offers_of, run_of, version_of
from weft.client import (
    AsyncChatApp,
    AsyncCompletionApp,
    AsyncConsoleClient,
    AsyncWorkflowApp,
)
from weft.clock import Clock
from weft.errors import InvalidRequestError, NotFoundError

T = TypeVar("T")
Row = wire.console.ChatConversation | wire.console.CompletionConversation

PAGE = 100
"""Rows of a request; the server's own maximum."""
OVERLAP = 300
"""Seconds before the newest known change that are looked at again."""
SLACK = timedelta(hours=1)
"""Added to the end of a list that is gone on with: clocks are set back by an hour once a year, and then the
account's local time, in which the server wants it, names two moments."""
FULL_DAYS = 7.0
LONGEST_RUN = 30 * 86_400
"""Seconds for which a run that has not ended is looked at again with every pull."""
_CHATS = ("chat", "agent-chat", "advanced-chat")
_ENDED = frozenset({"succeeded", "failed", "stopped", "partial-succeeded"})


class ConsoleSource:
    """What an account can see; one app of the server is one app of the source.

    Args:
        client: Signed in, or about to be; the caller closes it. Give it a `RetryPolicy` and, for many
            requests at once, `AiohttpTransport`.
        app_ids: Only these apps; all of the workspace when left out.
        organization_id: Where the conversations are filed.
        with_runs: Also fetch runs with their node executions, two requests for each message.
        concurrency: Requests at the same time, 1 to 50.
        requests_per_second: At most; none does not limit them.
        full_days: Days after which all rows are looked at again, for ratings and annotations of old answers.
        page_size: Rows of a request, 1 to 100.

    Raises:
        ConfigError: `concurrency` or `requests_per_second` is out of range.

    Source: Dify console API, `/apps/{id}/chat-conversations`, `/chat-messages`, `/workflow-runs`.
    """

    def __init__(
        self,
        client: AsyncConsoleClient,
        *,
        clock: Clock,
        app_ids: Sequence[str] | None = None,
        organization_id: str | None = None,
        with_runs: bool = True,
        concurrency: int = 8,
        requests_per_second: float | None = None,
        full_days: float = FULL_DAYS,
        page_size: int = PAGE,
        is_guarded: bool = False,
    ) -> None:
        self._client = client
        self._clock = clock
        self._app_ids = app_ids
        self._organization_id = organization_id
        self._with_runs = with_runs
        self._is_guarded = is_guarded
        self._pace = Pace(clock, concurrency, requests_per_second)
        self._full_days = full_days
        self._page_size = page_size
        self._modes: dict[str, str] = {}
        self._held: HeldRows[JsonObject] = HeldRows()

    def __repr__(self) -> str:
        return f"ConsoleSource({self._client.base_url!r})"

    @property
    def name(self) -> str:
        """The console's address."""
        return f"console {self._client.base_url}"

    async def list_apps(self) -> Sequence[SourceApp]:
        """The chosen apps without asking for them, or all of the workspace."""
        if self._app_ids is not None:
            chosen = dict.fromkeys(self._app_ids)
            return [SourceApp(app_id, organization_id=self._organization_id) for app_id in chosen]
        found = []
        async for app in self._client.iter_apps():
            if app.mode is not None:
                self._modes[app.id] = str(app.mode)
            found.append(SourceApp(app.id, app.name, self._organization_id))
        return found

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        """Conversations, or runs of an app without conversations, newest change first."""
        mode = await self._mode(app.id)
        frontier = load_frontier(cursor).begin(self._clock.now().timestamp(), OVERLAP, self._full_days)
        if mode in _CHATS:
            pages = self._conversations(app, frontier, self._chat_page(app.id), "chat")
        elif mode == "completion":
            pages = self._conversations(app, frontier, self._completion_page(app.id), "completion")
        elif mode == "workflow":
            pages = self._runs(app, frontier)
        else:
            raise InvalidRequestError(f"app {app.id} is of mode {mode!r}, whose logs are not known")
        async for page in pages:
            yield page

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        """A conversation with all messages and runs, or a run."""
        if item.data.get("kind") == "run":
            run = await self._load_run(app.id, item.id)
            if run is None:
                raise NotFoundError(f"there is no run {item.id!r}", kind="run", id=item.id)
            return Loaded(None, [run])
        row = self._held.find(app.id, item.id)
        if row is None:
            row = (await self._find(app, item)).to_dict()
        if item.data.get("kind") == "completion":
            return Loaded(_completion(app.id, row))
        messages = await self._messages(app.id, item.id)
        found = conversation_of(app.id, row, messages)
        offers = offers_of(messages, self._client.base_url, is_guarded=self._is_guarded)
        if not self._with_runs:
            return Loaded(found, offers=offers)
        wanted = {str(one["workflow_run_id"]): one for one in messages if one["workflow_run_id"]}
        runs = await _together(
            [
                partial(
                    self._load_run,
                    app.id,
                    id,
                    conversation_id=item.id,
                    message_id=message["id"],
                    created_at=message["created_at"],
                )
                for id, message in wanted.items()
            ]
        )
        return Loaded(found, [run for run in runs if run is not None], offers)

    async def _mode(self, app_id: str) -> str:
        if app_id not in self._modes:
            app = await self._pace.ask(lambda: self._client.get_app(app_id))
            self._modes[app_id] = str(app.mode)
        return self._modes[app_id]

    async def _conversations(
        self,
        app: SourceApp,
        frontier: Frontier,
        get: Callable[[int, datetime | None], Awaitable[NumberedPage[Row]]],
        kind: str,
    ) -> AsyncIterator[SourcePage]:
        async def read(after: str) -> AsyncGenerator[Stretch[Row], None]:
            end = datetime.fromtimestamp(int(after), UTC) + SLACK if after else None
            rows: list[Row] = []
            async for page in _ahead(iter_numbered(lambda number: get(number, end), self._page_size)):
                rows += page.rows
                if page.is_behind:
                    continue  # a step back is no page of its own: it would look like a list that goes round
                changed = [_changed(row) for row in rows]
                oldest = next((at for at in reversed(changed) if at is not None), None)
                after = after if oldest is None else str(oldest)
                yield Stretch(rows, changed, after)
                rows = []
            if rows:
                yield Stretch(rows, [_changed(row) for row in rows], after)

        async for rows, known in iter_newest_first(frontier, read):
            told = [(row.id, row.to_dict()) for row in rows]
            self._held.put(app.id, told)
            items = [
                SourceItem(
                    id=id,
                    version=version_of(row),
                    data={"kind": kind, "created_at": str(row.get("created_at") or 0)},
                )
                for id, row in told
            ]
            yield SourcePage(items, known.dump())

    def _chat_page(
        self, app_id: str, sort_by: wire.ConversationSort = "-updated_at"
    ) -> Callable[[int, datetime | None], Awaitable[NumberedPage[Row]]]:
        chat = self._client.app(app_id, AsyncChatApp)

        async def get(number: int, end: datetime | None) -> NumberedPage[Row]:
            page = await self._pace.ask(
                lambda: chat.get_logs(page=number, limit=self._page_size, end=end, sort_by=sort_by)
            )
            return NumberedPage(page.data, page.total, page.has_more)

        return get

    def _completion_page(self, app_id: str) -> Callable[[int, datetime | None], Awaitable[NumberedPage[Row]]]:
        completion = self._client.app(app_id, AsyncCompletionApp)

        async def get(number: int, end: datetime | None) -> NumberedPage[Row]:
            page = await self._pace.ask(
                lambda: completion.get_logs(page=number, limit=self._page_size, end=end)
            )
            return NumberedPage(page.data, page.total, page.has_more)

        return get

    async def _find(self, app: SourceApp, item: SourceItem) -> Row:
        """The row of a conversation that an earlier pull could not load."""
        created_at = datetime.fromtimestamp(int(item.data.get("created_at", 0)), UTC)
        if item.data.get("kind") == "completion":
            get, end = self._completion_page(app.id), created_at
        else:
            get, end = self._chat_page(app.id, "-created_at"), created_at
        async for page in iter_numbered(lambda number: get(number, end + SLACK), self._page_size):
            for row in page.rows:
                if row.id == item.id:
                    return row
            last = page.rows[-1].created_at if page.rows else None
            if last is not None and last < created_at.timestamp():
                break
        raise NotFoundError(f"there is no conversation {item.id!r}", kind="conversation", id=item.id)

    async def _messages(self, app_id: str, conversation_id: str) -> list[JsonObject]:
        """All messages, oldest first; pages lead back in time."""
        found: dict[object, JsonObject] = {}
        first_id: object = None
        while True:
            page = await self._message_page(app_id, conversation_id, first_id)
            fresh = {message["id"]: message for message in page.messages if message["id"] not in found}
            found = fresh | found
            if not page.has_more or not fresh:
                return list(found.values())
            first_id = page.messages[0]["id"]

    async def _message_page(self, app_id: str, conversation_id: str, first_id: object) -> MessagePage:
        return await self._pace.ask(
            lambda: self._client.fetch(
                read_messages,
                "apps",
                app_id,
                "chat-messages",
                conversation_id=conversation_id,
                first_id=first_id,
                limit=self._page_size,
            )
        )

    async def _load_run(self, app_id: str, run_id: str, **known: object) -> RunRecord | None:
        flow = self._client.app(app_id, AsyncWorkflowApp)
        try:
            detail, executions = await asyncio.gather(
                self._pace.ask(lambda: flow.get_run(run_id)),
                self._pace.ask(lambda: flow.get_node_executions(run_id)),
            )
        except NotFoundError:
            return None
        return run_of(app_id, detail, executions.data, **known)

    async def _runs(self, app: SourceApp, frontier: Frontier) -> AsyncIterator[SourcePage]:
        flow = self._client.app(app.id, AsyncWorkflowApp)

        async def read(after: str) -> AsyncGenerator[Stretch[wire.console.WorkflowRun], None]:
            last_id = after or None
            while True:
                page = await self._pace.ask(partial(flow.get_runs, last_id=last_id, limit=self._page_size))
                rows = [run for run in page.data if run.id]
                last = str(rows[-1].id) if rows else after
                is_last = not page.has_more or not rows or last == last_id
                yield Stretch(rows, [run.created_at for run in rows], last, is_last)
                if is_last:
                    return
                last_id = last

        now = self._clock.now().timestamp()
        waiting: int | None = None
        async for runs, known in iter_newest_first(frontier, read):
            for run in runs:
                at = run.created_at
                if at is not None and str(run.status) not in _ENDED and now - at < LONGEST_RUN:
                    waiting = at if waiting is None else min(waiting, at)
            # Runs that go on are looked at again, so the next walk has to come as far as the oldest of them.
            known = known if waiting is None else known.held_at(waiting)
            yield SourcePage([SourceItem(id=str(run.id), data={"kind": "run"}) for run in runs], known.dump())


def _changed(row: Row) -> int | None:
    if isinstance(row, wire.console.CompletionConversation):
        return row.created_at  # the order of their list
    return row.updated_at if row.updated_at is not None else row.created_at


def _completion(app_id: str, row: JsonObject) -> Conversation:
    """A conversation of one message, which its row holds."""
    message = row.get("message")
    told = message_fields(message if isinstance(message, dict) else {})
    told.setdefault("id", row["id"])
    told.setdefault("created_at", row.get("created_at"))
    fields = {name: value for name, value in row.items() if name not in ("message", "read_at")}
    return Conversation.parse({**fields, "app_id": app_id, "messages": [told]})


async def _together(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What all of them bring; the first that fails ends the others."""
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_begun(call)) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _begun(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


async def _ahead(pages: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same pages, each asked for while the one before is being worked on."""
    following: asyncio.Task[T | None] | None = asyncio.create_task(_next(pages))
    try:
        while following is not None and (page := await following) is not None:
            following = asyncio.create_task(_next(pages))
            yield page
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        await pages.aclose()


async def _next(pages: AsyncGenerator[T, None]) -> T | None:
    return await anext(pages, None)
