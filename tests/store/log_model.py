"""What the pages of an app's log and of its conversations have to be, by looking at everything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from tests.store.rows import START, Rows
from weft.store import (
    App,
    Connection,
    Conversation,
    ConversationFilter,
    EndUser,
    LogFilter,
    Message,
    Run,
    RunStatus,
    conversations,
    end_users,
    runs,
)
from weft.store.codec import dump_json
from weft.store.tables import conversations as conversations_table
from weft.store.tables import messages as messages_table
from weft.store.tables import runs as runs_table

WORDS = ["Regen", "rain", "Straße", "東京", "東京都", "大阪", "ПРИВЕТ", "100%", "a_b", "ab", "rain Regen"]
WORDS += ["x\x1fy", "z\x1ez", "\ufffd", '"', "'"]
KEYWORDS = [*WORDS, *(word.swapcase() for word in WORDS)]
KEYWORDS += ["京", "都", "東", "n", "ai", "u1", "U", "in r", "sys.query", "no such word", "r" * 40]
KEYWORDS += ['sys.query":"rain', 't"}', "}", "\x1f", "x\x1f", "\x1e", "%", "_"]
STATUSES: Sequence[RunStatus] = ("succeeded", "failed", "stopped", "partial-succeeded", "running", "paused")


class LogModel:
    """All rows of an app and of another one, changed at random."""

    def __init__(self, app: App, rows: Rows, seed: int) -> None:
        self.app = app
        self.rows = rows
        self.random = random.Random(seed)
        self.people = [rows.end_user(app, name) for name in ("u1", "Ünal 東京", "rain man")]
        self.talks: dict[str, Conversation] = {}
        self.messages: dict[str, Message] = {}
        self.runs: dict[str, Run] = {}

    def begin(self, connection: Connection) -> None:
        for person in self.people:
            end_users.find_or_create(connection, person)

    def change(self, connection: Connection) -> None:
        """One change."""
        deeds = [self._ask, self._ask, self._finish, self._finish, self._pause]
        deeds += [self._rename, self._remove_run, self._remove_talk, self._amend]
        self.random.choice(deeds)(connection)

    def _ask(self, connection: Connection) -> None:
        pick = self.random
        person = pick.choice(self.people)
        at = self._time()
        conversation = None
        if not self.talks or pick.random() < 0.5:
            made = replace(
                self.rows.conversation(person),
                name=self._text(),
                introduction=self._text(),
                created_at=at,
                updated_at=at,
                invoke_from=pick.choice(["service-api", "debugger", None]),
            )
            conversation, talk = made, made
        else:
            talk = pick.choice([*self.talks.values()])
        message = replace(self.rows.message(talk, 0, self._text()), created_at=at)
        run = replace(
            self.rows.run(message),
            created_at=at,
            inputs={"sys.query": message.query},
            triggered_from=pick.choice(["app-run", "app-run", "app-run", "debugging"]),
            account_id=pick.choice([None, None, "ada"]),
        )
        if pick.random() < 0.1:
            run = replace(run, app_id="another app")
        runs.start(connection, conversation, message, run)
        updated = replace(talk, updated_at=at) if conversation is None else talk
        self.talks[talk.id] = updated
        self.messages[message.id], self.runs[run.id] = message, run

    def _finish(self, connection: Connection) -> None:
        self._end(connection, self.random.choice(STATUSES[:4]), ended=True)

    def _pause(self, connection: Connection) -> None:
        self._end(connection, "paused", ended=False)

    def _end(self, connection: Connection, status: RunStatus, *, ended: bool) -> None:
        open_runs = [run for run in self.runs.values() if run.finished_at is None]
        if not open_runs:
            return
        run = self.random.choice(open_runs)
        now = self._time()
        run = replace(
            run, status=status, outputs={"answer": self._text()}, finished_at=now if ended else None
        )
        answered = self.messages[run.message_id or ""]
        message = replace(answered, answer=self._text(), updated_at=now)
        runs.finish(connection, run, message)
        self.runs[run.id], self.messages[message.id] = run, message
        talk = self.talks[message.conversation_id]
        self.talks[talk.id] = replace(talk, updated_at=now)

    def _amend(self, connection: Connection) -> None:
        """A run that has ended is changed, which nobody does."""
        if not self.runs:
            return
        run = self.random.choice([*self.runs.values()])
        run = replace(run, status=self.random.choice(STATUSES[:4]), inputs={"sys.query": self._text()})
        connection.execute(
            runs_table.update()
            .where(runs_table.c.id == run.id)
            .values(status=run.status, inputs=dump_json(run.inputs))
        )
        self.runs[run.id] = run

    def _rename(self, connection: Connection) -> None:
        if not self.talks:
            return
        talk = self.random.choice([*self.talks.values()])
        name, now = self._text(), self._time()
        conversations.rename(connection, self.app.id, talk.id, name, now, end_user_id=None)
        self.talks[talk.id] = replace(talk, name=name, updated_at=now)

    def _remove_run(self, connection: Connection) -> None:
        if not self.runs:
            return
        run = self.runs.pop(self.random.choice([*self.runs]))
        connection.execute(runs_table.delete().where(runs_table.c.id == run.id))
        if run.message_id is not None and self.random.random() < 0.5:
            self.messages.pop(run.message_id, None)
            connection.execute(messages_table.delete().where(messages_table.c.id == run.message_id))

    def _remove_talk(self, connection: Connection) -> None:
        free = set(self.talks) - {
            run.conversation_id for run in self.runs.values() if run.finished_at is None
        }
        if not free:
            return
        talk = self.talks.pop(self.random.choice(sorted(free)))
        self.messages = {id: item for id, item in self.messages.items() if item.conversation_id != talk.id}
        connection.execute(conversations_table.delete().where(conversations_table.c.id == talk.id))

    def _time(self) -> datetime:
        pick = self.random
        day = timedelta(days=pick.choice([0, 0, 1, 40]), minutes=pick.choice([0, 0, 1, 200]))
        return START + day + timedelta(microseconds=pick.choice([0, 1, 300, 900, 1500, 2_000_000]))

    def _text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(0, 3)))

    # What has to be found

    def log(self, wanted: LogFilter) -> list[Run]:
        found = [run for run in self.runs.values() if self._is_logged(run, wanted)]
        return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)

    def _is_logged(self, run: Run, wanted: LogFilter) -> bool:
        person = next((person for person in self.people if person.id == run.end_user_id), None)
        return (
            run.app_id == self.app.id
            and run.triggered_from == "app-run"
            and wanted.status in (None, run.status)
            and (wanted.created_after is None or run.created_at >= wanted.created_after)
            and (wanted.created_before is None or run.created_at <= wanted.created_before)
            and (wanted.session_id is None or (person is not None and person.session_id == wanted.session_id))
            and wanted.account_id in (None, run.account_id)
            and (not wanted.keyword or self._mentions(run, person, wanted.keyword))
        )

    @staticmethod
    def _mentions(run: Run, person: EndUser | None, keyword: str) -> bool:
        texts = [dump_json(run.inputs), "" if run.outputs is None else dump_json(run.outputs)]
        texts.append("" if person is None else person.session_id)
        return run.id == keyword.lower() or any(keyword[:30].lower() in text.lower() for text in texts)

    def conversations(self, wanted: ConversationFilter) -> list[Conversation]:
        column = wanted.sort_by.lstrip("-")
        found = [talk for talk in self.talks.values() if self._is_listed(talk, wanted, column)]
        found.sort(key=lambda talk: (getattr(talk, column), talk.id), reverse=wanted.sort_by.startswith("-"))
        return found

    def _is_listed(self, talk: Conversation, wanted: ConversationFilter, column: str) -> bool:
        at = getattr(talk, column)
        return (
            (wanted.with_debugger or talk.invoke_from != "debugger")
            and (wanted.start is None or at >= wanted.start)
            and (wanted.end is None or at < wanted.end)
            and (not wanted.keyword or self._is_mentioned(talk, wanted.keyword.lower()))
        )

    def _is_mentioned(self, talk: Conversation, keyword: str) -> bool:
        said = [item for item in self.messages.values() if item.conversation_id == talk.id]
        person = next(person for person in self.people if person.id == talk.end_user_id)
        texts = [talk.name, talk.introduction, person.session_id]
        texts += [text for item in said for text in (item.query, item.answer)]
        return bool(said) and any(keyword in text.lower() for text in texts)

    # What may be asked

    def log_filter(self) -> LogFilter:
        pick = self.random
        ids = [*self.runs]
        return LogFilter(
            keyword=pick.choice([*KEYWORDS, pick.choice(ids) if ids else ""]) if pick.random() < 0.7 else "",
            status=pick.choice([None, None, *STATUSES]),
            created_after=pick.choice([None, None, self._time()]),
            created_before=pick.choice([None, None, self._time()]),
            session_id=pick.choice([None, None, None, "u1", "rain man", "nobody"]),
            account_id=pick.choice([None, None, None, "ada", "bob"]),
        )

    def conversation_filter(self) -> ConversationFilter:
        pick = self.random
        return ConversationFilter(
            keyword=pick.choice(KEYWORDS) if pick.random() < 0.7 else "",
            start=pick.choice([None, None, self._time()]),
            end=pick.choice([None, None, self._time()]),
            sort_by=pick.choice(["created_at", "-created_at", "updated_at", "-updated_at"]),
            with_debugger=pick.choice([True, False]),
        )
