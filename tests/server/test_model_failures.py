"""A model service that fails in every way, and what the caller is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.house import House, open_house
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio


def refusal(code: str, message: str = "says the service") -> dict[str, object]:
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


NOT_SET_UP = (400, "provider_not_initialize")
FAILED = (400, "completion_request_error")
FAILURES = [
    pytest.param(Behaviour(status=401, body=refusal("invalid_api_key")), NOT_SET_UP, id="401"),
    pytest.param(Behaviour(status=403, body=refusal("forbidden")), NOT_SET_UP, id="403"),
    pytest.param(
        Behaviour(status=429, body=refusal("rate_limit_exceeded")), (429, "rate_limit_error"), id="429"
    ),
    pytest.param(
        Behaviour(status=429, body=refusal("insufficient_quota")),
        (400, "provider_quota_exceeded"),
        id="quota",
    ),
    pytest.param(
        Behaviour(status=404, body=refusal("model_not_found")),
        (400, "model_currently_not_support"),
        id="unknown model",
    ),
    pytest.param(Behaviour(status=400, body=refusal("bad_request")), FAILED, id="400"),
    pytest.param(Behaviour(status=500, body=refusal("server_error")), FAILED, id="500"),
    pytest.param(Behaviour(status=503, body="<html>"), FAILED, id="503 in HTML"),
    pytest.param(Behaviour(body="<html>hello"), FAILED, id="HTML with 200"),
    pytest.param(Behaviour(raw=[b"data: {nonsense\n\n"]), FAILED, id="garbage events"),
    pytest.param(Behaviour(raw=[b"\xff\xfe" * 50]), FAILED, id="garbage bytes"),
    pytest.param(Behaviour(raw=[b": hm\n\n"]), FAILED, id="nothing"),
    pytest.param(Behaviour(stall_after=0), FAILED, id="never answers"),
    pytest.param(Behaviour(break_after=0), FAILED, id="hangs up at once"),
]
IN_THE_MIDDLE = [
    pytest.param(Behaviour(text="one two three", stall_after=3), id="falls silent"),
    pytest.param(Behaviour(text="one two three", break_after=3), id="breaks off"),
    pytest.param(
        Behaviour(
            raw=[
                b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n',
                b'data: {"choices":[{"index":0,"delta":{"content":" two"}}]}\n\n',
                b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n',
            ]
        ),
        id="reports an error",
    ),
]


@pytest.fixture
async def flow(house: House) -> Caller:
    """A chatflow whose model is the service."""
    return await house.serve(apps.echo_flow())


@pytest.mark.parametrize(("behaviour", "told"), FAILURES)
async def test_the_caller_is_told_the_kind_of_failure(
    flow: Caller, fake: FakeModels, behaviour: Behaviour, told: tuple[int, str]
) -> None:
    fake.then(behaviour, behaviour)
    refused = (await flow.chat("hi")).error
    stream = await flow.told("hi")
    event = stream.one("error")
    assert refused[:2] == told
    assert (event["status"], event["code"]) == told
    assert refused[2] == event["message"] == f"Run failed: {stream.finished['error']}"
    assert stream.names[-2:] == ["workflow_finished", "error"]
    for conversation in await flow.conversations():
        (message,) = await flow.messages(conversation["id"])
        assert (message["status"], message["answer"]) == ("error", "")
    detail = await flow.run_detail(stream.finished["id"])
    assert (detail["status"], detail["error"]) == ("failed", stream.finished["error"])


@pytest.mark.parametrize("behaviour", IN_THE_MIDDLE)
async def test_what_was_said_before_a_failure_is_streamed_and_kept(
    flow: Caller, fake: FakeModels, behaviour: Behaviour
) -> None:
    fake.then(behaviour)
    stream = await flow.told("hi")
    event = stream.one("error")
    (message,) = await flow.messages(event["conversation_id"])
    assert (event["status"], event["code"]) == (400, "completion_request_error")
    assert (stream.answer, message["answer"], message["status"]) == ("one two", "one two", "error")


async def test_after_a_failure_the_conversation_goes_on_without_it(house: House, fake: FakeModels) -> None:
    flow = await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.llm("llm", prompt_template=[], memory=apps.MEMORY),
                apps.answer("{{#llm.text#}}"),
            ],
            "start > llm > answer",
        )
    )
    id = (await flow.said("one"))["conversation_id"]
    fake.then(Behaviour(text="half an answer", break_after=3))
    refused = await flow.chat("two", conversation_id=id)
    third = await flow.said("three", conversation_id=id)
    stored = [(message["answer"], message["status"]) for message in await flow.messages(id)]
    assert (refused.status, third["answer"]) == (400, "three")
    assert stored == [("one", "normal"), ("half an", "error"), ("three", "normal")]
    asked = [message["content"] for message in fake.requests[-1].json["messages"]]
    assert asked == ["one", "one", "three"]


async def test_a_workflow_app_tells_a_failed_model_as_a_failed_run(house: House, fake: FakeModels) -> None:
    work = await house.serve(apps.echo_workflow())
    behaviour = Behaviour(status=401, body=refusal("invalid_api_key"))
    fake.then(behaviour, behaviour)
    whole = (await work.run({"text": "hi"}))["data"]
    stream = await work.ran({"text": "hi"})
    assert (whole["status"], stream.finished["status"], stream.names[-1]) == (
        "failed",
        "failed",
        "workflow_finished",
    )
    assert whole["error"] == stream.finished["error"]


async def test_a_service_that_is_not_there_is_a_failed_request(tmp_path: Path, fake: FakeModels) -> None:
    async with FakeModels() as gone:
        url = gone.url
    provider = {"base_url": url, "max_retries": 0}
    async with open_house(tmp_path, providers={"openai": provider}) as house:
        flow = await house.serve(apps.echo_flow())
        status, code, text = (await flow.chat("hi")).error
    assert (status, code, "cannot be reached" in text) == (400, "completion_request_error", True)


async def test_a_provider_without_a_key_is_not_set_up(tmp_path: Path) -> None:
    async with open_house(tmp_path, providers={"openai": {}}) as house:
        flow = await house.serve(apps.echo_flow())
        status, code, text = (await flow.chat("hi")).error
        event = (await flow.told("hi")).one("error")
    assert (status, code, "api_key" in text) == (400, "provider_not_initialize", True)
    assert (event["status"], event["code"], event["message"]) == (status, code, text)


async def test_how_long_a_model_may_be_silent_is_a_setting(tmp_path: Path, fake: FakeModels) -> None:
    fake.then(Behaviour(text="one two", stall_after=2), Behaviour(stall_after=0))
    limits = {"model_first_byte_seconds": 0.2, "model_between_chunks_seconds": 0.2}
    async with open_house(tmp_path, models_url=fake.url, limits=limits) as house:
        flow = await house.serve(apps.echo_flow())
        broken_off = await flow.told("hi")
        refused = (await flow.chat("hi")).error
    assert (broken_off.answer, broken_off.one("error")["code"]) == ("one", "completion_request_error")
    assert (refused[:2], "0.2 s" in refused[2]) == ((400, "completion_request_error"), True)


async def test_a_service_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path, fake: FakeModels) -> None:
    busy = Behaviour(status=429, body=refusal("rate_limit_exceeded"), headers={"retry-after-ms": "1"})
    fake.then(busy)
    async with open_house(tmp_path, models_url=fake.url) as house:
        flow = await house.serve(apps.echo_flow())
        said = await flow.said("hi")
    assert (said["answer"], len(fake.requests)) == ("hi", 2)


async def test_nothing_of_a_key_reaches_the_caller(tmp_path: Path, fake: FakeModels) -> None:
    key = "sk-0123456789abcdef"
    fake.then(Behaviour(status=401, body=refusal("invalid_api_key", f"wrong key {key}")))
    provider = {"base_url": fake.url, "api_key": key, "max_retries": 0}
    async with open_house(tmp_path, providers={"openai": provider}) as house:
        flow = await house.serve(apps.echo_flow())
        reply = await flow.chat("hi")
        (conversation,) = await flow.conversations()
        log = await flow.get("/workflows/logs")
        messages = await flow.get("/messages", conversation_id=conversation["id"], user="u1")
    assert [key.encode() in answer.body for answer in (reply, log, messages)] == [False] * 3
