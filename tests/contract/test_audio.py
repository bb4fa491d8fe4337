"""Speech to text and back, and answers that are spoken while they are written."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import apps
from tests.contract.caller import Caller, Reply
from tests.contract.house import House, open_house
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
BOUNDARY = "cut-here"


@pytest.fixture(scope="module")
async def scripted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server without any settings: models play a script, and a voice is a tone."""
    async with open_house(tmp_path_factory.mktemp("scripted")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def speaking(scripted: House) -> Caller:
    """An app with speech both ways."""
    return await scripted.serve(apps.echo_flow(features=apps.FEATURES))


@pytest.fixture(scope="module")
async def mute(scripted: House) -> Caller:
    """An app without any."""
    return await scripted.serve(apps.echo_flow(name="G"))


async def listen(
    caller: Caller,
    data: bytes | None = b"sound",
    *,
    name: str = "file",
    filename: str = "a.mp3",
    kind: str = "audio/mpeg",
    user: str | None = "u1",
) -> Reply:
    """Ask what is said in a recording."""
    lead = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    body = b"" if user is None else f'{lead}"user"\r\n\r\n{user}\r\n'.encode()
    if data is not None:
        head = f'{lead}"{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    headers = {
        "authorization": f"Bearer {caller.key}",
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    whole = body + f"--{BOUNDARY}--\r\n".encode()
    return await caller.call("POST", "/audio-to-text", data=whole, headers=headers)


async def say(caller: Caller, **body: object) -> Reply:
    """Ask for a recording."""
    return await caller.post("/text-to-audio", {"user": "u1", **body})


def seconds(audio: bytes) -> float:
    with wave.open(io.BytesIO(audio)) as file:
        return float(file.getnframes() / file.getframerate())


@pytest.mark.requirement("api-173")
async def test_transcription_needs_a_file(speaking: Caller) -> None:
    expected = (400, "no_audio_uploaded", "Please upload your audio.")
    assert (await listen(speaking, None)).error == expected
    assert (await listen(speaking, name="audio")).error == expected
    assert (await speaking.post("/audio-to-text", {})).error == expected


@pytest.mark.requirement("api-174")
@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("a.mp3", "audio/mpeg"),
        ("A.WAV", "application/octet-stream"),
        ("blob", "audio/webm;codecs=opus"),
        ("a.mp4", "video/mp4"),
        ("a", "audio/x-m4a"),
        ("a.amr", "text/plain"),
    ],
)
async def test_audio_of_any_usual_type_becomes_text(speaking: Caller, filename: str, kind: str) -> None:
    found = await listen(speaking, filename=filename, kind=kind)
    assert list(found.ok) == ["text"]
    assert found.ok["text"].startswith("You sent ")


@pytest.mark.requirement("api-174", "api-178")
async def test_what_was_spoken_is_heard_again(speaking: Caller) -> None:
    audio = (await say(speaking, text="Grüße aus Ulm")).body
    assert (await listen(speaking, audio, filename="a.wav", kind="audio/wav")).ok == {"text": "Grüße aus Ulm"}


@pytest.mark.requirement("api-175")
@pytest.mark.parametrize(("filename", "kind"), [("a.txt", "text/plain"), ("a.png", "image/png"), ("", "x")])
async def test_transcription_takes_audio_only(speaking: Caller, filename: str, kind: str) -> None:
    assert (await listen(speaking, filename=filename, kind=kind)).error == (
        415,
        "unsupported_audio_type",
        "Audio type not allowed.",
    )


@pytest.mark.requirement("api-176")
@pytest.mark.parametrize("size", [30 * MIB + 1, 33 * MIB])
async def test_a_recording_has_a_largest_size(speaking: Caller, size: int) -> None:
    status, code, message = (await listen(speaking, bytes(size))).error
    assert (status, code) == (413, "audio_too_large")
    assert message.endswith("Audio size larger than 30 mb")


@pytest.mark.requirement("api-176")
async def test_a_recording_of_exactly_the_largest_size_is_taken(speaking: Caller) -> None:
    assert (await listen(speaking, bytes(30 * MIB))).status == 200


@pytest.mark.requirement("api-177")
async def test_transcription_can_be_off(mute: Caller) -> None:
    assert (await listen(mute)).error == (400, "invalid_param", "Speech to text is not enabled")
    # A file is looked for before that, its type and size after it.
    assert (await listen(mute, None)).error[1] == "no_audio_uploaded"
    assert (await listen(mute, kind="text/plain", filename="a.txt")).error[1] == "invalid_param"


