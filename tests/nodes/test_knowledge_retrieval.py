from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from weft.errors import BadReplyError, GraphError, NodeFailedError
from weft.events import ROOT
from weft.graph import Need
from weft.ids import SequentialIds
from weft.nodes import Context, Limits, RunInfo, Services, build_node
from weft.nodes.knowledge import KnowledgeConfig
from weft.providers import (
    Http,
    Models,
    ModelsConfig,
    PriceTable,
    ProviderConfig,
    Reranking,
    Rule,
    Script,
    ScriptedModel,
    TokenUsage,
)
from weft.retrieval import (
    Datasets,
    Embedders,
    FolderRetriever,
    MetadataCondition,
    MetadataFilter,
    Passage,
    RetrievalError,
    Retriever,
    UnknownDatasetError,
)
from weft.testing.node_harness import (
    FakeSandbox,
    RecordingPort,
    StillClock,
    make_pool,
    make_spec,
    single_model,
)
from weft.variables import File, Value

pytestmark = pytest.mark.anyio


@dataclass
class FakeRetriever:
    """A dataset that finds what a test says."""

    dataset_id: str
    passages: Sequence[Passage] = ()
    failure: RetrievalError | None = None
    name: str = "Name"
    description: str = ""
    fields: Sequence[str] = ()
    asked: list[tuple[str, int, float | None, MetadataFilter | None]] = field(default_factory=list)

    async def metadata_fields(self) -> Sequence[str]:
        return self.fields

    async def search(
        self,
        query: str,
        *,
        top_k: int,
        score_threshold: float | None = None,
        filters: MetadataFilter | None = None,
        embedders: Embedders | None = None,
    ) -> list[Passage]:
        self.asked.append((query, top_k, score_threshold, filters))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return list(self.passages)


def passage(content: str, score: float | None, **more: Any) -> Passage:
    return Passage(content=content, score=score, title="T", document_id="d", document_name="T", **more)


def retrieval(*dataset_ids: str, **data: Any) -> dict[str, Any]:
    return {
        "type": "knowledge-retrieval",
        "title": "Look up",
        "query_variable_selector": ["s", "q"],
        "dataset_ids": list(dataset_ids),
        "retrieval_mode": "multiple",
        **data,
    }


def multiple(**config: Any) -> dict[str, Any]:
    return {"multiple_retrieval_config": {"top_k": 4, "reranking_enable": False, **config}}


async def look_up(
    data: Mapping[str, object],
    *retrievers: Retriever,
    values: Mapping[str, Value] | None = None,
    models: Models | None = None,
) -> tuple[dict[str, Value], Context]:
    node = build_node(make_spec(data))
    clock = StillClock()
    context = Context(
        node_id=node.id,
        node_type=node.type,
        title=node.title,
        execution_id="execution",
        frame=ROOT,
        pool=make_pool({"s.q": "a question"} if values is None else values),
        services=Services(
            clock=clock,
            ids=SequentialIds(),
            models=models or single_model(ScriptedModel(clock=clock), clock=clock),
            sandbox=FakeSandbox(),
            limits=Limits(),
            datasets=Datasets({item.dataset_id: item for item in retrievers}),
        ),
        run=RunInfo(run_id="run", app_id="app", workflow_id="workflow", user="user"),
        port=RecordingPort(),
    )
    return (await node.run(context)).outputs, context


def contents(outputs: Mapping[str, Value]) -> list[Value]:
    result = outputs["result"]
    assert isinstance(result, list)
    return [item["content"] for item in result if isinstance(item, dict)]


