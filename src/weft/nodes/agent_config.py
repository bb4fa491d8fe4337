"""What an agent node is told by its app.

Source: Dify app DSL, node type ``agent``; parameters as the official agent strategies name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from weft.errors import NodeFailedError
from weft.nodes.config import NodeConfig
from weft.nodes.memory import MemoryConfig
from weft.nodes.model_config import ModelConfig
from weft.nodes.tool_input import ToolInput, read_inputs
from weft.tools import ToolRef, host_of
from weft.variables import MISSING, Value, VariablePool, render_text

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
_Table = Annotated[dict[str, object], BeforeValidator(lambda value: value if isinstance(value, dict) else {})]

Strategy = Literal["function-calling", "react"]

_STRATEGIES: dict[str, Strategy] = {
    "function_calling": "function-calling",
    "functioncalling": "function-calling",
    "function_call": "function-calling",
    "react": "react",
    "cot_agent": "react",
    "cot": "react",
}
DEFAULT_ITERATIONS = 3
MAX_ITERATIONS = 99


class AgentToolConfig(BaseModel):
    """A tool that an agent may use."""

    model_config = ConfigDict(extra="ignore")

    enabled: bool = False
    type: _Text = "builtin"
    provider_id: _Text = ""
    provider_name: _Text = ""
    tool_name: _Text = ""
    extra: _Table = Field(default_factory=dict)
    settings: _Table = Field(default_factory=dict)
    """What its author set up."""
    parameters: _Table = Field(default_factory=dict)
    """What the model is to give, unless the author gives it."""

    @property
    def ref(self) -> ToolRef:
        """The tool."""
        return ToolRef(
            provider_type=self.type or "builtin",
            provider_id=self.provider_id or self.provider_name,
            provider_name=self.provider_name,
            tool_name=self.tool_name,
        )

    @property
    def description(self) -> str:
        """What its author says of it; empty for what it says of itself."""
        return str(self.extra.get("description") or "")

    def fixed(self) -> dict[str, ToolInput]:
        """The values that its author gives; the model gives the others.

        Raises:
            ValueError: A value does not fit its type.
        """
        given = {name: _given(value) for name, value in self.parameters.items()}
        given |= {
            name: _given({"auto": 0, **value} if isinstance(value, dict) else value)
            for name, value in self.settings.items()
        }
        return read_inputs(given)


def _given(value: object) -> object:
    """What an author wrote for one value; ``None`` where it is left to the model or to the tool."""
    if isinstance(value, dict):
        if value.get("type") in ("mixed", "variable", "constant"):
            return value
        # Only a value that is said to be no automatic one is the author's.
        value = value.get("value") if value.get("auto", 1) in (0, False) else None
    return None if value == "" else value


class AgentConfig(NodeConfig):
    """A strategy and its parameters."""

    agent_strategy_provider_name: _Text = ""
    agent_strategy_name: _Text = ""
    agent_strategy_label: _Text = ""
    agent_node_kind: _Text = ""
    agent_parameters: Annotated[dict[str, ToolInput], BeforeValidator(read_inputs)] = Field(
        default_factory=dict
    )
    memory: MemoryConfig | None = None
    plugin_unique_identifier: _Text = ""

    @property
    def strategy(self) -> Strategy | None:
        """How the agent goes about it; ``None`` for a way that is not known here."""
        if self.agent_node_kind:
            return None
        return _STRATEGIES.get(self.agent_strategy_name.strip().lower().replace("-", "_"))

    @property
    def strategy_name(self) -> str:
        """The strategy for messages."""
        name = self.agent_strategy_name or self.agent_node_kind or "?"
        provider = self.agent_strategy_provider_name
        return f"{provider}/{name}" if provider else name

    @property
    def model(self) -> ModelConfig | None:
        """The model, if the file itself names it."""
        given = self.agent_parameters.get("model")
        return None if given is None or given.type == "variable" else read_model(given.value)

    @property
    def tools(self) -> list[AgentToolConfig]:
        """The tools that are switched on, if the file itself lists them."""
        given = self.agent_parameters.get("tools")
        return [] if given is None or given.type == "variable" else read_tools(given.value)

    @property
    def server_host(self) -> str:
        """The host of the MCP server that the file names; its address may hold a key."""
        given = self.agent_parameters.get("mcp_server")
        return host_of(given.value.strip()) if given is not None and isinstance(given.value, str) else ""


def read_model(given: object) -> ModelConfig:
    """A model as a model selector gives it."""
    if not isinstance(given, Mapping):
        return ModelConfig()
    name = given.get("model") or given.get("name")
    return ModelConfig.model_validate({**given, "name": name})


def read_tools(given: object) -> list[AgentToolConfig]:
    """The tools of a list that are switched on."""
    listed = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    read = [AgentToolConfig.model_validate({**item, "enabled": bool(item.get("enabled"))}) for item in listed]
    return [item for item in read if item.enabled and item.tool_name]


@dataclass(frozen=True, slots=True)
class AgentTask:
    """What an agent has to do, with variables in place."""

    model: ModelConfig
    tools: list[AgentToolConfig]
    instruction: str
    query: str
    max_iterations: int
    """How often it may use tools before it has to answer."""
    server: str
    """Address of an MCP server whose tools it may use; empty for none."""

    @classmethod
    def read(cls, config: AgentConfig, pool: VariablePool) -> AgentTask:
        """Resolve the parameters.

        Raises:
            NodeFailedError: A variable is missing, or a value is none that can be used.
        """
        values = _resolve(config, pool)
        try:
            # The values in them are filled in later, one by one, by whoever knows what they are for.
            model = config.model or read_model(values.get("model"))
            tools = config.tools or read_tools(values.get("tools"))
        except ValueError as error:
            raise NodeFailedError(
                f"the model or the tools of the agent cannot be read: {error}",
                error_type="AgentParameterError",
            ) from error
        return cls(
            model=model,
            tools=tools,
            instruction=render_text(values.get("instruction")),
            query=render_text(values.get("query")),
            max_iterations=_iterations(values.get("maximum_iterations")),
            server=render_text(values.get("mcp_server")).strip(),
        )


def _resolve(config: AgentConfig, pool: VariablePool) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, item in config.agent_parameters.items():
        value = item.resolve(pool)
        if value is MISSING:
            selector = next(item.reads(), ())
            raise NodeFailedError(
                f"parameter {name!r} of the agent is the variable {'.'.join(selector)!r}, which no node that "
                "ran has set",
                error_type="AgentVariableNotFoundError",
            )
        values[name] = value
    return values


def _iterations(value: Value) -> int:
    if value is None or value == "":
        return DEFAULT_ITERATIONS
    try:
        number = int(float(value))  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not 1 <= number <= MAX_ITERATIONS:
        raise NodeFailedError(
            f"maximum_iterations of the agent is {value!r}; it has to be a whole number from 1 to "
            f"{MAX_ITERATIONS}",
            error_type="AgentMaxIterationError",
        )
    return number
