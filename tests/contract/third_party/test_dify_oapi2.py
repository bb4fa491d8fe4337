"""The unmodified package `dify-oapi2` against the service API.

It sends a JSON body ``{}`` with every GET, sets `response_mode` by how it is called, leaves out keys
that are ``None``, and reads answers into models of its own. Some of those models are wrong about any
server that follows the documents: an error body's `status` (a number) does not fit where a model has a
textual `status` of its own, inputs must be texts, a log entry's account is taken for a text, job
statuses ``processing`` and ``error`` are not among its words, and the inputs of a workflow app are sent
one level too deep. The tests show these as they are.
"""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from io import BytesIO
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from tests.contract import apps
from tests.contract.actor import Actor, Gate
from tests.contract.caller import BOUND, Caller, is_id
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG
from weft.providers import ChatRequest

pytest.importorskip("dify_oapi")
pytestmark = pytest.mark.anyio
T = TypeVar("T")
NOBODY = "00000000-0000-4000-8000-000000000000"


async def away(fn: Callable[[], T]) -> T:
    """Call something that blocks."""
    return await asyncio.to_thread(fn)


def model_of(service: str, name: str) -> Any:
    """A model of the package; each is in a module of its own name."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    folder = f"dify_oapi.api.{service}.v1.model"
    if service == "completion":
        folder += ".completion"
    return getattr(import_module(f"{folder}.{snake}"), name)


def request(service: str, name: str, body: Any = None, **parts: Any) -> Any:
    """A request, put together by the package's builder."""
    builder = model_of(service, name).builder()
    for part, value in parts.items():
        builder = getattr(builder, part)(value)
    return (builder if body is None else builder.request_body(body)).build()


class Theirs:
    """The package's client with the key of one app."""

    def __init__(self, caller: Caller) -> None:
        client = import_module("dify_oapi.client").Client
        option = import_module("dify_oapi.core.model.request_option").RequestOption
        self._client = client.builder().domain(caller.url.removesuffix("/v1")).build()
        self.option = option.builder().api_key(caller.key).build()
        chatflow, dify = self._client.chatflow.v1, self._client.dify.v1
        self.chatflow, self.conversation, self.annotation = (
            chatflow.chatflow,
            chatflow.conversation,
            chatflow.annotation,
        )
        self.file, self.audio, self.info, self.feedback = dify.file, dify.audio, dify.info, dify.feedback
        self.workflow = self._client.workflow.v1.workflow
        self.completion = self._client.completion.v1.completion

    async def call(self, method: Any, sent: Any, *more: Any) -> Any:
        return await away(lambda: method(sent, self.option, *more))


def chat(query: str, user: str, **fields: Any) -> Any:
    """The request to send a message."""
    kind = model_of("chatflow", "SendChatMessageRequestBody")
    body = kind(query=query, inputs={}, user=user, response_mode="blocking", **fields)
    return request("chatflow", "SendChatMessageRequest", body)


@pytest.fixture(scope="module")
async def caller(house: House) -> Caller:
    """A chatflow without a form: the package's models know no inputs but texts."""
    return await house.serve(
        apps.echo_flow(name="For theirs", features=apps.FEATURES, variables=apps.VARIABLES)
    )


@pytest.fixture
def theirs(caller: Caller) -> Theirs:
    return Theirs(caller)