async def test_a_passage_comes_with_all_that_is_known_of_it() -> None:
    found = passage(
        "text",
        0.5,
        data_source_type="upload_file",
        segment_id="s1",
        position=3,
        word_count=4,
        hit_count=7,
        index_node_hash="h",
        summary="short",
        child_chunks=[{"id": "c"}],
        files=[{"id": "f"}],
        metadata={"author": "Ada"},
    )
    outputs, context = await look_up(retrieval("k"), FakeRetriever("k", [found]))

    assert outputs == {
        "result": [
            {
                "title": "T",
                "content": "text",
                "files": [{"id": "f"}],
                "summary": "short",
                "metadata": {
                    "_source": "knowledge",
                    "dataset_id": "k",
                    "dataset_name": "Name",
                    "document_id": "d",
                    "document_name": "T",
                    "data_source_type": "upload_file",
                    "segment_id": "s1",
                    "retriever_from": "workflow",
                    "score": 0.5,
                    "child_chunks": [{"id": "c"}],
                    "segment_hit_count": 7,
                    "segment_word_count": 4,
                    "segment_position": 3,
                    "segment_index_node_hash": "h",
                    "doc_metadata": {"author": "Ada"},
                    "position": 1,
                },
            }
        ]
    }
    assert (context.inputs, context.process_data) == ({"query": "a question"}, {})


async def test_a_passage_from_outside_has_fewer_keys() -> None:
    found = passage("text", 0.5, data_source_type="external", external=True, metadata={"x": 1})
    outputs, _ = await look_up(retrieval("k"), FakeRetriever("k", [found]))

    assert outputs["result"] == [
        {
            "title": "T",
            "content": "text",
            "metadata": {
                "_source": "knowledge",
                "dataset_id": "k",
                "dataset_name": "Name",
                "document_id": "d",
                "document_name": "T",
                "data_source_type": "external",
                "retriever_from": "workflow",
                "score": 0.5,
                "doc_metadata": {"x": 1},
                "position": 1,
            },
        }
    ]


async def test_what_was_found_is_a_context_with_resources() -> None:
    first, second = FakeRetriever("a", [passage("one", 0.4)]), FakeRetriever("b", [passage("two", 0.6)])
    outputs, _ = await look_up(retrieval("a", "b"), first, second)
    config = KnowledgeConfig(enabled=True, variable_selector=("k", "result"))
    knowledge = config.find(make_pool({"k.result": outputs["result"]}))

    assert knowledge is not None
    assert knowledge.text == "two\none"  # dsl-101
    assert [(item["position"], item["dataset_id"], item["content"]) for item in knowledge.resources] == [
        (1, "b", "two"),
        (2, "a", "one"),
    ]  # dsl-122: numbered from 1; which of them an answer shows is decided for the whole run


async def test_the_best_of_all_datasets_come_first_and_the_rest_is_left_out() -> None:
    first = FakeRetriever("a", [passage("a9", 0.9), passage("a1", 0.1), passage("none", None)])
    second = FakeRetriever("b", [passage("b5", 0.5)])
    data = retrieval("a", "b", "a", **multiple(top_k=3, score_threshold=0.05))
    outputs, _ = await look_up(data, first, second)

    assert contents(outputs) == ["a9", "b5", "a1"]
    assert first.asked == second.asked == [("a question", 3, 0.05, None)]


async def test_without_any_settings_four_passages_are_looked_for() -> None:
    dataset = FakeRetriever("k", [passage(str(n), n / 10) for n in range(6)])
    outputs, context = await look_up(retrieval("k", multiple_retrieval_config=None), dataset)

    assert contents(outputs) == ["5", "4", "3", "2"]
    assert dataset.asked == [("a question", 4, None, None)]
    assert context.process_data == {}


async def test_mode_single_asks_all_datasets_and_says_so() -> None:
    first, second = FakeRetriever("a", [passage("one", 0.4)]), FakeRetriever("b", [passage("two", 0.6)])
    data = retrieval("a", "b", retrieval_mode="single", **multiple(top_k=1, score_threshold=0.9))
    outputs, context = await look_up(data, first, second)

    assert contents(outputs) == ["two", "one"]
    assert context.process_data == {
        "notes": ["mode single: all datasets were searched, as no model is set that chooses one"]
    }


