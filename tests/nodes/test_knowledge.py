from __future__ import annotations

import pytest

from weft.errors import NodeFailedError
from weft.nodes.knowledge import KnowledgeConfig
from weft.testing.node_harness import make_pool
from weft.variables import File, Value

ON = KnowledgeConfig(enabled=True, variable_selector=("k", "result"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("as it is ", "as it is ", id="dsl-101-text"),
        pytest.param(["one", "two"], "one\ntwo", id="dsl-101-list"),
        pytest.param(
            [{"content": "one"}, "two", {"content": "3", "summary": "S"}], "one\ntwo\nS\n3", id="passages"
        ),
        pytest.param({"content": "one"}, "one", id="a-single-passage"),
        pytest.param([], "", id="nothing-found"),
        pytest.param(12, "12", id="number"),
    ],
)
def test_a_context_becomes_text(value: Value, text: str) -> None:
    found = ON.find(make_pool({"k.result": value}))

    assert found is not None
    assert (found.text, found.resources) == (text, [])


@pytest.mark.parametrize("value", [[{"title": "no content"}], {"a": 1}, [1], [None], [["x"]]])
def test_what_is_no_passage_is_refused(value: Value) -> None:
    with pytest.raises(NodeFailedError, match=r"'k\.result'") as caught:
        ON.find(make_pool({"k.result": value}))

    assert caught.value.error_type == "InvalidContextStructureError"  # dsl-101


@pytest.mark.parametrize("config", [KnowledgeConfig(), ON, KnowledgeConfig(enabled=True)])
def test_there_may_be_no_context(config: KnowledgeConfig) -> None:
    assert config.find(make_pool({"k.other": "x"})) is None


def test_passages_of_datasets_keep_their_origin_and_files() -> None:
    picture = File(type="image", url="https://files/a.png")
    passage: dict[str, Value] = {
        "content": "text",
        "summary": "short",
        "files": [picture],
        "metadata": {
            "_source": "knowledge",
            "position": 2,
            "dataset_id": "d",
            "dataset_name": "D",
            "document_id": "x",
            "document_name": "X",
            "data_source_type": "upload_file",
            "segment_id": "s",
            "retriever_from": "workflow",
            "score": 0.9,
            "segment_position": 4,
            "segment_hit_count": 5,
            "segment_word_count": 6,
            "segment_index_node_hash": "h",
            "doc_metadata": {"a": 1},
        },
    }

    found = ON.find(make_pool({"k.result": [passage, {"content": "web", "metadata": {"_source": "web"}}]}))

    assert found is not None
    assert found.text == "short\ntext\nweb"
    assert found.files == [picture]
    assert found.resources == [
        {
            "position": 2,
            "dataset_id": "d",
            "dataset_name": "D",
            "document_id": "x",
            "document_name": "X",
            "data_source_type": "upload_file",
            "segment_id": "s",
            "retriever_from": "workflow",
            "score": 0.9,
            "segment_position": 4,
            "page": None,
            "doc_metadata": {"a": 1},
            "hit_count": 5,
            "word_count": 6,
            "index_node_hash": "h",
            "content": "text",
            "summary": "short",
        }
    ]
