"""The context of a prompt: passages that a model shall build its answer from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, field_validator

from weft.errors import NodeFailedError
from weft.nodes.config import SelectorField
from weft.nodes.vision import files_in
from weft.variables import MISSING, File, Selector, Value, VariablePool, render_text

_RESOURCE_FIELDS = (
    "position",
    "dataset_id",
    "dataset_name",
    "document_id",
    "document_name",
    "data_source_type",
    "segment_id",
    "retriever_from",
    "score",
    "segment_position",
    "page",
    "doc_metadata",
)
_RENAMED_FIELDS = {
    "hit_count": "segment_hit_count",
    "word_count": "segment_word_count",
    "index_node_hash": "segment_index_node_hash",
}


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A context as a prompt needs it."""

    text: str = ""
    resources: list[dict[str, Value]] = field(default_factory=list)
    """Passages that came from a dataset, as the API shows them."""
    files: list[File] = field(default_factory=list)
    """Files that belong to the passages."""


class KnowledgeConfig(BaseModel):
    """Which variable holds the context."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    variable_selector: SelectorField = ()

    @field_validator("variable_selector", mode="before")
    @classmethod
    def _selector(cls, value: object) -> object:
        return value or ()

    def reads(self) -> Sequence[Selector]:
        """The variable with the context."""
        return (self.variable_selector,) if self.enabled and self.variable_selector else ()

    def find(self, pool: VariablePool) -> Knowledge | None:
        """The context; ``None`` if it is off or there is no such variable.

        Raises:
            NodeFailedError: The variable holds what cannot be read as passages.
        """
        value = pool.find(self.variable_selector) if self.enabled else MISSING
        if value is MISSING or value is None:
            return None
        if not isinstance(value, dict | list):
            return Knowledge(render_text(value))
        items = value if isinstance(value, list) else [value]
        return Knowledge(
            "\n".join(self._passage(item) for item in items).strip(),
            [_resource(item) for item in items if isinstance(item, dict) and _is_knowledge(item)],
            [file for item in items if isinstance(item, dict) for file in files_in(item.get("files"))],
        )

    def _passage(self, item: Value) -> str:
        if isinstance(item, str):
            return item
        if isinstance(item, dict) and "content" in item:
            texts = (render_text(item[name]) for name in ("summary", "content") if item.get(name))
            return "\n".join(texts)
        raise NodeFailedError(
            f"the context variable {'.'.join(self.variable_selector)!r} holds an item that is neither a text "
            "nor an object with 'content'; choose the result of a retrieval, a text or a list of texts",
            error_type="InvalidContextStructureError",
        )


def _is_knowledge(item: Mapping[str, Value]) -> bool:
    metadata = item.get("metadata")
    return isinstance(metadata, dict) and metadata.get("_source") == "knowledge"


def _resource(item: Mapping[str, Value]) -> dict[str, Value]:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    resource = {name: metadata.get(name) for name in _RESOURCE_FIELDS}
    resource |= {name: metadata.get(source) for name, source in _RENAMED_FIELDS.items()}
    return {**resource, "content": item.get("content"), "summary": item.get("summary")}