async def test_mode_single_with_one_dataset_needs_no_note() -> None:
    _, context = await look_up(retrieval("a", retrieval_mode="single"), FakeRetriever("a"))
    assert context.process_data == {}


async def test_weighted_scores_count_common_words_too() -> None:
    weights = {
        "vector_setting": {"vector_weight": 0.4},
        "keyword_setting": {"keyword_weight": 0.6},
    }
    dataset = FakeRetriever("k", [passage("something else", 0.6), passage("a question", 0.5)])
    reranked = {"reranking_enable": True, "reranking_mode": "weighted_score", "weights": weights}
    outputs, context = await look_up(retrieval("k", **multiple(**reranked, score_threshold=0.3)), dataset)

    assert contents(outputs) == ["a question"]  # 0.4 * 0.5 + 0.6 * 1; the other has 0.24
    result = outputs["result"]
    assert isinstance(result, list)
    assert isinstance(result[0], dict)
    metadata = result[0]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["score"] == pytest.approx(0.8)
    assert dataset.asked == [("a question", 4, None, None)]
    assert context.process_data == {}


async def test_what_cannot_be_done_is_written_down() -> None:
    data = retrieval(
        "k",
        metadata_filtering_mode="automatic",
        query_attachment_selector=["s", "f"],
        **multiple(reranking_enable=True, reranking_model={"provider": "cohere", "model": "rerank-v3.5"}),
    )
    values: dict[str, Value] = {"s.q": "x", "s.f": [File(url="https://x/y.png")]}
    table = ProviderConfig(base_url="http://h/v1")
    models = Models(ModelsConfig(providers={"openai": table}), clock=StillClock(), http=Http())
    dataset = FakeRetriever("k", [passage("low", 0.1), passage("high", 0.9)])
    outputs, context = await look_up(data, dataset, values=values, models=models)

    assert contents(outputs) == ["high", "low"]
    assert context.process_data == {
        "notes": [
            "automatic metadata filters: all documents were searched, as no model is set",
            "passages are in the order of the datasets' scores: provider 'cohere' is not set up; add "
            "[providers.cohere] with api_key or base_url to weft.toml, or start with --models URL",
            "files of the question were not searched by",
        ]
    }


async def test_a_manual_filter_may_have_variables_in_it() -> None:
    conditions = [
        {"name": "author", "comparison_operator": "is", "value": "{{#s.who#}}"},
        {"name": "year", "comparison_operator": "≥", "value": 2024},
        {"name": "kind", "comparison_operator": "in", "value": ["a", "b"]},
        {"name": "note", "comparison_operator": "empty"},
    ]
    data = retrieval(
        "k",
        metadata_filtering_mode="manual",
        metadata_filtering_conditions={"logical_operator": "or", "conditions": conditions},
    )
    dataset = FakeRetriever("k")
    await look_up(data, dataset, values={"s.q": "x", "s.who": "Ada"})

    assert dataset.asked[0][3] == MetadataFilter(
        [
            MetadataCondition("author", "is", "Ada"),
            MetadataCondition("year", "≥", 2024),
            MetadataCondition("kind", "in", ["a", "b"]),
            MetadataCondition("note", "empty"),
        ],
        "or",
    )
    assert list(build_node(make_spec(data)).reads()) == [("s", "q"), ("s", "who")]


async def test_a_filter_that_is_off_filters_nothing() -> None:
    conditions = {"conditions": [{"name": "a", "comparison_operator": "is", "value": "b"}]}
    dataset = FakeRetriever("k")
    await look_up(retrieval("k", metadata_filtering_conditions=conditions), dataset)
    assert dataset.asked[0][3] is None


