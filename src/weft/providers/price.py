"""What models cost.

The built-in prices are the published list prices of a handful of well-known models on one day. They are
a convenience, not an invoice: whoever needs exact figures sets `[prices."provider/model"]` tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fnmatch import fnmatchcase

from msgspec import Struct

from weft.errors import ConfigError
from weft.providers.chat import TokenUsage
from weft.providers.name import provider_key
from weft.providers.usage import Usage

PRICES_AS_OF = date(2026, 8, 21)
"""The day on which the built-in prices were the published ones."""

_PER_MILLION = Decimal("0.000001")
_PLACES = Decimal("0.0000001")
_CACHE_SIZE = 1024


class Price(Struct, frozen=True):
    """What tokens cost: ``tokens * input * unit`` in `currency`."""

    input: Decimal
    output: Decimal
    unit: Decimal = _PER_MILLION
    currency: str = "USD"


_FREE = Price(Decimal(0), Decimal(0), Decimal(0))


class PriceTable:
    """Price per provider and model.

    Args:
        prices: ``"provider/model"`` to price. Both halves may hold ``*``; the plugin form of a provider's
            name and its bare form are the same. The entry with the most literal characters wins.
        built_in: Fall back on the prices that come with the program.
    """

    def __init__(self, prices: Mapping[str, Price] | None = None, *, built_in: bool = True) -> None:
        own = {_pattern(key): price for key, price in (prices or {}).items()}
        self._layers = [_by_precision(own.items())]
        if built_in:
            self._layers.append(_built_in())
        self._found: dict[tuple[str, str], Price | None] = {}

    @classmethod
    def parse(cls, tables: Mapping[str, object]) -> PriceTable:
        """Read the `[prices]` tables of a settings file.

        Args:
            tables: ``"provider/model"`` to a table of `input` and `output`, and optionally `unit`
                (default ``0.000001``: prices are per million tokens) and `currency` (``USD``).

        Raises:
            ConfigError: A table lacks a price or holds something else.
        """
        return cls({key: _parse_price(key, table) for key, table in tables.items()})

    def find(self, provider: str, model: str) -> Price | None:
        """The price of a model, or ``None`` if nobody said."""
        key = (provider, model)
        if key not in self._found:
            if len(self._found) >= _CACHE_SIZE:
                self._found.clear()
            self._found[key] = self._search(f"{provider_key(provider)}/{model.lower()}")
        return self._found[key]

    def usage(
        self,
        provider: str,
        model: str,
        tokens: TokenUsage,
        *,
        latency: float,
        time_to_first_token: float | None = None,
    ) -> Usage:
        """Put a price on a call; a model without a known price costs nothing.

        Args:
            provider: Provider's name, in either spelling.
            model: Model's name as the service or as the app spells it.
            tokens: What the reply's last chunk said.
            latency: Seconds from request to last chunk.
            time_to_first_token: Seconds from request to first chunk with content.
        """
        price = self.find(provider, model) or _FREE
        prompt = (tokens.prompt_tokens * price.input * price.unit).quantize(_PLACES, ROUND_HALF_UP)
        completion = (tokens.completion_tokens * price.output * price.unit).quantize(_PLACES, ROUND_HALF_UP)
        return Usage(
            prompt_tokens=tokens.prompt_tokens,
            prompt_unit_price=price.input,
            prompt_price_unit=price.unit,
            prompt_price=prompt,
            completion_tokens=tokens.completion_tokens,
            completion_unit_price=price.output,
            completion_price_unit=price.unit,
            completion_price=completion,
            total_tokens=tokens.total_tokens,
            total_price=prompt + completion,
            currency=price.currency,
            latency=latency,
            time_to_first_token=time_to_first_token,
            time_to_generate=None if time_to_first_token is None else max(0.0, latency - time_to_first_token),
        )

    def _search(self, name: str) -> Price | None:
        for layer in self._layers:
            for pattern, price in layer:
                if fnmatchcase(name, pattern):
                    return price
        return None


def _pattern(key: str) -> str:
    """``langgenius/openai/openai/gpt-4o`` and ``OpenAI/gpt-4o`` become ``openai/gpt-4o``."""
    provider, _, model = key.partition("/")
    if provider.lower() == "langgenius":
        plugin, _, rest = model.partition("/")
        name, _, model = rest.partition("/")
        provider = f"{provider}/{plugin}/{name}"
    if not model:
        raise ConfigError(f'price {key!r} names no model; write [prices."provider/model"]')
    return f"{provider_key(provider)}/{model.lower()}"


def _parse_price(key: str, table: object) -> Price:
    if not isinstance(table, Mapping):
        raise ConfigError(f"price {key!r} must be a table with input and output")
    unknown = set(table) - {"input", "output", "unit", "currency"}
    if unknown or "input" not in table or "output" not in table:
        raise ConfigError(f"price {key!r} must hold input and output, and may hold unit and currency")
    amounts = {name: _parse_amount(key, name, table[name]) for name in table if name != "currency"}
    return Price(**amounts, currency=str(table.get("currency", "USD")))


def _parse_amount(key: str, name: str, value: object) -> Decimal:
    try:
        # Through text, so that a TOML float 0.15 means 0.15 and not its binary neighbour.
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ConfigError(f'price {key!r}: {name} is {value!r}; write a number such as "0.15"')
    return amount


def _by_precision(prices: Iterable[tuple[str, Price]]) -> list[tuple[str, Price]]:
    return sorted(prices, key=lambda item: (item[0].count("*") > 0, item[0].count("*") - len(item[0])))


def _built_in() -> list[tuple[str, Price]]:
    return _by_precision(
        (f"{provider}/{model}", Price(Decimal(cost_in), Decimal(cost_out)))
        for provider, rows in _LIST_PRICES.items()
        for model, cost_in, cost_out in rows
    )


# US dollars per million tokens: base tier, uncached, and DeepSeek's peak hours.
_LIST_PRICES: dict[str, list[tuple[str, str, str]]] = {
    "openai": [
        ("gpt-3.5-turbo", "0.5", "1.5"),
        ("gpt-3.5-turbo-0125", "0.5", "1.5"),
        ("gpt-3.5-turbo-1106", "1", "2"),
        ("gpt-3.5-turbo-0613", "1.5", "2"),
        ("gpt-3.5-turbo-16k*", "3", "4"),
        ("gpt-4", "30", "60"),
        ("gpt-4-turbo*", "10", "30"),
        ("gpt-4.1", "2", "8"),
        ("gpt-4.1-20*", "2", "8"),
        ("gpt-4.1-mini*", "0.4", "1.6"),
        ("gpt-4.1-nano*", "0.1", "0.4"),
        ("gpt-4o", "2.5", "10"),
        ("gpt-4o-20*", "2.5", "10"),
        ("gpt-4o-2024-05-13", "5", "15"),
        ("gpt-4o-mini", "0.15", "0.6"),
        ("gpt-4o-mini-20*", "0.15", "0.6"),
        ("gpt-5", "1.25", "10"),
        ("gpt-5-20*", "1.25", "10"),
        ("gpt-5-mini*", "0.25", "2"),
        ("gpt-5-nano*", "0.05", "0.4"),
        ("gpt-5.1", "1.25", "10"),
        ("gpt-5.2", "1.75", "14"),
        ("gpt-5.4", "2.5", "15"),
        ("gpt-5.4-mini*", "0.75", "4.5"),
        ("gpt-5.4-nano*", "0.2", "1.25"),
        ("gpt-5.5", "5", "30"),
        ("o1", "15", "60"),
        ("o1-mini*", "1.1", "4.4"),
        ("o3", "2", "8"),
        ("o3-mini*", "1.1", "4.4"),
        ("o4-mini", "1.1", "4.4"),
        ("text-embedding-3-small", "0.02", "0"),
        ("text-embedding-3-large", "0.13", "0"),
        ("text-embedding-ada-002", "0.1", "0"),
    ],
    "anthropic": [
        ("claude-3-haiku*", "0.25", "1.25"),
        ("claude-3-5-haiku*", "0.8", "4"),
        ("claude-3-5-sonnet*", "3", "15"),
        ("claude-3-7-sonnet*", "3", "15"),
        ("claude-3-opus*", "15", "75"),
        ("claude-haiku-4-5*", "1", "5"),
        ("claude-opus-4-5*", "5", "25"),
        ("claude-opus-5", "5", "25"),
        ("claude-sonnet-4*", "3", "15"),
    ],
    "google": [
        ("gemini-1.5-flash*", "0.075", "0.3"),
        ("gemini-1.5-pro*", "1.25", "5"),
        ("gemini-2.0-flash*", "0.1", "0.4"),
        ("gemini-2.0-flash-lite*", "0.075", "0.3"),
        ("gemini-2.5-flash", "0.3", "2.5"),
        ("gemini-2.5-flash-lite*", "0.1", "0.4"),
        ("gemini-2.5-pro*", "1.25", "10"),
    ],
    "deepseek": [
        ("deepseek-chat", "0.28", "0.42"),
        ("deepseek-reasoner", "0.28", "0.42"),
        ("deepseek-flash", "0.3", "1.2"),
        ("deepseek-v4-flash*", "0.3", "1.2"),
        ("deepseek-v4-pro*", "1.32", "3.96"),
    ],
    "moonshot": [
        ("moonshot-v1-8k", "0.2", "2"),
        ("moonshot-v1-32k", "1", "3"),
        ("moonshot-v1-128k", "2", "5"),
        ("kimi-k2.5", "0.6", "3"),
        ("kimi-k2.6", "0.95", "4"),
    ],
    "mistralai": [
        ("mistral-small-latest", "0.1", "0.3"),
        ("mistral-large-2512", "0.5", "1.5"),
    ],
    "scripted": [("*", "0", "0")],
    "weft": [("*", "0", "0")],
}
