"""Human input: a person fills in a form and decides which way the run goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, cast

from weft.errors import NodeFailedError
from weft.events import FormRequested, PauseReason
from weft.graph import Need, NodeKind, NodeSpec
from weft.ids import Ids
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult, Resumption, Wait
from weft.nodes.human_input_form import TIMEOUT, HumanInputConfig
from weft.nodes.node import Node
from weft.variables import MISSING, File, Selector, Value, VariablePool, compile_template, render_text

EXPIRED = "Human input form expired"
"""The error of a node that nobody answered in time and that leads nowhere in this case."""

_FIELD = re.compile(r"\{\{#\$outputs?\.([A-Za-z_][A-Za-z0-9_]*)#\}\}")


class HumanInputNode(Node[HumanInputConfig]):
    """Asks for a form, waits until it is filled in or its time is over, and leaves by the chosen action.

    Outputs: each field under its name, `__action_id`, `__action_value`, the action's title, and
    `__rendered_content`, the form's text with the answers in place. When the time is over the node leaves by
    `__timeout`, without the fields; where nothing leads on from there it fails.

    The answer that it waits for: ``{"status": "submitted", "action_id": ..., "values": {...},
    "rendered_content": ...}`` or ``{"status": "expired"}``.
    """

    config_type: ClassVar[type[NodeConfig]] = HumanInputConfig
    kind: ClassVar[NodeKind] = "branch"

    def prepare(self, spec: NodeSpec) -> None:
        """Take the text apart."""
        self._content = compile_template(self.config.form_content)

    def reads(self) -> Sequence[Selector]:
        """The variables of the text, of the fields' first values and of their choices."""
        return [
            *self._content.selectors,
            *(selector for field in self.config.inputs for selector in field.reads),
        ]

    def handles(self) -> Sequence[str]:
        """The actions in order, then the end of time."""
        return [*(action.id for action in self.config.user_actions), TIMEOUT]

    def needs(self) -> Sequence[Need]:
        """Somebody who fills in the form."""
        return [Need("human", self.title or self.id, self.id)]

    async def run(self, context: Context) -> NodeResult:
        """Ask, or go on with what was answered.

        Raises:
            NodeFailedError: The answer is none that this node knows.
        """
        if context.resumption is not None:
            return await self._go_on(context, context.resumption)
        form = self._form(context)
        await context.run.forms.open(form)
        context.emit(form)
        reason = PauseReason(type="human_input_required", node_id=self.id, node_title=self.title, form=form)
        return NodeResult(wait=Wait({"content": form.content}, key=form.form_id, reason=reason))

    def _form(self, context: Context) -> FormRequested:
        config, services, pool = self.config, context.services, context.pool
        return FormRequested(
            form_id=services.ids.new(),
            node_id=self.id,
            node_title=self.title,
            content=self._content.render_markdown(pool),
            inputs=[field.shown(pool) for field in config.inputs],
            actions=[cast(dict[str, Value], action.model_dump()) for action in config.user_actions],
            display_in_ui=config.in_web_app,
            token=_token(services.ids) if config.by_token else None,
            resolved_defaults={
                field.output_variable_name: _default(field.default.source, pool)
                for field in config.inputs
                if field.default is not None
            },
            expires_at=services.clock.now() + config.patience,
        )

    async def _go_on(self, context: Context, resumption: Resumption) -> NodeResult:
        answer: Mapping[str, Any] = resumption.answer or {}
        if answer.get("status") == "expired":
            content = render_submission(str(resumption.state["content"]), {})
            outputs: dict[str, Value] = {
                "__action_id": "",
                "__action_value": "",
                "__rendered_content": content,
            }
            return NodeResult(outputs, handle=TIMEOUT, dead_end=EXPIRED)
        chosen = answer.get("action_id")
        action = next((action for action in self.config.user_actions if action.id == chosen), None)
        if answer.get("status") != "submitted" or action is None:
            raise NodeFailedError(
                f"node {self.id!r} ({self.type}) was answered with the action {chosen!r}, which its form "
                "does not have",
                node_id=self.id,
            )
        values = {name: await _with_links(value, context) for name, value in answer["values"].items()}
        return NodeResult(
            {
                **values,
                "__action_id": action.id,
                "__action_value": action.title,
                "__rendered_content": answer["rendered_content"],
            },
            handle=action.id,
        )


def render_submission(content: str, values: Mapping[str, Value]) -> str:
    """The text of a form with what was filled in in place of its fields; files are only counted."""
    return _FIELD.sub(lambda match: _show(values.get(match[1])), content)


def _show(value: Value) -> str:
    if isinstance(value, File):
        return "[file]"
    if isinstance(value, list) and all(isinstance(item, File) for item in value):
        return f"[{len(value)} files]"
    return render_text(value)


async def _with_links(value: Value, context: Context) -> Value:
    """Files with links that are good from now on; what was filled in may lie there for long."""
    if isinstance(value, File):
        return next(iter(await context.services.files.renew([value], context.run)), None)
    if isinstance(value, list):
        return [renewed for item in value if (renewed := await _with_links(item, context)) is not None]
    return value


def _default(source: Selector | Value, pool: VariablePool) -> Value:
    if not isinstance(source, tuple):
        return source
    value = pool.find(source)
    return None if value is MISSING else value


def _token(ids: Ids) -> str:
    """A key that cannot be guessed: of what two new ids have of chance."""
    return sha256(f"{ids.new()}{ids.new()}".encode()).hexdigest()[:43]