@pytest.mark.parametrize(
    ("data", "values", "outputs"),
    [
        pytest.param(retrieval("k", query_variable_selector=None), {}, {}, id="no-question-asked-for"),
        pytest.param(retrieval("k"), {"s.q": " "}, {"result": []}, id="empty-question"),
        pytest.param(
            retrieval("k", query_attachment_selector=["s", "f"]),
            {"s.q": "", "s.f": []},
            {"result": []},
            id="no-files",
        ),
    ],
)
async def test_without_a_question_nothing_is_searched(
    data: dict[str, Any], values: dict[str, Value], outputs: dict[str, Value]
) -> None:
    dataset = FakeRetriever("k")
    assert (await look_up(data, dataset, values=values))[0] == outputs
    assert dataset.asked == []


async def test_without_datasets_nothing_is_found() -> None:
    assert (await look_up(retrieval()))[0] == {"result": []}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "question variable 's.q' is missing"),
        ({"s.q": 7}, "holds no text"),
        ({"s.q": "x", "s.f": "no file"}, "'s.f' is missing or holds no file"),
        ({"s.q": "x"}, "'s.f' is missing or holds no file"),
        ({"s.q": "", "s.f": File(url="https://x/y")}, "cannot be searched by a file alone"),
    ],
)
async def test_a_question_has_to_be_text(values: dict[str, Value], words: str) -> None:
    data = retrieval("k", query_attachment_selector=["s", "f"])
    with pytest.raises(NodeFailedError, match=words):
        await look_up(data, FakeRetriever("k"), values=values)


async def test_an_unknown_dataset_loads_and_fails_when_it_is_searched() -> None:
    data = retrieval("known", "gone")
    assert list(build_node(make_spec(data)).needs()) == [
        Need("dataset", "known", "node"),
        Need("dataset", "gone", "node"),
    ]
    with pytest.raises(UnknownDatasetError, match=r'\[datasets\."gone"\].*known: known'):
        await look_up(data, FakeRetriever("known"))


async def test_a_dataset_that_cannot_be_searched_fails_the_node() -> None:
    broken = FakeRetriever("b", failure=RetrievalError("dataset 'b': the service asks to slow down"))
    with pytest.raises(RetrievalError, match="'b': the service asks to slow down"):
        await look_up(retrieval("a", "b"), FakeRetriever("a"), broken)


async def test_an_operator_that_nobody_knows_is_a_problem_of_the_file() -> None:
    conditions = {"conditions": [{"name": "a", "comparison_operator": "like", "value": "b"}]}
    with pytest.raises(GraphError, match="metadata_filtering_conditions"):
        build_node(make_spec(retrieval("k", metadata_filtering_conditions=conditions)))


MODEL = {"provider": "openai", "name": "gpt", "mode": "chat", "completion_params": {"temperature": 0}}


def playing(*rules: Rule) -> tuple[Models, ScriptedModel]:
    """Models that all play one script, and have a price."""
    clock = StillClock()
    chat = ScriptedModel("openai", Script(list(rules)), clock=clock)
    prices = PriceTable.parse({"openai/*": {"input": 1, "output": 1}})
    return single_model(chat, clock=clock, prices=prices), chat


async def test_in_mode_single_a_model_chooses_the_dataset() -> None:
    models, chat = playing(Rule(reply='I choose {"dataset_id": "b"}'))
    first = FakeRetriever("a", [passage("one", 0.4)], name="Cats", description="all about cats")
    second = FakeRetriever("b", [passage("two", 0.6)], name="Dogs")
    data = retrieval("a", "b", retrieval_mode="single", single_retrieval_config={"model": MODEL})
    outputs, context = await look_up(data, first, second, models=models)

    assert (contents(outputs), first.asked) == (["two"], [])
    assert context.process_data == {"dataset_id": "b"}
    (request,) = chat.requests
    assert [(message.role, message.text) for message in request.messages][1] == ("user", "a question")
    for words in ("all about cats", "useful for questions about Dogs", '"dataset_id": "a"'):
        assert words in request.messages[0].text
    assert request.parameters == {"temperature": 0}
    assert context.usage is not None
    assert context.metadata["total_tokens"] == context.usage.total_tokens > 0
    assert [need.name for need in build_node(make_spec(data)).needs()] == ["a", "b", "openai/gpt"]


