from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.providers.conftest import HeldClock
from weft.errors import BadReplyError, ProviderError, ProviderTimeoutError, UnsupportedModelError
from weft.providers import (
    AudioChunk,
    Moderation,
    ProviderConfig,
    Recording,
    SpeechRequest,
    Timeouts,
    TokenUsage,
)
from weft.providers.openai_compatible import OpenAICompatible
from weft.testing.fake_models import Behaviour, FakeModels

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(
    *behaviours: Behaviour, clock: HeldClock, name: str = "acme", path: str = "", **config: object
) -> AsyncIterator[tuple[FakeModels, OpenAICompatible]]:
    async with FakeModels() as fake:
        fake.then(*behaviours)
        settings = ProviderConfig(base_url=fake.url + path, **config)  # type: ignore[arg-type]  # test's own
        provider = OpenAICompatible(name, settings, clock=clock)
        try:
            yield fake, provider
        finally:
            await provider.close()


async def spoken(provider: OpenAICompatible, text: str, voice: str = "") -> list[AudioChunk]:
    return [chunk async for chunk in provider.stream_speech(SpeechRequest("m", text, voice))]


async def test_texts_are_embedded_in_parts_and_tokens_are_counted_over_all(clock: HeldClock) -> None:
    async with opened(clock=clock) as (fake, provider):
        found = await provider.embed("m", ["a b", *["c"] * 39])

    assert [len(request.json["input"]) for request in fake.requests] == [32, 8]
    assert fake.requests[0].json == {"model": "m", "input": ["a b", *["c"] * 31]}
    assert found.vectors[0] == array("f", [1, 1, *[0] * 24, 1])
    assert found.usage == TokenUsage(41, 0, 41)


async def test_long_texts_make_smaller_parts(clock: HeldClock) -> None:
    async with opened(clock=clock) as (fake, provider):
        await provider.embed("m", ["a" * 150_000, "b" * 150_000, "c"])

    assert [len(request.json["input"]) for request in fake.requests] == [1, 2]


async def test_vectors_are_put_in_the_order_of_their_numbers(clock: HeldClock) -> None:
    rows = [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]
    async with opened(Behaviour(body={"data": rows}), clock=clock) as (_, provider):
        found = await provider.embed("m", ["x", "yy"])

    assert [list(vector) for vector in found.vectors] == [[1.0], [2.0]]
    assert found.usage.total_tokens == 2  # estimated, as the service says nothing


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"data": [{"embedding": [1]}]}, "asked for 2 vectors and sent 1"),
        ({"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}, r"of lengths \[1, 2\]"),
        ({"date": []}, "cannot be understood"),
        ({"data": [{"embedding": "AAAA"}]}, "cannot be understood"),
    ],
)
async def test_vectors_that_do_not_fit_are_a_bad_reply(
    body: dict[str, object], reason: str, clock: HeldClock
) -> None:
    async with opened(Behaviour(body=body), clock=clock) as (_, provider):
        with pytest.raises(BadReplyError, match=reason):
            await provider.embed("m", ["one", "two"])


async def test_a_service_that_is_busy_is_asked_again(clock: HeldClock) -> None:
    busy = Behaviour(status=429, body={"error": {"message": "slow"}}, headers={"Retry-After": "3"})
    async with opened(busy, clock=clock) as (fake, provider):
        await provider.embed("m", ["x"])

    assert (len(fake.requests), clock.waits) == (2, [3.0])


async def test_scores_stand_in_the_order_of_the_texts(clock: HeldClock) -> None:
    async with opened(clock=clock) as (fake, provider):
        found = await provider.rerank("m", "red car", ["blue", "red car", "car"])

    assert fake.requests[0].path == "/v1/rerank"
    assert fake.requests[0].json == {
        "model": "m",
        "query": "red car",
        "documents": ["blue", "red car", "car"],
    }
    assert (found.scores, found.usage) == ([0.0, 1.0, 0.5], TokenUsage(6, 0, 6))


