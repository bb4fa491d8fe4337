"""Files that come with a message, as far as no upload is needed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.caller import Caller

pytestmark = pytest.mark.anyio


def remote(kind: str = "image", name: str = "a.png") -> dict[str, str]:
    return {"type": kind, "transfer_method": "remote_url", "url": f"https://example.org/{name}"}


async def files_of(caller: Caller, user: str, given: list[Any]) -> list[dict[str, Any]]:
    """The files that a message is stored with."""
    said = await caller.said("hi", user=user, files=given)
    (message,) = await caller.messages(said["conversation_id"], user=user)
    return list(message["message_files"])


async def test_a_remote_file_is_kept_with_its_message(flow: Caller, user: str) -> None:
    (file,) = await files_of(flow, user, [remote()])
    file.pop("id")
    assert file == {
        "filename": "a.png",
        "type": "image",
        "url": "https://example.org/a.png",
        "mime_type": "image/png",
        "size": None,
        "transfer_method": "remote_url",
        "belongs_to": "user",
        "upload_file_id": None,
    }


async def test_remote_url_is_another_spelling_of_url(flow: Caller, user: str) -> None:
    given = {"type": "image", "transfer_method": "remote_url", "remote_url": "https://example.org/b.png"}
    (file,) = await files_of(flow, user, [given])
    assert file["url"] == "https://example.org/b.png"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(
            {"type": "image", "url": "https://example.org/a.png"}, marks=pytest.mark.requirement("api-64")
        ),
        pytest.param({}, marks=pytest.mark.requirement("api-64")),
        pytest.param(
            {"type": "image", "transfer_method": "remote_url"}, marks=pytest.mark.requirement("api-65")
        ),
        pytest.param(
            {"type": "image", "transfer_method": "remote_url", "url": ""},
            marks=pytest.mark.requirement("api-65"),
        ),
    ],
)
async def test_an_item_that_says_too_little_is_skipped(
    flow: Caller, user: str, given: dict[str, object]
) -> None:
    assert await files_of(flow, user, [given]) == []


REFUSED = [
    pytest.param(
        [{"type": "image", "transfer_method": "local_file"}],
        "Invalid upload file id",
        marks=pytest.mark.requirement("api-61"),
    ),
    pytest.param(
        [{"type": "image", "transfer_method": "local_file", "upload_file_id": str(uuid4())}],
        "Invalid upload file",
        marks=pytest.mark.requirement("api-62"),
    ),
    pytest.param(
        [remote("audio", "a.mp3")],
        "File validation failed for file: a.mp3",
        marks=pytest.mark.requirement("api-66"),
    ),
    pytest.param(
        [remote()] * 4,
        "Number of image files exceeds the maximum limit 3",
        marks=pytest.mark.requirement("api-67"),
    ),
    pytest.param(
        [*([remote()] * 3), remote("document", "a.pdf")],
        "Number of files exceeds the maximum limit 3",
        marks=pytest.mark.requirement("api-68"),
    ),
]


@pytest.mark.parametrize(("given", "text"), REFUSED)
async def test_files_that_the_app_does_not_take_are_refused(
    flow: Caller, user: str, given: list[object], text: str
) -> None:
    assert (await flow.chat("hi", user=user, files=given)).error == (400, "invalid_param", text)
    assert await flow.conversations(user=user) == []


@pytest.mark.requirement("api-70")
@pytest.mark.parametrize(("given", "text"), REFUSED)
async def test_they_are_refused_with_a_plain_error_even_when_a_stream_was_asked_for(
    flow: Caller, user: str, given: list[object], text: str
) -> None:
    reply = await flow.chat("hi", user=user, files=given, response_mode="streaming")
    assert reply.error == (400, "invalid_param", text)


@pytest.mark.parametrize("field", ["type", "transfer_method"])
async def test_an_unknown_word_is_refused_by_the_name_of_its_field(flow: Caller, field: str) -> None:
    status, code, text = (await flow.chat("hi", files=[{**remote(), field: "pigeon"}])).error
    assert (status, code, field in text) == (400, "invalid_param", True)


@pytest.mark.requirement("api-69")
async def test_an_app_that_takes_no_files_ignores_them(plain: Caller, user: str) -> None:
    nonsense = [5, None, {"type": "pigeon", "transfer_method": "wings"}, remote("audio"), *([remote()] * 9)]
    assert await files_of(plain, user, nonsense) == []
