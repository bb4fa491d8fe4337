"""Statistics of an app, by day. Source: Dify console API, `/apps/{id}/statistics`.

All take `start` and `end`: a datetime (naive means UTC), unix seconds, or ISO 8601 text. They count to the
minute, `start` belongs to what is counted and `end` does not; ``None`` leaves that side open. Days are those
of the account's time zone, and days without anything are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.console_app import AsyncApp
from weft.client._console import statistics

if TYPE_CHECKING:
    from weft.wire import Instant


class MessageStatistics(AsyncApp):
    """Of apps that have messages."""

    async def daily_messages(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.DailyMessages]:
        """Messages by day."""
        return await self.client._send(
            statistics(
                self.id,
                "daily-messages",
                wire.console.DailyMessages,
                start,
                end,
                of_workflow=False,
            )
        )

    async def daily_conversations(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.DailyConversations]:
        """Conversations with a message on that day."""
        return await self.client._send(
            statistics(
                self.id,
                "daily-conversations",
                wire.console.DailyConversations,
                start,
                end,
                of_workflow=False,
            )
        )

    async def daily_end_users(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.DailyEndUsers]:
        """End users by day."""
        return await self.client._send(
            statistics(
                self.id,
                "daily-end-users",
                wire.console.DailyEndUsers,
                start,
                end,
                of_workflow=False,
            )
        )

    async def token_costs(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.TokenCosts]:
        """Tokens and prices by day."""
        return await self.client._send(
            statistics(
                self.id,
                "token-costs",
                wire.console.TokenCosts,
                start,
                end,
                of_workflow=False,
            )
        )

    async def average_session_interactions(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.AverageSessionInteractions]:
        """Messages per conversation, by the day it began."""
        return await self.client._send(
            statistics(
                self.id,
                "average-session-interactions",
                wire.console.AverageSessionInteractions,
                start,
                end,
                of_workflow=False,
            )
        )

    async def user_satisfaction_rate(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.UserSatisfactionRate]:
        """Likes for each thousand messages."""
        return await self.client._send(
            statistics(
                self.id,
                "user-satisfaction-rate",
                wire.console.UserSatisfactionRate,
                start,
                end,
                of_workflow=False,
            )
        )

    async def tokens_per_second(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.TokensPerSecond]:
        """How fast models answered."""
        return await self.client._send(
            statistics(
                self.id,
                "tokens-per-second",
                wire.console.TokensPerSecond,
                start,
                end,
                of_workflow=False,
            )
        )

    async def average_response_time(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.AverageResponseTime]:
        """How long answers took; only of completion apps."""
        return await self.client._send(
            statistics(
                self.id,
                "average-response-time",
                wire.console.AverageResponseTime,
                start,
                end,
                of_workflow=False,
            )
        )


class RunStatistics(AsyncApp):
    """Of workflow apps; only runs through the API and the web page count."""

    async def daily_runs(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.DailyRuns]:
        """Runs by day."""
        return await self.client._send(
            statistics(
                self.id,
                "daily-conversations",
                wire.console.DailyRuns,
                start,
                end,
                of_workflow=True,
            )
        )

    async def daily_end_users(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.DailyEndUsers]:
        """End users by day."""
        return await self.client._send(
            statistics(
                self.id,
                "daily-terminals",
                wire.console.DailyEndUsers,
                start,
                end,
                of_workflow=True,
            )
        )

    async def token_costs(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.TokenCosts]:
        """Tokens by day."""
        return await self.client._send(
            statistics(
                self.id,
                "token-costs",
                wire.console.TokenCosts,
                start,
                end,
                of_workflow=True,
            )
        )

    async def average_interactions(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> wire.console.Statistics[wire.console.AverageAppInteractions]:
        """Runs per end user by day."""
        return await self.client._send(
            statistics(
                self.id,
                "average-app-interactions",
                wire.console.AverageAppInteractions,
                start,
                end,
                of_workflow=True,
            )
        )
