"""A server for the apps of some files, or of the data folder, until a signal ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.cli.app_file import accept_app_files
from weft.cli.data_folder import make_data_folder
from weft.cli.log import start_logging
from weft.cli.memory import settle_memory
from weft.cli.model_answer import ModelAnswer, model_warnings, who_answers
from weft.cli.ready_file import remove_ready_file, write_ready_file
from weft.cli.screen import Screen
from weft.cli.stop_signal import stop_signals
from weft.errors import GraphError
from weft.runs import WORKSPACE_ID, Runtime, app_key, hash_key, open_runtime
from weft.server import RequestIdFilter, Serving, serving
from weft.settings import Settings
from weft.store import App, Connection, Workflow, apps, keys, workflows
from weft.version import __version__

_OUTCOMES = {"created": "new", "published": "changed, published as a new version", "unchanged": "unchanged"}


@dataclass(frozen=True, slots=True)
class HostedApp:
    """An app that can be called, and what its caller needs."""

    app: App
    workflow: Workflow | None
    key: str | None
    """Secret; ``None`` if the default key was revoked."""
    file: str | None
    """As it was called on the command line, else the path that the app came from."""
    note: str = ""
    warnings: tuple[str, ...] = ()


def host_apps(settings: Settings, files: Sequence[str], ready_file: Path | None) -> int:
    """Serve until a signal comes.

    Args:
        settings: Every setting.
        files: Exports of apps; none for the apps of the data folder.
        ready_file: Where to tell that requests are accepted.

    Returns:
        The exit code.

    Raises:
        BadCallError: Some files cannot be read or run, or the ready file cannot be written.
        ConfigError: A setting cannot be right, or the port cannot be had.
        StoreError: The database cannot be opened.
    """
    start_logging(settings.log, sys.stderr, note=RequestIdFilter())
    paths = accept_app_files(files)
    make_data_folder(settings)
    if ready_file is not None:
        remove_ready_file(ready_file)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_host(settings, paths, ready_file))


async def _host(settings: Settings, paths: dict[str, Path], ready_file: Path | None) -> int:
    screen = Screen(sys.stdout)
    stop = asyncio.Event()
    with stop_signals(stop.set):
        async with open_runtime(settings) as runtime:
            hosted = [await _import(runtime, name, path) for name, path in paths.items()]
            hosted = hosted or await list_hosted(runtime)
            if not stop.is_set():
                async with serving(runtime, version=__version__) as server:
                    if ready_file is not None:
                        write_ready_file(ready_file, ready_content(runtime, server, hosted))
                    _announce(screen, runtime, server, hosted)
                    settle_memory()
                    await stop.wait()
                    _say_stopping(screen, runtime)
    screen.line("Stopped.")
    return 0


async def _import(runtime: Runtime, name: str, path: Path) -> HostedApp:
    served = await runtime.serve_file(path)
    return HostedApp(
        served.app, served.workflow, served.key, name, _OUTCOMES[served.outcome], served.warnings
    )


async def list_hosted(runtime: Runtime) -> list[HostedApp]:
    """The apps of the data folder, oldest first, each with its default key."""

    def read(connection: Connection) -> list[HostedApp]:
        found = []
        for app in reversed(apps.list_all(connection, WORKSPACE_ID)):
            key = app_key(runtime.secret, app.id)
            known = keys.find_by_hash(connection, hash_key(key)) is not None
            workflow = workflows.find_published(connection, app.id)
            found.append(HostedApp(app, workflow, key if known else None, app.source_file))
        return found

    return await runtime.store.read(read)


def ready_content(runtime: Runtime, server: Serving, hosted: Sequence[HostedApp]) -> dict[str, object]:
    """What the ready file says."""
    email, password = runtime.admin
    return {
        "url": server.url,
        "service_api": server.service_api,
        "console_api": server.console_api,
        "apps": [
            {
                "id": item.app.id,
                "name": item.app.name,
                "mode": item.app.mode,
                "key": item.key,
                "file": item.file,
            }
            for item in hosted
        ],
        "admin": {"email": email, "password": password if runtime.has_first_password else None},
        "operator_token": runtime.operator_token,
    }


def models_of(runtime: Runtime, hosted: Sequence[HostedApp]) -> list[ModelAnswer]:
    """Who answers for the models of some apps."""
    models: list[tuple[str, str]] = []
    for item in hosted:
        if item.workflow is None:
            continue
        try:
            models += runtime.catalog.compile(item.workflow).models()
        except GraphError:
            continue  # published by a newer program; its callers are told so
    return who_answers(runtime, models)


def _announce(screen: Screen, runtime: Runtime, server: Serving, hosted: Sequence[HostedApp]) -> None:
    screen.line(f"Weft {__version__}", "bold")
    screen.facts(
        [
            ("service API", server.service_api),
            ("console API", server.console_api),
            ("data", str(runtime.settings.data)),
        ]
    )
    for item in hosted:
        screen.line()
        screen.line(f"{item.app.name} ({item.app.mode}{f', {item.note}' if item.note else ''})", "bold")
        key = item.key or "revoked; make one in the console"
        screen.facts([("file", item.file or "none"), ("key", key)])
        for warning in item.warnings:
            screen.line(f"  warning: {warning}", "yellow")
    if not hosted:
        screen.line()
        screen.line(
            "warning: the data folder has no apps; name a file to serve: weft serve app.yml", "yellow"
        )
    email, password = runtime.admin
    screen.line()
    screen.line("Operator", "bold")
    account = f"{email}  {password if runtime.has_first_password else '(with the password you gave it)'}"
    screen.facts([("account", account), ("token", runtime.operator_token)])
    _show_models(screen, models_of(runtime, hosted))
    screen.line()
    screen.line("Ready. Ctrl-C stops.", "green")


def _show_models(screen: Screen, answers: Sequence[ModelAnswer]) -> None:
    if not answers:
        return
    screen.line()
    screen.line("Models", "bold")
    screen.facts((answer.model, answer.by or "nobody") for answer in answers)
    for warning in model_warnings(answers):
        screen.line(f"  warning: {warning}", "yellow")


def _say_stopping(screen: Screen, runtime: Runtime) -> None:
    running = len(runtime.runner.live)
    if not running:
        return
    answers = "1 answer" if running == 1 else f"{running} answers"
    bound = runtime.settings.server.drain_seconds
    screen.line(f"Stopping: {answers} may finish, at most {bound:g} s. Once more to stop at once.")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # not made for every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
