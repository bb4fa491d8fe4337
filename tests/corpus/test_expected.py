"""Real exports over HTTP: what is known to come out of them, and that each of them answers at all.

The folder of exports is named by the environment variable ``WEFT_CORPUS``.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.actor import Actor, Part, words
from tests.contract.caller import Caller, Stream
from tests.contract.house import House, open_house
from weft.errors import BadReplyError
from weft.nodes import NODE_TYPES
from weft.providers import ChatChunk, ChatRequest, TokenUsage
from weft.testing.fake_models import FakeModels
from weft.testing.node_harness import run_node

CORPUS = os.environ.get("WEFT_CORPUS")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CORPUS is None, reason="WEFT_CORPUS does not name the folder of real exports"),
]

ROOT = Path(CORPUS or ".")
Case = dict[str, Any]


def missing(types: set[str]) -> list[str]:
    """Node types that cannot be run."""
    return sorted(type for type in types if type not in NODE_TYPES)


def content(case: Case) -> dict[str, Any]:
    """The export that a case is about, with its changes made; what the outside answers whole is made code."""
    export = original(case)
    mocks = case.get("mocks", {})
    changes = {change["node"]: change["set"] for change in case.get("patch", ())}
    for node in export["workflow"]["graph"]["nodes"]:
        node["data"].update(changes.get(node["id"], {}))
        mock = mock_of(node, mocks)
        if "outputs" in mock:
            node["data"] = answering(node["data"]["title"], mock["outputs"])
    return export


def original(case: Case) -> dict[str, Any]:
    if "graph" in case:
        app = {"mode": case["mode"], "name": case["id"]}
        return {"kind": "app", "version": "0.6.0", "app": app, "workflow": {"graph": case["graph"]}}
    with (ROOT / "dsl" / case["dsl"]).open(encoding="utf-8") as file:
        export: dict[str, Any] = yaml.load(file, yaml.CSafeLoader)
    return export


def mock_of(node: Mapping[str, Any], mocks: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of the answer that a node gets from outside."""
    by_id, by_type = mocks.get("node", {}), mocks.get("type", {})
    found: Mapping[str, Any] = by_id.get(node["id"]) or by_type.get(node["data"]["type"]) or {}
    return found


def answering(title: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """A node with these outputs."""
    types = {int: "number", str: "string", dict: "object"}
    return {
        "type": "code",
        "title": title,
        "code_language": "python3",
        "code": f"def main():\n    return {outputs!r}\n",
        "variables": [],
        "outputs": {name: {"type": types[type(value)]} for name, value in outputs.items()},
    }


def node_types(export: Mapping[str, Any]) -> set[str]:
    nodes = export["workflow"]["graph"]["nodes"]
    return {node["data"]["type"] for node in nodes if node.get("type") != "custom-note"} - {""}


def cases(kind: str) -> list[Any]:
    """The cases of a kind; those that need what is not built are skipped and say what."""
    if CORPUS is None:
        return []
    found = []
    for case in json.loads((ROOT / "expected.json").read_text(encoding="utf-8"))["cases"]:
        if ("steps" if "steps" in case else case.get("kind", "graph")) != kind:
            continue
        lacking = missing({case["node"]["type"]} if kind == "node" else node_types(content(case)))
        marks = [pytest.mark.skip(reason=f"needs {', '.join(lacking)}")] if lacking else []
        found.append(pytest.param(case, id=case["id"], marks=marks))
    return found


@pytest.fixture(scope="module")
def actor() -> Actor:
    """Stands in for every model."""
    return Actor()


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, actor: Actor) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("corpus"), models=actor) as opened:
        yield opened


def mocked(mock: Mapping[str, Any]) -> Part:
    """A model that answers as a case says."""

    async def part(request: ChatRequest) -> AsyncIterator[str | ChatChunk]:
        if "delay_ms" in mock:
            await asyncio.sleep(mock["delay_ms"] / 1000)
        if "error" in mock:
            raise BadReplyError(mock["error"])
        for word in mock.get("chunks") or words(mock["text"]):
            yield word
        if "usage" in mock:
            yield ChatChunk(usage=TokenUsage(**mock["usage"]), finish_reason=mock.get("finish_reason"))

    return part


