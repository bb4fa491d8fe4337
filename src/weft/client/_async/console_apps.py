"""Apps by their mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.console_app import AsyncApp
from weft.client._async.console_conversation import ConversationPart
from weft.client._async.console_session import ConsoleSession
from weft.client._async.console_statistics import MessageStatistics, RunStatistics
from weft.client._async.console_workflow import WorkflowPart
from weft.client._async.items import AsyncItems
from weft.client._async.session_part import SessionPart
from weft.client._console import completion_conversations
from weft.client._walk import NumberedWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import Instant, Page


class AsyncWorkflowApp(WorkflowPart, SessionPart, RunStatistics):
    """A workflow app; its logs are those of its runs."""

    get_logs = WorkflowPart.get_workflow_logs
    iter_logs = WorkflowPart.iter_workflow_logs


class AsyncChatApp(ConversationPart, MessageStatistics):
    """A chat app without a workflow."""


class AsyncAgentApp(ConversationPart, MessageStatistics):
    """An agent app."""


class AsyncAdvancedChatApp(ConversationPart, WorkflowPart, SessionPart, MessageStatistics):
    """A chatflow; its logs are its conversations, those of its runs are `get_workflow_logs`."""

    _runs_of = ("advanced-chat", "workflow-runs")


class AsyncCompletionApp(MessageStatistics):
    """A completion app."""

    async def get_logs(
        self,
        page: int = 1,
        limit: int = 10,
        *,
        keyword: str | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        annotation_status: wire.console.AnnotationStatus | None = None,
    ) -> Page[wire.console.CompletionConversation]:
        """One page of exchanges, newest first.

        Args:
            page: Number of the page, from 1.
            limit: Exchanges per page, 1 to 100.
            keyword: Part of query or answer, in any case.
            start: Earliest time, to the minute.
            end: Latest time, that minute included.
            annotation_status: ``annotated`` or ``not_annotated``; ``None`` is all.
        """
        return await self.client._send(
            completion_conversations(
                self.id,
                page=page,
                limit=limit,
                keyword=keyword,
                start=start,
                end=end,
                annotation_status=annotation_status,
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
    ) -> AsyncItems[wire.console.CompletionConversation]:
        """All exchanges, newest first, page by page, none twice.

        Args:
            limit: Exchanges per request, 1 to 100.
            start_page: Page to begin with.
            max_items: Exchanges at most.
            progress: Told after every page how far it is.
            keyword: As in `get_logs`, like the arguments that follow.
            start: Earliest time.
            end: Latest time.
            annotation_status: ``annotated`` or ``not_annotated``.
        """
        first = completion_conversations(
            self.id,
            page=start_page,
            limit=limit,
            keyword=keyword,
            start=start,
            end=end,
            annotation_status=annotation_status,
        )
        return self.client._walk(NumberedWalk(first), max_items=max_items, progress=progress)


_KINDS: dict[str, type[AsyncApp]] = {
    "workflow": AsyncWorkflowApp,
    "chat": AsyncChatApp,
    "agent-chat": AsyncAgentApp,
    "advanced-chat": AsyncAdvancedChatApp,
    "completion": AsyncCompletionApp,
}


def make_app(
    client: ConsoleSession, id: str, mode: str | None, info: wire.console.AppSummary | None = None
) -> AsyncApp:
    """An app in the class of its mode; of a mode that nobody here knows, a plain one."""
    return _KINDS.get(str(mode), AsyncApp)(client, id, info)
