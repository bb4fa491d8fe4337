"""Prompts: from the templates of a node to the messages that a model is sent.

Source: Dify app DSL, prompt templates of model nodes. Values are put into a text that was taken apart when
the app was loaded, so what a person says is never read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weft.errors import NodeFailedError
from weft.nodes.config import SelectorField
from weft.nodes.context import Context
from weft.nodes.jinja import compile_jinja
from weft.nodes.vision import Detail, file_parts, files_in
from weft.providers import Message
from weft.variables import (
    MISSING,
    File,
    Selector,
    Template,
    Value,
    VariablePool,
    compile_template,
    render_text,
)

Role = Literal["system", "user", "assistant"]
Gap = Literal["context", "histories", "sys.query"]
"""What a run puts into a prompt that is not a variable of the pool."""

_CHAT_GAPS = re.compile(r"\{\{#(context)#\}\}")
# The query as a variable is left to the pool, so only its bare form is a gap.
_COMPLETION_GAPS = re.compile(r"\{\{#(context|histories)#\}\}|(?<!\{)#(histories|sys\.query)#(?!\})")


class JinjaVariable(BaseModel):
    """A name in a Jinja2 prompt and what it stands for."""

    model_config = ConfigDict(extra="ignore")

    variable: str
    value_selector: SelectorField = ()

    @field_validator("value_selector", mode="before")
    @classmethod
    def _selector(cls, value: object) -> object:
        return value or ()


class PromptTemplate(BaseModel):
    """One message of a prompt as node data spell it."""

    model_config = ConfigDict(extra="ignore")

    role: Role = "user"
    text: str = ""
    edition_type: Literal["basic", "jinja2"] = "basic"
    jinja2_text: str = ""

    @field_validator("text", "jinja2_text", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("edition_type", mode="before")
    @classmethod
    def _edition(cls, value: object) -> object:
        return value or "basic"


class PromptConfig(BaseModel):
    """What the names in Jinja2 prompts stand for."""

    model_config = ConfigDict(extra="ignore")

    jinja2_variables: list[JinjaVariable] = Field(default_factory=list)

    @field_validator("jinja2_variables", mode="before")
    @classmethod
    def _variables(cls, value: object) -> object:
        return value or []


class PromptText:
    """A text with variables and gaps in it, taken apart once."""

    __slots__ = ("_parts", "selectors")

    def __init__(self, text: str, gaps: re.Pattern[str] = _CHAT_GAPS) -> None:
        self._parts: list[Template | Gap] = []
        position = 0
        for match in gaps.finditer(text):
            self._parts += [compile_template(text[position : match.start()]), match[match.lastindex or 0]]  # type: ignore[list-item]  # the patterns find nothing but gaps
            position = match.end()
        self._parts.append(compile_template(text[position:]))
        self.selectors: tuple[Selector, ...] = tuple(
            dict.fromkeys(
                selector for part in self._parts if isinstance(part, Template) for selector in part.selectors
            )
        )

    def has(self, gap: Gap) -> bool:
        """Whether the text has a place for that."""
        return gap in self._parts

    def render(self, pool: VariablePool, fill: Mapping[Gap, str]) -> str:
        """The text with values in place; a gap for which there is nothing closes."""
        return "".join(
            part.render(pool) if isinstance(part, Template) else fill.get(part, "") for part in self._parts
        )

    def files(self, pool: VariablePool) -> list[File]:
        """The files that its variables hold, in the order of the text."""
        return [
            file
            for part in self._parts
            if isinstance(part, Template)
            for selector in part.parts
            if not isinstance(selector, str)
            for file in files_in(pool.find(selector))
        ]


class PromptMessage:
    """One message of a prompt, taken apart once."""

    __slots__ = ("_jinja", "_text", "reads", "role", "selectors", "variables")

    def __init__(
        self, template: PromptTemplate, variables: Sequence[JinjaVariable], *, completion: bool = False
    ) -> None:
        self.role = template.role
        self._jinja = template.jinja2_text if template.edition_type == "jinja2" else None
        self._text = PromptText(
            "" if self._jinja is not None else template.text, _COMPLETION_GAPS if completion else _CHAT_GAPS
        )
        self.variables: dict[str, Selector] = (
            {} if self._jinja is None else {item.variable: item.value_selector for item in variables}
        )
        """What the names in a Jinja2 text stand for."""
        self.selectors = self._text.selectors
        """Variables that must exist."""
        self.reads: tuple[Selector, ...] = (
            *self.selectors,
            *(selector for selector in self.variables.values() if selector),
        )
        """All variables that it looks at."""

    def has(self, gap: Gap) -> bool:
        """Whether the text has a place for that."""
        return self._text.has(gap)

    def render(self, context: Context, fill: Mapping[Gap, str]) -> str:
        """The text of the message.

        Raises:
            TemplateRenderError: The Jinja2 template is wrong, or makes too long a text.
        """
        if self._jinja is None:
            return self._text.render(context.pool, fill)
        values = {name: _value(context.pool, selector) for name, selector in self.variables.items()}
        return compile_jinja(self._jinja).render(values, context.services.limits.max_template_chars)

    def file_messages(self, context: Context, detail: Detail) -> list[Message]:
        """A message with the files that its variables hold, if there are any that can be shown."""
        parts = file_parts(self._text.files(context.pool), detail)
        return [Message(self.role, parts)] if parts else []

    def messages(self, context: Context, fill: Mapping[Gap, str], detail: Detail) -> list[Message]:
        """The message, unless it is empty, and after it one with its files."""
        text = self.render(context, fill)
        return [*([Message(self.role, text)] if text else []), *self.file_messages(context, detail)]


def require(pool: VariablePool, selectors: Iterable[Selector]) -> dict[str, Value]:
    """The values of a prompt's variables, as the record of the node shows them.

    Raises:
        NodeFailedError: One of them does not exist.
    """
    values: dict[str, Value] = {}
    for selector in selectors:
        value = pool.find(selector)
        path = ".".join(selector)
        if value is MISSING:
            raise NodeFailedError(
                f"the prompt refers to the variable {path!r}, which no node that ran has set",
                error_type="VariableNotFoundError",
            )
        values[f"#{path}#"] = render_text(value) if value is None or isinstance(value, dict | File) else value
    return values


def find_text(pool: VariablePool, selector: Selector) -> str:
    """A value as text; one that is missing reads as nothing."""
    value = pool.find(selector)
    return "" if value is MISSING else render_text(value)


def _value(pool: VariablePool, selector: Selector) -> Value:
    value = pool.find(selector)
    return "" if value is MISSING else value
