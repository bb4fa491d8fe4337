"""A store, a runner and apps for it, put together out of few words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.engine.harness import BOUND, Data, Gate, app_file, build
from weft.events import Event, TextStreamed
from weft.graph import AppFile, VariableDeclaration, compile_graph
from weft.ids import SequentialIds
from weft.nodes import Limits, Services
from weft.providers import ChatChunk, ChatModel, ChatRequest, Feature, ScriptedModel
from weft.runs import AppVersion, LiveRun, Runner, RunRequest, UploadRules
from weft.store import (
    App,
    Connection,
    Conversation,
    ConversationVariable,
    EndUser,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    Store,
    Workspace,
    apps,
    conversation_variables,
    conversations,
    end_users,
    messages,
    node_executions,
    runs,
    workspaces,
)
from weft.testing.clock import FrozenClock
from weft.testing.node_harness import FakeSandbox, single_model

WORKSPACE = Workspace("00000000-0000-7000-8000-00000000aaaa", "Ours", FrozenClock().now())


@dataclass
class Heard:
    """A run and all that a listener heard of it."""

    live: LiveRun
    events: list[Event] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """What kinds of events there were."""
        return [type(event).__name__ for event in self.events]

    @property
    def answer(self) -> str:
        """What a person has seen."""
        return "".join(event.text for event in self.events if isinstance(event, TextStreamed))

    async def ended(self) -> Heard:
        """The same, when the run is over and everything behind it is done."""
        async with asyncio.timeout(BOUND):
            await self.live.ended()
            if self.live.task is not None:
                await asyncio.wait([self.live.task])
        return self


class House:
    """One process with its records."""

    def __init__(
        self,
        store: Store,
        *,
        model: ChatModel | None = None,
        clock: FrozenClock | None = None,
        limits: Limits | None = None,
        max_active_requests: int = 0,
    ) -> None:
        self.store = store
        self.clock = clock or FrozenClock()
        self.ids = SequentialIds()
        self.model = model or ScriptedModel(clock=self.clock)
        self.services = Services(
            clock=self.clock,
            ids=self.ids,
            models=single_model(self.model, clock=self.clock),  # type: ignore[arg-type]  # any clock will do
            sandbox=FakeSandbox(),
            limits=limits or Limits(),
        )
        self.runner = Runner(
            store, self.services, owner_id="this process", max_active_requests=max_active_requests
        )
        self.app: App | None = None
        self.user: EndUser | None = None

    async def serve(
        self, nodes: Mapping[str, Data], *ways: str, mode: Any = "advanced-chat", **details: Any
    ) -> AppVersion:
        """A version of the house's app; see `version`."""
        if self.app is None:
            self.app = await self.new_app(mode)
            self.user = await self.new_user("ada")
        return version(self.app.id, nodes, *ways, mode=mode, **details)

    async def new_app(self, mode: Any = "advanced-chat", **details: Any) -> App:
        now = self.clock.now()
        app = App(self.ids.new(), WORKSPACE.id, "Test", mode, now, now, **details)

        def create(connection: Connection) -> None:
            workspaces.find_or_create(connection, WORKSPACE)
            apps.create(connection, app)

        await self.store.write(create)
        return app

    async def new_user(self, name: str) -> EndUser:
        assert self.app is not None
        now = self.clock.now()
        user = EndUser(self.ids.new(), WORKSPACE.id, self.app.id, name, now, now, external_user_id=name)
        return await self.store.write(lambda connection: end_users.find_or_create(connection, user))

    def request(self, version: AppVersion, query: str | None = "Hi", **details: Any) -> RunRequest:
        assert self.app is not None
        assert self.user is not None
        details.setdefault("inputs", {})
        details.setdefault("auto_generate_name", False)
        return RunRequest(
            **{"app": self.app, "version": version, "end_user": self.user, "query": query, **details}
        )

    async def start(self, version: AppVersion, query: str | None = "Hi", **details: Any) -> Heard:
        """Start a run and listen to it from its first event on."""
        heard = Heard(await self.runner.start(self.request(version, query, **details)))
        heard.live.listen(heard.events.append)
        return heard

    async def ask(self, version: AppVersion, query: str | None = "Hi", **details: Any) -> Heard:
        """Run to the end."""
        return await (await self.start(version, query, **details)).ended()

    # What is on disk

    async def run_row(self, heard: Heard) -> Run:
        run = heard.live.run
        found = await self.store.read(lambda connection: runs.find(connection, run.app_id, run.id))
        assert found is not None
        return found

    async def message_row(self, heard: Heard) -> Message:
        message = heard.live.message
        assert message is not None
        found = await self.store.read(
            lambda connection: messages.find(connection, message.app_id, message.id)
        )
        assert found is not None
        return found

    async def message_files(self, heard: Heard) -> Sequence[MessageFile]:
        message = heard.live.message
        assert message is not None
        found = await self.store.read(lambda connection: messages.list_files(connection, [message.id]))
        return found.get(message.id, ())

    async def conversation_row(self, heard: Heard) -> Conversation:
        live = heard.live
        assert live.conversation is not None
        id = live.conversation.id
        return await self.store.read(
            lambda connection: conversations.get(connection, live.run.app_id, id, end_user_id=None)
        )

    async def execution_rows(self, heard: Heard) -> Sequence[NodeExecution]:
        run = heard.live.run
        return await self.store.read(
            lambda connection: node_executions.list_by_run(connection, run.app_id, run.id)
        )

    async def variable_rows(self, heard: Heard) -> Sequence[ConversationVariable]:
        live = heard.live
        assert live.conversation is not None
        id = live.conversation.id
        return await self.store.read(
            lambda connection: conversation_variables.list_all(connection, live.run.app_id, id)
        )


