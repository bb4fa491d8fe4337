"""What models learn from: the turns of a conversation that are worth it."""

from __future__ import annotations

from collections.abc import Iterator

from weft.archive.conversation import Conversation, rating_of
from weft.archive.json_text import JsonObject

Turn = tuple[str, str]


def iter_turns(conversation: Conversation) -> Iterator[Turn]:
    """Query and answer of each message that was answered, did not fail and was not disliked.

    An answer that was rated ``dislike`` is left out together with its query.
    """
    for message in conversation.messages:
        if has_answer(message) and rating_of(message) != "dislike":
            yield str(message["query"]), str(message["answer"])


def has_answer(message: JsonObject) -> bool:
    """Whether a message has both halves and no error."""
    failed = message.get("status") == "error" or bool(message.get("error"))
    return not failed and bool(str(message["query"]).strip()) and bool(str(message["answer"]).strip())


def system_prompt(conversation: Conversation) -> str | None:
    """The instruction that the model was given, where the conversation bears one (``pre_prompt``)."""
    found = conversation.fields.get("pre_prompt")
    return found if isinstance(found, str) and found.strip() else None
