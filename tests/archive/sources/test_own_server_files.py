"""Attached files of a whole server in process: into the archive by every way in, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, kept, note, sha
from tests.archive.records import tree
from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import BOUND, Caller
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, fetched, local, uploaded
from weft.archive import (
    AsyncArchive,
    AuditLine,
    FileRef,
    FileRules,
    Hold,
    RetentionRule,
    SourceSpec,
    StoreSource,
    delete_archived,
    iter_attachments,
    open_source,
    preview_delete_archived,
    restore_conversations,
)
from weft.client import AsyncAdvancedChatApp, AsyncConsoleClient
from weft.clock import SystemClock
from weft.errors import StoreError
from weft.store import Connection, conversations, files

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

    rules = [RetentionRule("all", 0)]
    gone = await delete_archived(store, archive.archive, rules, max_share=1, delete_files=content.delete)
    assert (gone.deleted, gone.files, gone.kept) == (1, 1, [])
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


async def test_files_go_after_their_conversation_however_it_was_broken_off(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    ids = [await talk(flow), await talk(flow)]
    store, content = house.runtime.store, house.runtime.files.content
    await archive.pull(StoreSource(store, clock=CLOCK, files=content))
    (first, second) = [
        str(next(iter_attachments(await archive.get(id))).record["upload_file_id"]) for id in ids
    ]
    rules = [RetentionRule("all", 0)]
    asked: list[list[str]] = []

    async def killed(some: Sequence[str]) -> None:
        asked.append(sorted(some))
        raise StoreError("the power went")

    with pytest.raises(StoreError):
        await delete_archived(store, archive.archive, rules, max_share=1, delete_files=killed)
    assert asked == [sorted((first, second))]
    assert await there(house, flow, ids, [first, second]) == ([], [first, second])
    plan = await preview_delete_archived(store, archive.archive, rules)
    assert (plan.total, plan.candidates) == (0, 0)
    held = Hold(id="h", reason="law", conversation_id=ids[1])
    archive.archive.place_hold(held)
    again = await delete_archived(store, archive.archive, rules, max_share=1, delete_files=content.delete)
    assert (again.deleted, again.files) == (0, 1)
    assert await there(house, flow, ids, [first, second]) == ([], [second])
    back = await restore_conversations(archive.archive, store, flow.app_id, files=content)
    assert (back.conversations, back.files) == (2, 1)
    for id in ids:
        (message,) = await flow.messages(id, user="ann")
        assert (await fetched(message["message_files"][0]["url"])).body == PNG


async def test_a_conversation_that_goes_on_meanwhile_keeps_its_files(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    id = await talk(flow)
    store, content = house.runtime.store, house.runtime.files.content
    await archive.pull(StoreSource(store, clock=CLOCK, files=content))
    note_lines = archive.archive.audit_log.append
    loop = asyncio.get_running_loop()

    def slow(lines: Iterable[AuditLine]) -> None:
        said = flow.said("and now?", user="ann", conversation_id=id)
        asyncio.run_coroutine_threadsafe(said, loop).result(BOUND)
        note_lines(lines)

    archive.archive.audit_log.append = slow  # type: ignore[method-assign]  # between the proof and the deed
    report = await delete_archived(
        store, archive.archive, [RetentionRule("all", 0)], max_share=1, delete_files=content.delete
    )
    assert (report.deleted, report.files, report.kept_count) == (0, 0, {"changed": 1})
    shown = (await flow.messages(id, user="ann"))[0]["message_files"][0]
    assert (await fetched(shown["url"])).body == PNG


async def there(
    house: House, flow: Caller, ids: list[str], file_ids: list[str]
) -> tuple[list[str], list[str]]:
    """Those of these conversations and files that the server has, the bytes of files included."""

    def look(connection: Connection) -> tuple[list[str], list[str]]:
        known = [id for id in ids if conversations.find(connection, flow.app_id, id, end_user_id=None)]
        return known, [id for id in file_ids if files.find(connection, id) is not None]

    known, stored = await house.runtime.store.read(look)
    whole = []
    for id in stored:
        if b"".join([piece async for piece in house.runtime.files.content.open(id, end=len(PNG))]) == PNG:
            whole.append(id)
    assert whole == stored
    return known, stored


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


TOOL_FILE = "0199a2b4-1111-4222-8333-0123456789ab"


def of_dify(app_id: str) -> dict[str, object]:
    """A conversation as the console of a Dify server tells it, with what its tools have made."""
    conversation, message = str(UUID(int=1)), str(UUID(int=2))
    made = {
        "type": "image",
        "mime_type": "image/png",
        "belongs_to": "assistant",
        "transfer_method": "tool_file",
        "upload_file_id": None,
    }
    files = [
        {**made, "id": str(UUID(int=3)), "filename": "chart.png", "url": f"/files/tools/{TOOL_FILE}.png"},
        {**made, "id": str(UUID(int=4)), "filename": "plan.png", "url": "/files/elsewhere"},
        {**made, "id": str(UUID(int=5)), "filename": "lost.png", "url": None},
        {
            **made,
            "id": str(UUID(int=6)),
            "filename": "photo.png",
            "belongs_to": "user",
            "transfer_method": "remote_url",
            "url": "https://elsewhere.example/photo.png",
        },
    ]
    return {
        "conversation_id": conversation,
        "app_id": app_id,
        "created_at": 1760000000,
        "from_end_user_id": str(UUID(int=7)),
        "from_end_user_session_id": "ann",
        "messages": [
            {
                "id": message,
                "query": "draw",
                "answer": "Drawn.",
                "created_at": 1760000000,
                "message_files": files,
            }
        ],
    }


async def test_what_a_tool_has_made_elsewhere_is_shown_again_after_a_restore(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    told = of_dify(flow.app_id)
    dify = FileSource(told)
    dify.files = {str(UUID(int=3)): PNG, str(UUID(int=4)): PICTURE, str(UUID(int=6)): LETTER}
    await archive.pull(dify)
    store, content = house.runtime.store, house.runtime.files.content
    back = await restore_conversations(archive.archive, store, flow.app_id, files=content)
    assert (back.conversations, back.files, back.failed) == (1, 2, [])
    twice = await restore_conversations(archive.archive, store, flow.app_id, files=content)
    assert (twice.present, twice.files) == (1, 0)

    (message,) = await flow.messages(str(told["conversation_id"]), user="ann")
    chart, plan, lost, photo = message["message_files"]
    assert (chart["upload_file_id"], chart["transfer_method"]) == (TOOL_FILE, "tool_file")
    assert (await fetched(chart["url"])).body == PNG
    assert (await fetched(plan["url"])).body == PICTURE
    assert (lost["upload_file_id"], lost["url"]) == (None, None)
    assert photo["url"] == "https://elsewhere.example/photo.png"
    email, password = house.runtime.admin
    async with AsyncConsoleClient(house.serving.console_api, email, password) as console:
        app = console.app(flow.app_id, AsyncAdvancedChatApp)
        page = await app.get_messages(str(told["conversation_id"]))
    shown = page.data[0].to_dict()["message_files"]
    assert isinstance(shown, list)
    assert (await fetched(shown[0]["url"])).body == PNG

    # What is archived from here afterwards still is the same picture.
    source = StoreSource(store, clock=CLOCK, files=content)
    assert (await archive.pull(source)).succeeded
    assert kept(await archive.get(str(told["conversation_id"])))[0] == note(PNG, "chart.png")


async def test_without_a_place_for_files_only_what_is_known_of_them_comes_back(
    house: House, flow: Caller, archive: AsyncArchive
) -> None:
    told = of_dify(flow.app_id)
    dify = FileSource(told)
    dify.files = {str(UUID(int=3)): PNG}
    await archive.pull(dify)
    await restore_conversations(archive.archive, house.runtime.store, flow.app_id)
    (message,) = await flow.messages(str(told["conversation_id"]), user="ann")
    first = message["message_files"][0]
    assert (first["upload_file_id"], first["url"]) == (None, f"/files/tools/{TOOL_FILE}.png")
