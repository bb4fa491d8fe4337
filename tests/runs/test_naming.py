from __future__ import annotations

import asyncio

import pytest

from tests.engine.harness import Gate, answer, llm, start
from tests.runs.house import House, TitleModel
from weft.errors import CredentialsError
from weft.providers import Rule, Script, ScriptedModel
from weft.runs import naming, provisional_name
from weft.runs.runner import Runner
from weft.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "New conversation"),
        ("Hi", "Hi"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 20 + "…"),
        ("ü" * 30, "ü" * 20 + "…"),
    ],
)
def test_a_conversation_is_born_with_the_beginning_of_its_first_message(query: str, name: str) -> None:
    assert provisional_name(query) == name


CHAT = {"start": start(), "llm": llm(), "a": answer("{{#llm.text#}}")}
LONG = "word " * 20


async def name_of(
    store: Store, model: TitleModel | ScriptedModel, query: str, *, nodes: object = None
) -> str:
    house = House(store, model=model)
    version = await house.serve(CHAT, "start > llm > a")
    heard = await house.ask(version, query, auto_generate_name=True)
    await house.runner.close(1)
    return (await house.conversation_row(heard)).name


@pytest.mark.parametrize(
    ("pieces", "title"),
    [
        (("Rain", " in Köln"), "Rain in Köln"),
        (('"Rain"',), "Rain"),
        (("「雨」",), "雨"),
        ((" Rain\n in\tKöln ",), "Rain in Köln"),
        (("x" * 75,), "x" * 75),
        (("x" * 76,), "x" * 75 + "..."),
    ],
)
async def test_a_model_finds_a_better_name(store: Store, pieces: tuple[str, ...], title: str) -> None:
    model = TitleModel(*pieces)
    assert await name_of(store, model, "Will it rain?") == title
    request = model.requests[-1]
    assert (request.model, "Will it rain?" in request.messages[0].text) == ("gpt", True)


async def test_a_model_is_not_given_the_whole_of_a_long_message(store: Store) -> None:
    model = TitleModel("Long")
    await name_of(store, model, "x" * 100_000)
    assert len(model.requests[-1].messages[0].text) < 3000


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(TitleModel(" "), id="nothing-said"),
        pytest.param(ScriptedModel(script=Script([Rule(reply="not asked")])), id="script"),
    ],
)
@pytest.mark.parametrize(("query", "name"), [("Hi", "Hi"), (LONG, LONG[:47] + "...")])
async def test_without_a_title_the_name_is_a_cut_of_the_message(
    store: Store, model: TitleModel | ScriptedModel, query: str, name: str
) -> None:
    assert await name_of(store, model, query) == name


async def test_an_app_without_a_model_cuts_the_message_too(house: House) -> None:
    version = await house.serve({"start": start(), "a": answer("x")}, "start > a")
    heard = await house.ask(version, LONG, auto_generate_name=True)
    assert (await house.conversation_row(heard)).name == LONG[:47] + "..."


async def test_a_slow_model_delays_nobody_and_is_given_up_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "_PATIENCE", 0.01)
    gate = Gate()
    house = House(store, model=TitleModel("late", gate=gate))
    version = await house.serve(CHAT, "start > llm > a")
    heard = await house.start(version, LONG, auto_generate_name=True)
    async with asyncio.timeout(5):
        await heard.live.ended()
        assert (await house.conversation_row(heard)).name == LONG[:20] + "…"
        await heard.ended()
    assert (await house.conversation_row(heard)).name == LONG[:20] + "…"
    await house.runner.close(1)


async def test_a_failing_model_leaves_the_name_of_birth(store: Store) -> None:
    model = TitleModel("x", error=CredentialsError("no key"))
    assert await name_of(store, model, LONG) == LONG[:20] + "…"


async def test_whatever_goes_wrong_the_conversation_keeps_its_name(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumble(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(Runner, "name_conversation", stumble)
    version = await house.serve(CHAT, "start > llm > a")
    heard = await house.ask(version, LONG, auto_generate_name=True)
    assert (await house.conversation_row(heard)).name == LONG[:20] + "…"
    assert "keeps its name" in caplog.records[-1].message
    assert heard.live.task is not None
    assert heard.live.task.exception() is None


async def test_only_the_first_message_names_and_only_if_asked_to(store: Store) -> None:
    house = House(store, model=TitleModel("Title"))
    version = await house.serve(CHAT, "start > llm > a")
    heard = await house.ask(version, LONG, auto_generate_name=False)
    assert (await house.conversation_row(heard)).name == LONG[:20] + "…"
    again = await house.ask(
        version, LONG, auto_generate_name=True, conversation=await house.conversation_row(heard)
    )
    assert (await house.conversation_row(again)).name == LONG[:20] + "…"
    await house.runner.close(1)
