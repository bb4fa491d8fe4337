"""What a single app key shows of its app, which is less than an account sees.

The service API lists conversations of one user at a time, and no users. So users are found where they leave
traces: in the log of runs, in what they thought of answers, and in the list that the caller gives. What this
cannot find is said in `SourceApp.limits`, and so in the report.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from weft import wire
from weft.archive.json_text import JsonObject, content_digest
from weft.archive.run_record import RunRecord
from weft.archive.source import Loaded, SourceApp, SourceItem, SourcePage
from weft.archive.sources.held import HeldRows
from weft.archive.sources.newest_first import NumberedPage, iter_numbered
from weft.archive.sources.pace import Pace
from weft.archive.sources.row import conversation_of, offers_of, run_of, version_of
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
    """The newest opinion on an answer whose author is known, ISO 8601."""
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
        is_guarded: bool = False,
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
        self._is_guarded = is_guarded
        self._pace = Pace(clock, concurrency, requests_per_second)
        self._held: HeldRows[JsonObject] = HeldRows()
        self._logged: HeldRows[wire.WorkflowLog] = HeldRows()

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
                self._logged.put(app.id, ((entry.workflow_run.id, entry) for entry in entries))
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
        row = self._held.find(app.id, item.id)
        if row is None:
            row = (await self._find(user, item.id)).to_dict()
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
        told = [message.to_dict() for message in messages.values()]
        found = conversation_of(self._app_id, row, told)
        return Loaded(
            type(found).parse({**found.fields, "from_end_user_session_id": user}),
            offers=offers_of(
                told,
                self._client.base_url,
                is_guarded=self._is_guarded,
                read=partial(self._read_file, user),
            ),
        )

    async def _read_file(self, user: str, file_id: str) -> AsyncIterator[bytes]:
        async with self._client.file_preview(file_id, user=user) as download:
            async for piece in download:
                yield piece

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

    async def _rated(self, since: str, users: dict[str, None]) -> tuple[dict[str, str], str]:
        """What is said of each conversation's answers, and the newest of it.

        Args:
            since: The newest opinion that an earlier pull saw, ISO 8601.
            users: The people behind newer ones are added.
        """
        said: dict[str, list[wire.Feedback]] = {}
        people: set[str] = set()
        newest = since
        for one in await self._opinions():
            at = one.created_at or ""
            newest = max(newest, at)
            if one.conversation_id and one.from_source != "admin":  # messages tell no opinions of editors
                said.setdefault(one.conversation_id, []).append(one)
            if one.from_end_user_id and (not since or at >= since):
                people.add(one.from_end_user_id)
        for id in sorted(people):
            try:
                person = await self._pace.ask(partial(self._client.end_user, id))
            except NotFoundError:
                continue
            if person.session_id:
                users.setdefault(person.session_id)
        return {id: _digest(opinions) for id, opinions in said.items()}, newest

    async def _opinions(self) -> Sequence[wire.Feedback]:
        """All opinions on the app's answers; one that was changed keeps its place, so all have to be read."""
        found: dict[str, wire.Feedback] = {}
        number = 0
        while True:
            number += 1
            try:
                page = await self._pace.ask(partial(self._client.app_feedbacks, page=number, limit=PAGE))
            except NotFoundError:
                break  # a server of before
            fresh = {one.id: one for one in page.data if one.id not in found}
            found |= fresh
            if len(page.data) < PAGE or not fresh:
                break
        return list(found.values())

    async def _conversations(
        self, user: str, rated: Mapping[str, str], cursor: str
    ) -> AsyncIterator[SourcePage]:
        async for rows in self._rows(user):
            told = [(one.id, one.to_dict()) for one in rows]
            self._held.put(self._app_id, told)
            # The list does not tell of opinions, and they do not change `updated_at`.
            items = [
                SourceItem(id=id, version=version_of(row) + rated.get(id, ""), data={"user": user})
                for id, row in told
            ]
            yield SourcePage(items, cursor)

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
        entry = self._logged.find(self._app_id, run_id)
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


def _digest(opinions: Sequence[wire.Feedback]) -> str:
    """Changes with everything that is said in them."""
    told = {one.id: [one.message_id, one.rating, one.content, one.updated_at] for one in opinions}
    return f"-{content_digest(told)[:16]}"


def _load(cursor: str) -> _Place:
    try:
        return msgspec.json.decode(cursor, type=_Place) if cursor else _Place()
    except (msgspec.DecodeError, ValueError):
        return _Place()  # beginning anew loses nothing


def _dump(place: _Place) -> str:
    return msgspec.json.encode(place).decode()
