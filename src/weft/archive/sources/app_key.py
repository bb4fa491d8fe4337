"""What a single app key shows of its app, which is less than an account sees.

The service API lists conversations of one user at a time, and no users. So users are found where they leave
traces: in the log of runs, in what they thought of answers, and in the list that the caller gives. What this
cannot find is said in `SourceApp.limits`, and so in the report.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from weft import wire
from weft.archive.run_record import RunRecord
from weft.archive.source import Loaded, SourceApp, SourceItem, SourcePage
from weft.archive.sources.newest_first import NumberedPage, iter_numbered
from weft.archive.sources.pace import Pace
from weft.archive.sources.row import conversation_of, run_of, version_of
from weft.client import AsyncClient
from weft.clock import Clock
from weft.errors import InvalidRequestError, NotFoundError

PAGE = 100
OVERLAP = 300
"""Seconds before the newest known trace that are looked at again."""
LIMITS = (
    "Conversations of users who left no trace are missing: an app key lists conversations of one user at a "
    "time, and users are known from the log of runs and from their feedback only. Dify writes that log for "
    "workflow apps alone; give the users of a chatflow, or use a console account.",
    "Conversations of the web app, of installed apps and of the debugger are missing: the service API does "
    "not list them.",
    "Node executions, annotations of messages, feedback of editors and who an account is are missing.",
    "Runs are missing where the log does not name the conversation that they answered.",
)


class _Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a cursor says."""

    log: int | None = None
    """Unix seconds of the newest entry of the log that is done with."""
    feedback: str = ""
    """The newest feedback that is done with, ISO 8601."""
    users: tuple[str, ...] = ()
    """Everybody who was found so far."""


