# Written by scripts/unasync.py from ../_async/console_conversation.py; change that file instead.
"""Conversations of a chat app. Source: Dify console API, `/apps/{id}/chat-conversations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from weft import wire
from weft.client._call import ask_only, get, path
from weft.client._console import conversation_walk, conversations, messages
from weft.client._pages import LimitedWalk, with_names
from weft.client._sync.console_app import App
from weft.client._sync.console_session import ConsoleSession
from weft.client._sync.items import Items
from weft.client._walk import BackwardWalk, ChronologicalWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import ConversationSort, Instant, Page


class ConversationPart(App):
    """What all chat apps have in common, chatflows included."""

    def get_logs(
        self,
        page: int = 1,
        limit: int = 10,
        *,
        keyword: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        annotation_status: wire.console.AnnotationStatus | None = None,
        sort_by: ConversationSort = "-updated_at",
    ) -> Page[wire.console.ChatConversation]:
        """One page of conversations.

        Args:
            page: Number of the page, from 1.
            limit: Conversations per page, 1 to 100.
            keyword: Part of a query, an answer, the name, the introduction or the user, in any case.
            start: Earliest time, to the minute; a datetime (naive means UTC), unix seconds, or ISO 8601
                text. Compared with the creation when sorted by that, otherwise with the last change.
            end: Latest time, that minute included.
            annotation_status: ``annotated`` or ``not_annotated``; ``None`` is all.
            sort_by: Order; a minus sign means newest first.

        Raises:
            InvalidRequestError: `start` is after `end`.
        """
        return self.client._send(
            conversations(
                self.id,
                page=page,
                limit=limit,
                keyword=keyword,
                start=start,
                end=end,
                annotation_status=annotation_status,
                sort_by=sort_by,
            )
        )

    def iter_logs(
        self,
        limit: int = 10,
        *,
        start_page: int = 1,
        max_items: int | None = None,
        progress: OnProgress | None = None,
        keyword: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        annotation_status: wire.console.AnnotationStatus | None = None,
        sort_by: ConversationSort = "-updated_at",
    ) -> Items[wire.console.ChatConversation]:
        """All conversations, page by page, none lost or twice though messages arrive meanwhile.

        Args:
            limit: Conversations per request, 1 to 100.
            start_page: Page to begin with.
            max_items: Conversations at most.
            progress: Told after every page how far it is.
            keyword: As in `get_logs`, like the arguments that follow.
            start: Earliest time.
            end: Latest time.
            annotation_status: ``annotated`` or ``not_annotated``.
            sort_by: Order; a minus sign means newest first.
        """
        first = conversations(
            self.id,
            page=start_page,
            limit=limit,
            keyword=keyword,
            start=start,
            end=end,
            annotation_status=annotation_status,
            sort_by=sort_by,
        )
        return self.client._walk(conversation_walk(first), max_items=max_items, progress=progress)

    @property
    def chats(self) -> list[Chat]:
        """All conversations as objects that know their messages."""
        return [self._chat(conversation) for conversation in self.iter_logs(limit=100)]

    def chat(self, conversation_id: str) -> Chat:
        """One conversation as an object; nothing is asked of the server for it."""
        return Chat(self.client, self, conversation_id)

    def get_chat(self, conversation_id: str) -> Chat:
        """One conversation as an object.

        Raises:
            NotFoundError: There is no such conversation in this app.
        """
        return self._chat(self.get_conversation(conversation_id))

    def get_conversation(self, conversation_id: str) -> wire.console.ChatConversationDetail:
        """One conversation in full; it counts as read afterwards.

        Raises:
            NotFoundError: There is no such conversation in this app.
        """
        return self.client._send(
            get(
                wire.console.ChatConversationDetail,
                path("apps", self.id, "chat-conversations", conversation_id),
            )
        )

    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages.

        Raises:
            NotFoundError: There is no such conversation in this app.
        """
        address = path("apps", self.id, "chat-conversations", conversation_id)
        self.client._send(ask_only("DELETE", address))

    def get_messages(
        self, conversation_id: str, limit: int = 20, first_id: str | None = None, *, page: int = 1
    ) -> wire.console.ChatMessagePage:
        """One page of a conversation's messages, oldest first; pages go backwards in time.

        Args:
            conversation_id: Which conversation.
            limit: Messages per page, 1 to 100.
            first_id: First message of the page before; only older ones are returned.
            page: How many pages back, from 1. The server knows no numbers, so that many are read.

        Raises:
            NotFoundError: There is no such conversation or message in this app.
        """
        found = self._message_page(conversation_id, limit, first_id)
        for _ in range(1, page):
            if not found.has_more or not found.data:
                return found.model_copy(update={"data": [], "has_more": False})
            found = self._message_page(conversation_id, limit, found.first_id)
        return found

    def iter_messages(
        self,
        conversation_id: str,
        *,
        limit: int = 100,
        order: Literal["asc", "desc"] = "asc",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> Items[wire.console.ChatMessage]:
        """All messages of a conversation, none twice.

        Args:
            conversation_id: Which conversation.
            limit: Messages per request, 1 to 100.
            order: ``asc`` is as they were said, and reads all pages before the first message is
                given out; ``desc`` is newest first, page by page.
            max_items: Messages at most.
            progress: Told after every page how far it is.

        Raises:
            NotFoundError: There is no such conversation in this app.
        """
        first = messages(self.id, conversation_id, limit=limit)
        walk = BackwardWalk(first) if order == "desc" else ChronologicalWalk(first)
        return self.client._walk(walk, max_items=max_items, progress=progress)

    def get_message(self, message_id: str) -> wire.console.ChatMessage:
        """One message.

        Raises:
            NotFoundError: There is no such message in this app.
        """
        address = path("apps", self.id, "messages", message_id)
        return self.client._send(get(wire.console.ChatMessage, address))

    def suggested_questions(self, message_id: str) -> list[str]:
        """Questions that could be asked after an answer.

        Raises:
            NotFoundError: There is no such message in this app.
        """
        address = path("apps", self.id, "chat-messages", message_id, "suggested-questions")
        return (self.client._send(get(wire.console.SuggestedQuestionList, address))).data

    def get_agent_log(self, conversation_id: str, message_id: str) -> wire.console.AgentLog:
        """How an agent came to an answer; only of agent apps, and not on every server.

        Raises:
            NotFoundError: There is no such message, or the server does not tell.
        """
        return self.client._send(
            get(
                wire.console.AgentLog,
                path("apps", self.id, "agent", "logs"),
                conversation_id=conversation_id,
                message_id=message_id,
            )
        )

    def _message_page(
        self, conversation_id: str, limit: int, first_id: str | None
    ) -> wire.console.ChatMessagePage:
        return self.client._send(messages(self.id, conversation_id, limit=limit, first_id=first_id))

    def _chat(self, conversation: wire.console.ChatConversation) -> Chat:
        return Chat(self.client, self, conversation.id, conversation.to_dict())


class Chat:
    """One conversation of an app.

    Args:
        client: Whose account is used.
        app: The app that it was held with.
        id: UUID of the conversation.
        info: What is known of it, as the list of conversations tells it.
    """

    def __init__(
        self, client: ConsoleSession, app: ConversationPart, id: str, info: Mapping[str, object] | None = None
    ) -> None:
        self.client = client
        self.app = app
        self.id = id
        self.info = info or {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, name={self.info.get('name')!r})"

    @property
    def conversation(self) -> wire.console.ChatConversation | None:
        """What is known of it, typed; ``None`` if it was made from an id alone."""
        return wire.console.ChatConversation.from_dict(self.info) if self.info else None

    @property
    def messages(self) -> list[wire.console.ChatMessage]:
        """All messages, oldest first, none twice."""
        return self.iter_messages().collect()

    def get_messages(self, max_pages: int = 10, *, limit: int = 100) -> list[wire.console.ChatMessage]:
        """The newest messages, oldest first.

        Args:
            max_pages: Requests at most.
            limit: Messages per request, 1 to 100.
        """
        first = messages(self.app.id, self.id, limit=limit)
        walk = LimitedWalk(ChronologicalWalk(first), max_pages)
        return self.client._walk(with_names(walk, self.info)).collect()

    def iter_messages(
        self,
        *,
        limit: int = 100,
        order: Literal["asc", "desc"] = "asc",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> Items[wire.console.ChatMessage]:
        """All messages, none twice.

        Args:
            limit: Messages per request, 1 to 100.
            order: ``asc`` is as they were said, ``desc`` newest first.
            max_items: Messages at most.
            progress: Told after every page how far it is.
        """
        first = messages(self.app.id, self.id, limit=limit)
        walk = BackwardWalk(first) if order == "desc" else ChronologicalWalk(first)
        return self.client._walk(with_names(walk, self.info), max_items=max_items, progress=progress)

    def get_agent_log(self, message_id: str) -> wire.console.AgentLog:
        """How an agent came to an answer; only of agent apps, and not on every server.

        Raises:
            NotFoundError: There is no such message, or the server does not tell.
        """
        return self.app.get_agent_log(self.id, message_id)

    def delete(self) -> None:
        """Delete the conversation with its messages.

        Raises:
            NotFoundError: It is gone already.
        """
        self.app.delete_conversation(self.id)
