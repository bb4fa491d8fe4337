from __future__ import annotations

from decimal import Decimal

import pytest

from weft.errors import ConfigError
from weft.providers import Price, PriceTable, TokenUsage, Usage


def test_a_call_is_priced_exactly_and_timed() -> None:
    table = PriceTable.parse({"openai/gpt-4o-mini": {"input": "0.15", "output": "0.60"}})
    usage = table.usage(
        "langgenius/openai/openai",
        "gpt-4o-mini",
        TokenUsage(33, 135, 168),
        latency=1.25,
        time_to_first_token=0.5,
    )
    assert usage == Usage(
        prompt_tokens=33,
        prompt_unit_price=Decimal("0.15"),
        prompt_price_unit=Decimal("0.000001"),
        prompt_price=Decimal("0.0000050"),
        completion_tokens=135,
        completion_unit_price=Decimal("0.60"),
        completion_price_unit=Decimal("0.000001"),
        completion_price=Decimal("0.0000810"),
        total_tokens=168,
        total_price=Decimal("0.0000860"),
        currency="USD",
        latency=1.25,
        time_to_first_token=0.5,
        time_to_generate=0.75,
    )


def test_a_model_without_a_price_costs_nothing_and_still_counts() -> None:
    usage = PriceTable().usage("acme", "thing", TokenUsage(1, 2, 3), latency=0.5)
    assert (usage.total_tokens, usage.total_price, usage.currency, usage.time_to_generate) == (
        3,
        Decimal(0),
        "USD",
        None,
    )


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("openai", "gpt-4o", "1"),
        ("langgenius/openai/openai", "GPT-4o", "1"),
        ("openai", "gpt-4o-mini", "2"),
        ("openai", "o3", "3"),
        ("acme", "gpt-4o", "4"),
        ("openrouter", "meta-llama/llama-3", "5"),
        ("acme/x/y", "big", "6"),
    ],
)
def test_the_most_precise_entry_wins(provider: str, model: str, price: str) -> None:
    table = PriceTable(
        {
            key: Price(Decimal(value), Decimal(value))
            for key, value in {
                "*/*": "9",
                "*/gpt-4o": "4",
                "openai/*": "3",
                "openai/gpt-4o*": "2",
                "langgenius/openai/openai/gpt-4o": "1",
                "openrouter/meta-llama/*": "5",
                "acme/*/big": "6",
            }.items()
        }
    )
    found = table.find(provider, model)
    assert found is not None
    assert found.input == Decimal(price)


def test_own_prices_come_before_the_built_in_ones() -> None:
    table = PriceTable.parse({"openai/*": {"input": 7, "output": 7, "currency": "EUR"}})
    assert table.find("openai", "gpt-4o") == Price(Decimal(7), Decimal(7), currency="EUR")


def test_well_known_models_have_a_price() -> None:
    found = [
        PriceTable().find(*name)
        for name in [
            ("openai", "gpt-4o"),
            ("openai", "gpt-4o-mini-2024-07-18"),
            ("google", "gemini-2.0-flash-exp"),
            ("deepseek", "deepseek-chat"),
            ("anthropic", "claude-3-5-sonnet-20240620"),
        ]
    ]
    assert [(price.input, price.output) if price else None for price in found] == [
        (Decimal("2.5"), Decimal("10")),
        (Decimal("0.15"), Decimal("0.6")),
        (Decimal("0.1"), Decimal("0.4")),
        (Decimal("0.28"), Decimal("0.42")),
        (Decimal("3"), Decimal("15")),
    ]


def test_the_built_in_prices_can_be_left_out() -> None:
    assert PriceTable(built_in=False).find("openai", "gpt-4o") is None


def test_a_float_means_what_it_looks_like() -> None:
    table = PriceTable.parse({"a/b": {"input": 0.15, "output": 0.6, "unit": "0.001"}})
    assert table.find("a", "b") == Price(Decimal("0.15"), Decimal("0.6"), Decimal("0.001"))


@pytest.mark.parametrize(
    ("key", "table", "words"),
    [
        ("openai", {"input": 1, "output": 1}, "names no model"),
        ("langgenius/openai/openai", {"input": 1, "output": 1}, "names no model"),
        ("a/b", 3, "must be a table"),
        ("a/b", {"input": 1}, "must hold input and output"),
        ("a/b", {"input": 1, "output": 1, "ouput": 1}, "must hold input and output"),
        ("a/b", {"input": "cheap", "output": 1}, "input is 'cheap'"),
        ("a/b", {"input": 1, "output": -1}, "output is -1"),
        ("a/b", {"input": "nan", "output": 1}, "input is 'nan'"),
    ],
)
def test_a_wrong_price_is_named(key: str, table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PriceTable.parse({key: table})


def test_asking_for_many_models_does_not_fill_the_memory() -> None:
    table = PriceTable()
    for number in range(3000):
        table.find("openai", f"model-{number}")
    assert table.find("openai", "gpt-4o") is not None
    assert len(table._found) <= 1024
