"""A chatflow opened in the test's own process: ask it something, look at what happened.

::

    async with open_flow("app.yml", mocks={"llm": Mock(text="Hello")}) as flow:
        run = await flow.ask("Hi")
        assert run.answer == "Hello"
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from weft.errors import ConfigError
from weft.events import Event, TextStreamed
from weft.graph import load_app
from weft.runs import WORKSPACE_ID, BuildNode, RunRequest, Runtime, ServedApp, open_runtime
from weft.settings import Settings
from weft.store import (
    Conversation,
    EndUser,
    NodeExecution,
    conversation_variables,
    conversations,
    end_users,
    node_executions,
)
from weft.testing.mock import Mock, Mocks

USER = "tester"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRun:
    """One answer of a chatflow, or one run of a workflow."""

    run_id: str
    status: str
    answer: str
    """Empty in workflows."""
    outputs: Mapping[str, object]
    error: str | None
    conversation_id: str | None
    total_tokens: int
    executions: Sequence[NodeExecution]
    """What each node did, in order."""
    pieces: Sequence[str]
    """The answer as it was streamed."""
    variables: Mapping[str, object] = field(default_factory=dict)
    """The conversation's variables after the run."""
    volatile: Mapping[str, str] = field(default_factory=dict)
    """Ids that are others in every run, with what each one is."""

    def ran(self, node: str) -> bool:
        """Whether the node with that id or title ran."""
        return any(node in (execution.node_id, execution.title) for execution in self.executions)

    def executions_of(self, node: str) -> list[NodeExecution]:
        """What the node with that id or title did, each time; retries are not counted."""
        return [
            execution
            for execution in self.executions
            if node in (execution.node_id, execution.title) and execution.status != "retry"
        ]


class Flow:
    """An app that can be asked."""

    def __init__(self, runtime: Runtime, served: ServedApp) -> None:
        self._runtime = runtime
        self._served = served
        self._version = runtime.catalog.compile(served.workflow)

    @property
    def is_chat(self) -> bool:
        """Whether it takes questions; workflows take inputs only."""
        return self._served.app.mode == "advanced-chat"

    @property
    def warnings(self) -> Sequence[str]:
        """What looks wrong in the file but does not matter."""
        return self._served.warnings

    async def ask(
        self,
        query: str | None = None,
        *,
        inputs: Mapping[str, object] | None = None,
        files: Sequence[Mapping[str, object]] = (),
        user: str = USER,
        conversation_id: str | None = None,
    ) -> FlowRun:
        """Run the app once, to its end.

        Args:
            query: The question; workflows take none.
            inputs: Values of the start variables.
            files: Files of the message, as the API takes them.
            user: Who asks.
            conversation_id: The conversation to go on with; a new one unless given.

        Raises:
            ConfigError: A chatflow without a question, a workflow with one, or an unknown conversation.
            InvalidRequestError: An input or a file is not what the app wants.
        """
        if self.is_chat and not query:
            raise ConfigError("this app is a chatflow: give a query")
        if not self.is_chat and query is not None:
            raise ConfigError("this app is a workflow, which takes no query; use inputs")
        end_user = await self._end_user(user)
        request = RunRequest(
            app=self._served.app,
            version=self._version,
            end_user=end_user,
            inputs=dict(inputs or {}),
            query=query,
            files=files,
            conversation=await self._conversation(end_user, conversation_id),
            auto_generate_name=False,
        )
        live = await self._runtime.runner.start(request)
        pieces: list[str] = []

        def hear(event: Event) -> None:
            if isinstance(event, TextStreamed) and event.text:
                pieces.append(event.text)

        live.listen(hear)
        await live.ended()
        run, message = live.run, live.message
        store = self._runtime.store
        executions = await store.read(
            lambda connection: node_executions.list_by_run(connection, run.app_id, run.id)
        )
        variables = {}
        if run.conversation_id is not None:
            conversation = run.conversation_id
            rows = await store.read(
                lambda connection: conversation_variables.list_all(connection, run.app_id, conversation)
            )
            variables = {row.name: row.value for row in rows}
        ids = {
            run.id: "run",
            run.app_id: "app",
            run.workflow_id: "workflow",
            run.conversation_id: "conversation",
            run.message_id: "message",
        }
        return FlowRun(
            run_id=run.id,
            status=run.status,
            answer="" if message is None else message.answer,
            outputs=run.outputs or {},
            error=run.error,
            conversation_id=run.conversation_id,
            total_tokens=run.total_tokens,
            executions=executions,
            pieces=tuple(pieces),
            variables=variables,
            volatile={id: f"<{name} id>" for id, name in ids.items() if id is not None},
        )

    async def _end_user(self, user: str) -> EndUser:
        runtime, app = self._runtime, self._served.app
        now = runtime.clock.now()
        new = EndUser(
            id=runtime.ids.new(),
            workspace_id=WORKSPACE_ID,
            app_id=app.id,
            session_id=user,
            created_at=now,
            updated_at=now,
            external_user_id=user,
        )
        return await runtime.store.write(lambda connection: end_users.find_or_create(connection, new))

    async def _conversation(self, end_user: EndUser, conversation_id: str | None) -> Conversation | None:
        if conversation_id is None:
            return None
        found = await self._runtime.store.read(
            lambda connection: conversations.find(
                connection, end_user.app_id, conversation_id, end_user_id=end_user.id
            )
        )
        if found is None:
            raise ConfigError(f"user {end_user.session_id!r} has no conversation {conversation_id}")
        return found


@asynccontextmanager
async def open_flow(
    app: Path | str,
    *,
    mocks: Mapping[str, Mock | Sequence[Mock]] | Mocks | None = None,
    settings: Settings | None = None,
    build: BuildNode | None = None,
) -> AsyncIterator[Flow]:
    """Open an app; its records are gone when it is closed.

    Args:
        app: Path of an exported app.
        mocks: Stand-ins for nodes; see `Mocks`.
        settings: Models, tools, datasets and limits; with scripted models and nothing else unless given.
            Data folder and database of the settings are left alone: records go to a temporary folder.
        build: Makes the nodes, for more than mocks can do.

    Raises:
        ConfigError: The file cannot be read, or a mock has no node.
        GraphError: The file cannot be run; every problem of it.
    """
    wanted = mocks if isinstance(mocks, Mocks) else Mocks(mocks or {})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-flow-")))
        own = {"data": folder, "database_url": f"sqlite:///{folder}/weft.db", "files_url": "memory://"}
        if settings is None:
            chosen = Settings.model_validate({**own, "models_url": "scripted"})
        else:
            chosen = settings.model_copy(update=own)
        runtime = await stack.enter_async_context(open_runtime(chosen, build=build or wanted.build))
        served = await runtime.serve_file(Path(app))
        flow = Flow(runtime, served)
        wanted.check()
        yield flow


def ask(
    app: Path | str,
    query: str | None = None,
    *,
    inputs: Mapping[str, object] | None = None,
    mocks: Mapping[str, Mock | Sequence[Mock]] | None = None,
    settings: Settings | None = None,
) -> FlowRun:
    """Open an app, run it once and close it: for tests that are not asynchronous; see `open_flow`."""

    async def run() -> FlowRun:
        async with open_flow(app, mocks=mocks, settings=settings) as flow:
            return await flow.ask(query, inputs=inputs)

    return asyncio.run(run())


def app_mode(content: str) -> str:
    """The mode that an exported app has.

    Raises:
        GraphError: It is no such file.
    """
    return load_app(content).mode
