"""One suite for all stores."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path
from tempfile import SpooledTemporaryFile

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest

from weft.errors import ConfigError
from weft.files import FileMissingError, FileStore, FileStoreError, FileTooLargeError, open_file_store
from weft.ids import TimeOrderedIds

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
LARGE = os.urandom(11 * MIB + 7)
IDS = TimeOrderedIds()


async def read(files: FileStore, id: str, end: int, start: int = 0) -> bytes:
    return b"".join([piece async for piece in files.open(id, start=start, end=end)])


@pytest.mark.parametrize("data", [b"", b"x", LARGE[: 5 * MIB], LARGE], ids=["none", "one", "part", "parts"])
@pytest.mark.parametrize("as_file", [False, True])
async def test_what_was_put_is_read(files: FileStore, data: bytes, as_file: bool) -> None:
    id = IDS.new()
    size = await files.put(id, io.BytesIO(data) if as_file else data, max_bytes=len(data))
    assert size == len(data)
    assert await read(files, id, size) == data


async def test_a_file_is_read_from_where_it_stands(files: FileStore) -> None:
    id = IDS.new()
    with SpooledTemporaryFile(max_size=10) as source:
        source.write(b"not this, but that")
        source.seek(10)
        assert await files.put(id, source, max_bytes=100) == 8
    assert await read(files, id, 8) == b"but that"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (5, 5), (7, 3), (MIB - 1, 4 * MIB + 1), (11 * MIB, len(LARGE))]
)
async def test_a_part_can_be_read(files: FileStore, start: int, end: int) -> None:
    id = IDS.new()
    await files.put(id, LARGE, max_bytes=len(LARGE))
    assert await read(files, id, end, start) == LARGE[start:end]


async def test_a_file_is_read_in_pieces_of_bounded_size(files: FileStore) -> None:
    id = IDS.new()
    await files.put(id, LARGE, max_bytes=len(LARGE))
    sizes = [len(piece) async for piece in files.open(id, end=len(LARGE))]
    assert max(sizes) <= 4 * MIB
    assert len(sizes) > 2


@pytest.mark.parametrize("size", [101, 5 * MIB + 1, len(LARGE)])
async def test_of_what_is_too_large_nothing_is_kept(files: FileStore, size: int) -> None:
    id = IDS.new()
    for source in (LARGE[:size], io.BytesIO(LARGE[:size])):
        with pytest.raises(FileTooLargeError):
            await files.put(id, source, max_bytes=size - 1)
    with pytest.raises(FileMissingError):
        await read(files, id, 1)


async def test_a_source_that_breaks_off_leaves_nothing(files: FileStore) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 6 * MIB:
                raise OSError("the disk is gone")
            return super().read(size)

    id = IDS.new()
    with pytest.raises(FileStoreError, match="the disk is gone"):
        await files.put(id, Broken(LARGE), max_bytes=len(LARGE))
    with pytest.raises(FileMissingError):
        await read(files, id, 1)


async def test_putting_again_replaces(files: FileStore) -> None:
    id = IDS.new()
    await files.put(id, LARGE, max_bytes=len(LARGE))
    await files.put(id, b"other", max_bytes=5)
    assert await read(files, id, 5) == b"other"
    with pytest.raises(FileStoreError):
        await read(files, id, 6)


async def test_deleting_is_done_once_and_can_be_said_twice(files: FileStore) -> None:
    kept, *gone = (IDS.new() for _ in range(4))
    for id in (kept, *gone[:2]):
        await files.put(id, b"data", max_bytes=4)
    for _ in range(2):
        await files.delete([gone[2], *gone[:2]])
    await files.delete([])
    assert await read(files, kept, 4) == b"data"
    for id in gone:
        with pytest.raises(FileMissingError) as caught:
            await read(files, id, 4)
        assert caught.value.file_id == id


@pytest.mark.parametrize("id", ["../../../etc/passwd", "", "abc", "/etc/passwd"])
async def test_what_is_no_id_is_refused(files: FileStore, id: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a file"):
        await files.put(id, b"x", max_bytes=1)
    with pytest.raises(ValueError, match="is not the id of a file"):
        await read(files, id, 1)
    with pytest.raises(ValueError, match="is not the id of a file"):
        await files.delete([id])


async def test_many_files_are_handled_at_once(files: FileStore) -> None:
    ids = [IDS.new() for _ in range(40)]
    await asyncio.gather(*(files.put(id, id.encode(), max_bytes=36) for id in ids))
    assert await asyncio.gather(*(read(files, id, 36) for id in ids)) == [id.encode() for id in ids]


# A folder


async def test_a_folder_holds_files_by_id_and_nothing_else(tmp_path: Path) -> None:
    files = await open_file_store(f"file://{tmp_path}/files")
    id = IDS.new()
    await files.put(id, LARGE, max_bytes=len(LARGE))
    with pytest.raises(FileTooLargeError):
        await files.put(IDS.new(), LARGE, max_bytes=len(LARGE) - 1)
    found = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert found == [tmp_path / "files" / id[-2:] / id]
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700
    await files.close()


async def test_a_store_can_be_opened_again(tmp_path: Path) -> None:
    url, id = f"file://{tmp_path}/files", IDS.new()
    first = await open_file_store(url)
    await first.put(id, b"data", max_bytes=4)
    await first.close()
    second = await open_file_store(url)
    assert await read(second, id, 4) == b"data"
    await second.close()


async def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^the setting files_url \(file:.*cannot be used"):
        await open_file_store(f"file://{tmp_path}/file/files")


def test_a_program_that_ends_while_files_are_used_ends_well(tmp_path: Path) -> None:
    program = f"""
import asyncio
from weft.files import open_file_store

async def main():
    files = await open_file_store("file://{tmp_path}/files")
    id = "0197e2d4-5b6c-7def-8123-456789abcdef"
    await files.put(id, bytes(6_000_000), max_bytes=6_000_000)
    async for piece in files.open(id, end=6_000_000):
        pass
    await files.delete([id])

asyncio.run(main())
"""
    ended = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
        for _ in range(3)
    ]
    assert [(run.returncode, run.stderr) for run in ended] == [(0, b"")] * 3


# A bucket


async def test_a_bucket_holds_files_under_the_prefix(bucket: str, s3: str) -> None:
    files = await open_file_store(f"s3://{bucket}/some/prefix")
    id = IDS.new()
    await files.put(id, LARGE, max_bytes=len(LARGE))
    client = boto3.client("s3", endpoint_url=s3)
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert {found["Key"]: found["Size"] for found in objects} == {
        "some/prefix/.weft": 14,
        f"some/prefix/{id[-2:]}/{id}": len(LARGE),
    }
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads") is None
    await files.close()


async def test_a_bucket_that_is_missing_is_told_with_its_setting(s3_environment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await open_file_store("s3://nowhere/prefix")
    text = str(caught.value)
    assert text.startswith(
        "the setting files_url (s3://nowhere/prefix) names a store of files that does not work: "
    )
    assert "NoSuchBucket" in text or "not found" in text
    assert len(text) < 700


async def test_a_server_that_is_not_there_is_told_with_its_setting(
    s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"^the setting files_url \(s3://bucket\) names a store") as caught:
        await open_file_store("s3://bucket")
    assert "127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize("url", ["s3://", "az://container", "gs://", "s3:///prefix"])
async def test_an_address_that_says_too_little_is_told_with_its_setting(
    s3_environment: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE", "GOOGLE"))]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match="the setting files_url"):
        await open_file_store(url)
