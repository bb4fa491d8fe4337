from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archive.index import naive
from tests.archive.index.corpus import APPS, conversations
from tests.archive.records import conversation as record
from tests.archive.records import open_archive
from weft.archive import Conversation, Figures, Query, Statistics, rating_of
from weft.errors import InvalidRequestError

KEYS: dict[str, Callable[[naive.Message, ZoneInfo], str]] = {
    "app": lambda message, _: str(message["app"]),
    "user": lambda message, _: str(message["from_end_user_id"] or ""),
    "model": lambda message, _: str(message["model_id"] or ""),
    "source": lambda message, _: str(message["from_source"]),
    "day": lambda message, zone: _day(message, zone).isoformat(),
    "month": lambda message, zone: _day(message, zone).replace(day=1).isoformat(),
    "week": lambda message, zone: date.fromordinal(
        (_day(message, zone).toordinal() - 1) // 7 * 7 + 1
    ).isoformat(),
}


def _at(message: naive.Message) -> datetime:
    return datetime.fromisoformat(str(message["created_at"]))


def _day(message: naive.Message, zone: ZoneInfo) -> date:
    return _at(message).astimezone(zone).date()


def counted(messages: list[naive.Message]) -> dict[str, object]:
    cost: dict[str, Decimal] = {}
    for message in messages:
        metadata = message["metadata"]
        assert isinstance(metadata, dict)
        usage = metadata.get("usage")
        if usage:
            currency = usage["currency"]
            cost[currency] = cost.get(currency, Decimal(0)) + Decimal(usage["total_price"])
    return {
        "messages": len(messages),
        "conversations": sum(message["number"] == 0 for message in messages),
        "users": len({message["from_end_user_id"] for message in messages} - {None}),
        "tokens": sum(int(str(m["message_tokens"])) + int(str(m["answer_tokens"])) for m in messages),
        "errors": sum(message["status"] == "error" for message in messages),
        "likes": sum(rating_of(message) == "like" for message in messages),
        "dislikes": sum(rating_of(message) == "dislike" for message in messages),
        "cost": cost,
        "measured": sum(bool(message["provider_response_latency"]) for message in messages),
    }


def said(figures: Figures) -> dict[str, object]:
    names = ("messages", "conversations", "users", "tokens", "errors", "likes", "dislikes")
    found: dict[str, object] = {name: getattr(figures, name) for name in names}
    return {
        **found,
        "cost": dict(figures.cost),
        "measured": figures.latency.measured if figures.latency else 0,
    }


queries = st.builds(
    Query,
    start=st.sampled_from([None, date(2025, 10, 2), datetime(2025, 10, 2, 5, tzinfo=UTC)]),
    end=st.sampled_from([None, date(2025, 10, 3), datetime(2025, 10, 3, 7, tzinfo=UTC)]),
    app_ids=st.sampled_from([None, frozenset({APPS[0]}), frozenset({"absent"})]),
    from_sources=st.sampled_from([None, frozenset({"whats app"})]),
    end_user_id=st.sampled_from([None, None, "王"]),
    rating=st.sampled_from([None, None, "like", "none"]),
    conversation_ids=st.sampled_from([None, None, frozenset({"c-0", "c-2"})]),
)


def is_meant(message: naive.Message, query: Query, zone: ZoneInfo) -> bool:
    if isinstance(query.start, datetime) and _at(message) < query.start:
        return False
    if isinstance(query.end, datetime) and _at(message) > query.end:
        return False
    if type(query.start) is date and _day(message, zone) < query.start:
        return False
    if type(query.end) is date and _day(message, zone) > query.end:
        return False
    return (
        (query.app_ids is None or message["app"] in query.app_ids)
        and (query.from_sources is None or message["from_source"] in query.from_sources)
        and (query.end_user_id is None or message["from_end_user_id"] == query.end_user_id)
        and (query.rating is None or (rating_of(message) or "none") == query.rating)
        and (query.conversation_ids is None or message["conversation_id"] in query.conversation_ids)
    )


@settings(max_examples=25, deadline=None)
@given(
    corpus=conversations(),
    asked=st.lists(
        st.tuples(
            queries,
            st.sampled_from([None, *KEYS]),
            st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_statistics_are_what_looking_at_every_message_gives(
    corpus: list[Conversation], asked: list[tuple[Query, str | None, str]]
) -> None:
    with TemporaryDirectory() as folder, open_archive(Path(folder)) as archive:
        archive.save(corpus)
        for query, by, name in asked:
            zone = ZoneInfo(name)
            meant = [one for one in naive.messages(corpus) if is_meant(one, query, zone)]
            found = archive.statistics(query, by=by, zone=name)  # type: ignore[arg-type]
            assert said(found.totals) == counted(meant), (query, by, name)
            if by is None:
                continue
            groups: dict[str, list[naive.Message]] = {}
            for message in meant:
                groups.setdefault(KEYS[by](message, zone), []).append(message)
            for group in found.groups:
                expected = counted(groups[group.key])
                if by == "user":
                    expected["measured"] = 0
                assert said(group.figures) == expected, (query, by, name)
            assert {group.key for group in found.groups} == groups.keys()


def test_percentiles_are_as_exact_as_they_say(tmp_path: Path) -> None:
    messages = [
        {"id": f"m{n}", "created_at": "2025-10-01T10:00:00Z", "provider_response_latency": n / 100}
        for n in range(1, 1001)
    ]
    with open_archive(tmp_path) as archive:
        archive.save([Conversation.parse({"id": "c", "messages": messages})])
        latency = archive.statistics().totals.latency
        assert latency is not None
        for value, exact in ((latency.p50, 5.0), (latency.p90, 9.0), (latency.p95, 9.5), (latency.p99, 9.9)):
            assert abs(value - exact) / exact < 0.026


def test_costs_lose_no_digit(tmp_path: Path) -> None:
    usage = {"usage": {"total_price": "0.000000000001", "currency": "USD"}}
    large = {"usage": {"total_price": "123456789.10", "currency": "USD"}}
    at = "2025-10-01T10:00:00Z"
    messages = [{"id": str(n), "created_at": at, "metadata": usage if n else large} for n in range(4)]
    with open_archive(tmp_path) as archive:
        archive.save([Conversation.parse({"id": "c", "messages": messages})])
        found = archive.statistics()
        assert found.totals.cost == {"USD": Decimal("123456789.100000000003")}
        assert found.to_dict()["totals"]["cost"] == {"USD": "123456789.100000000003"}  # type: ignore[index]


def test_an_empty_archive_has_empty_statistics(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert archive.statistics(by="day") == Statistics(Figures(), "day")


def test_an_unknown_group_or_zone_is_refused(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([record(1)])
        with pytest.raises(InvalidRequestError, match="none of app"):
            archive.statistics(by="planet")  # type: ignore[arg-type]
        for zone in ("Mars/Base", "../etc/passwd", ""):
            with pytest.raises(InvalidRequestError, match="time zone"):
                archive.statistics(zone=zone)
