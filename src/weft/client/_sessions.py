"""Requests for workflow sessions, each as a value; they are the same at both doors of a Weft server."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import Call, get, texts

if TYPE_CHECKING:
    from weft.wire import CursorPage, Instant, SessionSummary


def session_page(
    address: str,
    *,
    user: str | None,
    name: str | None,
    created_after: Instant | None,
    created_before: Instant | None,
    sort_by: str,
    limit: int,
    last_id: str | None = None,
) -> Call[CursorPage[SessionSummary]]:
    """A page of sessions."""
    return get(
        wire.SessionSummaryPage,
        address,
        user=user,
        name=name,
        created_at__after=None if created_after is None else wire.render_instant(created_after),
        created_at__before=None if created_before is None else wire.render_instant(created_before),
        sort_by=sort_by,
        limit=limit,
        last_id=last_id,
    )


def ask_object(address: str, **query: object) -> Call[dict[str, object]]:
    """Something that is an object of any shape; query values of ``None`` are left out."""
    return Call("GET", address, read_object, texts(**query))


def ask_text(address: str, **query: object) -> Call[bytes]:
    """As `ask_object`, without looking into the answer."""
    return Call("GET", address, _object_text, texts(**query))


def _object_text(body: bytes) -> bytes:
    if not body.startswith(b"{"):
        raise ValueError("not a JSON object")
    return body


def words(items: Collection[str] | None) -> str | None:
    """Words with commas between them."""
    return None if items is None else ",".join(items)


def read_object(body: bytes) -> dict[str, object]:
    """Read an answer that is an object of any shape.

    Raises:
        ValueError: It is none.
    """
    import msgspec  # takes longer to import than this room

    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = json.loads(body)  # slower, and reads halves of surrogate pairs
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def rows_of(answer: dict[str, object]) -> list[dict[str, object]]:
    """The objects of a list.

    Raises:
        ValueError: There are none.
    """
    found = answer.get("data")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError("not a list of JSON objects")
    return found
