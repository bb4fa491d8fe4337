"""The console's requests that several methods share, each as a value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeVar

from weft import wire
from weft.client._call import Call, get, path
from weft.client._walk import NEWEST_CHANGE_FIRST, NumberedWalk
from weft.client._zone import minute

if TYPE_CHECKING:
    from weft.wire import ConversationSort, CursorPage, Instant, Page

T = TypeVar("T")
Row = TypeVar("Row", bound="wire.WireModel")

TriggeredFrom = Literal["app-run", "debugging"]


def apps(
    *,
    page: int,
    limit: int,
    mode: str | None,
    name: str | None,
    tag_ids: list[str] | None,
    is_created_by_me: bool | None,
) -> Call[Page[wire.console.AppSummary]]:
    """Apps of the workspace."""
    return get(
        wire.console.AppPage,
        "/apps",
        page=page,
        limit=limit,
        mode=mode,
        name=name,
        tag_ids=",".join(tag_ids) if tag_ids else None,
        is_created_by_me=is_created_by_me,
    )


def conversations(
    app_id: str,
    *,
    page: int,
    limit: int,
    keyword: str | None,
    start: Instant | None,
    end: Instant | None,
    annotation_status: wire.console.AnnotationStatus | None,
    sort_by: ConversationSort,
) -> Call[Page[wire.console.ChatConversation]]:
    """Conversations of a chat app."""
    call = get(
        wire.console.ChatConversationPage,
        path("apps", app_id, "chat-conversations"),
        page=page,
        limit=limit,
        keyword=keyword,
        annotation_status=annotation_status,
        sort_by=sort_by,
    )
    return between(call, start, end)


def completion_conversations(
    app_id: str,
    *,
    page: int,
    limit: int,
    keyword: str | None,
    start: Instant | None,
    end: Instant | None,
    annotation_status: wire.console.AnnotationStatus | None,
) -> Call[Page[wire.console.CompletionConversation]]:
    """Exchanges with a completion app."""
    call = get(
        wire.console.CompletionConversationPage,
        path("apps", app_id, "completion-conversations"),
        page=page,
        limit=limit,
        keyword=keyword,
        annotation_status=annotation_status,
    )
    return between(call, start, end)


def conversation_walk(
    call: Call[Page[wire.console.ChatConversation]],
) -> NumberedWalk[wire.console.ChatConversation]:
    """All pages; conversations that get a message move to the front of the usual order."""
    return NumberedWalk(call, moves=call.query.get("sort_by") == NEWEST_CHANGE_FIRST)


def messages(
    app_id: str, conversation_id: str, *, limit: int, first_id: str | None = None
) -> Call[wire.console.ChatMessagePage]:
    """Messages of a conversation, the newest or those before one of them."""
    return get(
        wire.console.ChatMessagePage,
        path("apps", app_id, "chat-messages"),
        conversation_id=conversation_id,
        first_id=first_id,
        limit=limit,
    )


def workflow_logs(
    app_id: str,
    *,
    page: int,
    limit: int,
    keyword: str | None,
    status: str | None,
    created_before: Instant | None,
    created_after: Instant | None,
    end_user_session_id: str | None,
    created_by_account: str | None,
    detail: bool,
) -> Call[Page[wire.console.WorkflowLogEntry]]:
    """The log of runs."""
    return get(
        wire.console.WorkflowLogEntryPage,
        path("apps", app_id, "workflow-app-logs"),
        page=page,
        limit=limit,
        keyword=keyword,
        status=status,
        created_at__before=None if created_before is None else wire.render_instant(created_before),
        created_at__after=None if created_after is None else wire.render_instant(created_after),
        created_by_end_user_session_id=end_user_session_id,
        created_by_account=created_by_account,
        detail=detail or None,
    )


def runs(
    address: str, *, last_id: str | None, limit: int, status: str | None, triggered_from: TriggeredFrom
) -> Call[CursorPage[wire.console.WorkflowRun]]:
    """Runs of a workflow or chatflow."""
    return get(
        wire.console.WorkflowRunPage,
        address,
        last_id=last_id,
        limit=limit,
        status=status,
        triggered_from=triggered_from,
    )


def statistics(
    app_id: str, name: str, row: type[Row], start: Instant | None, end: Instant | None, *, of_workflow: bool
) -> Call[wire.console.Statistics[Row]]:
    """One kind of statistics; the end is exclusive."""
    folder = ("workflow", "statistics") if of_workflow else ("statistics",)
    # The row is known only here, which a type checker cannot follow.
    model: type[wire.console.Statistics[Row]] = wire.console.Statistics[row]  # type: ignore[valid-type]
    return between(get(model, path("apps", app_id, *folder, name)), start, end, exclusive=True)


def between(call: Call[T], start: Instant | None, end: Instant | None, *, exclusive: bool = False) -> Call[T]:
    """The request with filters by time, to be written in the account's time zone.

    Raises:
        InvalidRequestError: One of them is no time.
    """
    given = {"start": minute(start), "end": minute(end, up=exclusive)}
    return replace(call, minutes={name: at for name, at in given.items() if at is not None})
