from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from weft.errors import InvalidRequestError
from weft.server.errors import ApiError
from weft.server.multipart import Form, PartHead, parse_header, read_form

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


def part(name: str, data: bytes, *, filename: str | None = None, kind: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    headers = f"Content-Disposition: {disposition}\r\n"
    if kind is not None:
        headers += f"Content-Type: {kind}\r\n"
    return headers.encode() + b"\r\n" + data + b"\r\n"


def body(*parts: bytes, boundary: str = "XX") -> bytes:
    lead = b"--" + boundary.encode() + b"\r\n"
    return b"".join(lead + one for one in parts) + b"--" + boundary.encode() + b"--\r\n"


def request(
    chunks: Sequence[bytes], *, kind: str = "multipart/form-data; boundary=XX", **headers: str
) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    sent = {"content-type": kind, **headers}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    return Request(
        {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": pairs}, receive
    )


async def read(
    *chunks: bytes,
    limit: int = MIB,
    max_bytes: int = 8 * MIB,
    max_parts: int = 20,
    kind: str = "multipart/form-data; boundary=XX",
) -> Form:
    return await read_form(
        request(chunks, kind=kind),
        max_file_bytes=lambda head: limit,
        max_bytes=max_bytes,
        max_parts=max_parts,
    )


async def test_fields_and_files_come_apart_with_their_names_types_and_bytes() -> None:
    sent = body(
        part("user", b"u1"),
        part("file", b"\x00\xff\r\n--X", filename="día.bin", kind="application/x-odd; a=b"),
        part("user", b"second"),
        part("file", b"", filename=""),
    )

    with await read(sent) as form:
        assert form.fields == {"user": "u1"}
        told = [(file.name, file.filename, file.content_type, file.size) for file in form.files]
        assert told == [("file", "día.bin", "application/x-odd; a=b", 7), ("file", "", None, 0)]
        assert [await file.read() for file in form.files] == [b"\x00\xff\r\n--X", b""]
        assert form.file("file") is form.files[0]
        assert form.file("other") is None


async def test_a_large_file_lies_on_disk_and_is_whole() -> None:
    data = bytes(range(256)) * 8192
    sent = body(part("file", data, filename="a.bin", kind="x/y"), part("note", b"n"))

    with await read(*(sent[at : at + 70_001] for at in range(0, len(sent), 70_001)), limit=len(data)) as form:
        (file,) = form.files
        assert (file.size, file.too_large, form.fields) == (len(data), False, {"note": "n"})
        assert file.file._rolled  # type: ignore[attr-defined]  # the only way to see where it lies
        assert await file.read() == data


async def test_a_file_over_its_limit_is_counted_and_not_kept() -> None:
    data = b"a" * (MIB + 1)
    sent = body(part("file", data, filename="a", kind="x/y"), part("user", b"u"))

    with await read(*(sent[at : at + 65_536] for at in range(0, len(sent), 65_536))) as form:
        (file,) = form.files
        assert (file.size, file.too_large, await file.read(), form.fields) == (
            MIB + 1,
            True,
            b"",
            {"user": "u"},
        )


async def test_the_limit_of_a_file_follows_from_its_head_and_may_refuse_it() -> None:
    def limit(head: PartHead) -> int:
        raise ApiError(415, "unsupported", f"{head.filename} is {head.content_type}")

    asked = request([body(part("file", b"a" * 99, filename="a.exe", kind="x/y"))])

    with pytest.raises(ApiError, match=r"a\.exe is x/y"):
        await read_form(asked, max_file_bytes=limit, max_bytes=MIB)


async def test_a_body_over_its_limit_is_refused_before_it_is_read_when_it_says_its_size() -> None:
    asked = request([], **{"content-length": "1001"})

    with pytest.raises(ApiError, match="larger than 1000 bytes") as caught:
        await read_form(asked, max_file_bytes=lambda head: 1, max_bytes=1000)

    assert caught.value.status == 413


async def test_a_body_over_its_limit_is_refused_while_it_is_read() -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"\r\n" * 500, "more_body": True}

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"multipart/form-data; boundary=XX")],
    }

    with pytest.raises(ApiError, match="larger than 100000 bytes"):
        async with asyncio.timeout(10):
            await read_form(Request(scope, receive), max_file_bytes=lambda head: 1, max_bytes=100_000)