@pytest.mark.parametrize("reply", ['{"dataset_id": ""}', "I do not know.", '{"dataset_id": 7}'])
async def test_a_model_may_find_no_dataset_fit(reply: str) -> None:
    models, _ = playing(Rule(reply=reply))
    data = retrieval("a", "b", retrieval_mode="single", single_retrieval_config={"model": MODEL})
    outputs, context = await look_up(data, FakeRetriever("a"), FakeRetriever("b"), models=models)

    assert outputs == {"result": []}
    assert context.process_data == {
        "dataset_id": None,
        "notes": ["mode single: the model found none of the datasets fit"],
    }


async def test_a_single_dataset_needs_no_model_to_choose_it() -> None:
    models, chat = playing()
    data = retrieval("a", retrieval_mode="single", single_retrieval_config={"model": MODEL})
    await look_up(data, FakeRetriever("a"), models=models)

    assert list(chat.requests) == []
    assert [need.name for need in build_node(make_spec(data)).needs()] == ["a"]


@pytest.mark.parametrize(
    "model",
    [
        {"provider": "jina", "model": "reranker"},
        {"reranking_provider_name": "jina", "reranking_model_name": "reranker"},
    ],
)
async def test_a_model_puts_the_passages_of_all_datasets_in_order(model: dict[str, str]) -> None:
    class Reranker(ScriptedModel):
        async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Reranking:
            assert (model, query) == ("reranker", "a question")
            scores = {"one": 0.2, "two": 0.9, "three": 0.7, "four": None}
            return Reranking([scores[text] for text in texts], TokenUsage(7, 0, 7))

    clock = StillClock()
    prices = PriceTable.parse({"jina/*": {"input": 1000, "output": 0}})
    models = single_model(Reranker("jina", clock=clock), clock=clock, prices=prices)
    first = FakeRetriever("a", [passage("one", 0.9), passage("two", 0.1)])
    second = FakeRetriever("b", [passage("three", None), passage("four", 1.0)])
    config = multiple(reranking_enable=True, reranking_model=model, score_threshold=0.5, top_k=3)
    outputs, context = await look_up(retrieval("a", "b", **config), first, second, models=models)

    assert contents(outputs) == ["two", "three"]
    result = outputs["result"]
    assert isinstance(result, list)
    assert [item["metadata"]["score"] for item in result] == [0.9, 0.7]  # type: ignore[index,call-overload]
    assert first.asked == second.asked == [("a question", 3, None, None)]
    assert context.metadata == {"total_tokens": 7, "total_price": "0.0070000", "currency": "USD"}


async def test_nothing_found_is_not_reranked() -> None:
    models, _ = playing()
    config = multiple(reranking_enable=True, reranking_model={"provider": "p", "model": "m"})
    outputs, context = await look_up(retrieval("a", **config), FakeRetriever("a"), models=models)

    assert (outputs, context.usage) == ({"result": []}, None)


async def test_a_rerank_model_that_fails_fails_the_node() -> None:
    class Failing(ScriptedModel):
        async def rerank(self, model: str, query: str, texts: Sequence[str]) -> Reranking:
            raise BadReplyError("broken")

    clock = StillClock()
    config = multiple(reranking_enable=True, reranking_model={"provider": "p", "model": "m"})
    dataset = FakeRetriever("a", [passage("one", 0.9)])
    with pytest.raises(BadReplyError):
        await look_up(
            retrieval("a", **config), dataset, models=single_model(Failing(clock=clock), clock=clock)
        )


async def test_weights_take_the_likeness_of_meaning_where_it_is_known_apart() -> None:
    weights = {"vector_setting": {"vector_weight": 1}, "keyword_setting": {"keyword_weight": 0}}
    dataset = FakeRetriever("k", [passage("x", 0.9, vector_score=0.2), passage("y", 0.5)])
    reranked = {"reranking_enable": True, "reranking_mode": "weighted_score", "weights": weights}
    outputs, _ = await look_up(retrieval("k", **multiple(**reranked)), dataset)

    assert contents(outputs) == ["y", "x"]


