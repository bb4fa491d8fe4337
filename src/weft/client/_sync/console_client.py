# Written by scripts/unasync.py from ../_async/console_client.py; change that file instead.
"""The client of the console: all operations of an account in one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from weft import wire
from weft.client._call import Call, ask_only, get, given, path, send, texts
from weft.client._console import apps
from weft.client._core import read_reply
from weft.client._sync.console_app import App
from weft.client._sync.console_apps import make_app
from weft.client._sync.console_session import ConsoleSession
from weft.client._sync.items import Items
from weft.client._walk import NumberedWalk, OnProgress
from weft.errors import ConflictError, InvalidRequestError

if TYPE_CHECKING:
    from weft.wire import Page

Kind = TypeVar("Kind", bound=App)
T = TypeVar("T")


class ConsoleClient(ConsoleSession):
    """One account on a Dify or Weft server: its apps, their drafts, logs and statistics.

    ::

        with ConsoleClient("https://dify.example", "ada@example.com", "...") as client:
            app = client.get_app("...")
            for entry in app.iter_logs():
                print(entry.id, entry.created_datetime)

    It signs in with the first request, renews its pass before that expires, and copes with servers of both
    generations. Errors are those of `weft.errors`; `error_reply` tells the HTTP status and code behind one.
    """

    def fetch(self, read: Callable[[bytes], T], *segments: str, **query: object) -> T:
        """What an answer holds, for what has no method here or has to be read faster than models are.

        Args:
            read: Makes it of the body; raises `ValueError` for one that is not as expected.
            segments: Of the path below the console's address, each quoted as a whole.
            query: Values of ``None`` are left out.

        Raises:
            InvalidRequestError: A segment is empty or would change the path.
            WeftError: The answer is an error, in the class of its code.
        """
        return self._send(Call("GET", path(*segments), read, texts(**query)))

    def server_status(self) -> wire.console.SetupStatus:
        """Whether the server has been set up; needs no account."""
        call = get(wire.console.SetupStatus, "/setup")
        return read_reply(call, self._connection.send(call))

    def profile(self) -> wire.console.Account:
        """The account."""
        return self._send(get(wire.console.Account, "/account/profile"))

    def set_timezone(self, timezone: str) -> wire.console.Account:
        """Change the account's time zone, which statistics and filters by time go by.

        Args:
            timezone: IANA name, such as ``Europe/Berlin``.

        Raises:
            InvalidRequestError: There is no such zone.
        """
        account = self._send(
            send(
                "POST",
                wire.console.Account,
                "/account/timezone",
                wire.console.TimezoneRequest,
                {"timezone": timezone},
            )
        )
        self._zone = None
        return account

    def get_apps(
        self,
        page: int = 1,
        limit: int = 20,
        *,
        mode: str | None = None,
        name: str | None = None,
        tag_ids: list[str] | None = None,
        is_created_by_me: bool | None = None,
    ) -> Page[wire.console.AppSummary]:
        """One page of the workspace's apps, newest first.

        Args:
            page: Number of the page, from 1.
            limit: Apps per page, 1 to 100.
            mode: Only of this mode, e.g. ``advanced-chat``.
            name: Part of the name, in any case; 30 characters count.
            tag_ids: Only with these tags.
            is_created_by_me: Only this account's own.
        """
        return self._send(
            apps(
                page=page,
                limit=limit,
                mode=mode,
                name=name,
                tag_ids=tag_ids,
                is_created_by_me=is_created_by_me,
            )
        )

    def iter_apps(
        self,
        limit: int = 100,
        *,
        mode: str | None = None,
        name: str | None = None,
        tag_ids: list[str] | None = None,
        is_created_by_me: bool | None = None,
        max_items: int | None = None,
        progress: OnProgress | None = None,
    ) -> Items[wire.console.AppSummary]:
        """All apps of the workspace, newest first, page by page, none twice; of any mode.

        Args:
            limit: Apps per request, 1 to 100.
            mode: Only of this mode.
            name: Part of the name, in any case.
            tag_ids: Only with these tags.
            is_created_by_me: Only this account's own.
            max_items: Apps at most.
            progress: Told after every page how far it is.
        """
        first = apps(
            page=1, limit=limit, mode=mode, name=name, tag_ids=tag_ids, is_created_by_me=is_created_by_me
        )
        return self._walk(NumberedWalk(first), max_items=max_items, progress=progress)

    def get_app(self, app_id: str) -> App:
        """One app, in the class of its mode; of a mode that nobody here knows, a plain `App`.

        Raises:
            NotFoundError: There is no such app in the workspace.
        """
        found = self._send(get(wire.console.AppDetail, path("apps", app_id)))
        return make_app(self, found.id, found.mode, found)

    def app(self, app_id: str, kind: type[Kind]) -> Kind:
        """One app whose kind is known, e.g. ``client.app(app_id, WorkflowApp)``; asks nothing."""
        return kind(self, app_id)

    def create_app(
        self,
        name: str,
        mode: str,
        description: str = "",
        icon_type: str = "emoji",
        icon: str = "🤖",
        icon_background: str = "#FFEAD5",
    ) -> App:
        """Make an app.

        Args:
            name: Not empty.
            mode: ``advanced-chat``, ``workflow``, ``chat``, ``agent-chat`` or ``completion``.
            description: At most 400 characters.
            icon_type: ``emoji``, ``image`` or ``link``.
            icon: The emoji, or the id or address of the image.
            icon_background: Its colour.

        Raises:
            InvalidRequestError: There is no such mode.
            ForbiddenError: The account must not.
        """
        fields = {
            "name": name,
            "mode": mode,
            "description": description,
            "icon_type": icon_type,
            "icon": icon,
            "icon_background": icon_background,
        }
        found = self._send(
            send("POST", wire.console.AppDetail, "/apps", wire.console.AppCreateRequest, fields)
        )
        return make_app(self, found.id, found.mode, found)

    def copy_app(
        self,
        app_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        icon_type: str | None = None,
        icon: str | None = None,
        icon_background: str | None = None,
    ) -> App:
        """Copy an app; what is left out is taken from the original.

        Args:
            app_id: The original.
            name: Of the copy.
            description: Of the copy.
            icon_type: Of the copy.
            icon: Of the copy.
            icon_background: Of the copy.
        """
        fields = given(
            name=name,
            description=description,
            icon_type=icon_type,
            icon=icon,
            icon_background=icon_background,
        )
        found = self._send(
            send(
                "POST",
                wire.console.AppDetail,
                path("apps", app_id, "copy"),
                wire.console.AppCopyRequest,
                fields,
            )
        )
        return make_app(self, found.id, found.mode, found)

    def delete_app(self, app_id: str) -> None:
        """Delete an app with its keys and conversations."""
        self._send(ask_only("DELETE", path("apps", app_id)))

    def import_app(
        self,
        yaml_content: str | None = None,
        *,
        yaml_url: str | None = None,
        name: str | None = None,
        description: str | None = None,
        app_id: str | None = None,
    ) -> wire.console.AppImport:
        """Make an app from a file, or overwrite one.

        Args:
            yaml_content: The file's text.
            yaml_url: Where the server finds the file instead.
            name: Instead of the file's.
            description: Instead of the file's.
            app_id: The app to overwrite.

        Returns:
            What became of it; `status` ``pending`` wants to be confirmed, see `confirm_import`.

        Raises:
            InvalidRequestError: The file cannot be read.
        """
        if (yaml_content is None) == (yaml_url is None):
            raise InvalidRequestError("give either yaml_content or yaml_url")
        fields = given(
            mode="yaml-url" if yaml_content is None else "yaml-content",
            yaml_content=yaml_content,
            yaml_url=yaml_url,
            name=name,
            description=description,
            app_id=app_id,
        )
        return self._send(
            send("POST", wire.console.AppImport, "/apps/imports", wire.console.AppImportRequest, fields)
        )

    def confirm_import(self, import_id: str) -> wire.console.AppImport:
        """Go on with an import of a file of another major version, within ten minutes.

        Args:
            import_id: The import's `id`.
        """
        return self._send(
            send(
                "POST",
                wire.console.AppImport,
                path("apps", "imports", import_id, "confirm"),
                wire.console.ConsoleModel,
                {},
            )
        )

    def create_app_from_yaml(self, yaml_content: str) -> App:
        """Make an app from a file.

        Raises:
            InvalidRequestError: The file cannot be read.
            ConflictError: It is of another major version; nothing was made yet.
        """
        made = self.import_app(yaml_content)
        if made.app_id is None:
            raise ConflictError(
                f"the file is of version {made.imported_dsl_version}, the server of version "
                f"{made.current_dsl_version}; confirm_import({made.id!r}) goes on nevertheless"
            )
        if made.app_mode is not None:
            return make_app(self, made.app_id, made.app_mode)
        return self.get_app(made.app_id)
