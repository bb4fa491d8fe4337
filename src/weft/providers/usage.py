"""Tokens, prices and times of model calls, as the service API reports them."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict

_ZERO = Decimal(0)


class Usage(Struct, frozen=True, kw_only=True):
    """What a model call, or a whole run, used.

    Prices are exact decimals, times are seconds. The fields stand in the order of the API's object.

    Source: Dify service API, `metadata.usage` of a message.
    """

    prompt_tokens: int = 0
    prompt_unit_price: Decimal = _ZERO
    prompt_price_unit: Decimal = _ZERO
    prompt_price: Decimal = _ZERO
    completion_tokens: int = 0
    completion_unit_price: Decimal = _ZERO
    completion_price_unit: Decimal = _ZERO
    completion_price: Decimal = _ZERO
    total_tokens: int = 0
    total_price: Decimal = _ZERO
    currency: str = "USD"
    latency: float = 0.0
    time_to_first_token: float | None = None
    time_to_generate: float | None = None

    @classmethod
    def zero(cls) -> Usage:
        """The usage of a run that called no model."""
        return _NOTHING

    def __add__(self, other: Usage) -> Usage:
        """Both together.

        Unit prices are those of the later call that has one, the time to the first token that of the
        earlier. Amounts in two currencies cannot be added: the sum then keeps the currency and the
        prices of the left side and counts only the tokens and times of the right.
        """
        same_currency = self.currency == other.currency or not self.total_price or not other.total_price
        priced = self if not other.total_price and self.total_price else other
        unit_prices = priced if same_currency else self
        added = other if same_currency else _NOTHING
        first = self.time_to_first_token
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            prompt_unit_price=unit_prices.prompt_unit_price,
            prompt_price_unit=unit_prices.prompt_price_unit,
            prompt_price=self.prompt_price + added.prompt_price,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            completion_unit_price=unit_prices.completion_unit_price,
            completion_price_unit=unit_prices.completion_price_unit,
            completion_price=self.completion_price + added.completion_price,
            total_tokens=self.total_tokens + other.total_tokens,
            total_price=self.total_price + added.total_price,
            currency=unit_prices.currency,
            latency=self.latency + other.latency,
            time_to_first_token=other.time_to_first_token if first is None else first,
            time_to_generate=_add_seconds(self.time_to_generate, other.time_to_generate),
        )

    def to_wire(self) -> dict[str, object]:
        """The API's object: prices as plain decimal strings, without an exponent."""
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in asdict(self).items()
        }


_NOTHING = Usage()


def _add_seconds(left: float | None, right: float | None) -> float | None:
    if left is None:
        return right
    return left if right is None else left + right