async def test_a_body_that_breaks_off_is_a_bad_request(speaking: Caller) -> None:
    headers = {
        "authorization": f"Bearer {speaking.key}",
        "content-type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    found = await speaking.call("POST", "/audio-to-text", data=b"--cut-here\r\n", headers=headers)
    assert found.error[:2] == (400, "bad_request")


@pytest.mark.requirement("api-178")
@pytest.mark.parametrize("more", [{}, {"streaming": True}, {"streaming": False}, {"voice": "nobody"}])
async def test_text_is_spoken_and_leaves_in_pieces(speaking: Caller, more: dict[str, object]) -> None:
    found = await say(speaking, text="hi there", **more)

    assert (found.status, found.headers["content-type"]) == (200, "audio/wav")
    assert found.headers["transfer-encoding"] == "chunked"
    assert seconds(found.body) == pytest.approx(0.4)


@pytest.mark.requirement("api-179")
async def test_the_answer_of_a_message_is_spoken_rather_than_a_text(speaking: Caller) -> None:
    answer = await speaking.said("a longer question")

    found = await say(speaking, message_id=answer["message_id"].upper(), text="x")
    assert seconds(found.body) == pytest.approx(0.05 * len(answer["answer"]))


@pytest.mark.requirement("api-180")
@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n"}, {"message_id": "", "text": None}])
async def test_speech_needs_a_text(speaking: Caller, body: dict[str, object]) -> None:
    assert (await say(speaking, **body)).error == (400, "invalid_param", "Text is required")


@pytest.mark.requirement("api-181")
@pytest.mark.parametrize("message_id", ["00000000-0000-4000-8000-000000000000", "x"])
async def test_speech_needs_a_known_message(speaking: Caller, message_id: str) -> None:
    found = await say(speaking, message_id=message_id, text="hi")
    assert found.error == (400, "invalid_param", "Message Not Exists.")


@pytest.mark.requirement("api-181")
async def test_the_messages_of_another_app_are_not_spoken(speaking: Caller, scripted: House) -> None:
    other = await scripted.serve(apps.echo_flow(features=apps.FEATURES, name="Other"))
    message_id = (await other.said())["message_id"]

    assert (await say(speaking, message_id=message_id)).error[2] == "Message Not Exists."


@pytest.mark.requirement("api-182")
async def test_speech_can_be_off(mute: Caller) -> None:
    assert (await say(mute, text="hi", voice="v")).error == (400, "invalid_param", "TTS is not enabled")


@pytest.fixture
async def fake() -> AsyncIterator[FakeModels]:
    async with FakeModels() as service:
        yield service


async def served(
    folder: Path, fake: FakeModels, table: dict[str, object], features: dict[str, Any] = apps.FEATURES
) -> AsyncIterator[Caller]:
    providers = {"openai": {"base_url": fake.url, "max_retries": 0, **table}}
    async with open_house(folder, providers=providers) as house:
        yield await house.serve(apps.echo_flow(features=features))


@pytest.fixture
async def spoken(tmp_path: Path, fake: FakeModels) -> AsyncIterator[Caller]:
    table: dict[str, object] = {"speech_model": "tts", "transcription_model": "stt", "voices": ["ann"]}
    async for caller in served(tmp_path, fake, table):
        yield caller


@pytest.fixture
async def speechless(
    tmp_path: Path, fake: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    monkeypatch.setenv("PATH", str(tmp_path))
    async for caller in served(tmp_path, fake, {}):
        yield caller


async def test_a_service_listens_and_speaks(spoken: Caller, fake: FakeModels) -> None:
    fake.then(Behaviour(text="Hello."), Behaviour())
    assert (await listen(spoken, filename="blob", kind="audio/webm")).ok == {"text": "Hello."}
    found = await say(spoken, text="one two")

    assert (found.headers["content-type"], found.body) == ("audio/mpeg", b"ID3one two")
    listened, said = fake.requests
    assert b'filename="blob.webm"' in listened.body
    assert said.json == {"model": "tts", "input": "one two", "response_format": "mp3", "voice": "ann"}


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(status=401, body={"error": {"message": "no"}}), (400, "provider_not_initialize")),
        (Behaviour(status=402, body={"error": {"message": "no"}}), (400, "provider_quota_exceeded")),
        (Behaviour(status=404, body={"error": {"message": "no"}}), (400, "model_currently_not_support")),
        (Behaviour(status=429, body={"error": {"message": "no"}}), (429, "rate_limit_error")),
        (Behaviour(status=500, body={"error": {"message": "no"}}), (400, "completion_request_error")),
        (Behaviour(raw=[]), (400, "completion_request_error")),
    ],
)
async def test_a_service_that_fails_is_told_before_any_audio(
    spoken: Caller, fake: FakeModels, behaviour: Behaviour, expected: tuple[int, str]
) -> None:
    fake.then(behaviour)
    assert (await say(spoken, text="hi")).error[:2] == expected


