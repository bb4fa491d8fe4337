from __future__ import annotations

import pytest

from tests.providers.conftest import HeldClock
from weft.errors import CredentialsError, UnsupportedModelError
from weft.providers import Http, Models, ModelsConfig, ProviderConfig, ScriptedModel
from weft.providers.local import LocalModels
from weft.providers.openai_compatible import OpenAICompatible
from weft.providers.use import Use, UseDefaults

KEY = ProviderConfig(api_key="k")
NAMED = ProviderConfig(base_url="http://h/v1", embedding_model="e", speech_model="s", rerank_model="r")
SCRIPTED = ProviderConfig(type="scripted")


def found(
    use: Use,
    providers: dict[str, ProviderConfig],
    default: ProviderConfig | None = None,
    *,
    installed: bool = False,
) -> tuple[str, str]:
    return UseDefaults(providers, default, lambda name: f"/bin/{name}" if installed else None).find(use)


@pytest.mark.parametrize(
    ("use", "providers", "expected"),
    [
        ("embedding", {"a": KEY, "b": NAMED}, ("b", "e")),
        ("speech", {"openai": KEY, "b": NAMED}, ("b", "s")),
        ("speech", {"openai": KEY}, ("openai", "gpt-4o-mini-tts")),
        ("transcription", {"x": SCRIPTED, "openai": KEY, "b": NAMED}, ("openai", "gpt-4o-mini-transcribe")),
        ("moderation", {"openai": KEY}, ("openai", "omni-moderation-latest")),
        ("embedding", {"openai": KEY}, ("weft", "hashed-ngram")),
        ("embedding", {"x": SCRIPTED}, ("weft", "hashed-ngram")),
        ("speech", {"x": SCRIPTED}, ("x", "scripted")),
        ("rerank", {"x": SCRIPTED}, ("x", "scripted")),
        ("speech", {"v": ProviderConfig(type="espeak-ng")}, ("v", "espeak-ng")),
    ],
)
def test_the_first_table_that_names_a_model_counts_then_what_is_known(
    use: Use, providers: dict[str, ProviderConfig], expected: tuple[str, str]
) -> None:
    assert found(use, providers) == expected


@pytest.mark.parametrize("use", ["rerank", "speech", "transcription", "moderation"])
def test_where_nobody_does_it_the_message_says_what_to_set(use: Use) -> None:
    other = {"openai": ProviderConfig(base_url="http://h/v1")}
    with pytest.raises(CredentialsError, match=rf"no model for {use}; set {use}_model in a \[providers"):
        found(use, other)


def test_an_installed_voice_is_taken_before_a_script_but_not_where_all_is_a_script() -> None:
    both = {"openai": ProviderConfig(base_url="http://h/v1"), "x": SCRIPTED}
    assert found("speech", both, installed=True) == ("espeak-ng", "espeak-ng")
    assert found("speech", {}, SCRIPTED, installed=True) == ("scripted", "scripted")
    assert found("transcription", {}, SCRIPTED, installed=True) == ("scripted", "scripted")


def test_without_any_settings_everything_has_somebody_who_does_it(clock: HeldClock) -> None:
    models = Models(ModelsConfig(), clock=clock, http=Http())

    embedding, name = models.resolve_embedding()
    assert (type(embedding), name) == (LocalModels, "hashed-ngram")
    resolved = [
        models.resolve_rerank(),
        models.resolve_speech(),
        models.resolve_transcription(),
        models.resolve_moderation(),
    ]
    assert [(type(face), model) for face, model in resolved] == [(ScriptedModel, "scripted")] * 4


def test_a_model_can_be_named_and_is_translated(clock: HeldClock) -> None:
    config = ProviderConfig(base_url="http://h/v1", models={"small": "e5"}, embedding_model="e")
    models = Models(ModelsConfig(providers={"acme": config}), clock=clock, http=Http())

    face, name = models.resolve_embedding("langgenius/acme/acme", "small")
    assert (type(face), name) == (OpenAICompatible, "e5")
    assert models.resolve_embedding("acme")[1] == "e"
    assert models.resolve_embedding("weft", "hashed-ngram")[1] == "hashed-ngram"
    with pytest.raises(CredentialsError, match="'cohere' is not set up"):
        models.resolve_rerank("cohere", "rerank-v3")


def test_a_provider_that_does_not_do_it_is_named(clock: HeldClock) -> None:
    table = {"mine": ProviderConfig(type="weft", rerank_model="x")}
    models = Models(ModelsConfig(providers=table), clock=clock, http=Http())

    for resolve, what in (
        (models.resolve_rerank, "rerank"),
        (models.resolve_speech, "speak"),
        (models.resolve_transcription, "write down recordings"),
        (models.resolve_moderation, "judge texts"),
    ):
        with pytest.raises(UnsupportedModelError, match=f"provider 'mine' cannot {what}; name another"):
            resolve("mine", "x")
