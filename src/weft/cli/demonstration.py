"""The demo: an app of our own on a real port, talked to through our own client."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from weft.cli.failure import BadCallError
from weft.cli.log import start_logging
from weft.cli.screen import Screen
from weft.cli.stop_signal import stop_signals
from weft.cli.trace import render_seconds, show_trace
from weft.client import Client, StreamResult
from weft.errors import RunError
from weft.runs import Runtime, ServedApp, open_runtime
from weft.server import Serving, serving
from weft.settings import Settings, load_settings
from weft.store import Connection, node_executions
from weft.version import __version__
from weft.wire import MessageEvent

_QUESTIONS = ("When are you open, and what does a ticket cost?", "Who kept the light burning?")
_MORE = "How bright is the lamp?"
_USER = "visitor"
_COUNTS = {
    "conversations": "select count(*) from conversations",
    "messages": "select count(*) from messages",
    "runs": "select count(*) from runs",
    "node executions": "select count(*) from node_executions",
}


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What the demo puts into its folder."""

    folder: Path
    app: Path
    """The chatflow, an export like any other."""
    script: Path
    """A settings file with what the model says."""

    @classmethod
    def write(cls, folder: Path) -> DemoFiles:
        """Copy both from this package, over those of an earlier demo.

        Raises:
            BadCallError: The folder cannot be written.
        """
        made = cls(folder, folder / "demo.yml", folder / "demo.toml")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in (made.app, made.script):
                path.write_bytes(files("weft.cli").joinpath(path.name).read_bytes())
        except OSError as error:
            raise BadCallError(
                f"the demo cannot write {error.filename}: {error.strerror}; name another folder with --data"
            ) from error
        return made

    def command(self, name: str, *words: str) -> str:
        """A command line that runs the demo's app with the demo's settings."""
        options = ("--config", str(self.script), "--data", str(self.folder))
        return shlex.join(("weft", name, str(self.app), *words, *options))


def demonstrate(folder: Path, *, stay: bool) -> int:
    """Hold a short conversation and show what there is of it afterwards.

    Args:
        folder: Where everything of it is kept.
        stay: Leave the server up until a signal comes.

    Returns:
        The exit code.

    Raises:
        BadCallError: The folder cannot be written.
        WeftError: Something failed that should not.
    """
    made = DemoFiles.write(folder)
    # The demo is the same everywhere: no setting of this machine changes it.
    settings = load_settings({"config": made.script, "data": folder, "port": 0}, environ={}, cwd=folder)
    start_logging(settings.log, sys.stderr, level="error", brief=os.environ.get("WEFT_DEBUG") != "1")
    return asyncio.run(_demonstrate(settings, made, stay=stay))


async def _demonstrate(settings: Settings, made: DemoFiles, *, stay: bool) -> int:
    screen = Screen(sys.stdout)
    async with open_runtime(settings) as runtime:
        served = await runtime.serve_file(made.app)
        async with serving(runtime, version=__version__) as server:
            nodes = len(runtime.catalog.compile(served.workflow).graph.nodes)
            screen.line(f"{served.app.name}: a chatflow of {nodes} nodes, served on {server.url}", "bold")
            screen.line("A script plays the model, so this needs neither key nor network.", "dim")
            result = await _converse(screen, server, served)
            await _show_last_run(screen, runtime, served, result)
            await _show_rows(screen, runtime, made)
            _show_next(screen, made, served, server if stay else None)
            if stay:
                stop = asyncio.Event()
                with stop_signals(stop.set):
                    screen.line()
                    screen.line("Serving. Ctrl-C stops.", "green")
                    await stop.wait()
    return 0


async def _converse(screen: Screen, server: Serving, served: ServedApp) -> StreamResult:
    """Ask all questions in one conversation; what the stream of the last answer told."""
    result = StreamResult()
    with Client(server.url, served.key) as client:
        parameters = await asyncio.to_thread(client.parameters)
        _say(screen, "desk", parameters.opening_statement or "")
        screen.line()
        for question in _QUESTIONS:
            _say(screen, "visitor", question)
            screen.line()
            result = await asyncio.to_thread(_ask, screen, client, question, result.conversation_id)
    return result


def _ask(screen: Screen, client: Client, question: str, conversation_id: str | None) -> StreamResult:
    """Send a message and write the answer as it comes."""
    _say(screen, "desk", "")
    with client.stream_chat_messages(question, user=_USER, conversation_id=conversation_id) as stream:
        for event in stream:
            if isinstance(event, MessageEvent):
                screen.write(event.answer)
    screen.line()
    return stream.result


def _say(screen: Screen, who: str, text: str) -> None:
    screen.write(f"\n{who + ':':<9}{text}")


async def _show_last_run(screen: Screen, runtime: Runtime, served: ServedApp, result: StreamResult) -> None:
    run_id, finished = result.workflow_run_id, result.finished
    if run_id is None or finished is None:
        raise RunError("the demo's last run has not told of its end")
    executions = await runtime.store.read(
        lambda connection: node_executions.list_by_run(connection, served.app.id, run_id)
    )
    screen.line()
    told = f"{render_seconds(finished.elapsed_time or 0)}, {finished.total_tokens or 0} tokens"
    screen.line(f"Trace of the last run: {finished.status} in {told}", "bold")
    show_trace(screen, executions)


async def _show_rows(screen: Screen, runtime: Runtime, made: DemoFiles) -> None:
    counts = await runtime.store.read(_count_rows)
    screen.line()
    screen.line("What is kept", "bold")
    screen.facts(
        [
            ("folder", str(made.folder)),
            ("database", runtime.settings.database_url.removeprefix("sqlite:///")),
            ("rows", ", ".join(f"{number} {name}" for name, number in counts)),
            ("chatflow", str(made.app)),
            ("script", str(made.script)),
        ]
    )


def _count_rows(connection: Connection) -> list[tuple[str, int]]:
    return [(name, int(connection.exec_driver_sql(query).scalar_one())) for name, query in _COUNTS.items()]


def _show_next(screen: Screen, made: DemoFiles, served: ServedApp, server: Serving | None) -> None:
    """What to try now; without a server, the one that the commands would start is meant."""
    steps: Sequence[tuple[str, str]] = (
        ("ask it something, without a server", made.command("run", _MORE, "--trace")),
        ("see what an export needs, or what is wrong with it", shlex.join(("weft", "check", str(made.app)))),
        ("serve it, or an app of your own", made.command("serve")),
    )
    address = "http://127.0.0.1:8600/v1" if server is None else server.service_api
    body = f'{{"query": "{_MORE}", "inputs": {{}}, "user": "{_USER}", "response_mode": "streaming"}}'
    curl = (
        f"curl -N {address}/chat-messages -H 'Authorization: Bearer {served.key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
    when = "and call it" if server is None else "call this server"
    screen.line()
    screen.line("What to try next", "bold")
    for what, command in (*steps, (when, curl)):
        screen.line(f"  # {what}", "dim")
        screen.line(f"  {command}")
