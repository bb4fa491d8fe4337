from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from weft.clock import SystemClock
from weft.providers import Http, ProviderConfig, Rule, Script, ScriptedModel, Timeouts
from weft.providers.local import LocalModels
from weft.providers.openai_compatible import OpenAICompatible
from weft.testing.fake_models import Behaviour, FakeModels
from weft.testing.provider_contract import (
    ChatModelContract,
    ModelServicesContract,
    ServicesSubject,
    Situation,
    Subject,
)

_REFUSALS = {
    "CredentialsError": Behaviour(status=401, body={"error": {"message": "wrong key"}}),
    "RateLimitedError": Behaviour(status=429, body={"error": {"message": "slow down"}}),
    "QuotaExceededError": Behaviour(status=402, body={"error": {"message": "no money"}}),
    "UnsupportedModelError": Behaviour(status=404, body={"error": {"message": "no such model"}}),
    "ProviderTimeoutError": Behaviour(stall_after=0),
    "BadReplyError": Behaviour(body="<html>"),
    "ProviderError": Behaviour(status=400, body={"error": {"message": "too long"}}),
}


def _behaviour(situation: Situation) -> Behaviour:
    pieces = len(situation.text.split(" ")) + 1
    if situation.error and situation.text:
        return Behaviour(text=situation.text, break_after=pieces)
    if situation.error:
        return _REFUSALS[situation.error]
    if situation.endless:
        return Behaviour(text=situation.text, stall_after=pieces)
    return Behaviour(text=situation.text, tool_calls=situation.tool_calls)


@asynccontextmanager
async def _openai(situation: Situation) -> AsyncIterator[Subject]:
    async with FakeModels(_behaviour(situation)) as fake:
        # Only the situation that waits for a timeout has a short one.
        timeouts = Timeouts(first_byte=0.05) if situation.error == "ProviderTimeoutError" else Timeouts()
        config = ProviderConfig(base_url=fake.url, timeouts=timeouts, max_retries=0)
        chat = OpenAICompatible("acme", config, clock=SystemClock())
        yield Subject(chat, "m", fake.hung_up)
        await chat.close()


class EndlessClock(SystemClock):
    """Lets the first waits pass; the one after them never ends."""

    def __init__(self, waits: int) -> None:
        self._left = waits

    async def sleep(self, seconds: float) -> None:
        self._left -= 1
        if self._left < 0:
            await asyncio.Event().wait()


@asynccontextmanager
async def _scripted(situation: Situation) -> AsyncIterator[Subject]:
    words = situation.text.split(" ")
    rule = Rule(
        reply=situation.text + (" never" if situation.endless else ""),
        tool_calls=list(situation.tool_calls),
        error=situation.error or None,
        delay_s=1.0 if situation.endless else 0.0,
    )
    chat = ScriptedModel("acme", Script([rule]), clock=EndlessClock(len(words)))
    yield Subject(chat, "m", _nobody_there)


async def _nobody_there() -> None:
    return


class TestOpenAICompatible(ChatModelContract):
    pytestmark = pytest.mark.anyio

    def given(self, situation: Situation) -> AbstractAsyncContextManager[Subject]:
        return _openai(situation)


@asynccontextmanager
async def _services(error: str) -> AsyncIterator[ServicesSubject]:
    async with FakeModels(_REFUSALS[error] if error else None) as fake:
        config = ProviderConfig(base_url=fake.url, max_retries=0)
        provider = OpenAICompatible("acme", config, clock=SystemClock())
        yield ServicesSubject("m", provider, provider, provider, provider, provider)
        await provider.close()


@asynccontextmanager
async def _scripted_services(error: str) -> AsyncIterator[ServicesSubject]:
    provider = ScriptedModel("acme")
    if error:
        yield ServicesSubject("m")  # a script fails in chats only
    else:
        yield ServicesSubject("m", provider, provider, provider, provider, provider)


@asynccontextmanager
async def _local(error: str) -> AsyncIterator[ServicesSubject]:
    local = LocalModels("acme", ProviderConfig(), clock=SystemClock(), http=Http())
    yield ServicesSubject("hashed-ngram") if error else ServicesSubject("hashed-ngram", local)


class TestOpenAIServices(ModelServicesContract):
    pytestmark = pytest.mark.anyio

    def given_services(self, error: str = "") -> AbstractAsyncContextManager[ServicesSubject]:
        return _services(error)


class TestScriptedServices(ModelServicesContract):
    pytestmark = pytest.mark.anyio

    def given_services(self, error: str = "") -> AbstractAsyncContextManager[ServicesSubject]:
        return _scripted_services(error)


class TestLocalModels(ModelServicesContract):
    pytestmark = pytest.mark.anyio

    def given_services(self, error: str = "") -> AbstractAsyncContextManager[ServicesSubject]:
        return _local(error)


class TestScripted(ChatModelContract):
    pytestmark = pytest.mark.anyio

    def given(self, situation: Situation) -> AbstractAsyncContextManager[Subject]:
        return _scripted(situation)