def told(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream."""
    lines = data.decode().splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("data:")]


async def test_a_message_is_answered_whole(theirs: Theirs, user: str) -> None:
    first = await theirs.call(theirs.chatflow.send, chat("hi", user))
    second = await theirs.chatflow.asend(
        chat("again", user, conversation_id=first.conversation_id), theirs.option
    )
    assert (first.success, first.raw.status_code) == (True, 200)
    assert (first.answer, second.answer) == ("You said: hi", "You said: again")
    assert second.conversation_id == first.conversation_id
    assert is_id(first.id)


async def test_a_message_is_answered_as_a_stream(theirs: Theirs, user: str) -> None:
    def read() -> bytes:
        return b"".join(theirs.chatflow.send(chat("hi", user), theirs.option, True))

    ours = b"".join(
        [part async for part in await theirs.chatflow.asend(chat("hi", user), theirs.option, True)]
    )
    for data in (await away(read), ours):
        events = told(data)
        assert "".join(one["answer"] for one in events if one["event"] == "message") == "You said: hi"
        assert events[-1]["event"] == "workflow_finished"


async def test_an_answer_is_stopped(house: House, actor: Actor, theirs: Theirs, user: str) -> None:
    gate = Gate()

    async def part(asked: ChatRequest) -> AsyncIterator[Any]:
        yield "so far"
        await gate.wait()

    actor.play("stop me", part)
    stream = await theirs.chatflow.asend(chat("stop me", user), theirs.option, True)
    data, stopped = b"", False
    async with asyncio.timeout(BOUND):
        async for piece in stream:
            data += piece
            if b'"event":"message"' in data and not stopped:
                stopped = True
                body = model_of("chatflow", "StopChatMessageRequestBody")(user=user)
                task_id = told(data[: data.rindex(b"\n\n")])[0]["task_id"]
                sent = request("chatflow", "StopChatMessageRequest", body, task_id=task_id)
                assert (await theirs.chatflow.astop(sent, theirs.option)).result == "success"
    assert told(data)[-1]["data"]["status"] == "stopped"


async def test_questions_to_ask_next(theirs: Theirs, user: str) -> None:
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    sent = request("chatflow", "GetSuggestedQuestionsRequest", message_id=said.id, user=user)
    found = await theirs.call(theirs.chatflow.suggested, sent)
    assert (found.success, found.result) == (True, "success")
    assert isinstance(found.data, list)


async def test_conversations_are_listed_renamed_and_deleted(theirs: Theirs, user: str) -> None:
    said = await theirs.call(theirs.chatflow.send, chat("hi", user, auto_generate_name=False))
    listed = request("chatflow", "GetConversationsRequest", user=user, limit=5, sort_by="-created_at")
    page = await theirs.call(theirs.conversation.list, listed)
    rename = model_of("chatflow", "RenameConversationRequestBody")(name="New", user=user)
    renamed = await theirs.call(
        theirs.conversation.rename,
        request("chatflow", "RenameConversationRequest", rename, conversation_id=said.conversation_id),
    )
    body = model_of("chatflow", "DeleteConversationRequestBody")(user=user)
    gone = request("chatflow", "DeleteConversationRequest", body, conversation_id=said.conversation_id)
    deleted = await theirs.call(theirs.conversation.delete, gone)
    again = await theirs.call(theirs.conversation.delete, gone)
    empty = await theirs.call(theirs.conversation.list, listed)

    (item,) = page.data
    assert (item.id, item.name, item.status, item.inputs) == (said.conversation_id, "hi", "normal", {})
    assert (page.limit, page.has_more) == (5, False)
    assert (renamed.id, renamed.name) == (said.conversation_id, "New")
    assert (deleted.success, deleted.raw.status_code) == (True, 204)
    assert (again.code, again.msg) == ("not_found", "Conversation Not Exists.")
    assert empty.data == []


async def test_an_error_of_renaming_does_not_fit_its_own_model(theirs: Theirs, user: str) -> None:
    body = model_of("chatflow", "RenameConversationRequestBody")(name="New", user=user)
    sent = request("chatflow", "RenameConversationRequest", body, conversation_id=NOBODY)
    with pytest.raises(ValidationError, match="status\n  Input should be a valid string"):
        await theirs.call(theirs.conversation.rename, sent)


async def test_the_history_is_read_backwards(theirs: Theirs, user: str) -> None:
    first = await theirs.call(theirs.chatflow.send, chat("one", user))
    for query in ("two", "three"):
        await theirs.call(theirs.chatflow.send, chat(query, user, conversation_id=first.conversation_id))

    async def page(**parts: Any) -> Any:
        sent = request(
            "chatflow",
            "GetConversationMessagesRequest",
            conversation_id=first.conversation_id,
            user=user,
            limit=2,
            **parts,
        )
        return await theirs.call(theirs.conversation.messages, sent)

    late = await page()
    early = await page(first_id=late.data[0].id)
    assert ([one.query for one in late.data], late.has_more) == (["two", "three"], True)
    assert ([one.answer for one in early.data], early.has_more) == (["You said: one"], False)
    assert early.data[0].conversation_id == first.conversation_id


async def test_inputs_that_nobody_gave_do_not_fit_its_models(flow: Caller, user: str) -> None:
    theirs = Theirs(flow)
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    for method, sent in (
        (theirs.conversation.list, request("chatflow", "GetConversationsRequest", user=user)),
        (
            theirs.conversation.messages,
            request(
                "chatflow",
                "GetConversationMessagesRequest",
                conversation_id=said.conversation_id,
                user=user,
            ),
        ),
    ):
        with pytest.raises(ValidationError, match=r"data.0.inputs.city\n  Input should be a valid string"):
            await theirs.call(method, sent)


async def test_variables_of_a_conversation_are_read(theirs: Theirs, user: str) -> None:
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    parts = {"conversation_id": said.conversation_id, "user": user, "limit": 2}
    sent = request("chatflow", "GetConversationVariablesRequest", **parts)
    page = await theirs.call(theirs.conversation.variables, sent)
    named = request("chatflow", "GetConversationVariablesRequest", **parts, variable_name="topi")
    found = await theirs.call(theirs.conversation.variables, named)
    assert [(one.name, one.value_type, one.value) for one in page.data] == [
        ("topic", "string", "none"),
        ("n", "number", "0"),
    ]
    assert page.has_more is True
    assert [one.name for one in found.data] == ["topic"]
    whole = request(
        "chatflow", "GetConversationVariablesRequest", conversation_id=said.conversation_id, user=user
    )
    with pytest.raises(ValidationError, match="Input should be 'string', 'number' or 'select'"):
        await theirs.call(theirs.conversation.variables, whole)


async def test_a_file_is_uploaded_and_sent_with_a_message(theirs: Theirs, user: str) -> None:
    builder = model_of("dify", "UploadFileRequest").builder().file(BytesIO(PNG), "a.png")
    sent = builder.request_body(model_of("dify", "UploadFileBody")(user=user)).build()
    file = await theirs.call(theirs.file.upload, sent)
    item = model_of("chatflow", "ChatFile")(
        type="image", transfer_method="local_file", upload_file_id=file.id
    )
    said = await theirs.call(theirs.chatflow.send, chat("look", user, files=[item]))
    history = request(
        "chatflow",
        "GetConversationMessagesRequest",
        conversation_id=said.conversation_id,
        user=user,
    )
    (message,) = (await theirs.call(theirs.conversation.messages, history)).data
    assert (file.name, file.size, file.extension, file.mime_type) == ("a.png", len(PNG), "png", "image/png")
    assert [(one.type, one.belongs_to) for one in message.message_files] == [("image", "user")]


async def test_opinions_are_given_taken_back_and_listed(house: House, user: str) -> None:
    caller = await house.serve(apps.echo_flow(name="Liked by theirs"))
    theirs = Theirs(caller)
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    kind = model_of("dify", "SubmitFeedbackRequestBody")
    liked = request(
        "dify", "SubmitFeedbackRequest", kind(rating="like", user=user, content="good"), message_id=said.id
    )
    taken = request("dify", "SubmitFeedbackRequest", kind(user=user), message_id=said.id)

    given = await theirs.call(theirs.feedback.submit, liked)
    listed = await theirs.call(theirs.feedback.list, request("dify", "GetFeedbacksRequest", page=1, limit=10))
    back = await theirs.call(theirs.feedback.submit, taken)
    again = await theirs.call(theirs.feedback.submit, taken)

    assert (given.result, back.result) == ("success", "success")
    assert [(one.rating, one.content) for one in listed.data] == [("like", "good")]
    assert (again.code, again.msg) == ("invalid_param", "rating cannot be None when feedback not exists")


async def test_an_app_tells_of_itself(theirs: Theirs, user: str) -> None:
    info = await theirs.call(theirs.info.get, request("dify", "GetInfoRequest", user=user))
    parameters = await theirs.call(theirs.info.parameters, request("dify", "GetParametersRequest", user=user))
    meta = await theirs.call(theirs.info.meta, request("dify", "GetMetaRequest", user=user))
    site = await theirs.call(theirs.info.site, request("dify", "GetSiteRequest"))
    assert (info.name, info.description, info.tags) == ("For theirs", "", [])
    assert parameters.opening_statement == "Hello {{city}}"
    assert parameters.suggested_questions == ["What now?"]
    assert parameters.user_input_form == []
    assert (meta.success, meta.tool_icons.dalle2, meta.tool_icons.api_tool) == (True, None, None)
    assert (site.title, site.default_language) == ("For theirs", "en-US")


async def test_annotations_are_written_changed_listed_and_deleted(house: House) -> None:
    theirs = Theirs(await house.serve(apps.echo_flow(name="Annotated by theirs")))
    make = model_of("chatflow", "CreateAnnotationRequestBody")(question="q", answer="a")
    made = await theirs.call(theirs.annotation.create, request("chatflow", "CreateAnnotationRequest", make))
    change = model_of("chatflow", "UpdateAnnotationRequestBody")(question="q2", answer="a2")
    changed = await theirs.call(
        theirs.annotation.update,
        request("chatflow", "UpdateAnnotationRequest", change, annotation_id=made.id),
    )
    listing = request("chatflow", "GetAnnotationsRequest", page=1, limit=5)
    page = await theirs.call(theirs.annotation.list, listing)
    gone = request("chatflow", "DeleteAnnotationRequest", annotation_id=made.id)
    deleted = await theirs.call(theirs.annotation.delete, gone)
    again = await theirs.call(theirs.annotation.delete, gone)

    assert (made.question, made.answer, made.hit_count, made.raw.status_code) == ("q", "a", 0, 201)
    assert (changed.id, changed.question, changed.answer) == (made.id, "q2", "a2")
    assert ([one.question for one in page.data], page.total, page.has_more) == (["q2"], 1, False)
    assert deleted.raw.status_code == 204
    assert (again.code, again.msg) == ("not_found", "Annotation not found")


async def test_answering_by_annotations_is_switched_on_and_off(scripted: House) -> None:
    theirs = Theirs(await scripted.serve(apps.echo_flow(name="Switched by theirs")))
    body = model_of("chatflow", "AnnotationReplySettingsRequestBody")(
        score_threshold=0.9, embedding_provider_name="openai", embedding_model_name="small"
    )
    for action in ("enable", "disable"):
        job = await theirs.call(
            theirs.annotation.reply_settings,
            request("chatflow", "AnnotationReplySettingsRequest", body, action=action),
        )
        sent = request("chatflow", "AnnotationReplyStatusRequest", action=action, job_id=job.job_id)
        async with asyncio.timeout(BOUND):
            while (status := await _status(theirs, sent)) != "completed":
                assert status in ("waiting", None)
        assert job.job_status == "waiting"


async def _status(theirs: Theirs, sent: Any) -> str | None:
    """How far a job is; nothing for ``processing``, which the package's model refuses."""
    try:
        found = await theirs.call(theirs.annotation.reply_status, sent)
    except ValidationError as error:
        if error.errors()[0]["input"] == "processing":
            return None
        raise
    status: str = found.job_status
    return status


@pytest.fixture(scope="module")
async def scripted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server whose models play a script; it has voices, ears and embeddings."""
    async with open_house(tmp_path_factory.mktemp("scripted")) as opened:
        yield opened


async def test_a_text_is_spoken_and_heard(scripted: House, user: str) -> None:
    theirs = Theirs(await scripted.serve(apps.echo_flow(features=apps.FEATURES)))
    body = model_of("dify", "TextToAudioRequestBody")(text="Grüße aus Ulm", user=user)
    spoken = await theirs.call(theirs.audio.from_text, request("dify", "TextToAudioRequest", body))
    sound = spoken.raw.content
    builder = model_of("dify", "AudioToTextRequest").builder().file(BytesIO(sound), "a.wav")
    sent = builder.request_body(model_of("dify", "AudioToTextRequestBody")(user=user)).build()
    heard = await theirs.call(theirs.audio.to_text, sent)
    with wave.open(BytesIO(sound)) as file:
        assert file.getnframes() > 0
    assert (spoken.raw.content_type, heard.text) == ("audio/wav", "Grüße aus Ulm")


async def test_runs_are_listed_and_read(house: House, failing: Caller, user: str) -> None:
    theirs = Theirs(await house.serve(apps.echo_flow(name="Logged for theirs")))
    await theirs.call(theirs.chatflow.send, chat("hi", user))
    listing = request(
        "workflow",
        "GetWorkflowLogsRequest",
        keyword="hi",
        status="succeeded",
        page=1,
        limit=5,
        created_by_end_user_session_id=user,
    )
    page = await theirs.call(theirs.workflow.logs, listing)
    (entry,) = page.data
    sent = request("workflow", "GetWorkflowRunDetailRequest", workflow_run_id=entry.workflow_run.id)
    run = await theirs.call(theirs.workflow.detail, sent)
    assert (page.page, page.limit, page.total, page.has_more) == (1, 5, 1, False)
    assert (entry.created_from, entry.created_by_role) == ("service-api", "end_user")
    assert (entry.created_by_end_user.session_id, entry.workflow_run.status) == (user, "succeeded")
    assert (run.id, run.status, run.outputs["answer"]) == (
        entry.workflow_run.id,
        "succeeded",
        "You said: hi",
    )
    unknown = request("workflow", "GetWorkflowRunDetailRequest", workflow_run_id=NOBODY)
    with pytest.raises(ValidationError, match="status\n  Input should be 'succeeded'"):
        await theirs.call(theirs.workflow.detail, unknown)


async def test_a_failed_answer_is_told_by_its_code(failing: Caller, user: str) -> None:
    theirs = Theirs(failing)
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    assert (said.success, said.code, said.raw.status_code) == (False, "invalid_param", 400)
    assert said.msg.startswith("Run failed:")
    page = await theirs.call(
        theirs.workflow.logs,
        request("workflow", "GetWorkflowLogsRequest", status="failed", created_by_end_user_session_id=user),
    )
    assert [entry.workflow_run.status for entry in page.data] == ["failed"]


async def test_a_workflow_app_is_run_whole_streamed_and_stopped(house: House, user: str) -> None:
    nodes = [apps.start(), apps.template("words", "done"), apps.end(text="words.output")]
    theirs = Theirs(await house.serve(apps.workflow(nodes, "start > words > end", name="Run by theirs")))
    sent = run_of({}, user)
    ran = await theirs.call(theirs.workflow.run, sent)
    stop = model_of("workflow", "StopWorkflowRequestBody")(user=user)
    stopped = await theirs.call(
        theirs.workflow.stop, request("workflow", "StopWorkflowRequest", stop, task_id="none")
    )
    data = b"".join(await away(lambda: list(theirs.workflow.run(sent, theirs.option, True))))
    assert stopped.result == "success"
    assert (ran.data.status, ran.data.outputs, ran.data.error) == ("succeeded", {"text": "done"}, None)
    assert told(data)[-1]["data"]["outputs"] == {"text": "done"}


async def test_inputs_of_a_workflow_app_go_one_level_too_deep(work: Caller, user: str) -> None:
    theirs = Theirs(work)
    ran = await theirs.call(theirs.workflow.run, run_of({"text": "hi"}, user))
    assert (ran.code, ran.msg) == ("invalid_param", "text is required in input form")


def run_of(inputs: dict[str, str], user: str) -> Any:
    """The request to run a workflow app."""
    kind = model_of("workflow", "RunWorkflowRequestBody")
    held = model_of("workflow", "WorkflowInputs")(inputs=inputs)
    return request("workflow", "RunWorkflowRequest", kind(inputs=held, user=user, response_mode="blocking"))


async def test_a_completion_is_refused_by_a_code(theirs: Theirs, user: str) -> None:
    body = model_of("completion", "SendMessageRequestBody")(
        inputs={"query": "hi"}, response_mode="blocking", user=user
    )
    said = await theirs.call(
        theirs.completion.send_message, request("completion", "SendMessageRequest", body)
    )
    assert (said.success, said.code) == (False, "app_unavailable")


async def test_a_key_that_nobody_knows_is_told_by_its_code(flow: Caller, user: str) -> None:
    theirs = Theirs(flow)
    option = import_module("dify_oapi.core.model.request_option").RequestOption
    theirs.option = option.builder().api_key("app-nobody").build()
    said = await theirs.call(theirs.chatflow.send, chat("hi", user))
    assert (said.code, said.msg, said.raw.status_code) == ("unauthorized", "Access token is invalid", 401)
