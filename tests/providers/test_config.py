from __future__ import annotations

import pytest

from weft.errors import ConfigError
from weft.providers import ModelsConfig, ProviderConfig, Timeouts, parse_models_config


def test_tables_of_a_settings_file_become_a_configuration() -> None:
    config = parse_models_config(
        providers={
            "openai": {"api_key": "sk-secret", "timeouts": {"connect": 3}},
            "langgenius/acme/acme": {
                "base_url": "http://gpu:8000/v1",
                "models": {"*": "llama-3.1-8b"},
                "headers": {"X-Team": "blue"},
                "max_retries": 0,
                "features": {"llama*": ["tool-call"]},
                "context_sizes": {"llama*": 8192},
            },
        },
        url="http://localhost:11434",
        api_key="local",
    )
    assert config.providers == {
        "openai": ProviderConfig(api_key="sk-secret", timeouts=Timeouts(connect=3)),
        "langgenius/acme/acme": ProviderConfig(
            base_url="http://gpu:8000/v1",
            models={"*": "llama-3.1-8b"},
            headers={"X-Team": "blue"},
            max_retries=0,
            features={"llama*": ["tool-call"]},
            context_sizes={"llama*": 8192},
        ),
    }
    assert config.default == ProviderConfig(base_url="http://localhost:11434", api_key="local")


def test_nothing_configured_means_no_default() -> None:
    config = parse_models_config()
    assert (config.providers, config.default) == ({}, None)


def test_the_endpoint_may_be_the_script() -> None:
    assert parse_models_config(url="scripted").default == ProviderConfig(type="scripted")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"api_kay": "x"}, r"\[providers.openai\]: .*api_kay"),
        ({"max_retries": -1}, r"\[providers.openai\]: .*max_retries"),
        ({"timeouts": {"connect": 0}}, r"\[providers.openai\]: .*timeouts.connect"),
        ({"features": {"x": ["sight"]}}, r"\[providers.openai\]: .*sight"),
        ("http://x", r"\[providers.openai\]: "),
        (
            {"base_url": "api.example.com/v1"},
            r"\[providers.openai\] base_url: 'api.example.com/v1' is no address",
        ),
        ({"base_url": "file:///etc"}, "is no address"),
    ],
)
def test_a_wrong_table_is_named_with_its_field(table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_models_config(providers={"openai": table})


def test_a_wrong_endpoint_is_refused() -> None:
    with pytest.raises(ConfigError, match="--models: 'localhost:11434' is no address"):
        parse_models_config(url="localhost:11434")


def test_a_secret_never_shows() -> None:
    config = ProviderConfig(
        base_url="https://user:pass-word@host:1/v1?key=query-secret",
        api_key="sk-secret",
        headers={"x-key": "header-secret"},
        options={"token": "option-secret"},
    )
    assert repr(config) == (
        "ProviderConfig(type='openai-compatible', base_url='https://host:1/v1', api_key=***)"
    )
    assert "secret" not in repr(ModelsConfig(providers={"a": config}))
    assert "secret" not in f"{config}"
