"""What the makers of an app think of answers, and all feedback as a file.

A cell that a spreadsheet would take for a formula begins with an apostrophe: what people write about answers
must not run on the machine of whoever reads it.

Source: Dify console API, `/apps/{id}/feedbacks`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import InvalidRequestError
from weft.server.console_api.call import ConsoleCall
from weft.server.console_api.field import Day, Flag, Id
from weft.server.console_api.messages import get_message
from weft.server.json_text import encode
from weft.server.reply import SUCCESS, json_reply
from weft.store import (
    App,
    Connection,
    ExportedFeedback,
    Feedback,
    FeedbackFilter,
    app_annotations,
    feedback_export,
    feedbacks,
)
from weft.wire import WireModel, parse_request

_ANSWER_CHARS: Final = 500
_DAY = timedelta(days=1)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS: Final = (
    "feedback_id",
    "app_name",
    "app_id",
    "conversation_id",
    "conversation_name",
    "message_id",
    "user_query",
    "ai_response",
    "feedback_rating",
    "feedback_rating_raw",
    "feedback_comment",
    "feedback_source",
    "feedback_date",
    "message_date",
    "from_account_name",
    "from_end_user_id",
    "has_comment",
)


class Judgement(WireModel):
    """Body of a maker's opinion of an answer; without a rating it takes the last one back."""

    message_id: Id
    rating: Literal["like", "dislike"] | None = None
    content: str | None = None


class FeedbackExportQuery(WireModel):
    """Query string of the export of feedback."""

    from_source: Literal["user", "admin"] | None = None
    rating: Literal["like", "dislike"] | None = None
    has_comment: Flag | None = None
    start_date: Day = None
    end_date: Day = None
    format: Literal["csv", "json"] = "csv"


async def judge(request: Request) -> Response:
    """Say what the makers think of an answer, or take it back."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    wanted = parse_request(Judgement, await call.json())
    runtime = call.runtime
    new_id, now = runtime.ids.new(), runtime.clock.now()

    def write(connection: Connection) -> None:
        message = get_message(connection, app.id, wanted.message_id)
        if wanted.rating is None:
            if not feedbacks.remove(connection, app.id, message.id, "admin"):
                raise InvalidRequestError("rating cannot be None when feedback not exists")
            return
        feedback = Feedback(
            id=new_id,
            app_id=app.id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            rating=wanted.rating,
            from_source="admin",
            created_at=now,
            updated_at=now,
            content=wanted.content,
            account_id=call.account.id,
        )
        feedbacks.put(connection, feedback)

    await call.write("feedback.put", write, app_id=app.id, target_id=wanted.message_id, rating=wanted.rating)
    return json_reply(SUCCESS)


async def count_annotations(request: Request) -> Response:
    """How many annotations the app has."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    state = await call.read(lambda connection: app_annotations.state(connection, app.id))
    return json_reply({"count": state.count})


async def export(request: Request) -> Response:
    """All feedback, newest first, as a file."""
    call = await ConsoleCall.begin(request, "editor")
    app = await call.app()
    fields = {name: value for name, value in call.query.items() if value != ""}
    query = parse_request(FeedbackExportQuery, fields)
    wanted = FeedbackFilter(
        from_source=query.from_source,
        rating=query.rating,
        has_comment=query.has_comment,
        start=query.start_date,
        end=_next_day(query.end_date),
    )
    found = await call.read(
        lambda connection: feedback_export.list_all(
            connection, app.id, wanted, answer_chars=_ANSWER_CHARS + 1
        )
    )
    rows = [_row(app, feedback) for feedback in found]
    now = call.runtime.clock.now()
    return _json_file(app, rows, now) if query.format == "json" else _csv_file(app, rows, now)


def _next_day(day: datetime | None) -> datetime | None:
    try:
        return None if day is None else day + _DAY
    except OverflowError:
        return None  # the last day there is


def _row(app: App, feedback: ExportedFeedback) -> dict[str, str]:
    answer = feedback.answer
    return {
        "feedback_id": feedback.id,
        "app_name": app.name,
        "app_id": app.id,
        "conversation_id": feedback.conversation_id,
        "conversation_name": feedback.conversation_name,
        "message_id": feedback.message_id,
        "user_query": feedback.query,
        "ai_response": answer if len(answer) <= _ANSWER_CHARS else answer[:_ANSWER_CHARS] + "...",
        "feedback_rating": "👍" if feedback.rating == "like" else "👎",
        "feedback_rating_raw": feedback.rating,
        "feedback_comment": feedback.content or "",
        "feedback_source": feedback.from_source,
        "feedback_date": _moment(feedback.created_at),
        "message_date": _moment(feedback.message_created_at),
        "from_account_name": feedback.account_name or "",
        "from_end_user_id": feedback.end_user_id or "",
        "has_comment": "Yes" if feedback.content else "No",
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _csv_file(app: App, rows: Iterable[dict[str, str]], now: datetime) -> Response:
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return _file(app, out.getvalue().encode(), "text/csv; charset=utf-8-sig", "csv", now)


def _json_file(app: App, rows: Sequence[dict[str, str]], now: datetime) -> Response:
    body = {
        "export_info": {
            "app_id": app.id,
            "export_date": now.isoformat(),
            "total_records": len(rows),
            "data_source": "dify_feedback_export",
        },
        "feedback_data": rows,
    }
    return _file(app, encode(body), "application/json; charset=utf-8", "json", now)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _file(app: App, body: bytes, kind: str, suffix: str, now: datetime) -> Response:
    name = f"dify_feedback_export_{app.id}_{now:%Y%m%d_%H%M%S}.{suffix}"
    return Response(
        body, headers={"content-type": kind, "content-disposition": f"attachment; filename={name}"}
    )


ROUTES = [
    Route("/apps/{app_id}/feedbacks", judge, methods=["POST"]),
    Route("/apps/{app_id}/feedbacks/export", export, methods=["GET"]),
    Route("/apps/{app_id}/annotations/count", count_annotations, methods=["GET"]),
]
