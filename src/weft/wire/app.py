"""What an app says about itself. Source: Dify service API, `/info`, `/parameters`, `/meta`, `/site`."""

from __future__ import annotations

from pydantic import Field

from weft.wire._field import JsonObject, ListOf, Part, Text
from weft.wire._model import SparseModel, WireModel


class AppInfo(WireModel):
    """Name and kind of an app."""

    name: Text = ""
    description: Text = ""
    tags: ListOf[str] = Field(default_factory=list)
    """Names of its tags."""
    mode: Text = "advanced-chat"
    author_name: str | None = None


class Feature(SparseModel):
    """Something an app can do or not; configured keys are passed through whole."""

    enabled: bool = False


class TextToSpeechFeature(Feature):
    """Speaking answers."""

    voice: str | None = None
    language: str | None = None
    auto_play: str | None = Field(default=None, alias="autoPlay")
    """``enabled`` or ``disabled``."""


class ModerationFeature(Feature):
    """Refusing words."""

    type: str = ""
    configs: list[JsonObject] | JsonObject = Field(default_factory=list)


class ImageUploadFeature(Feature):
    """Images with a message."""

    number_limits: int | None = 3
    detail: str | None = "high"
    transfer_methods: list[str] | None = Field(default_factory=lambda: ["remote_url", "local_file"])


class FileUploadFeature(SparseModel):
    """Files with a message; everything but `image` is there only when it was configured."""

    image: ImageUploadFeature | None = Field(default_factory=ImageUploadFeature)
    enabled: bool | None = None
    allowed_file_types: list[str] | None = None
    allowed_file_extensions: list[str] | None = None
    allowed_file_upload_methods: list[str] | None = None
    number_limits: int | None = None
    file_upload_config: JsonObject | None = Field(default=None, alias="fileUploadConfig")


class FormControl(SparseModel):
    """One field of the form that is shown before a conversation."""

    label: Text = ""
    variable: str
    required: bool = False
    default: object = None
    options: list[str] | None = None
    """Only of ``select``."""
    max_length: int | None = None
    """Characters, or files."""
    type: str | None = None
    hide: bool | None = None
    placeholder: str | None = None
    allowed_file_types: list[str] | None = None
    allowed_file_extensions: list[str] | None = None
    allowed_file_upload_methods: list[str] | None = None


class SystemParameters(WireModel):
    """Limits of the server, in megabytes, and of files per message."""

    image_file_size_limit: int = 10
    video_file_size_limit: int = 100
    audio_file_size_limit: int = 50
    file_size_limit: int = 15
    workflow_file_upload_limit: int = 10
    """Files."""


class AppParameters(WireModel):
    """What a front end needs to know before the first message."""

    opening_statement: str | None = None
    suggested_questions: ListOf[str] = Field(default_factory=list)
    suggested_questions_after_answer: Part[Feature] = Field(default_factory=Feature)
    speech_to_text: Part[Feature] = Field(default_factory=Feature)
    text_to_speech: Part[TextToSpeechFeature] = Field(default_factory=TextToSpeechFeature)
    retriever_resource: Part[Feature] = Field(default_factory=Feature)
    annotation_reply: Part[Feature] = Field(default_factory=Feature)
    more_like_this: Part[Feature] = Field(default_factory=Feature)
    user_input_form: ListOf[dict[str, FormControl]] = Field(default_factory=list)
    """One-key objects; the key is the kind of control, e.g. ``text-input``."""
    sensitive_word_avoidance: Part[ModerationFeature] = Field(default_factory=ModerationFeature)
    file_upload: Part[FileUploadFeature] = Field(default_factory=FileUploadFeature)
    system_parameters: SystemParameters = Field(default_factory=SystemParameters)

    @property
    def controls(self) -> list[tuple[str, FormControl]]:
        """Kind and control of each field of the form, in order."""
        return [pair for item in self.user_input_form for pair in item.items()]


class ToolIcon(SparseModel):
    """An icon made of a letter or emoji on a colour."""

    background: str | None = None
    content: str | None = None


class AppMeta(WireModel):
    """Icons of the tools an app uses, by tool name: an address or a drawn icon."""

    tool_icons: Part[dict[str, str | ToolIcon]] = Field(default_factory=dict)


class Site(WireModel):
    """How the app presents itself as a web page."""

    title: Text = ""
    chat_color_theme: str | None = None
    chat_color_theme_inverted: bool | None = False
    icon_type: str | None = None
    icon: str | None = None
    icon_background: str | None = None
    icon_url: str | None = None
    """``None`` unless `icon_type` is ``image``."""
    description: str | None = None
    copyright: str | None = None
    privacy_policy: str | None = None
    custom_disclaimer: str | None = None
    default_language: str | None = None
    show_workflow_steps: bool = True
    use_icon_as_answer_icon: bool = False
