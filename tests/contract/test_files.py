"""Files that come with a message, and those that an answer brings."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from tests.contract import apps
from tests.contract.actor import Actor
from tests.contract.caller import Caller
from tests.contract.house import House, open_house
from tests.contract.uploads import PNG, fetched, local, uploaded, used
from tests.egress.server import serve
from weft.providers import ImagePart, TextPart
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


def remote(kind: str = "image", name: str = "a.png") -> dict[str, str]:
    return {"type": kind, "transfer_method": "remote_url", "url": f"https://example.org/{name}"}


async def files_of(caller: Caller, user: str, given: list[Any]) -> list[dict[str, Any]]:
    """The files that a message is stored with."""
    said = await caller.said("hi", user=user, files=given)
    (message,) = await caller.messages(said["conversation_id"], user=user)
    return list(message["message_files"])


async def test_a_remote_file_is_kept_with_its_message(flow: Caller, user: str) -> None:
    (file,) = await files_of(flow, user, [remote()])
    file.pop("id")
    assert file == {
        "filename": "a.png",
        "type": "image",
        "url": "https://example.org/a.png",
        "mime_type": "image/png",
        "size": None,
        "transfer_method": "remote_url",
        "belongs_to": "user",
        "upload_file_id": None,
    }


async def test_remote_url_is_another_spelling_of_url(flow: Caller, user: str) -> None:
    given = {"type": "image", "transfer_method": "remote_url", "remote_url": "https://example.org/b.png"}
    (file,) = await files_of(flow, user, [given])
    assert file["url"] == "https://example.org/b.png"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(
            {"type": "image", "url": "https://example.org/a.png"}, marks=pytest.mark.requirement("api-64")
        ),
        pytest.param({}, marks=pytest.mark.requirement("api-64")),
        pytest.param(
            {"type": "image", "transfer_method": "remote_url"}, marks=pytest.mark.requirement("api-65")
        ),
        pytest.param(
            {"type": "image", "transfer_method": "remote_url", "url": ""},
            marks=pytest.mark.requirement("api-65"),
        ),
    ],
)
async def test_an_item_that_says_too_little_is_skipped(
    flow: Caller, user: str, given: dict[str, object]
) -> None:
    assert await files_of(flow, user, [given]) == []


REFUSED = [
    pytest.param(
        [{"type": "image", "transfer_method": "local_file"}],
        "Invalid upload file id",
        marks=pytest.mark.requirement("api-61"),
    ),
    pytest.param(
        [{"type": "image", "transfer_method": "local_file", "upload_file_id": str(uuid4())}],
        "Invalid upload file",
        marks=pytest.mark.requirement("api-62"),
    ),
    pytest.param(
        [remote("audio", "a.mp3")],
        "File validation failed for file: a.mp3",
        marks=pytest.mark.requirement("api-66"),
    ),
    pytest.param(
        [remote()] * 4,
        "Number of image files exceeds the maximum limit 3",
        marks=pytest.mark.requirement("api-67"),
    ),
    pytest.param(
        [*([remote()] * 3), remote("document", "a.pdf")],
        "Number of files exceeds the maximum limit 3",
        marks=pytest.mark.requirement("api-68"),
    ),
]


@pytest.mark.parametrize(("given", "text"), REFUSED)
async def test_files_that_the_app_does_not_take_are_refused(
    flow: Caller, user: str, given: list[object], text: str
) -> None:
    assert (await flow.chat("hi", user=user, files=given)).error == (400, "invalid_param", text)
    assert await flow.conversations(user=user) == []


@pytest.mark.requirement("api-70")
@pytest.mark.parametrize(("given", "text"), REFUSED)
async def test_they_are_refused_with_a_plain_error_even_when_a_stream_was_asked_for(
    flow: Caller, user: str, given: list[object], text: str
) -> None:
    reply = await flow.chat("hi", user=user, files=given, response_mode="streaming")
    assert reply.error == (400, "invalid_param", text)


@pytest.mark.parametrize("field", ["type", "transfer_method"])
async def test_an_unknown_word_is_refused_by_the_name_of_its_field(flow: Caller, field: str) -> None:
    status, code, text = (await flow.chat("hi", files=[{**remote(), field: "pigeon"}])).error
    assert (status, code, field in text) == (400, "invalid_param", True)


@pytest.mark.requirement("api-69")
async def test_an_app_that_takes_no_files_ignores_them(plain: Caller, user: str) -> None:
    nonsense = [5, None, {"type": "pigeon", "transfer_method": "wings"}, remote("audio"), *([remote()] * 9)]
    assert await files_of(plain, user, nonsense) == []


# Uploads


@pytest.mark.requirement("api-59")
async def test_an_upload_is_kept_with_its_message(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, "a.png", user=user)
    row = await used(flow, shown, user=user)
    id, url = row.pop("id"), row.pop("url")
    assert (await fetched(url)).body == PNG
    assert id != shown["id"]
    assert row == {
        "filename": "a.png",
        "type": "image",
        "mime_type": "image/png",
        "size": len(PNG),
        "transfer_method": "local_file",
        "belongs_to": "user",
        "upload_file_id": shown["id"],
    }


@pytest.mark.requirement("api-60")
@pytest.mark.parametrize("given", ["abc", "../../secret", "x" * 5000, 5, ["a"], {"a": "b"}, True])
async def test_what_is_no_id_names_no_upload(flow: Caller, user: str, given: object) -> None:
    for method in ("local_file", "remote_url"):
        item = {"type": "image", "transfer_method": method, "upload_file_id": given}
        assert (await flow.chat("hi", user=user, files=[item])).error == (
            400,
            "invalid_param",
            "Invalid upload file id format",
        )


@pytest.mark.requirement("api-63")
async def test_an_upload_is_for_whoever_sent_it_alone(flow: Caller, plain: Caller, user: str) -> None:
    refused = (400, "invalid_param", "Invalid upload file")
    shown = await uploaded(flow, user=user)
    foreign = await uploaded(plain, user=user)
    assert (await flow.chat("hi", user=f"{user}-other", files=[local(shown)])).error == refused
    assert (await flow.chat("hi", user=user, files=[local(foreign)])).error == refused
    assert (
        await flow.chat("hi", user=user, files=[{**local(shown), "transfer_method": "tool_file"}])
    ).error == (refused)
    assert (await flow.chat("hi", user=user, files=[local({"id": shown["id"].upper()})])).status == 200


async def test_an_upload_is_of_the_kinds_that_the_app_takes(flow: Caller, user: str) -> None:
    shown = await uploaded(flow, "a.mp3", type="audio/mpeg", user=user)
    assert (await flow.chat("hi", user=user, files=[local(shown, "audio")])).error == (
        400,
        "invalid_param",
        "File validation failed for file: a.mp3",
    )
    # Without a type it is one of its own, which every app takes that names no extensions.
    row = await used(flow, shown, user=user, type="custom")
    assert row["type"] == "audio"


async def test_the_links_of_a_message_are_new_each_time_that_it_is_read(folder: Path) -> None:
    clock = FrozenClock(holds=True)
    async with open_house(folder, clock=clock, models=Actor()) as house:
        app = apps.chatflow(
            [apps.start(), apps.answer("Here: {{#sys.files#}}")], "start > answer", features=apps.FEATURES
        )
        flow = await house.serve(app)
        shown = await uploaded(flow)
        told = await flow.told("hi", files=[local(shown)])
        link = re.search(r"\((http\S+)\)", told.answer)
        assert link is not None
        assert (await fetched(link[1])).body == PNG
        assert "message_file" not in told.names  # it came with the query
        clock.advance(1000)
        assert (await fetched(link[1])).status == 404
        (message,) = await flow.messages(told.events[0]["conversation_id"])
        fresh = re.search(r"\((http\S+)\)", message["answer"])
        assert fresh is not None
        assert message["answer"] == told.answer.replace(link[1], fresh[1])
        for url in (fresh[1], message["message_files"][0]["url"]):
            assert (await fetched(url)).body == PNG


async def test_a_link_that_we_did_not_make_gains_nothing_by_being_answered(
    house: House, flow: Caller, plain: Caller, user: str
) -> None:
    secret = await uploaded(plain, user=user)
    own = await uploaded(flow, user=user)
    forged = f"/files/{own['id']}/file-preview?timestamp=1&nonce=ab&sign={'A' * 43}="
    said = await flow.said(f"{forged} {secret['source_url']} {own['source_url']}", user=user)
    (message,) = await flow.messages(said["conversation_id"], user=user)
    links = message["answer"].split()
    assert forged in links
    assert secret["source_url"] in links
    assert own["source_url"] not in links


# Files of the form


FORM = (
    apps.field("paper", "file", allowed_file_types=["document"], allowed_file_upload_methods=["local_file"]),
    apps.field("photos", "file-list", allowed_file_types=["image"], max_length=2),
)


@pytest.fixture(scope="session")
async def form(house: House) -> Caller:
    """A chatflow that asks for a document and for photos, and reads and shows them."""
    return await house.serve(
        apps.chatflow(
            [
                apps.start(*FORM),
                apps.node("read", "document-extractor", variable_selector=["start", "paper"]),
                apps.answer("{{#read.text#}} {{#start.paper.size#}} {{#start.photos#}}"),
            ],
            "start > read > answer",
            name="Form",
        )
    )


async def test_files_of_the_form_are_read_and_shown(form: Caller, user: str) -> None:
    paper = await uploaded(form, "notes.txt", "Grüße".encode(), "text/plain", user=user)
    photo = await uploaded(form, "cat.png", user=user)
    inputs = {"paper": local(paper, "document"), "photos": [local(photo)]}
    told = await form.told("hi", user=user, inputs=inputs)
    text, _, photos = told.answer.partition(" 7 ")
    assert (text, photos.startswith("![cat.png](http")) == ("Grüße", True)
    produced = told.one("message_file")
    assert (produced["type"], produced["belongs_to"]) == ("image", "assistant")
    assert (await fetched(produced["url"])).body == PNG
    (message,) = await form.messages(told.events[0]["conversation_id"], user=user)
    (row,) = message["message_files"]
    assert (row["id"], row["belongs_to"], row["upload_file_id"]) == (
        produced["id"],
        "assistant",
        photo["id"],
    )
    assert (await form.get(f"/files/{photo['id']}/preview")).body == PNG
    stored = message["inputs"]["paper"]
    assert (stored["related_id"], stored["filename"]) == (paper["id"], "notes.txt")
    assert (await fetched(stored["url"])).body == "Grüße".encode()


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"paper": "x"}, "paper in input form must be a file"),
        ({"photos": {}}, "photos in input form must be a list of files"),
        ({"photos": [{}] * 3}, "photos in input form must be less than 2 files"),
        ({"paper": remote("document", "a.pdf")}, "File validation failed for file: a.pdf"),
        ({"photos": [remote("document", "a.pdf")]}, "File validation failed for file: a.pdf"),
        ({"paper": {"type": "document", "transfer_method": "local_file"}}, "Invalid upload file id"),
        (
            {"paper": {"type": "document", "transfer_method": "local_file", "upload_file_id": str(uuid4())}},
            "Invalid upload file",
        ),
    ],
)
async def test_files_that_the_form_does_not_take_are_refused(
    form: Caller, inputs: dict[str, Any], text: str
) -> None:
    assert (await form.chat("hi", inputs=inputs)).error == (400, "invalid_param", text)


# A person can write a file record into a variable, and it must not open anybody's file


async def test_a_record_that_somebody_made_up_opens_no_file(house: House, user: str) -> None:
    papers = apps.conversation_variable("papers", "object", {})
    flow = await house.serve(
        apps.chatflow(
            [
                apps.start(),
                apps.node("read", "document-extractor", variable_selector=["conversation", "papers", "f"]),
                apps.answer("{{#read.text#}}{{#conversation.papers.f#}}"),
            ],
            "start > read > answer",
            variables=[papers],
            name="Made up",
        )
    )
    show = await house.serve(
        apps.chatflow(
            [apps.start(), apps.answer("{{#conversation.papers.f#}}")],
            "start > answer",
            variables=[papers],
            name="Show",
        )
    )
    for app in (flow, show):
        theirs = await uploaded(app, "secret.txt", b"secret", "text/plain", user=f"{user}-victim")
        record = {
            "dify_model_identity": "__dify__file__",
            "type": "document",
            "transfer_method": "local_file",
            "related_id": theirs["id"],
            "filename": "secret.txt",
            "extension": ".txt",
        }
        await app.chat("hi", user=user)
        page = await app.conversations(user=user)
        conversation_id = page[0]["id"]
        variables = await app.get(f"/conversations/{conversation_id}/variables", user=user)
        variable_id = variables.ok["data"][0]["id"]
        path = f"/conversations/{conversation_id}/variables/{variable_id}"
        assert (await app.put(path, {"value": {"f": record}, "user": user})).status == 200
        reply = await app.chat("hi", user=user, conversation_id=conversation_id)
        if app is flow:
            assert "there is no file 'secret.txt' that this run may have" in reply.error[2]
        assert b"sign=" not in reply.body
        shown = await app.messages(conversation_id, user=user)
        assert [message["message_files"] for message in shown] == [[], []]
        assert (await app.get(f"/files/{theirs['id']}/preview", user=user)).status == 404


# Files that a run makes


async def test_a_file_that_a_request_brings_belongs_to_the_answer(folder: Path) -> None:
    async def picture(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.Response(text=f"{request.content_type} {len(await request.read())}")
        return web.Response(body=PNG, content_type="image/png")

    see = apps.llm("see", "what?")
    see["data"]["vision"] = _vision("fetch.files")
    app = apps.chatflow(
        [
            apps.start(),
            _http("fetch", "get", {"type": "none", "data": []}),
            _http("send", "post", _form("sys.files", "fetch.files")),
            see,
            apps.answer("{{#fetch.files#}} {{#send.body#}} {{#see.text#}}"),
        ],
        "start > fetch > send > see > answer",
        environment=[{"name": "url", "value": "", "value_type": "string"}],
        features=apps.FEATURES,
        name="Fetch",
    )
    actor = Actor()
    http = {"allow_private_addresses": True}
    async with serve(picture) as outside, open_house(folder, models=actor, http=http) as house:
        app["workflow"]["environment_variables"][0]["value"] = outside.url
        flow = await house.serve(app)
        told = await flow.told("hi")
        produced = told.one("message_file")
        assert told.answer.startswith("![picture.png](http")
        assert "multipart/form-data" in told.answer
        assert (await fetched(produced["url"])).body == PNG
        (message,) = await flow.messages(told.events[0]["conversation_id"])
        (row,) = message["message_files"]
        assert (await fetched(row.pop("url"))).body == PNG
        assert row == {
            "id": produced["id"],
            "filename": "picture.png",
            "type": "image",
            "mime_type": "image/png",
            "size": len(PNG),
            "transfer_method": "tool_file",
            "belongs_to": "assistant",
            "upload_file_id": row["upload_file_id"],
        }
        assert (await flow.get(f"/files/{row['upload_file_id']}/preview")).body == PNG
        assert PNG in outside.requests[1].body
        part = actor.requests[0].messages[-1].content[0]
        assert part == ImagePart(f"data:image/png;base64,{b64encode(PNG).decode()}", "high")
        assert [file["related_id"] for file in told.one("message_end")["files"]] == [row["upload_file_id"]]


def _http(id: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
    return apps.node(
        id,
        "http-request",
        method=method,
        url="{{#env.url#}}/picture.png",
        authorization={"type": "no-auth", "config": None},
        headers="",
        params="",
        body=body,
        timeout={},
    )


def _form(*paths: str) -> dict[str, Any]:
    items = [{"key": path, "type": "file", "value": "", "file": path.split(".")} for path in paths]
    return {"type": "form-data", "data": items}


def _vision(path: str) -> dict[str, Any]:
    return {"enabled": True, "configs": {"variable_selector": path.split("."), "detail": "high"}}


async def test_a_workflow_app_takes_and_gives_files(house: House, user: str) -> None:
    work = await house.serve(
        apps.workflow(
            [
                apps.start(apps.field("paper", "file", required=True)),
                apps.node("read", "document-extractor", variable_selector=["start", "paper"]),
                apps.end(text="read.text", file="start.paper"),
            ],
            "start > read > end",
            name="Papers",
        )
    )
    paper = await uploaded(work, "notes.md", b"# Notes", "text/markdown", user=user)
    outputs = (await work.run({"paper": local(paper, "document")}, user=user))["data"]["outputs"]
    assert outputs["text"] == "# Notes"
    assert outputs["file"]["related_id"] == paper["id"]
    assert (await fetched(outputs["file"]["url"])).body == b"# Notes"


async def test_a_model_that_remembers_sees_the_pictures_of_earlier_questions(
    house: House, actor: Actor, user: str
) -> None:
    look = apps.llm("look", memory=apps.MEMORY)
    look["data"]["vision"] = _vision("sys.files")
    flow = await house.serve(
        apps.chatflow(
            [apps.start(), look, apps.answer("{{#look.text#}}")],
            "start > look > answer",
            features=apps.FEATURES,
            name="Look",
        )
    )
    picture = await uploaded(flow, user=user)
    first = await flow.said(f"What is it, {user}?", user=user, files=[local(picture), remote()])
    talk = first["conversation_id"]

    await flow.said(f"Which colour, {user}?", user=user, conversation_id=talk)

    (request,) = actor.asked(f"Which colour, {user}?")
    asked, answered, _ = request.messages[-3:]
    assert asked.content == [
        TextPart(f"What is it, {user}?"),
        ImagePart(f"data:image/png;base64,{b64encode(PNG).decode()}", "high"),
        ImagePart("https://example.org/a.png", "high"),
    ]
    assert answered.role == "assistant"

    await flow.said(f"Whose colour, {user}?", user=f"{user}'s friend")
    (request,) = actor.asked(f"Whose colour, {user}?")
    assert [message for message in request.messages if message.from_history] == []
