"""Answers out of documents: what is found, and which documents are named for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.house import open_house

pytestmark = pytest.mark.anyio


def librarian(**config: Any) -> dict[str, Any]:
    """A chatflow that looks a question up and answers from what it finds."""
    search = apps.node(
        "search",
        "knowledge-retrieval",
        query_variable_selector=["sys", "query"],
        dataset_ids=["books"],
        retrieval_mode="multiple",
        multiple_retrieval_config={"top_k": 2, "reranking_enable": False, **config},
    )
    reader = apps.llm("reader", "{{#context#}}")
    reader["data"]["context"] = {"enabled": True, "variable_selector": ["search", "result"]}
    return apps.chatflow(
        [apps.start(), search, reader, apps.answer("{{#reader.text#}}")],
        "start > search > reader > answer",
        features={"retriever_resource": {"enabled": True}},
    )


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "tea.md").write_text("---\nauthor: Ada\n---\nOolong is a tea between green and black.")
    (folder / "opening.md").write_text("The shop opens at nine.")
    (folder / "coffee.md").write_text("Coffee is roasted on Mondays.")
    return folder


async def test_an_answer_names_the_documents_that_it_is_made_of(tmp_path: Path, books: Path) -> None:
    datasets = {"books": {"folder": str(books), "name": "All books"}}
    async with open_house(tmp_path, datasets=datasets) as house:
        caller = await house.serve(librarian())
        answer = await caller.said("Roasting of coffees on Mondays?")

    first, second = answer["metadata"]["retriever_resources"]
    assert answer["answer"].startswith("You said: Coffee is roasted on Mondays.")
    assert first["position"] == 1
    assert first["score"] > second["score"]
    assert {name: first[name] for name in first if name not in ("document_id", "segment_id", "score")} == {
        "position": 1,
        "dataset_id": "books",
        "dataset_name": "All books",
        "document_name": "coffee.md",
        "data_source_type": "upload_file",
        "retriever_from": "workflow",
        "segment_position": 1,
        "page": None,
        "doc_metadata": first["doc_metadata"],
        "hit_count": None,
        "word_count": 29,
        "index_node_hash": first["index_node_hash"],
        "content": "Coffee is roasted on Mondays.",
        "summary": None,
    }


async def test_a_rerank_model_decides_what_an_answer_is_made_of(tmp_path: Path, books: Path) -> None:
    datasets = {"books": {"folder": str(books), "search_method": "semantic_search"}}
    async with open_house(tmp_path, datasets=datasets) as house:
        model = {"provider": "langgenius/cohere/cohere", "model": "rerank-v3.5"}
        reranked = librarian(reranking_enable=True, reranking_model=model, score_threshold=0.3)
        caller = await house.serve(reranked)
        async with caller.stream("when does the shop open?") as stream:
            await stream.rest()

    (resource,) = stream.one("message_end")["metadata"]["retriever_resources"]
    assert resource["document_name"] == "opening.md"
    assert stream.node("search")["execution_metadata"]["total_tokens"] > 0