def cast(actor: Actor, case: Case, export: Mapping[str, Any]) -> None:
    """Give every model of a case its part."""
    actor.forget()
    for node in export["workflow"]["graph"]["nodes"]:
        mock = mock_of(node, case.get("mocks", {}))
        if mock:
            actor.play(node["id"], mocked(mock))


@pytest.fixture
async def flow(request: pytest.FixtureRequest, house: House, actor: Actor) -> Caller:
    """The app of the test's case, with the case's models."""
    case = request.getfixturevalue("case")
    export = content(case)
    cast(actor, case, export)
    return await house.serve(
        export, case["id"] if "graph" in case or "patch" in case else case["dsl"].replace("/", " ")
    )


def query_of(case: Case) -> str:
    # The API demands a query; flows whose case has none do not look at it.
    return case.get("query") or "hello"


@pytest.mark.parametrize("case", cases("graph"))
async def test_what_a_run_streams_is_what_is_known_of_it(case: Case, flow: Caller) -> None:
    expected, inputs = case["expect"], case.get("inputs", {})
    if "http" in expected:
        body = {"inputs": inputs, "user": "u1", "response_mode": "streaming"}
        assert (await flow.post("/workflows/run", body)).error[:2] == (expected["http"], expected["code"])
        return
    is_chat = case["mode"] == "advanced-chat"
    stream = await (flow.told(query_of(case), inputs=inputs) if is_chat else flow.ran(inputs))
    check_outcome(stream.finished, expected)
    check_order(stream, expected)
    check_pieces(stream, expected)
    check_counts(stream, expected)
    check_containers(stream, expected)
    if "answer" in expected:
        assert stream.answer == stream.finished["outputs"]["answer"] == expected["answer"]
    if "conversation_variables_after" in expected:
        conversation_id = stream.events[0]["conversation_id"]
        assert await flow.variables(conversation_id) == expected["conversation_variables_after"]


@pytest.mark.parametrize("case", cases("graph"))
async def test_a_whole_answer_is_what_is_known_of_it(case: Case, flow: Caller) -> None:
    expected, inputs = case["expect"], case.get("inputs", {})
    if "http" in expected:
        reply = await flow.post("/workflows/run", {"inputs": inputs, "user": "u1"})
        assert reply.error[:2] == (expected["http"], expected["code"])
    elif case["mode"] == "workflow":
        check_outcome((await flow.run(inputs))["data"], expected)
    elif expected["status"] == "failed":
        assert (await flow.chat(query_of(case), inputs=inputs)).status == 400
    else:
        said = await flow.said(query_of(case), inputs=inputs)
        assert said["answer"] == expected["answer"]


