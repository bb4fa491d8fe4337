"""Workflow sessions: of one app in the console, and of one user with an app's key. Only Weft has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.client._async.console_app import AsyncApp
from weft.client._async.items import AsyncItems
from weft.client._async.session import Session
from weft.client._async.session_handle import AsyncSessionHandle
from weft.client._call import path
from weft.client._sessions import session_page
from weft.client._walk import ForwardWalk, OnProgress

if TYPE_CHECKING:
    from weft.wire import ConversationSort, CursorPage, Instant, SessionSummary


class SessionPart(AsyncApp):
    """What chatflows and workflow apps have in common: sessions."""

    async def sessions(
        self,
        *,
        user: str | None = None,
        name: str | None = None,
        created_after: Instant | None = None,
        created_before: Instant | None = None,
        last_id: str | None = None,
        limit: int = 20,
        sort_by: ConversationSort = "-updated_at",
    ) -> CursorPage[SessionSummary]:
        """One page of sessions.

        Args:
            user: Only this user's: the text that callers send, or the id of an account.
            name: Part of the name, in any case.
            created_after: Earliest time of creation.
            created_before: Latest time of creation.
            last_id: Last session of the page before.
            limit: Sessions per page, 1 to 100.
            sort_by: Order; a minus sign means newest first.

        Raises:
            NotFoundError: `last_id` is no session of this app.
        """
        return await self.client._send(
            session_page(
                path("apps", self.id, "sessions"),
                user=user,
                name=name,
                created_after=created_after,
                created_before=created_before,
                sort_by=sort_by,
                limit=limit,
                last_id=last_id,
            )
        )

    def iter_sessions(
        self,
        *,
        user: str | None = None,
        name: str | None = None,
        created_after: Instant | None = None,
        created_before: Instant | None = None,
        limit: int = 100,
        sort_by: ConversationSort = "-updated_at",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[SessionSummary]:
        """All sessions, page by page, none lost or twice though messages arrive meanwhile.

        Args:
            user: As in `sessions`, like the arguments that follow.
            name: Part of the name.
            created_after: Earliest time of creation.
            created_before: Latest time of creation.
            limit: Sessions per request, 1 to 100.
            sort_by: Order.
            max_items: Sessions at most.
            progress: Told after every page how far it is.
        """
        first = session_page(
            path("apps", self.id, "sessions"),
            user=user,
            name=name,
            created_after=created_after,
            created_before=created_before,
            sort_by=sort_by,
            limit=limit,
        )
        return self.client._walk(ForwardWalk(first), max_items=max_items, progress=progress)

    def session(self, session_id: str) -> AsyncSessionHandle:
        """One session as an object; nothing is asked of the server for it.

        Args:
            session_id: Id of the conversation, or of the run of a workflow app.
        """
        return AsyncSessionHandle(self.client, path("apps", self.id, "sessions"), session_id)


class SessionOperations(Session):
    """Sessions of one user with the app."""

    async def sessions(
        self,
        *,
        user: str,
        name: str | None = None,
        created_after: Instant | None = None,
        created_before: Instant | None = None,
        last_id: str | None = None,
        limit: int = 20,
        sort_by: ConversationSort = "-updated_at",
    ) -> CursorPage[SessionSummary]:
        """One page of a user's sessions.

        Args:
            user: Whose.
            name: Part of the name, in any case.
            created_after: Earliest time of creation.
            created_before: Latest time of creation.
            last_id: Last session of the page before.
            limit: Sessions per page, 1 to 100.
            sort_by: Order; a minus sign means newest first.

        Raises:
            NotFoundError: `last_id` is no session of this app.
        """
        return await self._send(
            session_page(
                "/sessions",
                user=user,
                name=name,
                created_after=created_after,
                created_before=created_before,
                sort_by=sort_by,
                limit=limit,
                last_id=last_id,
            )
        )

    def iter_sessions(
        self,
        *,
        user: str,
        name: str | None = None,
        created_after: Instant | None = None,
        created_before: Instant | None = None,
        limit: int = 100,
        sort_by: ConversationSort = "-updated_at",
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> AsyncItems[SessionSummary]:
        """All sessions of a user, page by page, none lost or twice though messages arrive meanwhile.

        Args:
            user: Whose.
            name: As in `sessions`, like the arguments that follow.
            created_after: Earliest time of creation.
            created_before: Latest time of creation.
            limit: Sessions per request, 1 to 100.
            sort_by: Order.
            max_items: Sessions at most.
            progress: Told after every page how far it is.
        """
        first = session_page(
            "/sessions",
            user=user,
            name=name,
            created_after=created_after,
            created_before=created_before,
            sort_by=sort_by,
            limit=limit,
        )
        return self._walk(ForwardWalk(first), max_items=max_items, progress=progress)

    def session(self, session_id: str, *, user: str) -> AsyncSessionHandle:
        """One session of a user as an object; nothing is asked of the server for it.

        Args:
            session_id: Id of the conversation, or of the run of a workflow app.
            user: Whose.
        """
        return AsyncSessionHandle(self, "/sessions", session_id, user)
