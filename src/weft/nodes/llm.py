"""The llm node: asks a chat model and streams what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from weft.errors import NodeFailedError
from weft.events import ResourcesRetrieved
from weft.graph import Need, NodeSpec
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.knowledge import Knowledge
from weft.nodes.llm_config import LlmConfig
from weft.nodes.llm_prompt import LlmPrompt
from weft.nodes.llm_stream import SeparatedSink, TaggedSink
from weft.nodes.model_call import call_model, usage_value
from weft.nodes.model_config import ResolvedModel
from weft.nodes.node import Node
from weft.nodes.structured_output import StructuredOutput
from weft.providers import ChatRequest
from weft.variables import Selector, Value


class LlmNode(Node[LlmConfig]):
    """Asks a model.

    Outputs `text`, `reasoning_content`, `usage`, `finish_reason` and, if it is switched on,
    `structured_output`. The prompt of a completion model is sent as one message of the user.
    """

    config_type: ClassVar[type[NodeConfig]] = LlmConfig
    retries: ClassVar[bool] = True

    def prepare(self, spec: NodeSpec) -> None:
        """Take the prompt's texts apart."""
        self._prompt = LlmPrompt(self.config)

    def reads(self) -> Sequence[Selector]:
        """Variables of the prompt, its context and files, and the parameters."""
        return (*self._prompt.reads, *self.config.model.reads())

    def needs(self) -> Sequence[Need]:
        """The model."""
        return (self.config.model.need(self.id),)

    async def run(self, context: Context) -> NodeResult:
        """Put the prompt together, ask, and pass the reply on as it comes."""
        config, pool = self.config, context.pool
        context.inputs = self._prompt.inputs(context)
        knowledge = self._find_knowledge(context)
        schema = self._find_schema()
        model = ResolvedModel.find(context, config.model)
        parameters, stop = config.model.parameters(pool)
        messages = await self._prompt.assemble(context, model, parameters, knowledge)
        native = schema is not None and "structured-output" in model.features
        if schema is not None and not native:
            messages = schema.instruct(messages)
        request = ChatRequest(
            model.name,
            messages,
            parameters=parameters,
            stop=stop,
            response_schema=schema.schema if schema is not None and native else None,
            user=context.run.user,
            node_id=self.id,
        )
        sink = SeparatedSink(context) if config.reasoning_format == "separated" else TaggedSink(context)
        reply = await call_model(context, config.model, model, request, sink)
        outputs: dict[str, Value] = {
            "text": reply.text,
            "reasoning_content": reply.reasoning,
            "usage": usage_value(reply.usage),
            "finish_reason": reply.finish_reason,
        }
        if schema is not None:
            context.outputs = dict(outputs)
            outputs["structured_output"] = schema.parse(reply.text)
        return NodeResult(outputs)

    def _find_knowledge(self, context: Context) -> Knowledge:
        knowledge = self.config.context.find(context.pool)
        if knowledge is None:
            return Knowledge()
        context.inputs["#context#"] = knowledge.text
        if knowledge.resources:
            context.emit(ResourcesRetrieved(resources=knowledge.resources, node_id=self.id))
        return knowledge

    def _find_schema(self) -> StructuredOutput | None:
        if not self.config.structured_output_enabled:
            return None
        schema = self.config.structured_output.get("schema")
        if not isinstance(schema, dict) or not schema:
            raise NodeFailedError(
                "structured output is on, but has no schema; add fields to it", error_type="LLMNodeError"
            )
        return StructuredOutput(schema)
