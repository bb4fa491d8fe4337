from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.engine.harness import Data, Gate, answer, llm, start
from tests.runs.house import TitleModel, write_app
from weft.errors import ConfigError
from weft.nodes import Limits
from weft.runs import WORKSPACE_ID, LiveRun, RunRequest, Runtime, hash_key, open_runtime
from weft.runs.runtime import limits_of
from weft.settings import Settings
from weft.store import EndUser, end_users, keys, messages, processes, runs, workspaces
from weft.testing.clock import FrozenClock
from weft.testing.node_harness import FakeSandbox, single_model

pytestmark = pytest.mark.anyio


def opening(
    folder: Path, model: TitleModel | None = None, **settings: Any
) -> AbstractAsyncContextManager[Runtime]:
    clock = FrozenClock(holds=True)
    return open_runtime(
        Settings.model_validate({"data": folder / "data", **settings}),
        clock=clock,
        models=single_model(model or TitleModel("Hi"), clock=clock),  # type: ignore[arg-type]  # any clock will do
        sandbox=FakeSandbox(),
    )


async def ask(runtime: Runtime, path: Path) -> LiveRun:
    """Serve a file and send its app a message."""
    served = await runtime.serve_file(path)
    version = runtime.catalog.find(served.workflow.id)
    assert version is not None
    now = runtime.clock.now()
    ada = EndUser(runtime.ids.new(), WORKSPACE_ID, served.app.id, "ada", now, now)
    user = await runtime.store.write(lambda connection: end_users.find_or_create(connection, ada))
    return await runtime.runner.start(
        RunRequest(
            app=served.app, version=version, end_user=user, inputs={}, query="Hi", auto_generate_name=False
        )
    )


async def test_a_data_folder_begins_with_a_workspace_and_the_operator_s_token(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        async with opening(tmp_path) as runtime:
            token_hash, now = hash_key(runtime.operator_token), runtime.clock.now()
            store = runtime.store
            token = await store.read(lambda connection, hash=token_hash: keys.find_by_hash(connection, hash))  # type: ignore[misc]
            alive = await store.read(lambda connection, now=now: processes.list_alive(connection, now))  # type: ignore[misc]
            workspace = await store.read(lambda connection: workspaces.find(connection, WORKSPACE_ID))
            found.append((token, workspace, runtime.operator_token, runtime.admin))
            assert len(alive) == 1
    token, workspace, shown, admin = found[0]
    assert found[0] == found[1]
    assert token is not None
    assert (token.kind, token.hint, token.workspace_id, token.token) == (
        "operator",
        shown[-4:],
        WORKSPACE_ID,
        None,
    )
    assert (workspace is not None, admin[0]) == (True, "admin@weft.local")
    assert list((tmp_path / "data" / "processes").iterdir()) == []


async def test_a_served_file_is_ready_to_run(tmp_path: Path) -> None:
    path = write_app(tmp_path / "app.yml", {"start": start(), "a": answer("Hi")}, "start > a")
    async with opening(tmp_path) as runtime:
        live = await ask(runtime, path)
        await live.ended()
        assert live.message is not None
        assert live.message.answer == "Hi"


async def test_leaving_stops_what_takes_too_long_and_has_it_on_disk(tmp_path: Path) -> None:
    gate = Gate()
    slow: Data = llm()
    slow["model"] = {**slow["model"], "completion_params": {"temperature": 1}}
    path = write_app(
        tmp_path / "app.yml", {"start": start(), "a": answer("so far"), "llm": slow}, "start > a > llm"
    )
    async with opening(tmp_path, TitleModel("x", gate=gate), server={"drain_seconds": 0.01}) as runtime:
        live = await ask(runtime, path)
        await gate.reached()
    async with opening(tmp_path) as runtime:
        row, said = live.run, live.message
        assert said is not None
        run = await runtime.store.read(lambda connection: runs.find(connection, row.app_id, row.id))
        message = await runtime.store.read(lambda connection: messages.find(connection, row.app_id, said.id))
        assert (run, message) == (row, said)
        assert (row.status, row.error, said.answer) == ("stopped", "The server is shutting down.", "so far")


def test_every_limit_is_a_setting_of_the_same_name(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path})
    assert {field.name for field in fields(Limits)} <= set(type(settings.limits).model_fields)
    assert limits_of(settings) == Limits()
    changed = Settings.model_validate({"data": tmp_path, "limits": {"max_steps": 7, "max_parallel": 3}})
    assert limits_of(changed) == Limits(max_steps=7, max_parallel=3)


async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigError, match="choose another with --data"):
        async with opening(tmp_path):
            pass


async def test_code_may_import_what_lies_in_the_folder_of_packages(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "greeting.py").write_text("WORD = 'Moin'\n", encoding="utf-8")
    settings = Settings.model_validate(
        {"data": tmp_path / "data", "sandbox": {"packages": tmp_path / "packages", "concurrency": 1}}
    )
    async with open_runtime(settings) as runtime:
        sandbox = runtime.services.sandbox
        assert sandbox is not None
        result = await sandbox.run(
            "python3", "import greeting\ndef main():\n return {'word': greeting.WORD}", {}
        )
    assert result == {"word": "Moin"}
