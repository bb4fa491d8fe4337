"""Files on their way to the server and back."""

from __future__ import annotations

import io
from pathlib import Path

import httpx2
import pytest

from tests.client.fake import Chunks, MakeClient, refused, said
from weft import errors
from weft.client import RetryPolicy
from weft.client._upload import byte_range

pytestmark = pytest.mark.anyio

UPLOAD = {"id": "f1", "name": "a.png", "size": 3}


def file(chunks: Chunks, status: int = 200, **headers: str) -> httpx2.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers={"Content-Type": "audio/wav", **given}, stream=chunks)


def contents(folder: Path) -> dict[str, bytes]:
    return {found.name: found.read_bytes() for found in folder.iterdir()}


async def test_a_file_is_uploaded_from_its_path(make: MakeClient, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    client, fake = make(said(UPLOAD, 201), said(UPLOAD, 201))
    assert (await client.upload_file(path, user="u1")).id == "f1"
    await client.upload_file(str(path), filename="b.bin", mime_type="image/webp")
    assert [asked.body for asked in fake.asked] == [
        {"user": "u1", "file": ("a.png", "image/png", b"png")},
        {"file": ("b.bin", "image/webp", b"png")},
    ]


async def test_a_file_that_is_open_is_uploaded_from_where_it_stands(make: MakeClient, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"0123456789")
    client, fake = make(said(UPLOAD, 201), said(UPLOAD, 201))
    with path.open("rb") as opened:
        opened.seek(4)
        await client.upload_file(opened)
        assert not opened.closed
    await client.upload_file(io.BytesIO(b"abc"), filename="c.txt")
    assert [asked.body for asked in fake.asked] == [
        {"file": ("notes", "application/octet-stream", b"456789")},
        {"file": ("c.txt", "text/plain", b"abc")},
    ]


async def test_an_upload_that_is_tried_again_is_sent_whole(make: MakeClient, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    waits: list[float] = []
    client, fake = make(refused(503, "x"), said(UPLOAD, 201), retry=RetryPolicy(writes=True), waits=waits)
    await client.upload_file(path)
    assert [asked.body for asked in fake.asked] == [{"file": ("a.png", "image/png", b"png")}] * 2


async def test_what_cannot_be_uploaded_is_said_before_anything_is_sent(
    make: MakeClient, tmp_path: Path
) -> None:
    client, fake = make()
    with pytest.raises(errors.InvalidRequestError, match="No such file"):
        await client.upload_file(tmp_path / "none.png")
    with pytest.raises(errors.InvalidRequestError, match="needs a name"):
        await client.upload_file(b"abc")
    with pytest.raises(errors.InvalidRequestError, match="mode 'rb'"):
        await client.upload_file(io.StringIO("abc"), filename="a.txt")  # type: ignore[arg-type]  # on purpose
    assert fake.asked == []


async def test_a_download_comes_in_pieces_with_what_is_known_of_it(make: MakeClient) -> None:
    chunks = Chunks([b"ab", b"cd"])
    client, fake = make(file(chunks, 206, Content_Length="4", Content_Range="bytes 0-3/9"))
    async with client.file_preview("f1", user="u1", start=0, end=3) as download:
        assert (download.content_type, download.size, download.content_range) == (
            "audio/wav",
            4,
            "bytes 0-3/9",
        )
        assert [piece async for piece in download] == [b"ab", b"cd"]
    (asked,) = fake.asked
    assert (asked.url, asked.query) == ("http://dify.test/v1/files/f1/preview", {"user": "u1"})
    assert asked.headers["range"] == "bytes=0-3"
    assert chunks.closed == 1


async def test_a_download_can_be_left_early(make: MakeClient) -> None:
    chunks = Chunks([b"ab", b"cd"])
    client, _ = make(file(chunks))
    async with client.file_preview("f1", as_attachment=True) as download:
        async for _ in download:
            break
    assert (chunks.given_out, chunks.closed) == (1, 1)
    assert await download.read() == b""


async def test_a_download_is_saved_whole_or_not_at_all(make: MakeClient, tmp_path: Path) -> None:
    good = file(Chunks([b"ab", b"cd"]), Content_Length="4")
    broken = file(Chunks([b"ab"], httpx2.RemoteProtocolError("peer closed connection")))
    short = file(Chunks([b"ab"]), Content_Length="4")
    client, _ = make(good, broken, short, refused(404, "file_not_found", "gone"))
    path = tmp_path / "a.wav"
    assert await client.file_preview("f1").save(path) == 4
    for _ in range(2):
        with pytest.raises(errors.TransportError):
            await client.file_preview("f1").save(path)
    with pytest.raises(errors.NotFoundError, match="gone"):
        await client.file_preview("f1").save(path)
    assert contents(tmp_path) == {"a.wav": b"abcd"}


async def test_speech_is_streamed(make: MakeClient) -> None:
    client, fake = make(file(Chunks([b"RI", b"FF"])))
    assert await client.text_to_audio("hi", user="u1", voice="alloy").read() == b"RIFF"
    (asked,) = fake.asked
    assert (asked.url, asked.body) == (
        "http://dify.test/v1/text-to-audio",
        {"text": "hi", "user": "u1", "voice": "alloy", "streaming": True},
    )


async def test_json_instead_of_sound_is_an_error(make: MakeClient) -> None:
    null = httpx2.Response(200, headers={"Content-Type": "application/json"}, content=b"null")
    client, _ = make(null, refused(400, "invalid_param", "TTS is not enabled"))
    with pytest.raises(errors.ServerError, match="application/json instead of sound"):
        await client.text_to_audio(message_id="m1").read()
    with pytest.raises(errors.InvalidRequestError, match="TTS is not enabled"):
        await client.text_to_audio("hi").read()


@pytest.mark.parametrize(
    ("start", "end", "header"),
    [(None, None, {}), (5, None, "bytes=5-"), (None, 5, "bytes=0-5"), (-5, None, "bytes=-5")],
)
async def test_a_part_of_a_file(start: int | None, end: int | None, header: object) -> None:
    assert byte_range(start, end) == ({"Range": header} if header else {})


@pytest.mark.parametrize(("start", "end"), [(5, 4), (-5, 4), (None, -1)])
async def test_a_part_that_cannot_be_is_refused(start: int | None, end: int | None) -> None:
    with pytest.raises(errors.InvalidRequestError, match="no part of a file"):
        byte_range(start, end)
