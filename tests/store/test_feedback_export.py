from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    App,
    Connection,
    EndUser,
    ExportedFeedback,
    Feedback,
    FeedbackFilter,
    Store,
    accounts,
    conversations,
    feedback_export,
    feedbacks,
    messages,
)

pytestmark = pytest.mark.anyio


async def test_feedback_comes_with_its_message_newest_first(
    store: Store, app: App, end_user: EndUser, rows: Rows
) -> None:
    talk = rows.conversation(end_user)
    message = replace(rows.message(talk), answer="Grüße, Köln")
    ada = rows.account("ada@example.com")
    mine = Feedback(
        rows.ids.new(), app.id, talk.id, message.id, "like", "admin", at(5), at(5), "ok", account_id=ada.id
    )
    theirs = Feedback(
        rows.ids.new(), app.id, talk.id, message.id, "dislike", "user", at(1), at(1), end_user_id=end_user.id
    )

    def fn(connection: Connection) -> list[tuple[ExportedFeedback, ...]]:
        accounts.create(connection, ada)
        conversations.insert(connection, talk)
        messages.insert(connection, message)
        feedbacks.put(connection, mine)
        feedbacks.put(connection, theirs)
        return [
            feedback_export.list_all(connection, app.id, wanted, answer_chars=5)
            for wanted in (
                FeedbackFilter(),
                FeedbackFilter(from_source="user"),
                FeedbackFilter(rating="like"),
                FeedbackFilter(has_comment=True),
                FeedbackFilter(has_comment=False),
                FeedbackFilter(start=at(5)),
                FeedbackFilter(end=at(5)),
            )
        ]

    about = (message.id, message.query, "Grüße", message.created_at, talk.id, talk.name)
    newest = ExportedFeedback(mine.id, "like", "ok", "admin", at(5), None, "Ada", *about)
    oldest = ExportedFeedback(theirs.id, "dislike", None, "user", at(1), end_user.id, None, *about)
    assert await store.write(fn) == [
        (newest, oldest),
        (oldest,),
        (newest,),
        (newest,),
        (oldest,),
        (newest,),
        (oldest,),
    ]
