"""The answer node: a template that the person sees, while it fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from pydantic import field_validator

from weft.events import FileProduced
from weft.graph import NodeKind, NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.node import Node
from weft.nodes.vision import files_in
from weft.variables import File, Selector, Value, VariablePool, compile_template


class AnswerConfig(NodeConfig):
    """The text with variables in it."""

    answer: str = ""

    @field_validator("answer", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value


class AnswerNode(Node[AnswerConfig]):
    """Gives an answer: outputs `answer`, the rendered text, and `files`, those that it refers to.

    The files belong to the answer from then on, but for those that came with the query.
    """

    config_type: ClassVar[type[NodeConfig]] = AnswerConfig
    kind: ClassVar[NodeKind] = "response"
    instant: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the template apart."""
        self._template = compile_template(self.config.answer)

    def segments(self) -> Sequence[str | Selector]:
        """The template's texts and variables."""
        return self._template.parts

    def reads(self) -> Sequence[Selector]:
        """The template's variables."""
        return self._template.selectors

    async def run(self, context: Context) -> NodeResult:
        """Render the whole text."""
        outputs: dict[str, Value] = {"answer": self._template.render_markdown(context.pool)}
        files = _files(self._template.selectors, context.pool)
        if files:
            files = await context.services.files.renew(files, context.run)
            outputs["files"] = list(files)
            context.files = files
            for file in _new(files, context.pool):
                # With an id of its own, that of the file in this message.
                produced = msgspec.structs.replace(file, id=context.services.ids.new())
                context.emit(FileProduced(file=produced, node_id=self.id))
        return NodeResult(outputs)


def _new(files: Sequence[File], pool: VariablePool) -> list[File]:
    """Those that did not come with the query."""
    given = {file.id for file in files_in(pool.find(("sys", "files")))}
    return [file for file in files if file.id is None or file.id not in given]


def _files(selectors: Sequence[Selector], pool: VariablePool) -> list[File]:
    files: list[File] = []
    for selector in selectors:
        value = pool.find(selector)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, File):
                files.append(item)
    return files
