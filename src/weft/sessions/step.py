"""What one step of a run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from weft.sessions.plain import Convert, JsonObject, Model, Part, Plain, field_names, known, objects, plain

StepType: TypeAlias = Literal[
    "Function", "Step", "Steps", "Loop", "Parallel", "Condition", "Router", "Workflow"
]


@dataclass(kw_only=True)
class StepOutput(Part):
    """The outcome of a step; steps inside of it stand in `steps`."""

    step_name: str | None = None
    step_id: str | None = None
    step_type: StepType | str | None = None
    executor_type: str | None = None
    """``agent``, ``team``, ``function`` or ``workflow``."""
    executor_name: str | None = None
    step_run_id: str | None = None
    """Id of the executor run that did it."""
    content: object = None
    images: list[Plain] | None = None
    videos: list[Plain] | None = None
    audio: list[Plain] | None = None
    files: list[Plain] | None = None
    metrics: Plain | None = None
    success: bool = True
    error: str | None = None
    stop: bool = False
    """The workflow ends here."""
    is_paused: bool = False
    steps: list[StepOutput] | None = None

    def dumped(self, convert: Convert) -> JsonObject:
        """Its fields as plain data; content that is no dict, list or model becomes text."""
        found: JsonObject = {}
        for name in field_names(StepOutput):
            value = getattr(self, name)
            if name == "content":
                found[name] = self._dumped_content(convert)
            elif name == "steps":
                if value:
                    found[name] = convert(value)
            elif name in ("images", "videos", "audio", "files", "metrics"):
                found[name] = convert(value) if value else None
            else:
                found[name] = convert(value)
        return found

    def _dumped_content(self, convert: Convert) -> object:
        content = self.content
        if content is None or isinstance(content, str | dict | list | Mapping | Model):
            return convert(content)
        return str(content)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> StepOutput:
        """The step of plain data, which stays as it is; unknown fields are left out."""
        return cls.loaded(data, plain)

    @classmethod
    def loaded(cls, data: Mapping[str, object], convert: Convert) -> StepOutput:
        """As `from_dict`; what lies in the data goes through `convert`."""
        fields = known(cls, data, without=("steps",), convert=convert)
        steps = [cls.loaded(item, convert) for item in objects(data.get("steps"))]
        return cls(**fields, steps=steps or None)  # type: ignore[arg-type]  # as plain as it was written
