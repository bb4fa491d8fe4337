"""Files with their bytes: who may have which, and what goes wrong in between."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.engine.harness import answer, start
from tests.runs.house import House
from weft.files import ByteSource, FileLinks, FileStore, FileStoreError, open_file_store
from weft.nodes import KeptFileError, NewFile, RunInfo
from weft.runs import (
    Filing,
    delete_app_files,
    delete_unused_files,
    sweep_files,
)
from weft.store import EndUser, StoredFile, files, runs
from weft.variables import File

pytestmark = pytest.mark.anyio


class Failing:
    """A store of files that cannot write."""

    async def put(self, file_id: str, source: bytes | ByteSource, *, max_bytes: int) -> int:
        raise FileStoreError("the disk is full")

    async def open(self, file_id: str, *, start: int = 0, end: int) -> AsyncIterator[bytes]:
        for _ in range(start, end):
            raise FileStoreError("the disk is gone")
        yield b""

    async def delete(self, file_ids: Sequence[str]) -> None:
        raise FileStoreError("the disk is gone")

    async def close(self) -> None:
        pass


@pytest.fixture
async def content() -> AsyncIterator[FileStore]:
    store = await open_file_store("memory://")
    yield store
    await store.close()


def filing_of(house: House, content: FileStore) -> Filing:
    return Filing(
        house.store,
        content,
        FileLinks("secret", clock=house.clock, base="http://weft", nonce=lambda: "ab"),
        clock=house.clock,
        ids=house.ids,
        max_bytes=100,
    )


@pytest.fixture
async def filing(house: House, content: FileStore) -> Filing:
    await house.serve({"start": start(), "a": answer("{{#sys.files#}}")}, "start > a")
    made = filing_of(house, content)
    house.runner.preparer._filing = made
    return made


def run_of(house: House, user: str = "ada", **more: str) -> RunInfo:
    assert house.app is not None
    return RunInfo(run_id="run", app_id=house.app.id, workflow_id="w", user=user, **more)  # type: ignore[arg-type]


async def upload(
    house: House, filing: Filing, data: bytes = b"data", user: EndUser | None = None
) -> StoredFile:
    assert house.app is not None
    assert house.user is not None
    return await filing.upload(
        house.app, user or house.user, "a.txt", "text/plain", io.BytesIO(data), len(data)
    )


async def row_of(house: House, id: str | None) -> StoredFile | None:
    return await house.store.read(lambda connection: files.find(connection, id or ""))


async def bytes_of(filing: Filing, row: StoredFile) -> bytes:
    return b"".join([piece async for piece in filing.open(row)])


def record(row: StoredFile) -> File:
    return File(related_id=row.id, transfer_method="local_file", filename=row.name)


async def test_an_upload_is_a_row_and_bytes(house: House, filing: Filing) -> None:
    row = await upload(house, filing)
    assert house.app is not None
    assert house.user is not None
    assert row == StoredFile(
        id=row.id,
        workspace_id=house.app.workspace_id,
        app_id=house.app.id,
        origin="upload",
        name="a.txt",
        extension="txt",
        mime_type="text/plain",
        size=4,
        sha256=hashlib.sha256(b"data").hexdigest(),
        created_at=house.clock.now(),
        created_by_role="end_user",
        created_by=house.user.id,
    )
    assert await row_of(house, row.id) == row
    assert await bytes_of(filing, row) == b"data"
    assert (await filing.read(record(row), run_of(house), max_bytes=4)).data == b"data"


async def test_what_a_run_makes_is_kept_for_its_user(house: House, filing: Filing) -> None:
    new = NewFile(name="../../x", mime_type="image/png", data=b"picture", source_url="https://e.org/x")
    file = await filing.keep(new, run_of(house, conversation_id="c"))
    assert house.app is not None
    assert house.user is not None
    row = await row_of(house, file.related_id)
    assert row == StoredFile(
        id=file.related_id or "",
        workspace_id=house.app.workspace_id,
        app_id=house.app.id,
        origin="run",
        name="x.png",
        extension="png",
        mime_type="image/png",
        size=7,
        sha256=hashlib.sha256(b"picture").hexdigest(),
        created_at=house.clock.now(),
        created_by_role="end_user",
        created_by=house.user.id,
        conversation_id="c",
        run_id="run",
        source_url="https://e.org/x",
    )
    assert file == File(
        id=file.id,
        tenant_id=house.app.workspace_id,
        type="image",
        transfer_method="tool_file",
        related_id=row.id,
        filename="x.png",
        extension=".png",
        mime_type="image/png",
        size=7,
        url=filing.links.sign(row.id),
    )
    assert await bytes_of(filing, row) == b"picture"


async def test_a_file_is_for_its_user_its_conversation_and_its_run(house: House, filing: Filing) -> None:
    eve = await house.new_user("eve")
    row = await upload(house, filing, user=eve)
    made = await filing.keep(
        NewFile(name="x", mime_type="text/plain", data=b"x"),
        run_of(house, user="nobody", conversation_id="c"),
    )
    other_run = replace(record(row))
    assert (await filing.read(other_run, run_of(house, user="eve"), max_bytes=4)).data == b"data"
    elsewhere = RunInfo(run_id="other", app_id="another", workflow_id="w", user="eve", conversation_id="c")
    stranger = RunInfo(run_id="other", app_id=row.app_id, workflow_id="w", user="ada")
    beside = RunInfo(run_id="other", app_id=row.app_id, workflow_id="w", user="ada", conversation_id="c")
    for user in (elsewhere, stranger):
        for file in (record(row), made):
            with pytest.raises(KeptFileError, match="that this run may have"):
                await filing.read(file, user, max_bytes=100)
        assert await filing.renew([record(row), made], user) == []
    assert (await filing.read(made, beside, max_bytes=100)).data == b"x"
    assert [file.related_id for file in await filing.renew([record(row), made], beside)] == [made.related_id]


@pytest.mark.parametrize("id", ["", "abc", "../../etc/passwd", "\ud800", "0" * 5000])
async def test_a_record_with_an_odd_id_is_no_file(house: House, filing: Filing, id: str) -> None:
    file = File(related_id=id, transfer_method="local_file")
    with pytest.raises(KeptFileError):
        await filing.read(file, run_of(house), max_bytes=4)
    assert await filing.renew([file], run_of(house)) == []


async def test_links_are_made_again(house: House, filing: Filing) -> None:
    row = await upload(house, filing)
    old = filing.as_file(row)
    house.clock.advance(1000)
    remote = File(url="https://e.org/a", remote_url="https://e.org/a", related_id="whatever")
    assert await filing.renew([old, remote], run_of(house)) == [
        replace(old, url=filing.links.sign(row.id)),
        remote,
    ]


async def test_what_is_too_large_is_neither_read_nor_kept(house: House, filing: Filing) -> None:
    row = await upload(house, filing)
    with pytest.raises(KeptFileError, match="no more than 3 can be read"):
        await filing.read(record(row), run_of(house), max_bytes=3)
    with pytest.raises(KeptFileError, match="no file over 100"):
        await filing.keep(NewFile(name="x", mime_type="", data=bytes(101)), run_of(house))


async def test_without_bytes_there_is_no_row(
    house: House, filing: Filing, caplog: pytest.LogCaptureFixture
) -> None:
    broken = filing_of(house, Failing())
    assert house.app is not None
    app_id = house.app.id
    with pytest.raises(FileStoreError, match="the disk is full"):
        await upload(house, broken)
    with caplog.at_level(logging.CRITICAL), pytest.raises(KeptFileError, match="not to be had"):
        await broken.keep(NewFile(name="x", mime_type="text/plain", data=b"x"), run_of(house))
    assert await house.store.read(lambda connection: files.list_of_app(connection, app_id, limit=9)) == ()


async def test_bytes_that_cannot_be_read_are_an_error_of_the_file(
    house: House, filing: Filing, caplog: pytest.LogCaptureFixture
) -> None:
    row = await upload(house, filing)
    with caplog.at_level(logging.CRITICAL), pytest.raises(KeptFileError, match=r"'a\.txt' cannot be read"):
        await filing_of(house, Failing()).read(record(row), run_of(house), max_bytes=4)


# Uploads in runs

FEATURES = {"file_upload": {"enabled": True}}


def local(row: StoredFile) -> dict[str, str]:
    return {"type": "document", "transfer_method": "local_file", "upload_file_id": row.id}


async def test_a_run_claims_its_uploads_and_stores_no_link(house: House, filing: Filing) -> None:
    row = await upload(house, filing)
    fields = [{"variable": "paper", "type": "file"}, {"variable": "papers", "type": "file-list"}]
    version = await house.serve(
        {"start": start(*fields), "a": answer("{{#sys.files#}}")}, "start > a", features=FEATURES
    )
    inputs = {"paper": local(row), "papers": [local(row)]}
    heard = await house.ask(version, files=[local(row)], inputs=inputs)
    live = heard.live
    assert live.conversation is not None
    claimed = replace(row, conversation_id=live.conversation.id, run_id=live.run.id)
    assert await row_of(house, row.id) == claimed
    assert heard.answer == f"[a.txt]({filing.links.sign(row.id)})"
    (file,) = await house.message_files(heard)
    assert (file.url, file.upload_file_id) == (None, row.id)
    stored = [
        (await house.run_row(heard)).inputs,
        (await house.message_row(heard)).inputs,
        (await house.conversation_row(heard)).inputs,
    ]
    assert "sign=" not in str(stored)
    assert str(stored).count(row.id) == 7
    again = await house.ask(version, files=[local(row)], inputs={})
    assert await row_of(house, row.id) == claimed
    assert (await house.message_files(again))[0].upload_file_id == row.id


# Deleting


async def test_files_are_deleted_with_their_bytes(house: House, filing: Filing, content: FileStore) -> None:
    version = await house.serve({"start": start(), "a": answer("x")}, "start > a", features=FEATURES)
    row, unused = [await upload(house, filing, bytes([n])) for n in range(2)]
    await house.ask(version, files=[local(row)])
    app_id, now = row.app_id, house.clock.now()

    assert await delete_unused_files(house.store, content, now) == 0
    assert await delete_unused_files(house.store, content, now + timedelta(seconds=1), app_id="another") == 0
    with pytest.raises(FileStoreError):
        await delete_unused_files(house.store, Failing(), now + timedelta(seconds=1))
    assert await row_of(house, unused.id) is not None
    assert await delete_unused_files(house.store, content, now + timedelta(seconds=1)) == 1
    assert await row_of(house, unused.id) is None
    assert await bytes_of(filing, row) == b"\x00"
    assert await delete_app_files(house.store, content, "another") == 0
    assert await delete_app_files(house.store, content, app_id) == 1
    with pytest.raises(FileStoreError):
        await bytes_of(filing, row)


async def test_more_files_than_are_deleted_at_once_are_all_deleted(
    house: House, filing: Filing, content: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.runs.file_deletion._AT_ONCE", 2)
    rows = [await upload(house, filing) for _ in range(5)]
    assert await delete_app_files(house.store, content, rows[0].app_id) == 5


async def test_what_a_crashed_run_has_made_is_swept(house: House, filing: Filing, content: FileStore) -> None:
    version = await house.serve({"start": start(), "a": answer("x")}, "start > a")
    heard = await house.ask(version)
    new = NewFile(name="x", mime_type="text/plain", data=b"x")
    of_run = RunInfo(run_id=heard.live.run.id, app_id=heard.live.run.app_id, workflow_id="w", user="ada")
    kept = await filing.keep(new, of_run)
    crashed = await filing.keep(new, run_of(house))
    upload_row = await upload(house, filing)
    later = house.clock.now() + timedelta(seconds=1)
    assert await sweep_files(house.store, content, house.clock.now()) == 0
    assert await sweep_files(house.store, content, later) == 1
    assert await row_of(house, crashed.related_id) is None
    assert await row_of(house, kept.related_id) is not None
    failed = replace(heard.live.run, status="failed")
    await house.store.write(lambda connection: runs.finish(connection, failed, None))
    assert await sweep_files(house.store, content, later) == 1
    assert await row_of(house, upload_row.id) == upload_row
