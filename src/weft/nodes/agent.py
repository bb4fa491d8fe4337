"""The agent node: a model that uses tools as it sees fit.

Source: Dify app DSL, node type ``agent``, with the official strategies for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from weft.errors import NodeFailedError, WeftError
from weft.graph import Need, NodeSpec
from weft.nodes.agent_config import AgentConfig, AgentTask
from weft.nodes.agent_function_calling import call_functions
from weft.nodes.agent_react import reason_and_act
from weft.nodes.agent_run import AgentRun
from weft.nodes.agent_tool import find_tools
from weft.nodes.config import NodeConfig
from weft.nodes.context import Context, NodeResult
from weft.nodes.model_call import usage_value
from weft.nodes.model_config import ResolvedModel
from weft.nodes.node import Node
from weft.variables import Selector, Value


class AgentNode(Node[AgentConfig]):
    """Gives a model a task and tools, and lets it go on until it answers or has used them often enough.

    Outputs `text`, `usage` (of all calls of the model), `files` (what the tools made) and `json` (the lines
    of the log, then what the model calls used). A tool that fails does not fail the node: the model is told.
    """

    config_type: ClassVar[type[NodeConfig]] = AgentConfig

    def prepare(self, spec: NodeSpec) -> None:
        """See that the model and the tools can be read."""
        self._model = self.config.model
        self._tools = self.config.tools
        for tool in self._tools:
            tool.fixed()
        self.agent_strategy = {"name": self.config.agent_strategy_name, "icon": None}

    def reads(self) -> Sequence[Selector]:
        """The variables in the parameters."""
        inputs = self.config.agent_parameters.values()
        return tuple(dict.fromkeys(selector for item in inputs for selector in item.reads()))

    def needs(self) -> Sequence[Need]:
        """The model, the tools, and a strategy that is not known here."""
        config = self.config
        needs = [] if self._model is None else [self._model.need(self.id)]
        needs += [Need("tool", str(tool.ref), self.id) for tool in self._tools]
        if config.strategy is None:
            needs.append(Need("tool", f"agent strategy {config.strategy_name}", self.id))
        if config.server_host:
            needs.append(Need("tool", f"MCP server {config.server_host}", self.id))
        return needs

    async def run(self, context: Context) -> NodeResult:
        """Do the task."""
        config = self.config
        if config.strategy is None:
            raise NodeFailedError(
                f"the agent's strategy {config.strategy_name!r} is not known here; choose FunctionCalling or "
                "ReAct of the official agent strategies",
                error_type="AgentStrategyNotFoundError",
                node_id=self.id,
                node_type=self.type,
            )
        task = AgentTask.read(config, context.pool)
        context.inputs = _inputs(task)
        context.metadata["tool_info"] = {"agent_strategy": config.agent_strategy_name}
        model = ResolvedModel.find(context, task.model)
        run = AgentRun(context, config, task, model, await find_tools(context, task))
        try:
            if config.strategy == "react":
                await reason_and_act(run)
            else:
                await call_functions(run)
        except WeftError as error:
            run.log.fail(str(error))
            raise
        finally:
            context.metadata["agent_log"] = run.log.entries()
        context.end_stream("text")
        context.files = run.files
        used = usage_value(run.usage)
        return NodeResult(
            {
                "text": "".join(run.text),
                "usage": used,
                "files": list(run.files),
                "json": [*run.log.entries(), {"execution_metadata": used}],
            }
        )


def _inputs(task: AgentTask) -> dict[str, Value]:
    inputs: dict[str, Value] = {
        "model": {"provider": task.model.provider, "model": task.model.name},
        "instruction": task.instruction,
        "query": task.query,
        "maximum_iterations": task.max_iterations,
        "tools": [str(tool.ref) for tool in task.tools],
    }
    return {**inputs, "mcp_server": task.server} if task.server else inputs
