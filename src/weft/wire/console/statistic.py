"""Statistics, one row for each day that has any. Source: Dify console API, `/apps/{id}/statistics`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Generic, TypeVar

from weft.wire._field import Count, Price, Seconds, Text
from weft.wire.console._base import ConsoleModel

Row = TypeVar("Row")


class StatisticRow(ConsoleModel):
    """One day in the account's time zone."""

    date: str
    """``YYYY-MM-DD``."""

    @property
    def day(self) -> datetime.date:
        """`date` as a date.

        Raises:
            ValueError: The server wrote it in another way.
        """
        return datetime.date.fromisoformat(self.date[:10])


class DailyMessages(StatisticRow):
    """Messages of a day."""

    message_count: Count = 0


class DailyConversations(StatisticRow):
    """Conversations with a message on that day."""

    conversation_count: Count = 0


class DailyEndUsers(StatisticRow):
    """End users of a day."""

    terminal_count: Count = 0


class TokenCosts(StatisticRow):
    """What the models cost on that day."""

    token_count: Count = 0
    """Prompt and answer."""
    total_price: Price = Decimal(0)
    currency: Text = "USD"


class AverageSessionInteractions(StatisticRow):
    """Messages per conversation, of conversations that began on that day."""

    interactions: Seconds = 0.0


class UserSatisfactionRate(StatisticRow):
    """How often answers were liked."""

    rate: Seconds = 0.0
    """Likes for each thousand messages."""

    @property
    def share(self) -> float:
        """Likes for each message, 0 to 1."""
        return self.rate / 1000


class TokensPerSecond(StatisticRow):
    """How fast models answered."""

    tps: Seconds = 0.0


class AverageResponseTime(StatisticRow):
    """How long answers took; only of completion apps."""

    latency: Seconds = 0.0
    """Milliseconds."""


class DailyRuns(StatisticRow):
    """Runs of a workflow app."""

    runs: Count = 0


class AverageAppInteractions(StatisticRow):
    """Runs per end user of a workflow app."""

    interactions: Seconds = 0.0


class Statistics(ConsoleModel, Generic[Row]):
    """Rows in the order of their days; days without any are missing."""

    data: list[Row]

    def __iter__(self) -> Iterator[Row]:  # type: ignore[override]  # rows, not pairs
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return True
