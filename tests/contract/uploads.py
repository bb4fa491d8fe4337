"""Sending files, and fetching them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from tests.contract.caller import BOUND, Caller, Reply

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
BOUNDARY = "a-boundary-of-the-tests"


@dataclass(frozen=True, slots=True)
class FormPart:
    """A part of a form, put together as it is said, whether that makes sense or not."""

    content: bytes = b""
    name: str = "file"
    filename: str | None = None
    type: str | None = None

    def encode(self) -> bytes:
        head = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            head += f'; filename="{self.filename}"'
        if self.type is not None:
            head += f"\r\nContent-Type: {self.type}"
        return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + self.content + b"\r\n"


def file_part(filename: str = "a.png", content: bytes = PNG, type: str | None = "image/png") -> FormPart:
    return FormPart(content, filename=filename, type=type)


async def send(caller: Caller, parts: Sequence[FormPart], *, user: str | None = "u1") -> Reply:
    """Send a form."""
    if user is not None:
        parts = [*parts, FormPart(user.encode(), "user")]
    return await caller.call(
        "POST",
        "/files/upload",
        data=b"".join(part.encode() for part in parts) + f"--{BOUNDARY}--\r\n".encode(),
        headers={
            "authorization": f"Bearer {caller.key}",
            "content-type": f"multipart/form-data; boundary={BOUNDARY}",
        },
    )


async def uploaded(
    caller: Caller,
    filename: str = "a.png",
    content: bytes = PNG,
    type: str | None = "image/png",
    *,
    user: str = "u1",
) -> dict[str, Any]:
    """What the server says about a file that it must take."""
    reply = await send(caller, [file_part(filename, content, type)], user=user)
    assert reply.status == 201, reply
    return dict(reply.json)


def local(file: Mapping[str, Any], type: str = "image") -> dict[str, str]:
    """An upload in a request."""
    return {"type": type, "transfer_method": "local_file", "upload_file_id": file["id"]}


async def used(caller: Caller, file: Mapping[str, Any], *, user: str, type: str = "image") -> dict[str, Any]:
    """The message file that an upload has become."""
    said = await caller.said("hi", user=user, files=[local(file, type)])
    (message,) = await caller.messages(said["conversation_id"], user=user)
    (row,) = message["message_files"]
    return dict(row)


async def fetched(url: str, *, method: str = "GET", **headers: str) -> Reply:
    """What an address answers to somebody without a key."""
    timeout = aiohttp.ClientTimeout(total=BOUND)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, URL(url, encoded=True), headers=headers) as response,
    ):
        return Reply(response.status, response.headers.copy(), await response.read())
