"""Conversations as rows of a table: one for each message, and one for a conversation without any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from weft.archive.conversation import Conversation, rating_of

ColumnType = Literal["text", "instant", "count", "number"]
COLUMNS: dict[str, ColumnType] = {
    "organization_id": "text",
    "conversation_id": "text",
    "app_id": "text",
    "name": "text",
    "status": "text",
    "conversation_created_at": "instant",
    "conversation_updated_at": "instant",
    "dialogue_count": "count",
    "message_id": "text",
    "query": "text",
    "answer": "text",
    "created_at": "instant",
    "message_tokens": "count",
    "answer_tokens": "count",
    "provider_response_latency": "number",
    "from_source": "text",
    "from_end_user_id": "text",
    "rating": "text",
    "logged_at": "instant",
}
"""Columns and what they hold; new ones are added at the end."""


def iter_rows(conversation: Conversation) -> Iterator[list[object]]:
    """The rows of a conversation, in the order of `COLUMNS`."""
    fields = conversation.fields
    head = [fields.get("organization_id"), fields["conversation_id"], fields["app_id"], fields["name"]]
    head += [fields["status"], fields["created_at"], fields["updated_at"], fields["dialogue_count"]]
    logged_at = fields.get("logged_at")
    for message in conversation.messages:
        user = message["from_end_user_id"]
        yield [
            *head,
            message["id"],
            message["query"],
            message["answer"],
            message["created_at"],
            message["message_tokens"],
            message["answer_tokens"],
            message["provider_response_latency"],
            message["from_source"],
            user if isinstance(user, str) else None,
            rating_of(message),
            logged_at,
        ]
    if not conversation.messages:
        yield [*head, *[None] * 7, fields["from_source"], None, None, logged_at]