async def test_a_field_over_its_limit_is_refused() -> None:
    with pytest.raises(ApiError, match="field 'user' is larger than 65536 bytes") as caught:
        await read(body(part("user", b"a" * 70_000)))

    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (body(*(part(f"f{n}", b"") for n in range(21))), "more than 20 parts"),
        (body(part("a", b"b"))[:-6], "last boundary is missing"),
        (b"", "last boundary is missing"),
        (b"nonsense", "cannot be told apart"),
        (b"--XX\r\nContent-Type: a/b\r\n\r\nx\r\n--XX--\r\n", "a part has no name"),
        (b"--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--\r\n", "a part has no name"),
        (b"--XX\r\nA: " + b"b" * 9000 + b"\r\n\r\nx\r\n--XX--\r\n", "cannot be told apart"),
        (b"--XX\r\n" + b"A: b\r\n" * 9 + b"\r\nx\r\n--XX--\r\n", "cannot be told apart"),
    ],
)
async def test_what_is_no_proper_form_is_refused_with_the_reason(sent: bytes, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        await read(sent)

    assert (caught.value.status, caught.value.code) == (400, "bad_request")


@pytest.mark.parametrize("kind", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"])
async def test_a_type_without_a_proper_boundary_is_refused(kind: str) -> None:
    with pytest.raises(ApiError, match="boundary"):
        await read(b"", kind=kind)


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_an_empty_form(kind: str) -> None:
    with await read(b"user=u1", kind=kind) as form:
        assert (form.fields, form.files) == ({}, [])


async def test_a_client_that_leaves_is_told_apart_from_a_bad_form() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"multipart/form-data; boundary=XX")],
    }

    with pytest.raises(InvalidRequestError, match="the client left"):
        await read_form(Request(scope, receive), max_file_bytes=lambda head: 1, max_bytes=100)


@pytest.mark.parametrize(
    ("value", "filename"),
    [
        ('filename="a b.txt"', "a b.txt"),
        ("filename=plain.txt", "plain.txt"),
        (r'filename="a\"b\\c.txt"', 'a"b\\c.txt'),
        (r'filename="C:\new\a.txt"', r"C:\new\a.txt"),
        ("filename*=UTF-8''d%C3%ADa%20%E6%97%A5.txt", "día 日.txt"),
        ("filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("filename=\"a.txt\"; filename*=UTF-8''b.txt", "a.txt"),
        ('filename="semi;colon=1.txt"', "semi;colon=1.txt"),
        ('FileName="a.txt"', "a.txt"),
    ],
)
async def test_names_of_files_are_read_in_every_notation_that_clients_use(value: str, filename: str) -> None:
    sent = f'--XX\r\ncontent-disposition: form-data; name="f"; {value}\r\n\r\nx\r\n--XX--\r\n'.encode()

    with await read(sent) as form:
        assert [file.filename for file in form.files] == [filename]


def test_parameters_of_a_header_are_read_in_time_that_follows_their_length() -> None:
    kind, parameters = parse_header("form-data" + "; a" * 50_000 + ';name="' + "\\" * 50_001)

    assert (kind, parameters) == ("form-data", {"name": ""})


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@given(
    parts=st.lists(st.tuples(names, st.one_of(st.none(), names), st.binary(max_size=300)), max_size=6),
    cuts=st.lists(st.integers(0, 2500), max_size=8),
)
async def test_a_form_is_the_same_wherever_the_network_cuts_it(
    parts: list[tuple[str, str | None, bytes]], cuts: list[int]
) -> None:
    boundary = "----b0undary" + "7" * 20
    sent = body(*(part(name, data, filename=file) for name, file, data in parts), boundary=boundary)
    edges = [0, *sorted(cuts), len(sent)]
    chunks = [sent[start:end] for start, end in pairwise(edges)]

    with await read(*chunks, sent[max(edges) :], kind=f"multipart/form-data; boundary={boundary}") as form:
        fields: dict[str, str] = {}
        for name, file, data in parts:
            if file is None:
                fields.setdefault(name, data.decode("utf-8", "replace"))
        assert form.fields == fields
        assert [(one.name, one.filename, await one.read()) for one in form.files] == [
            (name, file, data) for name, file, data in parts if file is not None
        ]


@given(st.binary(max_size=400), st.binary(max_size=80))
async def test_any_bytes_are_a_form_or_a_refusal(noise: bytes, inside: bytes) -> None:
    for sent in (noise, body(b"Content-Disposition: " + inside + b"\r\n\r\n" + noise + b"\r\n")):
        try:
            form = await read(sent[: len(sent) // 2], sent[len(sent) // 2 :])
        except ApiError as error:
            refused = error.status
        else:
            form.close()
            refused = 400
        assert refused == 400
