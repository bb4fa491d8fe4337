"""Kept files as a model is sent them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from tests.nodes.kept import MemoryFiles
from weft.nodes import Limits, Turn
from weft.providers import (
    AudioPart,
    ChatChunk,
    ChatRequest,
    Feature,
    FilePart,
    ImagePart,
    Message,
    ScriptedModel,
    TextPart,
    VideoPart,
)
from weft.testing.node_harness import NodeRun, run_node
from weft.variables import File, Value

pytestmark = pytest.mark.anyio

LLM: dict[str, Any] = {
    "type": "llm",
    "title": "LLM",
    "model": {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}},
    "prompt_template": [{"role": "user", "text": "Look"}],
    "vision": {"enabled": True},
}


class Seeing(ScriptedModel):
    """Takes in everything, and keeps what it was sent."""

    def __init__(self, *features: Feature) -> None:
        super().__init__()
        self._features = frozenset(features or ("vision", "audio", "video", "document"))
        self.sent: list[Message] = []

    def features(self, model: str) -> frozenset[Feature]:
        return self._features

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        self.sent = request.messages
        async for chunk in super().stream_chat(request):
            yield chunk


def url(mime_type: str, data: bytes) -> str:
    return f"data:{mime_type};base64,{b64encode(data).decode()}"


async def show(
    kept: MemoryFiles, shown: Sequence[File], *, model: Seeing | None = None, **more: Any
) -> tuple[list[Message], NodeRun]:
    """What the model is sent of these files of the message."""
    model = model or Seeing()
    values: dict[str, Value] = {"sys.files": list(shown), "sys.query": "And now?"}
    data = {**LLM, **more.pop("data", {})}
    run = await run_node(data, values, models=model, files=kept, **more)
    return model.sent, run


async def test_kept_files_are_sent_with_their_bytes() -> None:
    kept = MemoryFiles()
    shown = [
        kept.add("a.png", "image/png", b"picture"),
        kept.add("a.mp3", "audio/mpeg", b"sound"),
        kept.add("a.mp4", "video/mp4", b"film"),
        kept.add("a.pdf", "application/pdf", b"paper"),
        File(type="image", url="https://e.org/b.png"),
    ]
    messages, run = await show(kept, shown)
    assert messages == [
        Message(
            "user",
            [
                ImagePart(url("image/png", b"picture"), "high"),
                AudioPart(url("audio/mpeg", b"sound"), "mp3"),
                VideoPart(url("video/mp4", b"film")),
                FilePart(url("application/pdf", b"paper"), "a.pdf"),
                ImagePart("https://e.org/b.png", "high"),
                TextPart("Look"),
            ],
        )
    ]
    assert run.context.process_data["prompts"] == [
        {
            "role": "user",
            "text": "Look",
            "files": [
                {"type": "image", "url": f"kept-file:{shown[0].related_id}"},
                {"type": "audio", "url": f"kept-file:{shown[1].related_id}"},
                {"type": "video", "url": f"kept-file:{shown[2].related_id}"},
                {"type": "file", "url": f"kept-file:{shown[3].related_id}"},
                {"type": "image", "url": "https://e.org/b.png"},
            ],
        }
    ]


@pytest.mark.parametrize("said", ["application/octet-stream", "nonsense", "text/html", ""])
async def test_a_picture_is_sent_as_one_whatever_its_sender_said(said: str) -> None:
    kept = MemoryFiles()
    messages, _ = await show(kept, [kept.add("a.png", said, b"picture", type="image")])
    assert messages[0].content[0] == ImagePart(url("image/png", b"picture"), "high")


async def test_a_file_that_the_model_cannot_take_in_is_not_even_read() -> None:
    kept = MemoryFiles()
    messages, _ = await show(kept, [kept.add("a.mp4", "video/mp4", b"film")], model=Seeing("vision"))
    assert (messages, kept.users) == ([Message("user", "Look")], [])


async def test_what_is_sent_twice_is_read_once_and_counts_twice() -> None:
    kept = MemoryFiles()
    file = kept.add("a.png", "image/png", b"12345")
    data = {"prompt_template": [{"role": "user", "text": "{{#sys.files#}}"}]}
    messages, _ = await show(kept, [file], data=data, limits=Limits(max_shown_bytes=10))
    part = ImagePart(url("image/png", b"12345"), "high")
    assert messages == [Message("user", [part, part])]
    assert len(kept.users) == 1
    _, run = await show(kept, [file], data=data, limits=Limits(max_shown_bytes=9))
    assert (run.error_type, "limits.max_shown_bytes" in str(run.error)) == ("FileFetchError", True)


async def test_a_file_that_is_too_large_or_gone_fails_the_node() -> None:
    kept = MemoryFiles()
    large, gone = kept.add("a.png", "image/png", b"12345"), kept.add("b.png", "image/png", b"1")
    del kept.contents[gone.related_id]
    for file in (large, gone):
        _, run = await show(kept, [file], limits=Limits(max_shown_bytes=4))
        assert run.error_type == "FileFetchError"


async def test_files_of_earlier_exchanges_are_sent_with_their_bytes() -> None:
    kept = MemoryFiles()
    turns = [Turn("q", "a", (kept.add("a.png", "image/png", b"old"),))]
    messages, _ = await show(kept, [], data={"memory": {}}, history=turns)
    old = ImagePart(url("image/png", b"old"), "high")
    assert messages[1] == Message("user", [TextPart("q"), old], from_history=True)


async def test_nodes_that_give_a_model_instructions_show_files_as_well() -> None:
    kept = MemoryFiles()
    data = {
        "type": "question-classifier",
        "query_variable_selector": ["sys", "query"],
        "classes": [{"id": "1", "name": "one"}],
        "instruction": "",
    }
    messages, _ = await show(kept, [kept.add("a.png", "image/png", b"picture")], data=data)
    assert ImagePart(url("image/png", b"picture"), "high") in messages[-1].content
