from __future__ import annotations

import msgspec
import pytest

from tests.nodes.kept import MemoryFiles
from weft.events import FileProduced
from weft.testing.node_harness import run_node
from weft.variables import File

pytestmark = pytest.mark.anyio


async def test_files_of_an_answer_belong_to_it_and_those_of_the_query_do_not() -> None:
    kept = MemoryFiles()
    made, sent = kept.add("a.png", "image/png", b"1"), kept.add("b.png", "image/png", b"2")
    remote = File(id="r", url="https://e.org/c.pdf", filename="c.pdf")
    gone = File(id="g", related_id="gone", filename="d.pdf", url="https://weft/gone")
    run = await run_node(
        {"type": "answer", "answer": "{{#n.files#}} {{#sys.files#}} {{#n.files#}}"},
        {"n.files": [made, remote, gone], "sys.files": [sent]},
        files=kept,
    )
    assert run.outputs["files"] == [made, remote, sent]
    assert run.context.files == [made, remote, sent]
    produced = [event.file for event in run.events if isinstance(event, FileProduced)]
    assert [msgspec.structs.replace(file, id=None) for file in produced] == [
        msgspec.structs.replace(file, id=None) for file in (made, remote)
    ]
    assert len({file.id for file in (*produced, made, remote, sent)}) == 5


async def test_an_answer_without_files_says_nothing_of_any() -> None:
    run = await run_node({"type": "answer", "answer": "{{#n.text#}}"}, {"n.text": "x"})
    assert (run.outputs, run.events) == ({"answer": "x"}, [])