class AppKeySource:
    """One app through its key.

    Args:
        client: With the key; the caller closes it.
        app_id: The app's id, which a key does not tell; names the cursor and stands in each conversation.
        users: The `user` texts of people whose conversations are wanted as well.
        organization_id: Where the conversations are filed.
        with_runs: Also fetch the runs of workflow apps.
        concurrency: Requests at the same time, 1 to 50.
        requests_per_second: At most; none does not limit them.

    Raises:
        ConfigError: `concurrency` or `requests_per_second` is out of range.

    Source: Dify service API, `/workflows/logs`, `/app/feedbacks`, `/conversations`, `/messages`.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        clock: Clock,
        app_id: str,
        users: Sequence[str] = (),
        organization_id: str | None = None,
        with_runs: bool = True,
        concurrency: int = 8,
        requests_per_second: float | None = None,
    ) -> None:
        if not app_id:
            raise InvalidRequestError(
                "an app key does not tell its app's id; give one", {"app_id": "missing"}
            )
        self._client = client
        self._app_id = app_id
        self._users = tuple(dict.fromkeys(users))
        self._organization_id = organization_id
        self._with_runs = with_runs
        self._pace = Pace(clock, concurrency, requests_per_second)
        self._held: dict[str, wire.Conversation] = {}
        self._logged: dict[str, wire.WorkflowLog] = {}

    def __repr__(self) -> str:
        return f"AppKeySource({self._client.base_url!r}, app_id={self._app_id!r})"

    @property
    def name(self) -> str:
        """The server's address."""
        return f"app-key {self._client.base_url}"

    async def list_apps(self) -> Sequence[SourceApp]:
        """The one app of the key, which is asked for its name so that a wrong key is noticed at once.

        Raises:
            UnauthorizedError: The key is not good.
        """
        info = await self._pace.ask(self._client.info)
        return [SourceApp(self._app_id, info.name, self._organization_id, LIMITS)]

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        """The conversations of each known user, newest change first; runs of workflow apps before them."""
        place = _load(cursor)
        is_workflow = (await self._pace.ask(self._client.info)).mode == "workflow"
        users = dict.fromkeys([*place.users, *self._users])
        newest = place.log
        async for entries in self._log(place.log):
            newest = max([newest or 0, *(entry.created_at or 0 for entry in entries)])
            for entry in entries:
                if entry.created_by_end_user is not None and entry.created_by_end_user.session_id:
                    users.setdefault(entry.created_by_end_user.session_id)
            if is_workflow and self._with_runs:
                self._logged = {entry.workflow_run.id: entry for entry in entries}
                items = [SourceItem(id=entry.workflow_run.id, data={"kind": "run"}) for entry in entries]
                yield SourcePage(items, cursor)
        if is_workflow:
            yield SourcePage((), _dump(msgspec.structs.replace(place, log=newest)))
            return
        rated, seen = await self._rated(place.feedback, users)
        for user in users:
            async for page in self._conversations(user, rated, cursor):
                yield page
        yield SourcePage((), _dump(_Place(log=newest, feedback=seen, users=tuple(users))))

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        """A conversation with its messages, or a run of a workflow app."""
        if item.data.get("kind") == "run":
            return Loaded(None, [await self._load_run(item.id)])
        user = item.data["user"]
        row = self._held.get(item.id)
        if row is None:
            row = await self._find(user, item.id)
        messages: dict[str, wire.Message] = {}
        first_id: str | None = None
        while True:
            page = await self._pace.ask(
                partial(self._client.messages, item.id, user=user, first_id=first_id, limit=PAGE)
            )
            fresh = {message.id: message for message in page.data if message.id not in messages}
            messages = fresh | messages
            if not page.has_more or not fresh:
                break
            first_id = page.data[0].id
        found = conversation_of(self._app_id, row, messages.values())
        return Loaded(type(found).parse({**found.fields, "from_end_user_session_id": user}))

    async def _log(self, since: int | None) -> AsyncIterator[Sequence[wire.WorkflowLog]]:
        """New entries of the log, page by page."""
        after = None if since is None else datetime.fromtimestamp(max(since - OVERLAP, 0), UTC)

        async def get(number: int) -> NumberedPage[wire.WorkflowLog]:
            page = await self._pace.ask(
                partial(self._client.workflow_logs, page=number, limit=PAGE, created_after=after)
            )
            return NumberedPage(page.data, page.total, page.has_more)

        try:
            async for page in iter_numbered(get, PAGE):
                yield page.rows
        except (NotFoundError, InvalidRequestError):
            return  # a server, or a kind of app, that has no such log

    async def _rated(self, since: str, users: dict[str, None]) -> tuple[set[str], str]:
        """Conversations with new feedback; the users behind them are added to the known.

        Feedback does not change a conversation's `updated_at`. One that is changed later keeps its place in
        this list, and is met only by a pull from the start.
        """
        rated: set[str] = set()
        people: set[str] = set()
        newest, number, is_last = since, 0, False
        while not is_last:
            number += 1
            try:
                page = await self._pace.ask(partial(self._client.app_feedbacks, page=number, limit=PAGE))
            except NotFoundError:
                break  # a server of before
            new = [one for one in page.data if not since or (one.created_at or "") >= since]
            is_last = len(page.data) < PAGE or len(new) < len(page.data)
            newest = max([newest, *(one.created_at or "" for one in new)])
            rated.update(one.conversation_id for one in new if one.conversation_id)
            people.update(one.from_end_user_id for one in new if one.from_end_user_id)
        for id in sorted(people):
            try:
                person = await self._pace.ask(partial(self._client.end_user, id))
            except NotFoundError:
                continue
            if person.session_id:
                users.setdefault(person.session_id)
        return rated, newest

    async def _conversations(self, user: str, rated: set[str], cursor: str) -> AsyncIterator[SourcePage]:
        async for rows in self._rows(user):
            self._held = {one.id: one for one in rows}
            yield SourcePage(
                [
                    SourceItem(
                        id=one.id,
                        # None loads it: what was rated is not told by the list.
                        version=None if one.id in rated else version_of(one),
                        data={"user": user},
                    )
                    for one in rows
                ],
                cursor,
            )

    async def _rows(self, user: str) -> AsyncIterator[list[wire.Conversation]]:
        """Conversations of a user, those that changed last first, none twice.

        A page goes on from its last conversation. When that one is deleted the page before it is read again;
        when it changes it moves to the front, and all that follows is met again.
        """
        seen: set[str] = set()
        places: list[str] = []
        while True:
            last_id = places[-1] if places else None
            try:
                page = await self._pace.ask(
                    partial(self._client.conversations, user=user, last_id=last_id, limit=PAGE)
                )
            except NotFoundError:
                if not places:
                    return
                places.pop()
                continue
            fresh = [one for one in page.data if one.id not in seen]
            seen.update(one.id for one in fresh)
            if fresh:
                yield fresh
            if not page.has_more or not page.data or page.data[-1].id == last_id:
                return
            places = [*places[-PAGE:], *(one.id for one in page.data)]

    async def _find(self, user: str, conversation_id: str) -> wire.Conversation:
        async for rows in self._rows(user):
            for row in rows:
                if row.id == conversation_id:
                    return row
        raise NotFoundError(
            f"there is no conversation {conversation_id!r}", kind="conversation", id=conversation_id
        )

    async def _load_run(self, run_id: str) -> RunRecord:
        detail = await self._pace.ask(partial(self._client.workflow_run, run_id))
        known: dict[str, object] = {}
        entry = self._logged.get(run_id)
        if entry is not None:
            known = {
                name: value
                for name, value in entry.to_dict().items()
                if name in ("created_from", "created_by_role", "created_by_account", "created_by_end_user")
            }
            known["log_id"] = entry.id
            known["version"] = entry.workflow_run.version
            known["triggered_from"] = entry.workflow_run.triggered_from
        return run_of(self._app_id, detail, (), **known)


def _load(cursor: str) -> _Place:
    try:
        return msgspec.json.decode(cursor, type=_Place) if cursor else _Place()
    except (msgspec.DecodeError, ValueError):
        return _Place()  # beginning anew loses nothing


def _dump(place: _Place) -> str:
    return msgspec.json.encode(place).decode()
