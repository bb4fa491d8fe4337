from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest

from tests.providers.conftest import HeldClock
from weft.clock import Clock
from weft.errors import ConfigError, CredentialsError
from weft.providers import (
    PROVIDER_TYPES,
    ChatModel,
    ChatRequest,
    Http,
    Message,
    Models,
    ModelsConfig,
    PriceTable,
    ProviderConfig,
    ProviderType,
    ScriptedModel,
    open_models,
)
from weft.providers.openai_compatible import OpenAICompatible
from weft.registry import Registry

pytestmark = pytest.mark.anyio


def _models(clock: Clock, default: ProviderConfig | None = None, **providers: ProviderConfig) -> Models:
    return open_models(ModelsConfig(providers=providers, default=default), clock=clock)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("openai", "langgenius/openai/openai"),
        ("langgenius/openai/openai", "openai"),
        ("openai", "openai"),
        ("google", "langgenius/gemini/google"),
        ("gemini", "google"),
    ],
)
async def test_both_spellings_of_a_provider_find_each_other(
    clock: HeldClock, written: str, asked: str
) -> None:
    chat, model = _models(clock, **{written: ProviderConfig(api_key="key")}).resolve(asked, "m")
    assert (chat.name, model, type(chat)) == (asked, "m", OpenAICompatible)


async def test_a_provider_is_opened_once(clock: HeldClock) -> None:
    models = _models(clock, openai=ProviderConfig(api_key="key"))
    assert models.resolve("openai", "a")[0] is models.resolve("openai", "b")[0]


async def test_a_provider_without_a_table_is_served_by_the_default(clock: HeldClock) -> None:
    models = _models(clock, ProviderConfig(base_url="http://gpu/v1"), openai=ProviderConfig(type="scripted"))
    assert isinstance(models.resolve("openai", "m")[0], ScriptedModel)
    assert repr(models.resolve("tongyi", "m")[0]) == "OpenAICompatible('tongyi', Endpoint('http://gpu/v1'))"


async def test_with_nothing_configured_everything_is_scripted(clock: HeldClock) -> None:
    chat, model = _models(clock).resolve("langgenius/openai/openai", "gpt-4o")
    request = ChatRequest(model, [Message("user", "hi")])
    assert "".join([chunk.text async for chunk in chat.stream_chat(request)]) == "You said: hi"


async def test_names_of_models_are_mapped(clock: HeldClock) -> None:
    config = ProviderConfig(type="scripted", models={"gpt-4": "llama", "*": "qwen"})
    models = _models(clock, config)
    assert [models.resolve("openai", name)[1] for name in ("gpt-4", "gpt-5")] == ["llama", "qwen"]


async def test_a_script_comes_from_the_options(clock: HeldClock) -> None:
    options: dict[str, object] = {"rules": [{"reply": "from options"}]}
    chat, model = _models(clock, ProviderConfig(type="scripted", options=options)).resolve("x", "m")
    request = ChatRequest(model, [Message("user", "hi")])
    assert "".join([chunk.text async for chunk in chat.stream_chat(request)]) == "from options"


async def test_a_provider_that_nobody_set_up_says_what_to_set(clock: HeldClock) -> None:
    with pytest.raises(CredentialsError) as caught:
        _models(clock, openai=ProviderConfig(api_key="k")).resolve("langgenius/tongyi/tongyi", "qwen-max")
    assert str(caught.value) == (
        "provider 'langgenius/tongyi/tongyi' is not set up; add [providers.tongyi] with api_key or base_url "
        "to weft.toml, or start with --models URL"
    )
    assert (caught.value.provider, caught.value.model) == ("langgenius/tongyi/tongyi", "qwen-max")


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("openai", r"provider 'openai' has no key; set api_key in \[providers.openai\] of weft.toml"),
        ("acme/a/b", r"""provider 'acme/a/b' has no address; set base_url in \[providers."acme/a/b"\]"""),
    ],
)
async def test_a_table_without_key_or_address_says_what_to_set(
    clock: HeldClock, provider: str, words: str
) -> None:
    with pytest.raises(CredentialsError, match=words):
        _models(clock, **{provider: ProviderConfig()}).resolve(provider, "m")


async def test_a_local_service_needs_no_key(clock: HeldClock) -> None:
    chat, _ = _models(clock, ollama=ProviderConfig()).resolve("langgenius/ollama/ollama", "llama3")
    assert repr(chat).endswith("Endpoint('http://localhost:11434/v1'))")


def test_two_tables_for_one_provider_are_refused(clock: HeldClock) -> None:
    with pytest.raises(ConfigError, match="provider 'langgenius/openai/openai' is configured twice"):
        _models(clock, **{"openai": ProviderConfig(), "langgenius/openai/openai": ProviderConfig()})


def test_an_unknown_type_is_refused_at_once(clock: HeldClock) -> None:
    with pytest.raises(
        ConfigError, match="unknown provider type 'telepathy'; known: espeak-ng, openai-compatible, scripted"
    ):
        _models(clock, ProviderConfig(type="telepathy"))


def test_all_types_of_ours_can_be_had() -> None:
    assert PROVIDER_TYPES.names() == ["espeak-ng", "openai-compatible", "scripted", "weft"]
    assert PROVIDER_TYPES.get("openai-compatible") is OpenAICompatible


async def test_a_plugin_gets_its_settings_clock_and_session(clock: HeldClock) -> None:
    seen: list[tuple[str, ProviderConfig, Clock, Http]] = []

    def plugin(name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> ChatModel:
        seen.append((name, config, clock, http))
        return ScriptedModel(name)

    types: Registry[ProviderType] = Registry("provider type", "weft.nothing", {})
    types.add("mine", plugin)
    config, http = ProviderConfig(type="mine", options={"depth": 3}), Http()
    models = Models(ModelsConfig(providers={"acme": config}), clock=clock, http=http, types=types)
    models.resolve("acme", "m")
    assert seen == [("acme", config, clock, http)]


async def test_closing_closes_every_opened_provider(clock: HeldClock) -> None:
    closed: list[str] = []

    class Closing(ScriptedModel):
        async def close(self) -> None:
            closed.append(self.name)

    def plugin(name: str, config: ProviderConfig, *, clock: Clock, http: Http) -> ChatModel:
        return Closing(name)

    types: Registry[ProviderType] = Registry("provider type", "weft.nothing", {})
    types.add("mine", plugin)
    models = Models(ModelsConfig(default=ProviderConfig(type="mine")), clock=clock, http=Http(), types=types)
    models.resolve("a", "m")
    models.resolve("b", "m")
    await models.close()
    await models.close()
    assert closed == ["a", "b"]


def test_the_prices_of_the_configuration_are_at_hand(clock: HeldClock) -> None:
    prices = PriceTable(built_in=False)
    assert open_models(ModelsConfig(prices=prices), clock=clock).prices is prices


async def test_a_given_session_is_used_and_stays_open(clock: HeldClock) -> None:
    async with aiohttp.ClientSession() as session:
        http = Http(session)
        assert http.session() is session
        await http.close()
        assert not session.closed


async def test_an_own_session_is_opened_when_needed_and_closed() -> None:
    http = Http()
    session = http.session()
    assert http.session() is session
    await http.close()
    await http.close()
    assert session.closed
    again = http.session()
    assert again is not session
    await http.close()


async def test_a_script_needs_no_http_library() -> None:
    program = """
import sys
from weft.clock import SystemClock
from weft.providers import ModelsConfig, open_models
open_models(ModelsConfig(), clock=SystemClock()).resolve("openai", "gpt-4o")
print("aiohttp" in sys.modules)
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    assert output.split() == [b"False"]
