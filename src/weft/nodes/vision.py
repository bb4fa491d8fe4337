"""Files that are shown to a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError
from weft.nodes.config import SelectorField
from weft.nodes.kept_file import is_kept
from weft.providers import AudioPart, Feature, FilePart, ImagePart, Message, Part, TextPart, VideoPart
from weft.variables import File, Selector, VariablePool

Detail = Literal["high", "low", "auto"]

KEPT = "kept-file:"
"""Before the id of a file that this server keeps, in the place of an address until the request is sent."""

_FEATURES: dict[type[Part], Feature] = {
    ImagePart: "vision",
    AudioPart: "audio",
    VideoPart: "video",
    FilePart: "document",
}


class VisionSource(BaseModel):
    """Which files are shown, and how closely pictures are looked at."""

    model_config = ConfigDict(extra="ignore")

    variable_selector: SelectorField = ("sys", "files")
    detail: Detail = "high"

    @field_validator("variable_selector", mode="before")
    @classmethod
    def _selector(cls, value: object) -> object:
        return value or ("sys", "files")

    @field_validator("detail", mode="before")
    @classmethod
    def _detail(cls, value: object) -> object:
        return value or "high"


class VisionConfig(BaseModel):
    """Whether files are shown."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    configs: VisionSource = Field(default_factory=VisionSource)

    @field_validator("configs", mode="before")
    @classmethod
    def _configs(cls, value: object) -> object:
        return value or {}

    @property
    def detail(self) -> Detail:
        """How closely pictures are looked at."""
        return self.configs.detail

    def reads(self) -> Sequence[Selector]:
        """The variable with the files."""
        return (self.configs.variable_selector,) if self.enabled else ()

    def files(self, pool: VariablePool) -> list[File]:
        """The files to show; none if showing is off or there is no such variable.

        Raises:
            NodeFailedError: The variable holds something else.
        """
        if not self.enabled:
            return []
        selector = self.configs.variable_selector
        value = pool.find(selector)
        if not value:
            return []
        files = files_in(value)
        if not files:
            raise NodeFailedError(
                f"the variable {'.'.join(selector)!r}, whose files the model shall see, holds no files; "
                "choose a file variable under vision",
                error_type="InvalidVariableTypeError",
            )
        return files


def files_in(value: object) -> list[File]:
    """The files that a value is or, as a list, holds."""
    if isinstance(value, File):
        return [value]
    return [item for item in value if isinstance(item, File)] if isinstance(value, list) else []


def file_parts(files: Iterable[File], detail: Detail) -> list[Part]:
    """What a model is shown of these files; those without an address or of no known kind are left out."""
    parts = (_part(file, url, detail) for file in files if (url := _address(file)))
    return [part for part in parts if part is not None]


def show_files(messages: list[Message], files: Iterable[File], detail: Detail) -> None:
    """Put files in front of what the last message of the user says, or into a new one."""
    parts = file_parts(files, detail)
    if not parts:
        return
    if messages and messages[-1].role == "user":
        messages[-1] = Message("user", [*parts, *_content(messages[-1])])
    else:
        messages.append(Message("user", parts))


def keep_supported(messages: Iterable[Message], features: frozenset[Feature]) -> list[Message]:
    """The messages without the parts that the model cannot take in, and without those that then are empty."""
    kept = []
    for message in messages:
        content = message.content
        if not isinstance(content, str):
            parts = [
                part for part in content if isinstance(part, TextPart) or _FEATURES[type(part)] in features
            ]
            content = parts[0].text if len(parts) == 1 and isinstance(parts[0], TextPart) else parts
        if content:
            kept.append(Message(message.role, content, from_history=message.from_history))
    return kept


def _content(message: Message) -> list[Part]:
    return [TextPart(message.content)] if isinstance(message.content, str) else message.content


def _address(file: File) -> str:
    return f"{KEPT}{file.related_id}" if is_kept(file) else file.link


def _part(file: File, url: str, detail: Detail) -> Part | None:
    match file.type:
        case "image":
            return ImagePart(url, detail)
        case "audio":
            return AudioPart(url, (file.extension or "").removeprefix(".") or "wav")
        case "video":
            return VideoPart(url)
        case "document":
            return FilePart(url, file.filename or "")
        case _:
            return None
