from __future__ import annotations

from decimal import Decimal

import msgspec

from weft.providers import Usage

_MILLION = Decimal("0.000001")


def _usage(tokens: int, price: str, *, currency: str = "USD", first: float | None = 0.5) -> Usage:
    return Usage(
        prompt_tokens=tokens,
        prompt_unit_price=Decimal("2"),
        prompt_price_unit=_MILLION,
        prompt_price=Decimal(price),
        completion_tokens=tokens,
        completion_unit_price=Decimal("8"),
        completion_price_unit=_MILLION,
        completion_price=Decimal(price),
        total_tokens=2 * tokens,
        total_price=2 * Decimal(price),
        currency=currency,
        latency=1.5,
        time_to_first_token=first,
        time_to_generate=None if first is None else 1.0,
    )


def test_zero_has_every_key_of_the_api() -> None:
    assert Usage.zero().to_wire() == {
        "prompt_tokens": 0,
        "prompt_unit_price": "0",
        "prompt_price_unit": "0",
        "prompt_price": "0",
        "completion_tokens": 0,
        "completion_unit_price": "0",
        "completion_price_unit": "0",
        "completion_price": "0",
        "total_tokens": 0,
        "total_price": "0",
        "currency": "USD",
        "latency": 0.0,
        "time_to_first_token": None,
        "time_to_generate": None,
    }


def test_prices_go_out_as_plain_decimal_strings() -> None:
    wire = _usage(3, "0.0000060").to_wire()
    assert (wire["prompt_price_unit"], wire["prompt_price"], wire["total_price"]) == (
        "0.000001",
        "0.0000060",
        "0.0000120",
    )
    assert Usage(total_price=Decimal("0E-7")).to_wire()["total_price"] == "0.0000000"


def test_what_went_out_can_be_read_back() -> None:
    usage = _usage(3, "0.000006")
    assert msgspec.convert(usage.to_wire(), Usage) == usage


def test_adding_sums_amounts_and_keeps_the_first_wait() -> None:
    total = _usage(3, "0.1", first=0.25) + _usage(4, "0.2")
    assert total == Usage(
        prompt_tokens=7,
        prompt_unit_price=Decimal("2"),
        prompt_price_unit=_MILLION,
        prompt_price=Decimal("0.3"),
        completion_tokens=7,
        completion_unit_price=Decimal("8"),
        completion_price_unit=_MILLION,
        completion_price=Decimal("0.3"),
        total_tokens=14,
        total_price=Decimal("0.6"),
        currency="USD",
        latency=3.0,
        time_to_first_token=0.25,
        time_to_generate=2.0,
    )


def test_adding_nothing_changes_nothing() -> None:
    usage = _usage(3, "0.1", currency="RMB")
    assert usage + Usage.zero() == usage
    assert Usage.zero() + usage == usage


def test_prices_in_two_currencies_are_not_mixed() -> None:
    total = _usage(3, "0.1") + _usage(4, "9", currency="RMB")
    assert (total.total_tokens, total.total_price, total.currency) == (14, Decimal("0.2"), "USD")


def test_times_of_a_call_without_first_token_do_not_count() -> None:
    assert (_usage(1, "0", first=None) + _usage(1, "0")).time_to_generate == 1.0
