"""One call of the archive's API: who calls, what the query says, and what its errors become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from weft.archive import (
    ArchiveFullError,
    ArchiveLockedError,
    ArchiveReadOnlyError,
    DamagedFileError,
    ExportError,
    Query,
    RetentionError,
)
from weft.errors import ArchiveError, ConfigError, ForbiddenError, RemoteError
from weft.runs import WORKSPACE_ID
from weft.server.archive_api.desk import ArchiveDesk
from weft.server.archive_api.target import refused
from weft.server.console_api.call import ConsoleCall
from weft.server.errors import ApiError
from weft.store import Connection

Endpoint = Callable[["ArchiveCall"], Awaitable[Response]]
_ERRORS: dict[type[Exception], tuple[int, str]] = {
    ArchiveLockedError: (409, "archive_locked"),
    RetentionError: (409, "retention_refused"),
    ExportError: (400, "invalid_param"),
    ArchiveFullError: (507, "archive_full"),
    ArchiveReadOnlyError: (503, "archive_read_only"),
    DamagedFileError: (500, "archive_damaged"),
    ArchiveError: (500, "archive_failed"),
    ConfigError: (400, "invalid_param"),
    RemoteError: (400, "source_failed"),
}
_MAX_QUERY_CHARS = 2000


class ArchiveCall:
    """A request whose caller may manage the archive."""

    def __init__(self, request: Request, console: ConsoleCall) -> None:
        self.request = request
        self.desk: ArchiveDesk = request.app.state.archive
        self._console = console

    @classmethod
    async def begin(cls, request: Request) -> ArchiveCall:
        """Find out who calls: the operator's token, or the login of an owner or administrator.

        Raises:
            UnauthorizedError: There is no token, or it opens nothing.
            ForbiddenError: The account's role or workspace does not allow it.
        """
        console = await ConsoleCall.begin(request, "admin")
        if console.workspace_id != WORKSPACE_ID:
            raise ForbiddenError("The archive belongs to another workspace.")
        return cls(request, console)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        return await self._console.json()

    async def optional_json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when there is none."""
        return await self._console.optional_json()

    async def note(self, action: str, target_id: str | None = None, **details: object) -> None:
        """Write into the audit log who did what."""

        def nothing(connection: Connection) -> None:
            return None

        await self._console.write(action, nothing, app_id=None, target_id=target_id, **details)

    def text(self, name: str) -> str | None:
        """A parameter of the query; none when it is absent or empty.

        Raises:
            InvalidRequestError: It is too long, or there more than once.
        """
        if len(self.request.query_params.getlist(name)) > 1:
            raise refused(name, "is given more than once")
        value = self._console.query.get(name) or None
        if value is not None and len(value) > _MAX_QUERY_CHARS:
            raise refused(name, f"is longer than {_MAX_QUERY_CHARS} characters")
        return value

    def flag(self, name: str) -> bool:
        """A parameter that is true or false; absent means false.

        Raises:
            InvalidRequestError: It is something else.
        """
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise refused(name, f"{value[:40]!r} is neither true nor false")
        return value in ("true", "1")

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A parameter that is a whole number.

        Raises:
            InvalidRequestError: It is none, or out of bounds.
        """
        text = self.text(name)
        if text is None:
            return default
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        if not is_number or not least <= int(text) <= most:
            raise refused(name, f"{text[:40]!r} is not a whole number from {least} to {most}")
        return int(text)

    def date(self, name: str) -> date | datetime | None:
        """A parameter that is a day or an instant.

        Raises:
            InvalidRequestError: It is neither.
        """
        text = self.text(name)
        return None if text is None else read_date(text, name)

    def select(self, *, needs_range: bool = False) -> Query:
        """The conversations that the query means.

        Raises:
            InvalidRequestError: A parameter is missing or wrong.
        """
        start, end = self.date("start_date"), self.date("end_date")
        for name, value in (("start_date", start), ("end_date", end)):
            if needs_range and value is None:
                raise refused(name, "is missing; give a day such as 2025-10-01")
        check_range(start, end)
        rating = self.text("rating")
        if rating not in (None, "like", "dislike", "none"):
            raise refused("rating", f"{rating[:40]!r} is unknown; known: like, dislike, none")
        app_id, from_source = self.text("app_id"), self.text("from_source")
        return Query(
            organization_id=self.text("organization_id"),
            start=start,
            end=end,
            app_ids=None if app_id is None else frozenset({app_id}),
            from_sources=None if from_source is None else frozenset({from_source}),
            end_user_id=self.text("end_user_id"),
            rating="like"
            if rating == "like"
            else "dislike"
            if rating == "dislike"
            else None
            if rating is None
            else "none",
        )


def answering(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """A route of an endpoint: first the caller is checked, and errors of the archive get their statuses."""

    async def answer(request: Request) -> Response:
        call = await ArchiveCall.begin(request)
        try:
            return await endpoint(call)
        except (ArchiveError, ConfigError, RemoteError) as error:
            raise translated(error) from error

    return answer


def translated(error: Exception) -> ApiError:
    """The error as callers of this API are told."""
    for kind in type(error).__mro__:
        found = _ERRORS.get(kind)
        if found is not None:
            return ApiError(*found, str(error))
    return ApiError(400, "source_failed", f"{type(error).__name__}: {error}")


def read_date(text: str, name: str) -> date | datetime:
    """A day such as 2025-10-01, or an instant in ISO 8601.

    Raises:
        InvalidRequestError: It is neither, or not of the years 1970 to 9998.
    """
    found: date | datetime
    try:
        found = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        if isinstance(found, datetime):
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_date(text, name) from None
    if not 1970 <= found.year <= 9998:
        raise _no_date(text, name)
    return found


def check_range(start: date | datetime | None, end: date | datetime | None) -> None:
    """Make sure that a range does not end before it begins.

    Raises:
        InvalidRequestError: It does.
    """
    if start is not None and end is not None and _first(start) > _last(end):
        raise refused("end_date", "is before start_date")


def _first(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time.min, UTC)


def _last(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time.max, UTC)


def _no_date(text: str, name: str) -> Exception:
    return refused(
        name, f"{text[:40]!r} is not a date; give a day such as 2025-10-15, or 2025-10-15T10:30:00Z"
    )
