"""Apps, their keys, exports and imports. Source: Dify console API, `/apps`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Text
from weft.wire._model import WireModel
from weft.wire.console._base import ConsoleModel, moment
from weft.wire.page import Page
from weft.wire.status import _OpenStatus


class AppMode(_OpenStatus):
    """What kind of app it is; compares equal to its text, unknown texts are kept."""

    COMPLETION = "completion"
    CHAT = "chat"
    ADVANCED_CHAT = "advanced-chat"
    WORKFLOW = "workflow"
    AGENT_CHAT = "agent-chat"
    CHANNEL = "channel"


class AppSummary(ConsoleModel):
    """An app as the list shows it."""

    id: str
    name: Text = ""
    mode: AppMode | None = None
    description: str | None = None
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None
    icon_url: str | None = None
    use_icon_as_answer_icon: bool | None = None
    app_model_config: JsonObject | None = Field(default=None, alias="model_config")
    workflow: JsonObject | None = None
    max_active_requests: int | None = None
    """Runs at a time; zero and ``None`` mean no limit."""
    tags: ListOf[JsonObject] = Field(default_factory=list)
    access_mode: str | None = None
    author_name: str | None = None
    create_user_name: str | None = None
    created_by: str | None = None
    created_at: int | None = None
    """Unix seconds."""
    updated_by: str | None = None
    updated_at: int | None = None
    """Unix seconds."""


class AppDetail(AppSummary):
    """An app with its site and its switches."""

    enable_site: bool | None = None
    enable_api: bool | None = None
    """Whether app keys work."""
    site: JsonObject | None = None
    api_base_url: str | None = None
    deleted_tools: ListOf[object] = Field(default_factory=list)


AppPage = Page[AppSummary]


class AppCreateRequest(WireModel):
    """Body that makes an app."""

    name: Annotated[str, Field(min_length=1)]
    mode: AppMode
    description: Annotated[str, Field(max_length=400)] | None = None
    icon_type: str | None = None
    """``emoji``, ``image`` or ``link``."""
    icon: str | None = None
    icon_background: str | None = None


class AppUpdateRequest(WireModel):
    """Body that changes an app."""

    name: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(max_length=400)] | None = None
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None
    use_icon_as_answer_icon: bool | None = None
    max_active_requests: int | None = None


class AppCopyRequest(WireModel):
    """Body that copies an app; what is left out is taken from the original."""

    name: str | None = None
    description: str | None = None
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None


class ApiSwitchRequest(WireModel):
    """Body that switches the use of app keys on or off."""

    enable_api: bool


class AppExport(ConsoleModel):
    """An app as a file."""

    data: str
    """YAML text."""


class AppImportRequest(WireModel):
    """Body that makes or overwrites an app from a file."""

    mode: str
    """``yaml-content`` or ``yaml-url``."""
    yaml_content: str | None = None
    yaml_url: str | None = None
    app_id: str | None = None
    """The app to overwrite."""
    name: str | None = None
    description: str | None = None
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None


class AppImport(ConsoleModel):
    """What became of an import."""

    id: str | None = None
    status: Text = ""
    """``completed``, ``completed-with-warnings``, ``pending`` (to be confirmed) or ``failed``."""
    app_id: str | None = None
    app_mode: AppMode | None = None
    current_dsl_version: str | None = None
    imported_dsl_version: str | None = None
    error: Text = ""


class AppToken(ConsoleModel):
    """A key of an app."""

    id: str
    type: Text = "app"
    token: str = Field(repr=False)
    """The key itself, in full."""
    last_used_at: int | None = None
    """Unix seconds."""
    created_at: int | None = None
    """Unix seconds."""

    @property
    def last_used_datetime(self) -> datetime | None:
        """`last_used_at` as an aware UTC datetime."""
        return moment(self.last_used_at)


class AppTokenList(ConsoleModel):
    """The keys of an app."""

    data: ListOf[AppToken] = Field(default_factory=list)
