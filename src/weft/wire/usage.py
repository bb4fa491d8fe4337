"""What a model call cost."""

from __future__ import annotations

from decimal import Decimal

from weft.wire._field import Count, Price, Seconds, Text
from weft.wire._model import WireModel


class Usage(WireModel):
    """Tokens, prices and times of all model calls of an answer; all zero when there was none."""

    prompt_tokens: Count = 0
    prompt_unit_price: Price = Decimal(0)
    prompt_price_unit: Price = Decimal(0)
    prompt_price: Price = Decimal(0)
    completion_tokens: Count = 0
    completion_unit_price: Price = Decimal(0)
    completion_price_unit: Price = Decimal(0)
    completion_price: Price = Decimal(0)
    total_tokens: Count = 0
    total_price: Price = Decimal(0)
    currency: Text = "USD"
    latency: Seconds = 0.0
    """Seconds."""
    time_to_first_token: float | None = None
    """Seconds; ``None`` when it was not measured."""
    time_to_generate: float | None = None
    """Seconds; ``None`` when it was not measured."""