def check_outcome(data: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """How a run ended."""
    assert data["status"] == expected["status"], data["error"]
    outputs = expected.get("outputs", {})
    seen = (
        data["outputs"]
        if expected.get("outputs_exact")
        else {name: data["outputs"].get(name) for name in outputs}
    )
    assert seen == outputs
    assert expected.get("error_contains", "") in (data["error"] or "")
    assert data["elapsed_time"] >= expected.get("min_elapsed_s", 0)
    if "exceptions_count" in expected and "exceptions_count" in data:
        assert data["exceptions_count"] == expected["exceptions_count"]


def moments(stream: Stream) -> dict[str, int]:
    """When something happened, by the terms of the cases."""
    found: dict[str, int] = {}
    for place, event in enumerate(stream.events):
        data = event.get("data") or event
        match event["event"]:
            case "node_started" | "iteration_started" | "loop_started":
                found.setdefault(f"start:{data['node_id']}", place)
            case "node_finished" | "iteration_completed" | "loop_completed":
                found[f"end:{data['node_id']}"] = place
            case "message" | "text_chunk":
                source = data["from_variable_selector"][0]
                found.setdefault(f"chunk:{source}", place)
                found[f"lastchunk:{source}"] = place
            case "workflow_finished":
                found["finish"] = place
    return found


def check_order(stream: Stream, expected: Mapping[str, Any]) -> None:
    """Which nodes ran, in which order."""
    started = stream.started
    assert started == expected.get("started_order", started)
    assert set(expected.get("ran", ())) <= set(started)
    assert not set(expected.get("not_ran", ())) & set(started)
    found = moments(stream)
    assert [pair for pair in expected.get("before", ()) if found[pair[0]] >= found[pair[1]]] == []


def check_pieces(stream: Stream, expected: Mapping[str, Any]) -> None:
    """What was streamed; empty pieces mean nothing."""
    if "streamed" in expected:
        assert stream.answer == expected["streamed"]
    if "chunks" in expected:
        assert stream.texts == [piece for piece in expected["chunks"] if piece]
    first = expected.get("first_chunks", [])
    assert stream.texts[: len(first)] == first


COUNTED = {
    "iteration_succeeded": ("iteration_completed", "succeeded"),
    "iteration_failed": ("iteration_completed", "failed"),
    "loop_succeeded": ("loop_completed", "succeeded"),
    "loop_failed": ("loop_completed", "failed"),
}


def count(stream: Stream, term: str) -> int:
    """How often something happened, by the terms of the cases."""
    if term == "chunks":
        return len(stream.texts)
    if term in COUNTED:
        name, status = COUNTED[term]
        return sum(event["data"]["status"] == status for event in stream.of(name))
    return len(stream.of(term))


def check_counts(stream: Stream, expected: Mapping[str, Any]) -> None:
    counts = expected.get("counts", {})
    assert {term: count(stream, term) for term in counts} == counts
    assert all(count(stream, term) >= least for term, least in expected.get("min_counts", {}).items())


def check_containers(stream: Stream, expected: Mapping[str, Any]) -> None:
    """What loops and iterations say of themselves."""
    if "loop" in expected:
        data = stream.one("loop_completed")["data"]
        assert data["outputs"] == expected["loop"]["outputs"]
        assert data["execution_metadata"]["completed_reason"] == expected["loop"]["completed_reason"]
    if "iteration" in expected:
        assert stream.one("iteration_completed")["data"]["steps"] == expected["iteration"]["steps"]
        indices = [event["data"]["index"] for event in stream.of("iteration_next")]
        assert indices == expected["iteration"]["next_indices"]


# Runs that a person has a part in


@pytest.mark.parametrize("case", cases("steps"))
async def test_what_a_person_does_leads_where_it_is_known_to_lead(case: Case, house: House) -> None:
    caller = await house.serve(content(case), case["id"])
    form: dict[str, Any] = {}
    run_id = ""
    for step in case["steps"]:
        expected = step.get("expect", {})
        if step["do"] == "run":
            stream = await caller.ran(step.get("inputs", case.get("inputs", {})))
            form = stream.one("human_input_required")["data"]
            run_id = stream.events[0]["workflow_run_id"]
            assert stream.one("workflow_paused")["data"]["status"] == expected["status"]
            assert set(expected.get("form_has", ())) <= set(form)
            assert [action["id"] for action in form["actions"]] == expected.get(
                "actions", [action["id"] for action in form["actions"]]
            )
            assert form["display_in_ui"] is expected.get("display_in_ui", form["display_in_ui"])
            assert form["form_token"]
            assert form["expiration_time"] > 0
            continue
        assert step["do"] == "submit"
        reply = await caller.fill(form["form_token"], step["action"], **step.get("inputs", {}))
        assert (reply.status == 200) is expected.get("accepted", True)
        if "status" in expected:
            check_outcome((await caller.joined(run_id, continue_on_pause="true")).finished, expected)


@pytest.mark.parametrize("case", cases("node"))
async def test_what_a_single_node_does_is_what_is_known_of_it(case: Case) -> None:
    expected = case["expect"]
    run = await run_node(case["node"], case["pool"])
    assert run.outputs == expected.get("outputs", run.outputs)
    assert run.handle == expected.get("handle", run.handle)
    assert (run.error is None) == (expected.get("status", "succeeded") == "succeeded")
    for name, value in expected.get("conversation_variables_after", {}).items():
        assert run.context.pool.find(("conversation", name)) == value


# Every export together


def exports() -> dict[str, set[str]]:
    """Paths of the exports whose node types all can be run, with what a run needs from outside."""
    if CORPUS is None:
        return {}
    with (ROOT / "dsl" / "INDEX.csv").open(encoding="utf-8", newline="") as index:
        rows = list(csv.DictReader(index))
    types = {row["file"]: {item.rpartition(":")[0] for item in row["node_types"].split()} for row in rows}
    return {row["file"]: set(row["needs"].split()) for row in rows if not missing(types[row["file"]])}


def self_sufficient() -> list[str]:
    """Those that need nothing but a model and somebody who runs code."""
    return [file for file, needs in exports().items() if needs <= {"llm", "code"}]


FAILING: Mapping[str, str] = {
    "awesome-dify-workflow/File_read.yml": "No module named 'pandas'",
    "awesome-dify-workflow/Form表单聊天Demo.yml": "No module named 'requests'",
    "awesome-dify-workflow/dify_course_demo.yml": "should be an array[object], but is of type str",
    "awesome-dify-workflow/jieba.yml": "No module named 'jieba'",
    "awesome-dify-workflow/json-repair.yml": "No module named 'json_repair'",
    "awesome-dify-workflow/matplotlib.yml": "No module named 'matplotlib'",
    "awesome-dify-workflow/春联生成器 (“福”到了版本).yml": "'NoneType' object is not subscriptable",
    "awesome-dify-workflow/春联生成器.yml": "'NoneType' object is not subscriptable",
    "awesome-dify-workflow/腾讯云SubtitleInfo.yml": "No module named 'requests'",
}
"""Exports that cannot succeed here, and what their error says: their code wants a package, or takes apart
what no model has said."""


@pytest.fixture(scope="module")
async def together(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Caller]]:
    """One server of all these exports; its models repeat what they are told."""
    async with (
        FakeModels() as fake,
        open_house(tmp_path_factory.mktemp("together"), models_url=fake.url) as house,
    ):
        yield {file: await house.serve(ROOT / "dsl" / file) for file in exports()}


