"""Asking the index: pages of messages, newest or most relevant first."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast

import msgspec

from weft.archive.errors import DamagedFileError
from weft.archive.index.ending import STEPS, EveryEnding, iter_recent
from weft.archive.index.expression import Expression, Search, Text, TextField
from weft.archive.index.matching import render_match, restrict
from weft.archive.index.message_row import from_microseconds, to_microseconds
from weft.archive.index.parser import parse_search
from weft.archive.index.row_number import LAST, first_row
from weft.archive.index.snippet import Snippet, make_snippet
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, decode, digest, encode
from weft.archive.manifest import Entry
from weft.archive.place import Day, parse_day
from weft.archive.query import Query
from weft.archive.vault import Vault
from weft.errors import ArchiveError, InvalidRequestError

Order = Literal["newest", "relevance"]
MAX_LIMIT = 200
MOST_RANKED = 1000
"""Of so many of the newest matches, the most relevant come first."""
_LATEST = LAST
# A word in a title or a question says more than one in an answer.
_FOUND = {
    "newest": """SELECT m.id, m.at, m.number, m.message_id, c.day, c.conversation_id, c.file, c.sha256,
        c.packed_sha256, a.text, u.text, m.rating, NULL
    FROM words CROSS JOIN message m ON m.id = :last - words.rowid
    JOIN conversation c ON c.id = m.conversation JOIN name a ON a.id = m.app JOIN name u ON u.id = m.user
    WHERE words MATCH :match AND words.rowid BETWEEN :last - :high AND :last - :low
        AND m.at BETWEEN :start AND :end
    ORDER BY words.rowid LIMIT :limit""",
    "relevance": """SELECT m.id, m.at, m.number, m.message_id, c.day, c.conversation_id, c.file, c.sha256,
        c.packed_sha256, a.text, u.text, m.rating, -f.score
    FROM (
        SELECT :last - rowid AS id, bm25(words, 2.0, 1.0, 3.0, 0.0) AS score FROM words
        WHERE words MATCH :match AND rowid BETWEEN :last - :high AND :last - :low
        ORDER BY rowid LIMIT :ranked
    ) f
    CROSS JOIN message m ON m.id = f.id
    JOIN conversation c ON c.id = m.conversation JOIN name a ON a.id = m.app JOIN name u ON u.id = m.user
    WHERE m.at BETWEEN :start AND :end ORDER BY f.score, f.id DESC LIMIT :limit OFFSET :offset""",
}


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A message that matches."""

    organization_id: str | None
    app_id: str
    conversation_id: str
    message_id: str
    number: int
    """Its place in the conversation; the first is 0."""
    created_at: datetime
    end_user_id: str | None
    rating: str | None
    """``like`` or ``dislike``."""
    path: str
    """The conversation's file, relative to the root."""
    score: float | None = None
    """Relevance; larger is better. None in the order ``newest``."""
    snippet: Snippet | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "organization_id": self.organization_id,
            "app_id": self.app_id,
            "conversation_id": self.conversation_id,
            "message_id": self.message_id,
            "number": self.number,
            "created_at": render_instant(self.created_at),
            "end_user_id": self.end_user_id,
            "rating": self.rating,
            "path": self.path,
            "score": self.score,
            "snippet": None if self.snippet is None else self.snippet.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some of the matches."""

    hits: list[SearchHit]
    cursor: str | None
    """Give it to the same search for the next page; None on the last."""
    days_behind: int = 0
    """Day folders that changed and are not in the index yet."""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "data": [hit.to_dict() for hit in self.hits],
            "cursor": self.cursor,
            "has_more": self.cursor is not None,
            "days_behind": self.days_behind,
        }


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    search: str
    row: int
    """Of newest first: where the next page begins below; of relevance: where the first page began."""
    offset: int


@dataclass(frozen=True, slots=True)
class _Plan:
    expression: Expression
    match: str
    texts: tuple[Text, ...]
    start: int
    end: int
    order: Order
    fingerprint: str


def plan(text: str, query: Query | None, order: Order) -> _Plan:
    """Decide what to ask.

    Raises:
        InvalidRequestError: The text cannot be understood.
    """
    if order not in ("newest", "relevance"):
        raise InvalidRequestError(
            f"order {order!r} is neither newest nor relevance", {"order": "neither newest nor relevance"}
        )
    search = parse_search(text)
    chosen = query or Query()
    expression: Expression = restrict(search.expression, chosen)
    match = render_match(expression)
    start, end = _bounds(search, chosen)
    fingerprint = digest(f"{order} {start} {end} {match}".encode())[:16]
    return _Plan(expression, match, search.texts, start, end, order, fingerprint)


def find_page(
    connection: sqlite3.Connection, wanted: _Plan, limit: int, cursor: str | None
) -> tuple[list[tuple[object, ...]], str | None]:
    """The rows of one page, and the cursor of the next.

    Raises:
        InvalidRequestError: The limit or the cursor is wrong.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequestError(f"limit must be 1 to {MAX_LIMIT}", {"limit": f"must be 1 to {MAX_LIMIT}"})
    token = _read_cursor(cursor, wanted.fingerprint) if cursor is not None else None
    shift = connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'shift'").fetchone()[0]
    low, high = first_row(wanted.start), min(first_row(wanted.end) + shift, _LATEST)
    if token is not None:
        high = min(high, token.row)
    values = {
        "match": wanted.match,
        "low": low,
        "high": high,
        "last": LAST,
        "start": wanted.start,
        "end": wanted.end,
    }
    if wanted.order == "newest":
        rows = _newest(connection, wanted, {**values, "limit": limit + 1})
        following = (
            _Cursor(wanted.fingerprint, cast(int, rows[limit - 1][0]) - 1, 0) if len(rows) > limit else None
        )
    else:
        offset = token.offset if token is not None else 0
        values |= {"limit": limit + 1, "offset": offset, "ranked": MOST_RANKED}
        rows = connection.execute(_FOUND["relevance"], values).fetchall()
        if token is None and len(rows) > limit:
            newest = connection.execute("SELECT max(id) FROM message").fetchone()[0]
            high = min(high, newest)
        following = _Cursor(wanted.fingerprint, high, offset + limit) if len(rows) > limit else None
    token_text = None if following is None else base64.urlsafe_b64encode(encode(following)).decode()
    return rows[:limit], token_text


