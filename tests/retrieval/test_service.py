from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from weft.retrieval import (
    Datasets,
    JsonReply,
    MetadataCondition,
    MetadataFilter,
    Passage,
    RetrievalError,
    open_datasets,
)

pytestmark = pytest.mark.anyio

FILTER = MetadataFilter([MetadataCondition("year", ">", 2023)], "or")
CONDITIONS = {
    "logical_operator": "or",
    "conditions": [{"name": "year", "comparison_operator": ">", "value": 2023}],
}


class FakeHttp:
    """Answers every request in the same way."""

    def __init__(self, body: object, status: int = 200) -> None:
        self._reply = JsonReply(status, body)
        self.sent: list[tuple[str, Mapping[str, object], str, float]] = []
        self.closed = False

    async def post(self, url: str, body: Mapping[str, object], *, api_key: str, timeout: float) -> JsonReply:
        self.sent.append((url, body, api_key, timeout))
        return self._reply

    async def close(self) -> None:
        self.closed = True


def dify(http: FakeHttp, **table: object) -> Datasets:
    return open_datasets({"d/1": {"dify": "https://host/v1/", "api_key": "dataset-k", **table}}, http=http)


def external(http: FakeHttp, **table: object) -> Datasets:
    return open_datasets({"d": {"external": "https://host/api", "api_key": "k", **table}}, http=http)


def record(content: str, score: float | None, **more: Any) -> dict[str, Any]:
    document = {"id": "doc", "name": "N", "data_source_type": "upload_file", **more.pop("document", {})}
    segment = {"id": "s", "document_id": "doc", "content": content, "document": document, **more}
    return {"segment": segment, "child_chunks": None, "score": score, "tsne_position": None}


async def test_a_dify_server_is_asked_as_its_dataset_is_set_up() -> None:
    more = {
        "position": 2,
        "word_count": 4,
        "hit_count": 9,
        "index_node_hash": "h",
        "document": {"doc_metadata": {"year": 2024}},
    }
    http = FakeHttp(
        {
            "query": {"content": "q"},
            "records": [
                {**record("text", 0.9, **more), "child_chunks": [{"id": "c"}], "summary": "S", "files": [{}]}
            ],
        }
    )
    found = await dify(http, name="Handbook", timeout=5).find("d/1").search("q", top_k=2)

    assert http.sent == [("https://host/v1/datasets/d%2F1/retrieve", {"query": "q"}, "dataset-k", 5.0)]
    assert found == [
        Passage(
            content="text",
            score=0.9,
            title="N",
            document_id="doc",
            document_name="N",
            data_source_type="upload_file",
            segment_id="s",
            position=2,
            word_count=4,
            hit_count=9,
            index_node_hash="h",
            summary="S",
            child_chunks=[{"id": "c"}],
            files=[{}],
            metadata={"year": 2024},
        )
    ]


async def test_what_a_dify_server_finds_is_sorted_cut_and_filtered_here() -> None:
    new, old = {"doc_metadata": {"year": 2024}}, {"doc_metadata": {"year": 2020}}
    http = FakeHttp(
        {
            "records": [
                record("low", 0.2, document=new),
                record("high", 0.8, document=new),
                record("old", 0.9, document=old),
                record("middle", 0.5, document=new),
                record("unknown", None, document=new),
            ]
        }
    )
    dataset = dify(http).find("d/1")
    found = await dataset.search("q", top_k=2, score_threshold=0.1, filters=FILTER)
    assert [item.content for item in found] == ["high", "middle"]
    assert len(await dataset.search("q", top_k=9)) == 5
    assert len(await dataset.search("q", top_k=9, score_threshold=0.0)) == 4


async def test_a_dify_server_that_is_told_how_to_search_does_it_all() -> None:
    http = FakeHttp({"records": [record("x", 0.5)]})
    dataset = dify(http, search_method="hybrid_search", knowledge_id="other").find("d/1")
    found = await dataset.search("q", top_k=3, score_threshold=0.4, filters=FILTER)

    assert [item.content for item in found] == ["x"]
    model = {
        "search_method": "hybrid_search",
        "reranking_enable": False,
        "top_k": 3,
        "score_threshold_enabled": True,
        "score_threshold": 0.4,
        "metadata_filtering_conditions": CONDITIONS,
    }
    assert http.sent == [
        (
            "https://host/v1/datasets/other/retrieve",
            {"query": "q", "retrieval_model": model},
            "dataset-k",
            30.0,
        )
    ]


async def test_questions_with_answers_and_signed_pictures_are_kept() -> None:
    http = FakeHttp(
        {"records": [record("Q", 0.9, answer="A"), record("![](x)", 0.5, sign_content="![](x?sign)")]}
    )
    found = await dify(http).find("d/1").search("q", top_k=2)
    assert [item.content for item in found] == ["question:Q answer:A", "![](x?sign)"]


async def test_an_external_service_is_asked_in_its_own_way() -> None:
    http = FakeHttp(
        {
            "records": [
                {"content": "low", "score": 0.1, "title": "t.txt", "metadata": None},
                {"content": "text", "score": 0.9, "title": "T", "metadata": {"document_id": 7, "x": "y"}},
            ]
        }
    )
    dataset = external(http, knowledge_id="AAA").find("d")
    found = await dataset.search("q", top_k=2, score_threshold=0.05, filters=FILTER)

    body = {
        "knowledge_id": "AAA",
        "query": "q",
        "retrieval_setting": {"top_k": 2, "score_threshold": 0.05},
        "metadata_condition": CONDITIONS,
    }
    assert http.sent == [("https://host/api/retrieval", body, "k", 30.0)]
    assert found == [
        Passage(
            content="text",
            score=0.9,
            title="T",
            document_id="7",
            document_name="T",
            data_source_type="external",
            metadata={"document_id": 7, "x": "y"},
            external=True,
        ),
        Passage(
            content="low",
            score=0.1,
            title="t.txt",
            document_id="t.txt",
            document_name="t.txt",
            data_source_type="external",
            external=True,
        ),
    ]


async def test_the_whole_address_of_an_external_service_may_be_given() -> None:
    http = FakeHttp({"records": []})
    await external(http, external="https://host/retrieval").find("d").search("q", top_k=2)
    assert http.sent == [
        (
            "https://host/retrieval",
            {
                "knowledge_id": "d",
                "query": "q",
                "retrieval_setting": {"top_k": 2, "score_threshold": 0.0},
            },
            "k",
            30.0,
        )
    ]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"message": "no"}, "dataset 'd': the service refuses the api_key; .* \\(no\\)"),
        (403, {"error_code": 1002, "error_msg": "bad"}, "refuses the api_key; .* \\(bad\\)"),
        (404, None, "no such dataset; correct the address or knowledge_id"),
        (429, [], "asks to slow down"),
        (500, "x", "answered with status 500"),
        (302, None, "answered with status 302"),
        (200, None, "something else than passages"),
        (200, {"records": [{"score": "high"}]}, "something else than passages"),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, body: object, words: str) -> None:
    with pytest.raises(RetrievalError, match=words):
        await external(FakeHttp(body, status)).find("d").search("q", top_k=1)


async def test_closing_gives_back_connections() -> None:
    http = FakeHttp(None)
    await external(http).close()
    assert http.closed