async def test_nobody_who_speaks_or_listens_is_told(speechless: Caller) -> None:
    assert (await listen(speechless)).error == (
        400,
        "provider_not_support_speech_to_text",
        "Provider not support speech to text.",
    )
    assert (await say(speechless, text="hi")).error[:2] == (400, "provider_not_initialize")


async def test_a_service_without_any_voice_is_told(tmp_path: Path, fake: FakeModels) -> None:
    providers = {"acme": {"base_url": fake.url, "speech_model": "tts"}}
    async with open_house(tmp_path, providers=providers) as house:
        caller = await house.serve(apps.echo_flow(features=apps.FEATURES))
        assert (await say(caller, text="hi")).error == (400, "invalid_param", "Sorry, no voice available.")
        assert (await say(caller, text="hi", voice="v")).status == 200


def aloud(**more: object) -> dict[str, Any]:
    return {**apps.FEATURES, "text_to_speech": {"enabled": True, "autoPlay": "enabled", **more}}


@pytest.fixture
async def reading(tmp_path: Path, fake: FakeModels) -> AsyncIterator[Caller]:
    """An app whose answers are spoken while they are written."""
    table: dict[str, object] = {"speech_model": "tts", "voices": ["ann", "bob"]}
    async for caller in served(tmp_path, fake, table, aloud(voice="bob")):
        yield caller


def heard(events: list[dict[str, Any]]) -> bytes:
    pieces = [base64.b64decode(event["audio"]) for event in events if event["event"] == "tts_message"]
    return b"".join(pieces)


async def test_an_answer_is_spoken_while_it_is_written(reading: Caller, fake: FakeModels) -> None:
    text = "This is the first sentence. And here is the second one! The third has no end"
    fake.then(Behaviour(text=text))
    told = await reading.told("x")

    assert heard(told.events).replace(b"ID3", b" ").split() == text.encode().split()
    assert told.names[-1] == "tts_message_end"
    assert told.names.count("tts_message_end") == 1
    assert told.names.index("message_end") < told.names.index("tts_message_end")
    said = [request.json for request in fake.requests if request.path == "/v1/audio/speech"]
    assert {item["voice"] for item in said} == {"bob"}
    first = told.of("tts_message")[0]
    common = {
        name: told.events[0][name] for name in ("conversation_id", "message_id", "created_at", "task_id")
    }
    assert first == {"event": "tts_message", **common, "audio": first["audio"]}
    assert told.one("tts_message_end") == {"event": "tts_message_end", **common, "audio": ""}


async def test_a_whole_answer_is_not_spoken(reading: Caller, fake: FakeModels) -> None:
    await reading.said("x")
    assert [request.path for request in fake.requests] == ["/v1/chat/completions"]


@pytest.mark.parametrize("feature", [{"autoPlay": "disabled"}, {"enabled": False}, {"autoPlay": None}])
async def test_an_answer_is_spoken_only_where_the_app_wants_it(
    scripted: House, feature: dict[str, object]
) -> None:
    caller = await scripted.serve(apps.echo_flow(features=aloud(**feature)))
    told = await caller.told("x")
    assert [name for name in told.names if name.startswith("tts")] == []


async def test_an_answer_that_nobody_can_speak_is_written_all_the_same(
    tmp_path: Path, fake: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async for caller in served(tmp_path, fake, {}, aloud()):
        told = await caller.told("x")
        assert (told.answer, told.names[-1]) == ("x", "workflow_finished")


async def test_speech_that_fails_in_the_middle_leaves_the_answer_whole(
    reading: Caller, fake: FakeModels
) -> None:
    text = "This is the first sentence. " * 3
    fake.then(Behaviour(text=text), Behaviour(status=500, body={"error": {"message": "no"}}))
    told = await reading.told("x")

    assert (told.answer, told.names[-1]) == (text, "tts_message_end")
    assert heard(told.events) == b""


async def test_a_reader_who_leaves_ends_the_speech(tmp_path: Path, fake: FakeModels) -> None:
    providers = {"openai": {"base_url": fake.url, "speech_model": "tts", "voices": ["ann"]}}
    fake.then(
        Behaviour(text="This is the first sentence. And more"), Behaviour(raw=[b"a", b"b"], stall_after=1)
    )
    async with open_house(tmp_path, providers=providers) as house:
        caller = await house.serve(apps.echo_flow(features=aloud()))
        async with caller.stream("x") as stream:
            await stream.until("tts_message")
            stream.leave()
            await fake.hung_up()
