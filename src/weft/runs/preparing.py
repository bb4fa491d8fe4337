"""From a request to a run whose rows are on disk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec

from weft.graph import VariableDeclaration
from weft.nodes import History, MakeFile, NoHistory, Services
from weft.runs import naming
from weft.runs.filing import Filing
from weft.runs.history import StoredHistory, tell_history
from weft.runs.live import LiveRun
from weft.runs.prepared import Prepared
from weft.runs.recorder import Recorder, message_file
from weft.runs.request import Given, RunRequest
from weft.runs.request_file import (
    FindUpload,
    input_files,
    kept_ids,
    message_files,
    no_upload,
    upload_ids,
    without_links,
)
from weft.store import (
    Connection,
    Conversation,
    ConversationVariable,
    Message,
    Run,
    Store,
    conversation_variables,
    runs,
)
from weft.store import files as stored_files
from weft.variables import File, Value, ValueType, VariablePool, matches, render_text, revive

NIL_ID: Final = "00000000-0000-0000-0000-000000000000"
"""Parent of every message that comes through the API."""

_INTRODUCTION: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


class Preparer:
    """Checks what requests bring and stores what their runs begin with.

    Args:
        store: Where records go.
        services: Clock and ids, for the rows.
        owner_id: Id of this process, noted in every run.
        filing: Knows what was uploaded; without it nothing was.
    """

    def __init__(self, store: Store, services: Services, *, owner_id: str, filing: Filing | None) -> None:
        self._store = store
        self._services = services
        self._owner_id = owner_id
        self._filing = filing

    async def prepare(self, request: RunRequest) -> Prepared:
        """Check a request and store what its run begins with.

        Raises:
            InvalidRequestError: Files or inputs do not fit the app.
            NotFoundError: The conversation was deleted meanwhile.
            StoreError: The run could not be stored; nothing has happened.
        """
        ids, now = self._services.ids, self._services.clock.now()
        version, app = request.version, request.app
        end_user_id, account_id = request.owner_ids
        given = await self.accept(request)
        files, inputs, used = given.files, given.inputs, given.uploads
        run_id = ids.new()
        conversation, message = None, None
        if request.query is not None:
            conversation = self.conversation(request, given.stored_inputs)
            message = Message(
                id=ids.new(),
                app_id=app.id,
                conversation_id=conversation.id,
                query=request.query,
                from_source=request.from_source,
                created_at=now,
                updated_at=now,
                parent_message_id=NIL_ID,
                run_id=run_id,
                end_user_id=end_user_id,
                account_id=account_id,
                invoke_from=request.invoke_from,
                inputs=given.stored_inputs,
            )
        pool = self._pool(request, inputs, files, run_id, conversation)
        shown = {**inputs, **{f"sys.{name}": value for name, value in pool.all("sys").items()}}
        shown.pop("sys.conversation_id", None)
        run = Run(
            id=run_id,
            app_id=app.id,
            workflow_id=version.workflow_id,
            version=version.label,
            mode=app.mode,
            log_id=ids.new(),
            triggered_from=request.triggered_from,
            created_from=request.created_from,
            created_by_role="end_user" if account_id is None else "account",
            created_at=now,
            conversation_id=None if conversation is None else conversation.id,
            message_id=None if message is None else message.id,
            end_user_id=end_user_id,
            account_id=account_id,
            task_id=ids.new(),
            owner_id=self._owner_id,
            inputs=without_links(shown) if used else shown,
        )
        # All that is read is read before anything is written: a run whose rows are there has to begin.
        history = self._history(request)
        told = {name: await tell_history(history, count) for name, count in version.histories.items()}
        variables = await self._variables(request, conversation)
        rows = [message_file(file, message.id, "user", now, ids) for file in files] if message else []
        stored = list(variables.values())
        new_conversation = conversation if request.conversation is None else None

        def write(connection: Connection) -> None:
            runs.start(connection, new_conversation, message, run, stored, rows)
            stored_files.claim(connection, used, conversation_id=run.conversation_id, run_id=run.id)

        await self._store.write(write)
        pool.update("sys", told)
        for variable in variables.values():
            pool.set(
                "conversation", variable.name, revive(variable.value), cast(ValueType, variable.value_type)
            )
        live = LiveRun(run, message, conversation)
        recorder = Recorder(live, variables, store=self._store, clock=self._services.clock, ids=ids)
        return Prepared(
            live=live,
            recorder=recorder,
            version=version,
            pool=pool,
            user=request.end_user.session_id,
            inputs=shown,
            history=history,
            call_depth=request.call_depth,
        )

    def conversation(self, request: RunRequest, inputs: dict[str, Value]) -> Conversation:
        """The conversation with this message counted: the one to continue, or a new one."""
        if request.conversation is not None:
            return msgspec.structs.replace(
                request.conversation, dialogue_count=request.conversation.dialogue_count + 1
            )
        now = self._services.clock.now()
        end_user_id, account_id = request.owner_ids
        opening = request.version.file.features.get("opening_statement")
        return Conversation(
            id=self._services.ids.new(),
            app_id=request.app.id,
            name=naming.provisional_name(request.query or ""),
            from_source=request.from_source,
            created_at=now,
            updated_at=now,
            end_user_id=end_user_id,
            account_id=account_id,
            invoke_from=request.invoke_from,
            inputs=inputs,
            introduction=_introduction(opening if isinstance(opening, str) else "", inputs),
            dialogue_count=1,
        )

    async def accept(self, request: RunRequest) -> Given:
        """Check what a request brings.

        Raises:
            InvalidRequestError: Files or inputs do not fit the app, or nobody can judge what it says.
        """
        ids, version = self._services.ids, request.version
        if version.moderation is not None:
            version.moderation.check()
        find_upload = await self._uploads(request.app.id, request.end_user.id, request.files, request.inputs)
        files = message_files(request.files, version.uploads, ids, find_upload)
        inputs = version.start.accept(request.inputs, input_files(ids, find_upload))
        uploads = kept_ids([*files, *inputs.values()])
        return Given(files, inputs, without_links(inputs) if uploads else inputs, uploads)

    async def file_maker(self, app_id: str, end_user_id: str, inputs: Mapping[str, object]) -> MakeFile:
        """Makes the files of fields that an end user has filled in.

        Args:
            app_id: The app that asks.
            end_user_id: Whose uploads may be used.
            inputs: What was filled in; only uploads that it names are found.
        """
        return input_files(self._services.ids, await self._uploads(app_id, end_user_id, (), inputs))

    async def _uploads(
        self, app_id: str, end_user_id: str, files: Sequence[object], inputs: Mapping[str, object]
    ) -> FindUpload:
        """What a request may use of what was uploaded before."""
        wanted = upload_ids(files, inputs)
        if self._filing is None or not wanted:
            return no_upload
        return await self._filing.finder(app_id, end_user_id, wanted)

    def _pool(
        self,
        request: RunRequest,
        inputs: dict[str, Value],
        files: list[File],
        run_id: str,
        conversation: Conversation | None,
    ) -> VariablePool:
        pool = VariablePool()
        system: dict[str, Value] = {
            "files": list(files),
            "user_id": request.end_user.session_id,
            "app_id": request.app.id,
            "workflow_id": request.version.workflow_id,
            "workflow_run_id": run_id,
        }
        if conversation is not None:
            system = {
                "query": request.query,
                "conversation_id": conversation.id,
                "dialogue_count": conversation.dialogue_count,
                **system,
            }
        for name, value in system.items():
            pool.set("sys", name, value)
        for variable in request.version.file.environment_variables:
            pool.set("env", variable.name, variable.value, variable.value_type)
        pool.update(request.version.graph.root.start.id, inputs)
        return pool

    async def _variables(
        self, request: RunRequest, conversation: Conversation | None
    ) -> dict[str, ConversationVariable]:
        """Conversation variables by name: stored values, and defaults for what was never stored."""
        declared = request.version.file.conversation_variables
        if conversation is None or not declared:
            return {}
        stored: dict[str, ConversationVariable] = {}
        if request.conversation is not None:
            rows = await self._store.read_quick(
                lambda connection: conversation_variables.list_all(
                    connection, request.app.id, conversation.id
                )
            )
            stored = {row.variable_id: row for row in rows}
        now = self._services.clock.now()
        return {
            variable.name: _redeclared(stored[variable.id], variable)
            if variable.id in stored
            else ConversationVariable(
                id=self._services.ids.new(),
                conversation_id=conversation.id,
                app_id=request.app.id,
                variable_id=variable.id,
                name=variable.name,
                value_type=variable.value_type,
                created_at=now,
                updated_at=now,
                value=variable.value,
                description=variable.description,
            )
            for variable in declared
        }

    def _history(self, request: RunRequest) -> History:
        if request.history is not None:
            return request.history
        if request.conversation is None:
            return NoHistory()
        return StoredHistory(
            self._store,
            request.app.id,
            request.conversation.id,
            files=self._services.files,
            user=request.end_user.session_id,
        )


def _introduction(opening: str, inputs: Mapping[str, Value]) -> str:
    """The opening statement with the inputs in place of ``{{name}}``."""
    return _INTRODUCTION.sub(
        lambda match: render_text(inputs[match[1]]) if match[1] in inputs else match[0], opening
    )


def _redeclared(stored: ConversationVariable, declared: VariableDeclaration) -> ConversationVariable:
    """The stored value under its present declaration; a value of another type than that keeps its own."""
    kept = matches(declared.value_type, stored.value)
    return msgspec.structs.replace(
        stored, name=declared.name, value_type=declared.value_type if kept else stored.value_type
    )
