"""One run without a server: through the same runner, into the same records."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from weft.cli.app_file import accept_app_files
from weft.cli.data_folder import make_data_folder
from weft.cli.failure import FAILED, INTERRUPTED, WAITING, BadCallError
from weft.cli.form_desk import FormDesk, parse_fields, waits_for
from weft.cli.log import start_logging
from weft.cli.model_answer import model_warnings, who_answers
from weft.cli.run_files import RunFiles
from weft.cli.run_input import parse_inputs
from weft.cli.screen import Screen
from weft.cli.stop_signal import stop_signals
from weft.cli.trace import render_seconds, show_trace, trace_content
from weft.errors import NotFoundError
from weft.events import AnswerReplaced, Event, TextStreamed
from weft.runs import WORKSPACE_ID, AppVersion, LiveRun, RunRequest, Runtime, ServedApp, open_runtime
from weft.settings import Settings
from weft.store import Conversation, EndUser, NodeExecution, conversations, end_users, node_executions

_SUCCESSES = ("succeeded", "partial-succeeded")


@dataclass(frozen=True, slots=True)
class RunCall:
    """What the command line asks for."""

    file: str
    query: str | None = None
    inputs: Sequence[str] = ()
    """``name=text`` or ``name:=JSON``."""
    attachments: Sequence[str] = ()
    """Paths or addresses of files."""
    choices: Sequence[str] = ()
    """Actions for the forms that the run asks for, in their order."""
    fields: Sequence[str] = ()
    """``name=text`` for their fields."""
    conversation_id: str | None = None
    user: str = "cli"


def run_once(settings: Settings, call: RunCall, *, as_json: bool, trace: bool) -> int:
    """Run an app once and show what comes out.

    Args:
        settings: Every setting.
        call: What is asked.
        as_json: Print one JSON object instead of the text.
        trace: Show afterwards what each node did.

    Returns:
        The exit code.

    Raises:
        BadCallError: The call does not fit the app, or the file cannot be read or run.
        InvalidRequestError: An input or a file is not what the app wants.
        NotFoundError: There is no such conversation of that user.
        StoreError: The records cannot be read or written.
    """
    quiet = None if settings.source("log.level") != "default" else "error"
    start_logging(settings.log, sys.stderr, level=quiet, brief=os.environ.get("WEFT_DEBUG") != "1")
    fields = parse_fields(call.fields)
    (path,) = accept_app_files([call.file]).values()
    make_data_folder(settings)
    return asyncio.run(_run(settings, call, path, fields, as_json=as_json, trace=trace))


async def _run(
    settings: Settings,
    call: RunCall,
    path: Path,
    fields: Mapping[str, str],
    *,
    as_json: bool,
    trace: bool,
) -> int:
    screen = Screen(sys.stdout)
    async with open_runtime(settings) as runtime:
        served = await runtime.serve_file(path)
        version = runtime.catalog.compile(served.workflow)
        files = RunFiles(runtime, served, await _end_user(runtime, served, call.user))
        request = await _request(files, version, call)
        for warning in model_warnings(who_answers(runtime, version.models())):
            print(f"warning: {warning}", file=sys.stderr)
        desk = FormDesk(files, Screen(sys.stderr), call.choices, fields, _asker())
        live: LiveRun | None = await runtime.runner.start(request)
        writer = _Writer(screen)
        while live is not None:
            if not as_json:
                live.listen(writer.hear)
            last, interrupted = live, await _end_of(live)
            live = None if interrupted or last.paused is None else await desk.answer(last)
        live = last
        executions = await runtime.store.read(
            lambda connection: node_executions.list_by_run(connection, live.run.app_id, live.run.id)
        )
    if as_json:
        screen.line(_encode(run_content(live, executions)))
    else:
        writer.finish(live)
        if trace:
            screen.line()
            show_trace(screen, executions)
        _report(live)
    if interrupted:
        return INTERRUPTED
    if live.paused is not None:
        return WAITING
    return 0 if live.run.status in _SUCCESSES else FAILED


async def _request(
    files: RunFiles,
    version: AppVersion,
    call: RunCall,
) -> RunRequest:
    served, end_user = files.served, files.end_user
    is_chat = served.app.mode == "advanced-chat"
    if is_chat and not (call.query and call.query.strip()):
        raise BadCallError(f'{call.file} is a chatflow; say what is asked: weft run {call.file} "A question"')
    if not is_chat and (call.query is not None or call.conversation_id is not None):
        what = "--conversation" if call.query is None else "question"
        raise BadCallError(f"{call.file} is a workflow, which takes no {what}; use --input name=text")
    if call.attachments and not version.uploads.enabled:
        raise BadCallError(f"--file: {call.file} takes no files with a question; leave it out")
    kinds = {variable.variable: variable.type for variable in version.start.config.variables}
    inputs = parse_inputs(call.inputs, kinds, [name for name, kind in kinds.items() if kind == "file-list"])
    for name, value in inputs.items():
        if kinds[name] == "file" and isinstance(value, str):
            inputs[name] = await files.take(value, f"--input {name}")
        elif kinds[name] == "file-list" and isinstance(value, list):
            inputs[name] = [
                await files.take(one, f"--input {name}") if isinstance(one, str) else one for one in value
            ]
    return RunRequest(
        app=served.app,
        version=version,
        end_user=end_user,
        inputs=inputs,
        query=call.query if is_chat else None,
        files=await files.take_all(call.attachments, "--file"),
        conversation=await _conversation(files.runtime, end_user, call.conversation_id),
        # A title would have to be waited for, and nobody reads it here.
        auto_generate_name=False,
    )


async def _end_user(runtime: Runtime, served: ServedApp, user: str) -> EndUser:
    if not 1 <= len(user) <= 255:
        raise BadCallError(f"--user has {len(user)} characters; give 1 to 255")
    now = runtime.clock.now()
    new = EndUser(
        id=runtime.ids.new(),
        workspace_id=WORKSPACE_ID,
        app_id=served.app.id,
        session_id=user,
        created_at=now,
        updated_at=now,
        external_user_id=user,
    )
    return await runtime.store.write(lambda connection: end_users.find_or_create(connection, new))


async def _conversation(
    runtime: Runtime, end_user: EndUser, conversation_id: str | None
) -> Conversation | None:
    if conversation_id is None:
        return None
    found = await runtime.store.read_quick(
        lambda connection: conversations.find(
            connection, end_user.app_id, conversation_id, end_user_id=end_user.id
        )
    )
    if found is None:
        raise NotFoundError(
            f"--conversation {conversation_id}: user {end_user.session_id!r} has no such conversation with "
            "this app; give the --user whose it is, or leave it out to begin a new one",
            kind="conversation",
            id=conversation_id,
        )
    return found


def _asker() -> Callable[[str], str] | None:
    """Asks whoever sits at the terminal, if anybody does."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(prompt: str) -> str:
        print(prompt, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()

    return ask


async def _end_of(live: LiveRun) -> bool:
    """Wait for the end; a signal stops the run, which keeps what it has said. Whether there was one."""
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        live.stop("Interrupted.")

    with stop_signals(stop):
        await live.ended()
    return interrupted


class _Writer:
    """Writes the text of a run as it comes."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._last = ""
        self._failure: OSError | None = None

    def hear(self, event: Event) -> None:
        """Write what an event adds to the text."""
        match event:
            case TextStreamed():
                self._write(event.text)
            case AnswerReplaced():
                self._write(f"\n{event.text}" if self._last else event.text)

    def finish(self, live: LiveRun) -> None:
        """End the last line; a workflow that has said nothing shows its outputs.

        Raises:
            OSError: Something could not be written, now or before.
        """
        if self._failure is not None:
            raise self._failure
        if not self._last and live.message is None and live.run.outputs:
            self._write(_encode(live.run.outputs))
        if self._last and not self._last.endswith("\n"):
            self._screen.write("\n")

    def _write(self, text: str) -> None:
        if not text or self._failure is not None:
            return
        try:
            self._screen.write(text)
        except OSError as error:
            self._failure = error  # nobody reads any more; the run goes on and is recorded
        self._last = text


def run_content(live: LiveRun, executions: Sequence[NodeExecution]) -> dict[str, object]:
    """What is told of a run to programs.

    Args:
        live: A run that has ended.
        executions: What its nodes did.
    """
    run, message = live.run, live.message
    usage: object = {
        "total_tokens": run.total_tokens,
        "total_price": str(run.total_price),
        "currency": run.currency,
    }
    if message is not None and message.metadata is not None:
        usage = message.metadata.get("usage", usage)
    return {
        "status": run.status,
        "answer": None if message is None else message.answer,
        "outputs": run.outputs,
        "error": run.error,
        "run_id": run.id,
        "app_id": run.app_id,
        "workflow_id": run.workflow_id,
        "conversation_id": run.conversation_id,
        "message_id": run.message_id,
        "elapsed_time": run.elapsed_time,
        "total_steps": run.total_steps,
        "usage": usage,
        "trace": trace_content(executions),
    }


def _report(live: LiveRun) -> None:
    run = live.run
    if live.paused is not None:
        print(f"the run waits for {waits_for(live) or 'somebody to let it go on'}", file=sys.stderr)
    elif run.status not in _SUCCESSES:
        what = {"failed": "failed", "stopped": "was stopped"}.get(run.status, f"ended as {run.status}")
        print(f"error: the run {what}: {run.error or 'it says no more'}", file=sys.stderr)
    if run.conversation_id is not None and sys.stderr.isatty():
        told = f"{render_seconds(run.elapsed_time)}, {run.total_tokens} tokens"
        print(f"{told}; to go on: --conversation {run.conversation_id}", file=sys.stderr)


def _encode(content: object) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