def made_up(control: Mapping[str, Any]) -> Any:
    """A value that fits a field of the form."""
    ((kind, field),) = control.items()
    match kind:
        case "select":
            return field["options"][0]
        case "number":
            return 3
        case "checkbox":
            return True
        case "json_object":
            return {}
        case "file" | "file-list":
            types = field["allowed_file_types"] or ["document"]
            file = {
                "type": types[0],
                "transfer_method": "remote_url",
                "url": "https://example.org/a.txt",
            }
            return file if kind == "file" else [file]
        case _:
            return "Tell me more"[: field["max_length"] or None]


@pytest.mark.parametrize("file", self_sufficient())
async def test_an_export_among_all_others_answers(together: dict[str, Caller], file: str) -> None:
    caller = together[file]
    form = (await caller.get("/parameters")).ok["user_input_form"]
    inputs = {next(iter(control.values()))["variable"]: made_up(control) for control in form}
    if (await caller.get("/info")).ok["mode"] == "workflow":
        stream = await caller.ran(inputs)
        whole = (await caller.run(inputs))["data"]
        assert (whole["status"], whole["error"]) == (stream.finished["status"], stream.finished["error"])
        assert stream.names[-1] == "workflow_finished"
    else:
        stream = await caller.told("Tell me more", inputs=inputs)
        reply = await caller.chat("Tell me more", inputs=inputs)
        (message,) = await caller.messages(stream.events[0]["conversation_id"])
        assert message["answer"] == stream.answer
        if stream.finished["status"] == "failed":
            assert (reply.status, message["status"]) == (400, "error")
        else:
            assert (reply.ok["answer"] != "", message["status"]) == (stream.answer != "", "normal")
    finished = stream.finished
    assert stream.names[0] == "workflow_started"
    detail = await caller.run_detail(finished["id"])
    assert (detail["status"], detail["outputs"]) == (finished["status"], finished["outputs"])
    if file in FAILING:
        assert (finished["status"], FAILING[file] in finished["error"]) == ("failed", True), finished["error"]
    else:
        assert (finished["status"], finished["error"]) == ("succeeded", None), (file, finished)
