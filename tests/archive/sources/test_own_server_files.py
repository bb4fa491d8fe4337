"""Attached files of a whole server in process: into the archive by every way in, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.archive.attached import kept, note, sha
from tests.archive.records import tree
from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, fetched, local, uploaded
from weft.archive import (
    AsyncArchive,
    FileRef,
    FileRules,
    RetentionRule,
    SourceSpec,
    StoreSource,
    delete_archived,
    open_source,
    restore_conversations,
)
from weft.clock import SystemClock
from weft.runs import delete_conversation_files

pytestmark = pytest.mark.anyio
CLOCK = SystemClock()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path / "house", models=Actor()) as opened:
        yield opened


@pytest.fixture
async def flow(house: House) -> Caller:
    return await house.serve(apps.echo_flow(features=apps.FEATURES, variables=apps.VARIABLES))


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[AsyncArchive]:
    async with await AsyncArchive.open(tmp_path / "archive", file_rules=FileRules()) as opened:
        yield opened


async def talk(flow: Caller) -> str:
    """A conversation with a picture."""
    file = await uploaded(flow, user="ann")
    said = await flow.said("what is this", user="ann", files=[local(file)])
    return str(said["conversation_id"])


async def test_the_own_stores_files_come_along_go_and_come_back(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    id = await talk(flow)
    store, content = house.runtime.store, house.runtime.files.content
    source = StoreSource(store, clock=CLOCK, files=content)
    report = await archive.pull(source)
    assert (report.succeeded, report.total("files")) == (True, 1)
    assert kept(await archive.get(id)) == [note(PNG, "a.png")]
    before = {path: data for path, data in tree(tmp_path / "archive").items() if "/.weft/" not in path}
    again = await archive.pull(StoreSource(store, clock=CLOCK, files=content, full_days=0))
    assert (again.total("written"), again.total("files")) == (0, 0)

    async def forget(app_id: str, conversation_id: str) -> int:
        return await delete_conversation_files(store, content, app_id, conversation_id)

    rules = [RetentionRule("all", 0)]
    gone = await delete_archived(store, archive.archive, rules, max_share=1, delete_files=forget)
    assert (gone.deleted, gone.kept) == (1, [])
    back = await restore_conversations(archive.archive, store, flow.app_id, files=content)
    assert (back.conversations, back.files, back.failed) == (1, 1, [])
    twice = await restore_conversations(archive.archive, store, flow.app_id, files=content)
    assert (twice.present, twice.files) == (1, 0)

    (message,) = await flow.messages(id, user="ann")
    (shown,) = message["message_files"]
    assert (await fetched(shown["url"])).body == PNG
    reused = await flow.said("again", user="ann", files=[local({"id": shown["upload_file_id"]})])
    assert reused["answer"]

    async with await AsyncArchive.open(tmp_path / "second", file_rules=FileRules()) as second:
        await archive.call(second.archive.import_archive, archive.archive)
        after = {path: data for path, data in tree(tmp_path / "second").items() if "/.weft/" not in path}
    assert {path for path in after if "/files/" in path} == {path for path in before if "/files/" in path}


async def test_an_app_keys_files_come_by_its_preview(
    house: House, flow: Caller, archive: AsyncArchive, tmp_path: Path
) -> None:
    id = await talk(flow)
    spec = SourceSpec(kind="app-key", url=flow.url, api_key=flow.key, app_id=flow.app_id)
    async with open_source(spec, clock=CLOCK) as source:
        report = await archive.pull(source)
    assert (report.succeeded, report.total("files"), report.total("files_missing")) == (True, 1, 0)
    assert kept(await archive.get(id)) == [note(PNG, "a.png")]
    assert list(tree(tmp_path / "archive", "logs/files").values()) == [PNG]
    assert (await archive.verify()).findings == []
    assert await archive.read_file(FileRef(sha(PNG), len(PNG))) == PNG


async def test_a_consoles_files_come_by_its_signed_links(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    id = await talk(flow)
    email, password = house.runtime.admin
    spec = SourceSpec(
        kind="console", url=house.serving.console_api, api_key=f"{email}:{password}", app_id=flow.app_id
    )
    async with open_source(spec, clock=CLOCK) as source:
        report = await archive.pull(source)
        again = await archive.pull(source)
    assert (report.succeeded, report.total("files"), report.total("files_missing")) == (True, 1, 0)
    assert (again.total("written"), again.total("files")) == (0, 0)
    assert kept(await archive.get(id)) == [note(PNG, "a.png")]