class TitleModel:
    """A chat model that is no script; it answers every request in the same pieces.

    Args:
        pieces: Of every reply.
        error: Raised instead of a reply to requests with parameters, as those for a title are.
        gate: Where requests with parameters wait.
    """

    name = "real"

    def __init__(self, *pieces: str, error: Exception | None = None, gate: Gate | None = None) -> None:
        self.requests: list[ChatRequest] = []
        self._pieces, self._error, self._gate = pieces, error, gate

    def features(self, model: str) -> frozenset[Feature]:
        return frozenset()

    def context_size(self, model: str) -> int | None:
        return None

    async def stream_chat(self, request: ChatRequest) -> AsyncIterator[ChatChunk]:
        self.requests.append(request)
        if self._gate is not None and request.parameters:
            await self._gate.wait()
        if self._error is not None and request.parameters:
            raise self._error
        for piece in self._pieces:
            yield ChatChunk(text=piece)

    async def close(self) -> None:
        pass


def version(app_id: str, nodes: Mapping[str, Data], *ways: str, **details: Any) -> AppVersion:
    """A version of an app, made of nodes and ways as `tests.engine.harness.graph` takes them.

    Args:
        app_id: The app.
        nodes: Its nodes.
        ways: Its edges.
        details: Fields of `weft.graph.AppFile`.
    """
    file: AppFile = replace(app_file(nodes, *ways), **details)
    return AppVersion(
        workflow_id="00000000-0000-7000-8000-00000000bbbb",
        app_id=app_id,
        label="2026-03-01 12:00:00.000000",
        file=file,
        graph=compile_graph(file, build),
        uploads=UploadRules.parse(file.features.get("file_upload")),
    )


def variable(name: str, value_type: Any, value: Any, id: str | None = None) -> VariableDeclaration:
    return VariableDeclaration(
        id=id or f"id of {name}", name=name, value_type=value_type, value=value, description=f"the {name}"
    )


def write_app(
    path: Path, nodes: Mapping[str, Data], *ways: str, mode: str = "advanced-chat", **workflow: Any
) -> Path:
    """An exported file; JSON is YAML."""
    file = app_file(nodes, *ways)
    path.write_text(
        json.dumps(
            {
                "version": "0.5.0",
                "kind": "app",
                "app": {"mode": mode, "name": path.stem, "description": "", "icon": "🤖"},
                "workflow": {
                    "graph": {
                        "nodes": [
                            {
                                "id": spec.id,
                                "data": {**spec.data, "title": spec.title},
                                **({"parentId": spec.parent_id} if spec.parent_id else {}),
                            }
                            for spec in file.nodes
                        ],
                        "edges": [
                            {"source": edge.source, "target": edge.target, "sourceHandle": edge.handle}
                            for edge in file.edges
                        ],
                    },
                    **workflow,
                },
            },
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    return path