@pytest.mark.parametrize(
    "body",
    [
        b'[{"index":1,"score":0.9},{"index":0,"score":0.1}]',
        {"data": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]},
        {
            "results": [
                {"index": 1, "relevance_score": 0.9, "document": {"text": "y"}},
                {"index": 0, "relevance_score": 0.1},
            ],
            "meta": {"billed_units": {"search_units": 1}},
        },
    ],
    ids=["tei", "voyage", "cohere"],
)
async def test_every_usual_shape_of_scores_is_read(body: bytes | dict[str, object], clock: HeldClock) -> None:
    async with opened(Behaviour(body=body), clock=clock) as (_, provider):
        assert (await provider.rerank("m", "q", ["x", "y"])).scores == [0.1, 0.9]


async def test_a_text_that_the_model_leaves_out_has_no_score(clock: HeldClock) -> None:
    body = {"results": [{"index": 1, "relevance_score": 0.9}]}
    async with opened(Behaviour(body=body), clock=clock) as (_, provider):
        assert (await provider.rerank("m", "q", ["x", "y"])).scores == [None, 0.9]


@pytest.mark.parametrize("row", [{"index": 2, "score": 0.9}, {"index": 0}, {"index": -1, "score": 0.5}])
async def test_scores_of_strange_texts_are_a_bad_reply(row: dict[str, object], clock: HeldClock) -> None:
    async with opened(Behaviour(body={"results": [row]}), clock=clock) as (_, provider):
        with pytest.raises(BadReplyError, match="scored a passage that it was not given"):
            await provider.rerank("m", "q", ["x", "y"])


async def test_a_service_that_says_texts_for_documents_is_understood(
    clock: HeldClock,
) -> None:
    refusal = Behaviour(status=422, body=b"Failed to deserialize: missing field `texts` at line 1")
    good = Behaviour(body=b'[{"index":0,"score":0.5}]')
    async with opened(refusal, good, good, clock=clock) as (fake, provider):
        for _ in range(2):
            assert (await provider.rerank("m", "q", ["x"])).scores == [0.5]

    assert [sorted(request.json) for request in fake.requests] == [
        ["documents", "model", "query"],
        ["model", "query", "texts"],
        ["model", "query", "texts"],
    ]


async def test_a_refusal_to_rerank_is_told_as_it_is(clock: HeldClock) -> None:
    async with opened(Behaviour(status=422, body=b"too many"), clock=clock) as (_, provider):
        with pytest.raises(ProviderError, match="too many"):
            await provider.rerank("m", "q", ["x"])


async def test_reranking_may_have_an_address_of_its_own(clock: HeldClock) -> None:
    async with FakeModels() as fake:
        config = ProviderConfig(base_url="http://127.0.0.1:9/v1", rerank_url=f"{fake.url}/rerank?x=1")
        provider = OpenAICompatible("acme", config, clock=clock)
        assert (await provider.rerank("m", "q", ["q"])).scores == [1.0]
        await provider.close()


async def test_other_addresses_lie_beside_the_chat(clock: HeldClock) -> None:
    async with opened(clock=clock, path="/chat/completions?api-version=1") as (fake, provider):
        await provider.embed("m", ["x"])

    assert fake.requests[0].path == "/v1/embeddings?api-version=1"


async def test_speech_comes_as_the_service_sends_it(clock: HeldClock) -> None:
    async with opened(clock=clock, voices=["ann", "bob"]) as (fake, provider):
        chunks = await spoken(provider, "one two", "bob")

    assert fake.requests[0].json == {
        "model": "m",
        "input": "one two",
        "response_format": "mp3",
        "voice": "bob",
    }
    assert b"".join(chunk.data for chunk in chunks) == b"ID3one two"
    assert {chunk.media_type for chunk in chunks} == {"audio/mpeg"}


@pytest.mark.parametrize(
    ("voices", "wanted", "asked"),
    [
        (["ann"], "", "ann"),
        (["ann"], "unknown", "ann"),
        ([], "any", "any"),
        ([], "", None),
    ],
)
async def test_a_voice_that_is_not_there_becomes_the_first(
    voices: list[str], wanted: str, asked: str | None, clock: HeldClock
) -> None:
    async with opened(clock=clock, voices=voices) as (fake, provider):
        await spoken(provider, "x", wanted)

    assert fake.requests[0].json.get("voice") == asked


