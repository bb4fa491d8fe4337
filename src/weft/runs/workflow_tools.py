"""Workflow apps as tools of other apps.

A file names such a tool by the id of a record that exists only in the database it came from, by the name of
its provider and by its own name. Here it is the published workflow app that the settings name for it, or
else the one that bears one of those names.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

import msgspec

from weft.errors import InvalidRequestError
from weft.ids import Ids
from weft.nodes import StartVariable
from weft.runs.app_version import AppVersion, Catalog
from weft.runs.live import LiveRun
from weft.runs.request import RunRequest
from weft.store import App, Connection, EndUser, Store, Workflow, apps, end_users, workflows
from weft.tools import (
    Caller,
    FileMessage,
    JsonMessage,
    ParameterType,
    TextMessage,
    Tool,
    ToolInvokeError,
    ToolMessage,
    ToolParameter,
    ToolParameterError,
    ToolRef,
    VariableMessage,
)
from weft.variables import File, Value, revive

_RESERVED = frozenset({"text", "files", "json"})
"""Outputs that every tool has anyway."""


class Starter(Protocol):
    """Starts runs; `weft.runs.Runner` is one."""

    async def start(self, request: RunRequest) -> LiveRun:
        """Let a run begin."""
        ...


class PublishedWorkflows:
    """Finds workflow apps for tool nodes.

    Args:
        store: Where the apps are.
        catalog: Their compiled versions.
        runner: Who runs them.
        ids: New identifiers.
        workspace_id: Whose apps may be called.
    """

    def __init__(
        self, store: Store, catalog: Catalog, runner: Starter, ids: Ids, *, workspace_id: str
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._runner = runner
        self._ids = ids
        self._workspace_id = workspace_id

    async def find(self, ref: ToolRef, app: str = "") -> Tool | None:
        """The published workflow that a tool is; see `weft.tools.WorkflowTools`."""
        names = [app] if app else [ref.provider_name, ref.tool_name]

        def read(connection: Connection) -> tuple[App, Workflow] | None:
            found = _named(apps.list_all(connection, self._workspace_id), names)
            workflow = None if found is None else workflows.find_published(connection, found.id)
            return None if found is None or workflow is None else (found, workflow)

        found = await self._store.read_quick(read)
        if found is None:
            return None
        version = self._catalog.compile(found[1])
        return WorkflowTool(ref, found[0], version, self._store, self._runner, self._ids)


class WorkflowTool(Tool):
    """One workflow app as a tool.

    A run of it is kept like any other, and begins one call deeper than its caller. It gives the outputs as
    text and as an object, each output as a variable, and the files among them.
    """

    def __init__(
        self, ref: ToolRef, app: App, version: AppVersion, store: Store, runner: Starter, ids: Ids
    ) -> None:
        self.provider = ref.provider
        self.name = ref.tool_name
        self.description = app.description
        self.parameters = tuple(_parameter(variable) for variable in version.start.config.variables)
        self._app = app
        self._version = version
        self._store = store
        self._runner = runner
        self._new_id = ids.new

    async def run(self, arguments: Mapping[str, Value], caller: Caller) -> AsyncGenerator[ToolMessage, None]:
        """Run the workflow and give what comes out."""
        end_user = await self._end_user(caller)
        try:
            live = await self._runner.start(
                RunRequest(
                    app=self._app,
                    version=self._version,
                    end_user=end_user,
                    inputs={name: _given(value) for name, value in arguments.items()},
                    call_depth=caller.depth + 1,
                )
            )
        except InvalidRequestError as error:
            raise ToolParameterError(
                f"workflow {self._app.name!r}: {error}", provider=self.provider, tool=self.name
            ) from error
        try:
            await live.ended()
        finally:
            # Whoever leaves early takes the inner run along; after its end this does nothing.
            live.stop("The run that called this workflow has ended.")
        run = live.run
        if run.status not in ("succeeded", "partial-succeeded"):
            why = "it waits for a person, which a tool cannot" if run.status == "paused" else run.error
            raise ToolInvokeError(
                f"workflow {self._app.name!r} did not succeed: {why}", provider=self.provider, tool=self.name
            )
        for message in _messages(run.outputs or {}):
            yield message

    async def _end_user(self, caller: Caller) -> EndUser:
        """The caller's user, as this app knows them."""
        now = caller.clock.now()

        def find(connection: Connection) -> EndUser | None:
            return end_users.find_by_session(connection, self._app.id, caller.user)

        found = await self._store.read_quick(find)
        if found is not None:
            return found
        new = EndUser(
            id=self._new_id(),
            workspace_id=self._app.workspace_id,
            app_id=self._app.id,
            session_id=caller.user,
            created_at=now,
            updated_at=now,
            external_user_id=caller.user,
        )
        return await self._store.write(lambda connection: end_users.find_or_create(connection, new))


def _named(found: Sequence[App], names: Sequence[str]) -> App | None:
    """The workflow app of one of these names, the first name first."""
    for name in names:
        wanted = _plain(name)
        for app in found:
            if wanted and app.mode == "workflow" and _plain(app.name) == wanted:
                return app
    return None


def _plain(name: str) -> str:
    """A name without what a tool's name cannot have: case, blanks, dashes."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _parameter(variable: StartVariable) -> ToolParameter:
    kinds: dict[str, ParameterType] = {
        "number": "number",
        "checkbox": "boolean",
        "select": "select",
        "file": "file",
        "file-list": "files",
        "json_object": "object",
    }
    return ToolParameter(
        name=variable.variable,
        type=kinds.get(variable.type, "string"),
        description=variable.label,
        required=variable.required,
        options=tuple(variable.options),
    )


def _given(value: Value) -> object:
    """An argument as a request would have it."""
    if isinstance(value, list):
        return [_given(item) for item in value]
    if isinstance(value, File):
        method = value.transfer_method
        return {
            "type": value.type,
            "transfer_method": method,
            "url": value.link,
            "upload_file_id": value.related_id,
            "tool_file_id": value.related_id,
        }
    return value


def _messages(stored: Mapping[str, object]) -> list[ToolMessage]:
    outputs = {name: revive(value) for name, value in stored.items()}
    files = [file for value in outputs.values() for file in _files(value)]
    plain = {name: value for name, value in outputs.items() if not _files(value)}
    messages: list[ToolMessage] = [FileMessage(file) for file in files]
    messages.append(TextMessage(msgspec.json.encode(plain).decode()))
    messages.append(JsonMessage(plain))
    messages += [VariableMessage(name, value) for name, value in outputs.items() if name not in _RESERVED]
    return messages


def _files(value: Value) -> list[File]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, File)]