def _newest(
    connection: sqlite3.Connection, wanted: _Plan, values: dict[str, int | str]
) -> list[tuple[object, ...]]:
    every = EveryEnding(connection)
    match = render_match(wanted.expression, every)
    low, high = int(values["low"]), int(values["high"])
    if every.are_many:
        steps = STEPS if every.are_too_many else STEPS[:-1]
        for start, endings in iter_recent(connection, steps, low, high):
            some = {"match": render_match(wanted.expression, endings), "low": start}
            rows = connection.execute(_FOUND["newest"], {**values, **some}).fetchall()
            if len(rows) == values["limit"] or start <= low:
                return rows
    return connection.execute(_FOUND["newest"], {**values, "match": match}).fetchall()


def make_hits(
    vault: Vault, wanted: _Plan, rows: Iterable[tuple[object, ...]], *, snippets: bool
) -> list[SearchHit]:
    """The hits of these rows; what has left the archive meanwhile is left out."""
    known: dict[str, list[dict[str, object]] | None] = {}
    hits = []
    for row in rows:
        day = parse_day(str(row[4]))
        if day is None:
            raise ArchiveError(f"the search index names a folder {row[4]!r}; rebuild it")
        path = f"{day.path}/{row[6]}"
        snippet = None
        if snippets:
            if path not in known:
                known[path] = _read(vault, day, row, path)
            found = _message(known[path], row)
            if found is None:
                continue
            snippet = make_snippet(found, wanted.texts)
        hits.append(_hit(day, row, path, snippet))
    return hits


def _hit(day: Day, row: tuple[object, ...], path: str, snippet: Snippet | None) -> SearchHit:
    return SearchHit(
        organization_id=day.organization_id,
        app_id=str(row[9]),
        conversation_id=str(row[5]),
        message_id=str(row[3]),
        number=cast(int, row[2]),
        created_at=from_microseconds(cast(int, row[1])),
        end_user_id=str(row[10]) or None,
        rating={1: "like", 2: "dislike"}.get(cast(int, row[11])),
        path=path,
        score=cast("float | None", row[12]),
        snippet=snippet,
    )


class _Shown(msgspec.Struct, frozen=True):
    messages: list[dict[str, object]]
    name: str = ""


def _read(vault: Vault, day: Day, row: tuple[object, ...], path: str) -> list[dict[str, object]] | None:
    entry = Entry(
        file=str(row[6]),
        id=str(row[5]),
        sha256=str(row[7]),
        packed_sha256=cast("str | None", row[8]),
        size=0,
        content_sha256="",
        created_at="",
        last_activity="",
        logged_at="",
    )
    try:
        shown = decode(vault.read(day, entry), _Shown, path)
    except (DamagedFileError, BadJsonError):
        return None
    return [
        {**message, "name": shown.name if not number else ""} for number, message in enumerate(shown.messages)
    ]


def _message(
    messages: list[dict[str, object]] | None, row: tuple[object, ...]
) -> list[tuple[TextField, str]] | None:
    if messages is None:
        return None
    number = cast(int, row[2])
    if number >= len(messages) or messages[number].get("id") != row[3]:
        # Changed since it was indexed: the message may stand elsewhere now, or be gone.
        number = next((at for at, item in enumerate(messages) if item.get("id") == row[3]), -1)
    if number < 0:
        return None
    message = messages[number]
    return [
        ("query", str(message["query"])),
        ("answer", str(message["answer"])),
        ("name", str(message["name"])),
    ]


def _read_cursor(cursor: str, fingerprint: str) -> _Cursor:
    try:
        token = decode(base64.urlsafe_b64decode(cursor), _Cursor, "cursor")
    except (BadJsonError, binascii.Error, ValueError) as error:
        raise InvalidRequestError(
            "the cursor is not one of a search; start without a cursor", {"cursor": "unknown"}
        ) from error
    if token.search != fingerprint or not 0 <= token.row <= _LATEST or not 0 <= token.offset <= MOST_RANKED:
        raise InvalidRequestError(
            "the cursor belongs to another search; use the same text, filters and order",
            {"cursor": "belongs to another search"},
        )
    return token


def _bounds(search: Search, query: Query) -> tuple[int, int]:
    starts = [bound_of(value, time.min) for value in (search.start, query.start) if value is not None]
    ends = [bound_of(value, time.max) for value in (search.end, query.end) if value is not None]
    return max([0, *starts]), min([to_microseconds(datetime.max.replace(tzinfo=UTC)), *ends])


def bound_of(value: date | datetime, moment: time) -> int:
    """An inclusive bound in microseconds since 1970; a date means that moment of it in UTC."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, moment, UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return max(to_microseconds(value.astimezone(UTC) + timedelta(0)), 0)