async def test_the_voices_of_a_well_known_service_are_known(clock: HeldClock) -> None:
    async with opened(clock=clock, name="openai") as (_, provider):
        assert list(provider.voices("m"))[:2] == ["alloy", "ash"]


async def test_a_long_text_is_spoken_sentence_by_sentence(clock: HeldClock) -> None:
    text = "A sentence of no meaning. " * 400 + "x" * 9000
    async with opened(clock=clock) as (fake, provider):
        await spoken(provider, text)

    said = [request.json["input"] for request in fake.requests]
    assert max(len(piece) for piece in said) <= 4000
    assert "".join(said).replace(" ", "") == text.replace(" ", "")
    assert said[0].endswith("meaning.")


async def test_a_text_in_the_place_of_audio_is_a_bad_reply(clock: HeldClock) -> None:
    behaviour = Behaviour(raw=[b"{}"], headers={"Content-Type": "application/json"})
    async with opened(behaviour, clock=clock) as (_, provider):
        with pytest.raises(BadReplyError, match="no audio but application/json"):
            await spoken(provider, "x")


async def test_audio_that_stops_coming_times_out(clock: HeldClock) -> None:
    behaviour = Behaviour(raw=[b"one", b"two"], stall_after=1)
    timeouts = Timeouts(between_chunks=0.05)
    async with opened(behaviour, clock=clock, timeouts=timeouts) as (_, provider):
        with pytest.raises(ProviderTimeoutError, match=r"sent nothing for 0\.05 s in the middle"):
            await spoken(provider, "x")


async def test_audio_that_breaks_off_is_a_bad_reply(clock: HeldClock) -> None:
    behaviour = Behaviour(raw=[b"one", b"two"], break_after=1, interval_s=0.001)
    async with opened(behaviour, clock=clock) as (_, provider):
        with pytest.raises(BadReplyError, match="broke in the middle"):
            await spoken(provider, "x")


async def test_a_recording_is_sent_as_a_form(clock: HeldClock) -> None:
    async with opened(Behaviour(text=" Hello. "), clock=clock) as (fake, provider):
        heard = await provider.transcribe("m", Recording(b"\x00\xff\r\n", 'a"\r\n.wav', "audio/wav"))

    request = fake.requests[0]
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert (heard.text, kind, request.path) == ("Hello.", "multipart/form-data", "/v1/audio/transcriptions")
    lead = f'--{boundary}\r\nContent-Disposition: form-data; name="'.encode()
    assert request.body == (
        lead
        + b'model"\r\n\r\nm\r\n'
        + lead
        + b'response_format"\r\n\r\njson\r\n'
        + lead
        + b'file"; filename="a___.wav"\r\nContent-Type: audio/wav\r\n\r\n\x00\xff\r\n'
        + f"\r\n--{boundary}--\r\n".encode()
    )


async def test_texts_are_judged_by_category(clock: HeldClock) -> None:
    async with opened(clock=clock) as (_, provider):
        judged = await provider.moderate("m", ["fine", "bad words"])

    assert judged == [Moderation(False), Moderation(True, ["hate"])]


async def test_a_judgement_too_few_is_a_bad_reply(clock: HeldClock) -> None:
    async with opened(Behaviour(body={"results": []}), clock=clock) as (_, provider):
        with pytest.raises(BadReplyError, match="judged 0 of 1 texts"):
            await provider.moderate("m", ["x"])


async def test_an_address_that_is_not_there_speaks_of_the_model(clock: HeldClock) -> None:
    behaviour = Behaviour(status=404, body={"error": {"message": "Not Found"}})
    async with opened(behaviour, clock=clock) as (_, provider):
        with pytest.raises(UnsupportedModelError, match=r"check the model's name, and base_url"):
            await provider.rerank("m", "q", ["x"])
