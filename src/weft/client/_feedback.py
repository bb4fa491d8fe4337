"""Opinions come in pages that tell neither their number nor whether more follow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import Call, texts
from weft.client._walk import NumberedWalk

if TYPE_CHECKING:
    from weft.wire import Feedback, Page


def feedbacks_walk(limit: int) -> NumberedWalk[Feedback]:
    """All pages; one that is not full is the last."""
    query = texts(page=1, limit=limit)
    return NumberedWalk(Call("GET", "/app/feedbacks", partial(_read_page, limit), query))


def _read_page(limit: int, body: bytes) -> Page[Feedback]:
    found = wire.parse_answer(wire.FeedbackList, body).data
    return wire.Page[wire.Feedback](limit=limit, has_more=len(found) >= limit, data=found)