def automatic(**more: Any) -> dict[str, Any]:
    return {"metadata_filtering_mode": "automatic", "metadata_model_config": MODEL, **more}


async def test_a_model_makes_conditions_out_of_the_question() -> None:
    reply = """```json
    [{"metadata_field_name": "year", "metadata_field_value": 2024, "comparison_operator": "≥"},
     {"metadata_field_name": "tags", "metadata_field_value": ["a", 1], "comparison_operator": "in"},
     {"metadata_field_name": "note", "metadata_field_value": null, "comparison_operator": "empty"},
     {"metadata_field_name": "unknown", "metadata_field_value": "x", "comparison_operator": "is"},
     {"metadata_field_name": "year", "metadata_field_value": "x", "comparison_operator": "like"},
     {"metadata_field_name": "year", "metadata_field_value": null, "comparison_operator": "is"},
     "nonsense"]
    ```"""
    models, chat = playing(Rule(reply=reply))
    dataset = FakeRetriever("k", fields=["note", "year"])
    other = FakeRetriever("l", fields=["tags"])
    _, context = await look_up(retrieval("k", "l", **automatic()), dataset, other, models=models)

    expected = MetadataFilter(
        [
            MetadataCondition("year", "≥", 2024),
            MetadataCondition("tags", "in", ["a", "1"]),
            MetadataCondition("note", "empty"),
        ],
        "or",
    )
    assert dataset.asked[0][3] == other.asked[0][3] == expected
    assert '["note", "tags", "year"]' in chat.requests[0].messages[0].text
    assert context.process_data == {
        "metadata_filter": [
            {"name": "year", "comparison_operator": "≥", "value": 2024},
            {"name": "tags", "comparison_operator": "in", "value": ["a", "1"]},
            {"name": "note", "comparison_operator": "empty", "value": None},
        ]
    }


async def test_the_conditions_of_a_model_are_joined_as_the_node_says() -> None:
    reply = '{"metadata_field_name": "year", "metadata_field_value": "2024", "comparison_operator": "is"}'
    models, _ = playing(Rule(reply=reply))
    dataset = FakeRetriever("k", fields=["year"])
    data = automatic(metadata_filtering_conditions={"logical_operator": "and"})
    await look_up(retrieval("k", **data), dataset, models=models)

    assert dataset.asked[0][3] == MetadataFilter([MetadataCondition("year", "is", "2024")], "and")


@pytest.mark.parametrize("reply", ["[]", "no idea", "[1]"])
async def test_a_question_without_conditions_is_not_filtered(reply: str) -> None:
    models, _ = playing(Rule(reply=reply))
    dataset = FakeRetriever("k", fields=["year"])
    _, context = await look_up(retrieval("k", **automatic()), dataset, models=models)

    assert (dataset.asked[0][3], context.process_data) == (None, {})


async def test_without_known_fields_no_model_is_asked() -> None:
    models, chat = playing()
    _, context = await look_up(retrieval("k", **automatic()), FakeRetriever("k"), models=models)

    assert list(chat.requests) == []
    assert context.process_data == {
        "notes": ["automatic metadata filters: all documents were searched, as no fields are known"]
    }


async def test_a_folder_is_searched_by_meaning_with_the_models_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nyear: 2024\n---\nReimbursement of travelling expenses")
    (tmp_path / "b.md").write_text("Opening hours")
    models, chat = playing(Rule(reply="[]"))
    folder = FolderRetriever("k", tmp_path, embedding_model="langgenius/openai/openai/small/1")
    outputs, context = await look_up(
        retrieval("k", **automatic()), folder, models=models, values={"s.q": "reimbursing travel"}
    )

    assert contents(outputs)[0] == "Reimbursement of travelling expenses"
    assert context.usage is not None
    (asked,) = chat.requests
    assert context.usage.prompt_tokens > len(asked.messages[0].text) // 5
