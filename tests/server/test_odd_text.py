"""Text that UTF-8 or a database cannot hold: what is streamed is what is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, pieces
from tests.contract.house import open_house

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        pytest.param(apps.llm("made"), "ab", id="model, NUL"),
        pytest.param(apps.template("made", "a{{ '\\x00' }}b"), "ab", id="template, NUL"),
        pytest.param(apps.code("made", "return {'text': 'a\\0b'}", {"text": "string"}), "ab", id="code, NUL"),
        pytest.param(apps.template("made", "a{{ '\\ud800' }}b"), "a\ufffdb", id="template, half a pair"),
        pytest.param(
            apps.code("made", "return {'text': 'a\\ud800b'}", {"text": "string"}),
            "a?b",
            id="code, half a pair",
        ),
    ],
)
async def test_what_is_streamed_is_what_is_stored(tmp_path: Path, node: apps.Data, shown: str) -> None:
    actor = Actor()
    actor.play("odd", pieces(["a\0", "b"]))
    name = "output" if node["data"]["type"] == "template-transform" else "text"
    async with open_house(tmp_path, models=actor) as house:
        flow = await house.serve(
            apps.chatflow(
                [apps.start(), node, apps.answer(f"{{{{#made.{name}#}}}}")], "start > made > answer"
            )
        )
        stream = await flow.told("odd")
        said = await flow.said("odd")
        (message,) = await flow.messages(stream.events[0]["conversation_id"])
        detail = await flow.run_detail(stream.finished["id"])
    assert [stream.answer, said["answer"], message["answer"], detail["outputs"]["answer"]] == [shown] * 4


async def test_odd_text_in_a_request_is_refused_or_kept(tmp_path: Path) -> None:
    async with open_house(tmp_path, models=Actor()) as house:
        flow = await house.serve(apps.echo_flow(apps.field("city")))
        half = await flow.chat("a\ud800b")
        nul = await flow.said("a\0b", inputs={"city": "c\0d"}, user="u\0v")
        listed = await flow.get("/conversations", user="u\0v")
    assert half.error[:2] == (400, "bad_request")
    assert (nul["answer"], listed.ok["data"][0]["inputs"]) == ("You said: ab", {"city": "cd"})
