from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    App,
    Connection,
    Conversation,
    Days,
    EndUser,
    Feedback,
    FeedbackSource,
    Message,
    Rating,
    Span,
    Spent,
    Store,
    conversations,
    end_users,
    feedbacks,
    messages,
    runs,
    statistics,
)

pytestmark = pytest.mark.anyio
UTC_DAYS = Days([Span(None, timedelta())])
CHANGE = datetime(2026, 3, 29, 1, tzinfo=UTC)
"""When the clocks of Berlin go from one hour before UTC to two."""
BERLIN = Days([Span(CHANGE, timedelta(hours=1)), Span(None, timedelta(hours=2))])
SATURDAY, SUNDAY, MONDAY = (date(2026, 3, day) for day in (28, 29, 30))


@pytest.fixture
async def spring(store: Store, app: App, end_user: EndUser, rows: Rows) -> list[Conversation]:
    """Messages around the night in which Berlin's clocks change, one of them a debugger's."""
    friend = rows.end_user(app, "u2")
    talks = [rows.conversation(end_user), rows.conversation(friend)]
    talks = [replace(talk, created_at=datetime(2026, 3, 28, 22, tzinfo=UTC)) for talk in talks]
    said = [
        (0, datetime(2026, 3, 28, 22, 59, 59, 999999, tzinfo=UTC), "0.1"),  # the last moment of Saturday
        (0, datetime(2026, 3, 28, 23, tzinfo=UTC), "0.2"),  # the first of Sunday
        (1, CHANGE, "0.1"),
        (0, datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), "1E-7"),  # the last hour of a day of 23
        (1, datetime(2026, 3, 29, 22, tzinfo=UTC), "3"),  # the first of Monday
    ]

    def insert(connection: Connection) -> None:
        end_users.find_or_create(connection, friend)
        for talk in talks:
            conversations.insert(connection, talk)
        for index, when, price in said:
            message = replace(
                rows.message(talks[index]),
                created_at=when,
                message_tokens=2,
                answer_tokens=3,
                total_price=Decimal(price),
                latency=0.5,
            )
            messages.insert(connection, message)
            runs.start(connection, None, None, replace(rows.run(message), total_tokens=5))
        debugged = replace(rows.message(talks[0]), created_at=CHANGE, invoke_from="debugger")
        messages.insert(connection, debugged)
        runs.start(connection, None, None, replace(rows.run(debugged), triggered_from="debugging"))

    await store.write(insert)
    return talks


Count = Callable[[Connection, str, Days], dict[date, Any]]


@pytest.mark.parametrize(
    ("count", "found"),
    [
        (statistics.count_messages, {SATURDAY: 1, SUNDAY: 3, MONDAY: 1}),
        (statistics.count_conversations, {SATURDAY: 1, SUNDAY: 2, MONDAY: 1}),
        (statistics.count_end_users, {SATURDAY: 1, SUNDAY: 2, MONDAY: 1}),
        (
            statistics.sum_costs,
            {
                SATURDAY: Spent(5, Decimal("0.1")),
                SUNDAY: Spent(15, Decimal("0.3000001")),
                MONDAY: Spent(5, Decimal(3)),
            },
        ),
        (statistics.count_interactions, {SATURDAY: (5, 2)}),
        (statistics.count_likes, {SATURDAY: (0, 1), SUNDAY: (0, 3), MONDAY: (0, 1)}),
        (statistics.sum_latencies, {SATURDAY: (1, 3, 0.5), SUNDAY: (3, 9, 1.5), MONDAY: (1, 3, 0.5)}),
        (statistics.count_runs, {SATURDAY: 1, SUNDAY: 3, MONDAY: 1}),
        (statistics.count_run_users, {SATURDAY: (1, 1), SUNDAY: (3, 2), MONDAY: (1, 1)}),
        (statistics.sum_run_tokens, {SATURDAY: 5, SUNDAY: 15, MONDAY: 5}),
    ],
)
async def test_days_begin_at_midnight_of_the_zone_also_when_clocks_change(
    store: Store, app: App, spring: list[Conversation], count: Count, found: dict[date, object]
) -> None:
    counted = await store.read(lambda connection: count(connection, app.id, BERLIN))
    assert counted == found
    assert list(counted) == sorted(counted)


async def test_a_range_begins_inclusive_and_ends_exclusive(
    store: Store, app: App, spring: list[Conversation]
) -> None:
    days = replace(BERLIN, start=datetime(2026, 3, 28, 23, tzinfo=UTC), end=CHANGE)

    def fn(connection: Connection) -> list[object]:
        return [
            statistics.count_messages(connection, app.id, days),
            statistics.count_messages(connection, "another app", UTC_DAYS),
            statistics.bounds(connection, app.id),
            statistics.bounds(connection, "another app"),
        ]

    first, last = (datetime(2026, 3, day, 22, tzinfo=UTC) for day in (28, 29))
    assert await store.read(fn) == [{SUNDAY: 1}, {}, (first, last), None]


async def test_a_message_that_both_sides_like_is_liked_once(
    store: Store, app: App, rows: Rows, spring: list[Conversation]
) -> None:
    def fn(connection: Connection) -> dict[date, tuple[int, int]]:
        page = messages.list_page(connection, app.id, spring[1].id, limit=10)
        given: list[tuple[Message, FeedbackSource, Rating]] = [
            (page.items[0], "user", "like"),
            (page.items[0], "admin", "like"),
            (page.items[1], "user", "dislike"),
        ]
        for message, source, rating in given:
            feedback = Feedback(
                rows.ids.new(),
                app.id,
                spring[1].id,
                message.id,
                rating,
                source,
                at(0),
                at(0),
            )
            feedbacks.put(connection, feedback)
        return statistics.count_likes(connection, app.id, BERLIN)

    assert await store.write(fn) == {SATURDAY: (0, 1), SUNDAY: (1, 3), MONDAY: (0, 1)}
