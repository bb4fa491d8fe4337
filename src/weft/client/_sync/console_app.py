# Written by scripts/unasync.py from ../_async/console_app.py; change that file instead.
"""One app in the console: what all kinds have in common. Source: Dify console API, `/apps/{id}`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import Call, ask_only, get, given, nothing, path, send, send_only, texts
from weft.client._core import is_file
from weft.client._sync.console_session import ConsoleSession
from weft.client._sync.download import Download

if TYPE_CHECKING:
    from weft.wire import Rating


class App:
    """An app of the workspace.

    Args:
        client: Whose account is used.
        id: UUID of the app.
        info: What is known of it; nothing is asked of the server for it.
    """

    def __init__(self, client: ConsoleSession, id: str, info: wire.console.AppSummary | None = None) -> None:
        self.client = client
        self.id = id
        self.info = info
        """What was known of the app when this object was made; `refresh` asks again."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, name={self.name!r})"

    @property
    def name(self) -> str | None:
        """Its name, if that is known."""
        return None if self.info is None else self.info.name

    @property
    def mode(self) -> wire.console.AppMode | None:
        """What kind of app it is, if that is known."""
        return None if self.info is None else self.info.mode

    def refresh(self) -> wire.console.AppDetail:
        """Ask for the app again; `info` is up to date afterwards.

        Raises:
            NotFoundError: There is no such app in the workspace any more.
        """
        found = self.client._send(get(wire.console.AppDetail, path("apps", self.id)))
        self.info = found
        return found

    def update(
        self,
        name: str,
        *,
        description: str | None = None,
        icon_type: str | None = None,
        icon: str | None = None,
        icon_background: str | None = None,
        use_icon_as_answer_icon: bool | None = None,
        max_active_requests: int | None = None,
    ) -> wire.console.AppDetail:
        """Change name, description, icon and limit.

        Args:
            name: Not empty.
            description: At most 400 characters.
            icon_type: ``emoji``, ``image`` or ``link``.
            icon: The emoji, or the id or address of the image.
            icon_background: Colour, such as ``#FFEAD5``.
            use_icon_as_answer_icon: Whether answers show it.
            max_active_requests: Runs at a time; 0 is no limit.
        """
        fields = given(
            name=name,
            description=description,
            icon_type=icon_type,
            icon=icon,
            icon_background=icon_background,
            use_icon_as_answer_icon=use_icon_as_answer_icon,
            max_active_requests=max_active_requests,
        )
        found = self.client._send(
            send(
                "PUT",
                wire.console.AppDetail,
                path("apps", self.id),
                wire.console.AppUpdateRequest,
                fields,
            )
        )
        self.info = found
        return found

    def delete(self) -> None:
        """Delete the app with its keys and conversations."""
        self.client._send(ask_only("DELETE", path("apps", self.id)))

    def enable_api(self, enabled: bool = True) -> None:
        """Let app keys work, or not."""
        self.client._send(
            send_only(
                "POST",
                path("apps", self.id, "api-enable"),
                wire.console.ApiSwitchRequest,
                {"enable_api": enabled},
            )
        )

    def export_yaml(self, *, include_secret: bool = False, workflow_id: str | None = None) -> str:
        """The app as a file.

        Args:
            include_secret: Whether secret environment variables keep their values.
            workflow_id: A published version instead of the draft.
        """
        found = self.client._send(
            get(
                wire.console.AppExport,
                path("apps", self.id, "export"),
                include_secret=include_secret,
                workflow_id=workflow_id,
            )
        )
        return found.data

    def import_yaml(self, yaml_content: str) -> wire.console.AppImport:
        """Overwrite the app's draft with that of a file; only chatflows and workflows can be.

        Returns:
            What became of it; `status` ``pending`` wants to be confirmed, see `confirm_import`.

        Raises:
            InvalidRequestError: The file cannot be read, or the app cannot be overwritten.
        """
        fields = {"mode": "yaml-content", "yaml_content": yaml_content, "app_id": self.id}
        return self.client._send(
            send("POST", wire.console.AppImport, "/apps/imports", wire.console.AppImportRequest, fields)
        )

    def get_tokens(self) -> list[wire.console.AppToken]:
        """The app's keys."""
        found = self.client._send(get(wire.console.AppTokenList, path("apps", self.id, "api-keys")))
        return found.data

    def create_token(self) -> wire.console.AppToken:
        """Another key.

        Raises:
            InvalidRequestError: There are ten already.
        """
        return self.client._send(
            send(
                "POST",
                wire.console.AppToken,
                path("apps", self.id, "api-keys"),
                wire.console.ConsoleModel,
                {},
            )
        )

    def delete_token(self, token_id: str) -> None:
        """Remove a key; it stops working at once.

        Args:
            token_id: The key's `id`, not the key itself.

        Raises:
            NotFoundError: There is no such key.
        """
        self.client._send(ask_only("DELETE", path("apps", self.id, "api-keys", token_id)))

    def feedback(self, message_id: str, rating: Rating | None, *, content: str | None = None) -> None:
        """The owner's opinion of an answer, one for each message.

        Args:
            message_id: Of the answer.
            rating: ``like``, ``dislike``, or ``None`` to take the last one back.
            content: Why.

        Raises:
            NotFoundError: There is no such message.
        """
        fields = {**given(message_id=message_id, content=content), "rating": rating}
        self.client._send(
            send_only("POST", path("apps", self.id, "feedbacks"), wire.console.AdminFeedbackRequest, fields)
        )

    def export_feedbacks(
        self,
        *,
        from_source: wire.console.FeedbackSource | None = None,
        rating: Rating | None = None,
        has_comment: bool | None = None,
        start_date: date | str | None = None,
        end_date: date | str | None = None,
    ) -> wire.console.FeedbackExport:
        """All opinions, newest first.

        Args:
            from_source: ``user`` or ``admin``.
            rating: ``like`` or ``dislike``.
            has_comment: Only with, or only without a text.
            start_date: First day, ``YYYY-MM-DD``.
            end_date: Last day; servers of Dify leave that day itself out.
        """
        return self.client._send(
            get(
                wire.console.FeedbackExport,
                path("apps", self.id, "feedbacks", "export"),
                from_source=from_source,
                rating=rating,
                has_comment=has_comment,
                start_date=start_date,
                end_date=end_date,
                format="json",
            )
        )

    def export_feedbacks_csv(
        self,
        *,
        from_source: wire.console.FeedbackSource | None = None,
        rating: Rating | None = None,
        has_comment: bool | None = None,
        start_date: date | str | None = None,
        end_date: date | str | None = None,
    ) -> Download:
        """All opinions as a CSV file; arguments as in `export_feedbacks`.

        Args:
            from_source: ``user`` or ``admin``.
            rating: ``like`` or ``dislike``.
            has_comment: Only with, or only without a text.
            start_date: First day.
            end_date: Last day.

        Returns:
            The file as it arrives; nothing is sent before it is read.
        """
        query = texts(
            from_source=from_source,
            rating=rating,
            has_comment=has_comment,
            start_date=start_date,
            end_date=end_date,
            format="csv",
        )
        call = Call("GET", path("apps", self.id, "feedbacks", "export"), nothing, query)
        return Download(self.client, call, wanted="a file", is_wanted=is_file)

    def count_annotations(self) -> int:
        """How many messages are annotated."""
        found = self.client._send(
            get(wire.console.AnnotationCount, path("apps", self.id, "annotations", "count"))
        )
        return found.count
