from __future__ import annotations

import pytest

from weft.providers import provider_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("openai", "openai"),
        ("OpenAI ", "openai"),
        ("langgenius/openai/openai", "openai"),
        ("langgenius/openai_api_compatible/openai_api_compatible", "openai_api_compatible"),
        ("langgenius/gemini/google", "google"),
        ("gemini", "google"),
        ("acme/openai/openai", "acme/openai/openai"),
        ("", ""),
    ],
)
def test_all_spellings_of_a_provider_have_one_key(name: str, key: str) -> None:
    assert provider_key(name) == key
