"""Answers that people wrote, and answering from them."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import BOUND, Caller, is_id
from tests.contract.house import House, open_house
from weft.errors import BadReplyError
from weft.providers import Embeddings

pytestmark = pytest.mark.anyio

SETTINGS = {"score_threshold": 0.9, "embedding_provider_name": "openai", "embedding_model_name": "small"}
NO_JOB = (400, "invalid_param", "The job does not exist.")


class Comparing(Actor):
    """A model that also compares texts: by how often each letter occurs in them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Gate | None = None
        self.error: Exception | None = None
        self.embedded: list[str] = []

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.embedded += texts
        return Embeddings(
            [array("f", map(text.lower().count, "abcdefghijklmnopqrstuvwxyz")) for text in texts]
        )


@pytest.fixture(scope="module")
def model() -> Comparing:
    return Comparing()


@pytest.fixture(scope="module")
async def quiet(tmp_path_factory: pytest.TempPathFactory, model: Comparing) -> AsyncIterator[House]:
    """A server whose model compares texts."""
    async with open_house(tmp_path_factory.mktemp("annotations"), models=model) as opened:
        yield opened


@pytest.fixture
async def app(quiet: House, model: Comparing, request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    """An app of the test's own."""
    yield await quiet.serve(apps.echo_flow(name=request.node.name))
    model.gate = model.error = None


async def annotate(caller: Caller, question: str = "q", answer: str = "a") -> Any:
    reply = await caller.post("/apps/annotations", {"question": question, "answer": answer})
    assert reply.status == 201
    return reply.json


async def found(caller: Caller, **query: Any) -> tuple[list[str], Any]:
    """The questions on a page, and what else is told of it."""
    page = (await caller.get("/apps/annotations", **query)).ok
    return [item["question"] for item in page.pop("data")], page


async def switch(caller: Caller, action: str, settings: dict[str, Any] | None = None) -> Any:
    """Switch, and wait until it is done; the job as it ended."""
    job = (await caller.call("POST", f"/apps/annotation-reply/{action}", settings)).ok
    return await ended(caller, action, job["job_id"])


async def ended(caller: Caller, action: str, job_id: str) -> Any:
    assert is_id(job_id)
    async with asyncio.timeout(BOUND):
        while True:
            status = (await caller.get(f"/apps/annotation-reply/{action}/status/{job_id}")).ok
            if status["job_status"] not in ("waiting", "processing"):
                return status


@pytest.mark.requirement("api-192")
async def test_an_annotation_can_be_made(app: Caller) -> None:
    made = await annotate(app)
    assert is_id(made.pop("id"))
    assert isinstance(made.pop("created_at"), int)
    assert made == {"question": "q", "answer": "a", "hit_count": 0}


@pytest.mark.parametrize("body", [{"question": "q"}, {"answer": "a"}, {"question": "q", "answer": 5}])
@pytest.mark.requirement("api-193")
async def test_an_annotation_needs_a_question_and_an_answer(app: Caller, body: dict[str, Any]) -> None:
    made = await annotate(app)
    assert (await app.post("/apps/annotations", body)).error[:2] == (400, "invalid_param")
    reply = await app.put(f"/apps/annotations/{made['id']}", body)
    assert reply.error[:2] == (400, "invalid_param")


@pytest.mark.requirement("api-194")
async def test_annotations_are_listed_newest_first_in_pages(app: Caller) -> None:
    for number in range(4):
        await annotate(app, f"q{number}")
    pages = [await found(app, limit=2, page=page) for page in (1, 2, 3)]
    assert pages == [
        (["q3", "q2"], {"has_more": True, "limit": 2, "total": 4, "page": 1}),
        (["q1", "q0"], {"has_more": False, "limit": 2, "total": 4, "page": 2}),
        ([], {"has_more": False, "limit": 2, "total": 4, "page": 3}),
    ]


@pytest.mark.requirement("api-195")
async def test_numbers_that_make_no_sense_fall_back_to_the_defaults(app: Caller) -> None:
    await annotate(app)
    page = {"has_more": False, "limit": 20, "total": 1, "page": 1}
    for query in ({"page": "abc"}, {"page": "-1"}, {"limit": "x"}, {"limit": "0"}):
        assert await found(app, **query) == (["q"], page)
    assert (await found(app, limit=1000))[1] == {**page, "limit": 1000}


@pytest.mark.requirement("api-196")
async def test_annotations_are_searched_in_question_and_answer(app: Caller) -> None:
    await annotate(app, "Quince?", "a fruit")
    await annotate(app, "Apple?", "no QUINCE")
    await annotate(app, "100%?", "all")
    assert (await found(app, keyword="quince"))[0] == ["Apple?", "Quince?"]
    assert (await found(app, keyword="%"))[0] == ["100%?"]
    assert await found(app, keyword="pear") == (
        [],
        {"has_more": False, "limit": 20, "total": 0, "page": 1},
    )


@pytest.mark.requirement("api-197")
async def test_an_annotation_can_be_changed(app: Caller) -> None:
    made = await annotate(app)
    changed = (await app.put(f"/apps/annotations/{made['id']}", {"question": "Q", "answer": "A"})).ok
    assert changed == {**made, "question": "Q", "answer": "A"}
    assert (await found(app))[0] == ["Q"]


@pytest.mark.requirement("api-198", "api-199", "api-200")
async def test_another_apps_annotation_can_be_neither_changed_nor_deleted(app: Caller, quiet: House) -> None:
    other = await quiet.serve(apps.echo_flow(name="other"))
    made = await annotate(app)
    path, absent = f"/apps/annotations/{made['id']}", (404, "not_found", "Annotation not found")
    body = {"question": "Q", "answer": "A"}

    for unknown in (path, f"/apps/annotations/{uuid4()}", "/apps/annotations/x"):
        assert (await other.put(unknown, body)).error == absent
        assert (await other.call("DELETE", unknown)).error == absent

    deleted = await app.call("DELETE", path)
    assert (deleted.status, deleted.body) == (204, b"")
    assert (await app.call("DELETE", path)).error == absent


async def test_a_wrong_method_names_the_right_ones(app: Caller) -> None:
    reply = await app.call("DELETE", "/apps/annotations")
    assert reply.error[:2] == (405, "method_not_allowed")
    assert sorted(reply.headers["allow"].split(", ")) == ["GET", "HEAD", "POST"]


# Switching


@pytest.mark.requirement("api-201", "api-202", "api-203")
async def test_replies_are_switched_on_by_a_job_that_can_be_watched(app: Caller, model: Comparing) -> None:
    await annotate(app)
    assert (await app.get("/parameters")).ok["annotation_reply"] == {"enabled": False}
    model.gate = gate = Gate()

    job = (await app.post("/apps/annotation-reply/enable", SETTINGS)).ok
    assert job == {"job_id": job["job_id"], "job_status": "waiting"}
    path = f"/apps/annotation-reply/enable/status/{job['job_id']}"
    await gate.seen()
    assert (await app.get(path)).ok == {**job, "job_status": "processing", "error_msg": ""}
    gate.open()

    done = await ended(app, "enable", job["job_id"])
    assert done == {**job, "job_status": "completed", "error_msg": ""}
    assert (await app.get(path.replace("enable", "disable"))).error == NO_JOB
    assert (await app.get("/parameters")).ok["annotation_reply"] == {"enabled": True}


@pytest.mark.requirement("api-204")
async def test_a_job_that_runs_is_not_started_twice(app: Caller, model: Comparing) -> None:
    await annotate(app)
    model.gate = gate = Gate()
    first = (await app.post("/apps/annotation-reply/enable", SETTINGS)).ok
    await gate.seen()
    second = (await app.post("/apps/annotation-reply/enable", SETTINGS)).ok
    assert second == {"job_id": first["job_id"], "job_status": "processing"}
    gate.open()
    assert (await ended(app, "enable", first["job_id"]))["job_status"] == "completed"


@pytest.mark.parametrize(
    "body", [{key: value for key, value in SETTINGS.items() if key != name} for name in SETTINGS]
)
@pytest.mark.requirement("api-205")
async def test_switching_on_needs_all_settings(app: Caller, body: dict[str, Any]) -> None:
    reply = await app.post("/apps/annotation-reply/enable", body)
    assert reply.error[:2] == (400, "invalid_param")


@pytest.mark.requirement("api-206")
async def test_switching_off_needs_nothing_not_even_that_it_was_on(app: Caller) -> None:
    assert (await switch(app, "disable"))["job_status"] == "completed"
    await switch(app, "enable", SETTINGS)
    assert (await switch(app, "disable"))["job_status"] == "completed"
    assert (await app.get("/parameters")).ok["annotation_reply"] == {"enabled": False}


@pytest.mark.requirement("api-207", "api-208")
async def test_unknown_actions_and_jobs_are_refused(app: Caller) -> None:
    reply = await app.post("/apps/annotation-reply/toggle", SETTINGS)
    assert reply.error == (400, "invalid_param", "Unsupported annotation reply action")
    for action in ("enable", "disable", "toggle"):
        reply = await app.get(f"/apps/annotation-reply/{action}/status/{uuid4()}")
        assert reply.error == NO_JOB


async def test_a_job_whose_model_fails_says_why_and_blocks_nothing(app: Caller, model: Comparing) -> None:
    await annotate(app)
    model.error = BadReplyError("the service is down", provider="openai", model="small")
    job = await switch(app, "enable", SETTINGS)
    assert (job["job_status"], job["error_msg"]) == ("error", "the service is down")
    assert (await app.get("/parameters")).ok["annotation_reply"] == {"enabled": False}
    model.error = None
    assert (await switch(app, "enable", SETTINGS))["job_status"] == "completed"


# Answering


@pytest.mark.requirement("api-82")
async def test_an_annotation_that_fits_is_streamed_without_any_run(app: Caller, user: str) -> None:
    await annotate(app, "When do you open?", "At nine. 你好")
    await switch(app, "enable", SETTINGS)

    stream = await app.told(" when do you OPEN? ", user=user)

    message, end = stream.events
    common = {name: end[name] for name in ("task_id", "conversation_id", "message_id", "created_at", "id")}
    assert message == {
        "event": "message",
        **common,
        "answer": "At nine. 你好",
        "from_variable_selector": None,
    }
    assert end == {"event": "message_end", **common, "metadata": end["metadata"], "files": []}
    assert sorted(end["metadata"]) == ["retriever_resources", "usage"]
    assert common["id"] == common["message_id"]
    (stored,) = await app.messages(common["conversation_id"], user=user)
    assert (stored["answer"], stored["status"]) == ("At nine. 你好", "normal")
    assert (await app.get("/workflows/logs")).ok["data"] == []
    (annotation,) = (await app.get("/apps/annotations")).ok["data"]
    assert annotation["hit_count"] == 1


@pytest.mark.requirement("api-82")
async def test_an_annotation_that_fits_answers_whole_and_the_conversation_goes_on(
    app: Caller, user: str
) -> None:
    await annotate(app, "When do you open?", "At nine.")
    await switch(app, "enable", SETTINGS)

    direct = await app.said("When do you open?", user=user)

    assert (direct["event"], direct["answer"], direct["mode"]) == ("message", "At nine.", "advanced-chat")
    assert sorted(direct["metadata"]) == ["retriever_resources", "usage"]
    assert direct["metadata"]["usage"]["total_tokens"] == 0
    said = await app.said("Thanks!", user=user, conversation_id=direct["conversation_id"])
    assert said["answer"] == "You said: Thanks!"
    again = await app.said("when do you open?", user=user, conversation_id=direct["conversation_id"])
    assert again["answer"] == "At nine."
    answers = [item["answer"] for item in await app.messages(direct["conversation_id"], user=user)]
    assert answers == ["At nine.", "You said: Thanks!", "At nine."]


async def test_only_a_question_that_is_like_enough_is_answered(app: Caller, user: str) -> None:
    await annotate(app, "aab", "of letters")
    await switch(app, "enable", {**SETTINGS, "score_threshold": 0.9})
    answers = [(await app.said(query, user=user))["answer"] for query in ("aba!", "aabb", "abbb", "zz", "1")]
    assert answers == ["of letters", "of letters", "You said: abbb", "You said: zz", "You said: 1"]


async def test_what_changes_counts_at_once(app: Caller, user: str) -> None:
    await switch(app, "enable", SETTINGS)
    assert (await app.said("abc", user=user))["answer"] == "You said: abc"
    made = await annotate(app, "abc", "one")
    assert (await app.said("cba", user=user))["answer"] == "one"
    await app.put(f"/apps/annotations/{made['id']}", {"question": "xyz", "answer": "two"})
    assert (await app.said("cba", user=user))["answer"] == "You said: cba"
    assert (await app.said("zyx", user=user))["answer"] == "two"
    await app.call("DELETE", f"/apps/annotations/{made['id']}")
    assert (await app.said("zyx", user=user))["answer"] == "You said: zyx"
    await annotate(app, "abc", "three")
    await switch(app, "disable")
    assert (await app.said("abc", user=user))["answer"] == "You said: abc"


async def test_a_model_that_fails_leaves_the_question_to_the_app(
    app: Caller, user: str, model: Comparing
) -> None:
    await annotate(app, "abc", "one")
    await switch(app, "enable", SETTINGS)
    model.error = BadReplyError("down", provider="openai", model="small")
    assert (await app.said("cba", user=user))["answer"] == "You said: cba"
    assert (await app.said("ABC", user=user))["answer"] == "one"
    await annotate(app, "new", "by the letter")
    assert (await app.said("new", user=user))["answer"] == "by the letter"


async def test_switching_on_again_indexes_again(app: Caller, user: str, model: Comparing) -> None:
    await switch(app, "enable", SETTINGS)
    model.error = BadReplyError("down", provider="openai", model="small")
    await annotate(app, "abc", "one")
    model.error = None
    assert (await app.said("cba", user=user))["answer"] == "You said: cba"
    await switch(app, "enable", SETTINGS)
    assert (await app.said("cba", user=user))["answer"] == "one"


async def test_inputs_are_checked_before_an_annotation_answers(quiet: House, user: str) -> None:
    app = await quiet.serve(apps.echo_flow(apps.field("city", required=True), name="strict"))
    await annotate(app, "abc", "one")
    await switch(app, "enable", SETTINGS)
    reply = await app.chat("abc", user=user)
    assert reply.error == (400, "invalid_param", "city is required in input form")
    assert (await app.said("abc", user=user, inputs={"city": "Köln"}))["answer"] == "one"


async def test_files_come_with_a_question_that_an_annotation_answers(quiet: House, user: str) -> None:
    app = await quiet.serve(apps.echo_flow(name="with files", features=apps.FEATURES))
    await annotate(app, "abc", "one")
    await switch(app, "enable", SETTINGS)
    image = {"type": "image", "transfer_method": "remote_url", "url": "https://example.com/a.png"}
    said = await app.said("abc", user=user, files=[image])
    (message,) = await app.messages(said["conversation_id"], user=user)
    (file,) = message["message_files"]
    assert (message["answer"], file["url"], file["belongs_to"]) == (
        "one",
        "https://example.com/a.png",
        "user",
    )
    reply = await app.chat("abc", user=user, files=[{**image, "transfer_method": "local_file"}])
    assert reply.error == (400, "invalid_param", "Invalid upload file id")


async def test_a_conversation_that_an_annotation_began_gets_a_title(app: Caller, user: str) -> None:
    await annotate(app, "When do you open on holidays?", "At nine.")
    await switch(app, "enable", SETTINGS)
    await app.said("When do you open on holidays?", user=user, auto_generate_name=True)
    async with asyncio.timeout(BOUND):
        while (named := (await app.conversations(user=user))[0]["name"]) != "A title":
            assert named == "When do you open on …"


async def test_without_any_service_the_built_in_model_compares(folder: Path) -> None:
    async with open_house(folder) as house:
        app = await house.serve(apps.echo_flow(name="built in"))
        await annotate(app, "When do you open on Sundays?", "At ten.")
        await switch(app, "enable", {**SETTINGS, "score_threshold": 0.7})
        assert (await app.said("when do you open on sunday"))["answer"] == "At ten."
        assert (await app.said("Who are you?"))["answer"] == "You said: Who are you?"
