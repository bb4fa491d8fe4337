from __future__ import annotations

import json
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
from tests.archive.records import open_archive, run
from weft.archive import Archive, Conversation, Figures, Query, RetentionRule, Statistics, rating_of
from weft.archive.index.run_usage import read_usages
from weft.archive.json_text import BadJsonError
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


def test_a_user_of_two_organisations_is_one_user_of_a_day(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        for organization, number in (("org-1", 1), ("org-2", 1), ("org-2", 2)):
            archive.save([record(number)], organization)
        for query, expected in (
            (Query(), {"2025-10-02": (2, 1), "2025-10-03": (1, 1)}),
            (Query(organization_id="org-1"), {"2025-10-02": (1, 1)}),
            (Query(app_ids=frozenset({"absent"})), {}),
        ):
            found = archive.statistics(query, by="day").groups
            told = {group.key: (group.figures.messages, group.figures.users) for group in found}
            assert told == expected, query


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


def execution(
    model: str | None, asked: int, answered: int, price: str, currency: str | None = "USD"
) -> dict[str, object]:
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_price": price,
        "currency": currency,
    }
    process = {"model_name": model, "model_provider": "openai", "usage": usage} if model else {"usage": usage}
    return {"node_type": "llm", "process_data": process, "execution_metadata": {"total_price": "999"}}


def answered(number: int, *runs: str, **fields: object) -> Conversation:
    """A conversation of a chatflow: its messages name runs, and no models."""
    return Conversation.parse(
        {
            "conversation_id": f"conv-{number}",
            "app_id": "flow",
            "messages": [
                {
                    "id": f"m-{run}",
                    "workflow_run_id": run,
                    "created_at": f"2025-10-0{1 + number}T10:00:00Z",
                    "message_tokens": 100,
                    "answer_tokens": 10,
                    "from_end_user_id": f"user-{number}",
                    "provider_response_latency": 2,
                    "metadata": {"usage": {"total_price": "0.5", "currency": "USD"}},
                    "feedback": {"rating": "like"},
                    **fields,
                }
                for run in runs
            ],
        }
    )


def by_model(archive: Archive, query: Query | None = None) -> dict[str, tuple[object, ...]]:
    """Messages, conversations, users, tokens and costs of each model."""
    return {
        group.key: (
            *(group.figures.messages, group.figures.conversations, group.figures.users, group.figures.likes),
            *(group.figures.message_tokens, group.figures.answer_tokens, dict(group.figures.cost)),
        )
        for group in archive.statistics(query, by="model").groups
    }


def test_models_of_chatflows_come_from_their_runs_and_are_counted_once(tmp_path: Path) -> None:
    flow = [
        execution("small", 10, 1, "0.0000000000001"),
        execution("large", 60, 6, "0.1"),
        execution("large", 20, 2, "0.2"),
        execution("large", 5, 1, "7", "EUR"),
        execution(None, 95, 10, "0.3"),  # a container, with the sum of what is in it
    ]
    with open_archive(tmp_path) as archive:
        archive.save(
            [answered(1, "run-1"), answered(2, "run-2", "run-3"), answered(3, "run-4", model_id="own")]
        )
        totals = archive.statistics().totals
        assert set(by_model(archive)) == {"", "own"}
        archive.save_runs([run(1, node_executions=flow), run(2, node_executions=flow[:1])])
        archive.save_runs([run(4, node_executions=flow)])
        found = by_model(archive)
        assert found == {
            "large": (1, 1, 1, 1, 85, 9, {"EUR": Decimal(7), "USD": Decimal("0.3")}),
            "small": (2, 2, 2, 2, 20, 2, {"USD": Decimal(0)}),
            "": (1, 0, 1, 1, 100, 10, {"USD": Decimal("0.5")}),
            "own": (1, 1, 1, 1, 100, 10, {"USD": Decimal("0.5")}),
        }
        assert by_model(archive, Query(rating="like")) == found
        assert by_model(archive, Query(conversation_ids=frozenset({"conv-1"}))) == {
            name: found[name] if name == "large" else (1, 1, 1, 1, 10, 1, {"USD": Decimal(0)})
            for name in ("large", "small")
        }
        assert archive.statistics().totals == totals
        assert archive.statistics(by="app").groups[0].figures == totals
        for group in archive.statistics(by="model").groups:
            assert group.figures.latency is not None
            assert group.figures.latency.measured == group.figures.messages
        assert archive.index.verify() == []
        archive.index.rebuild()
        assert by_model(archive) == found


def test_usages_follow_their_runs(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save_runs([run(number, node_executions=[execution("old", 1, 1, "1")]) for number in (1, 2)])
        archive.save([answered(1, "run-1"), answered(2, "run-2")])
        archive.index.refresh()
        archive.save_runs([run(1, node_executions=[execution("new", 2, 2, "2")])])
        assert archive.index.refresh().runs == 1
        assert {name: figures[0] for name, figures in by_model(archive).items()} == {"old": 1, "new": 1}
        archive.apply_retention([RetentionRule(name="old", keep_days=17.9)], max_share=1)
        assert {name: figures[0] for name, figures in by_model(archive).items()} == {"old": 1}
        assert archive.index.verify() == []


def test_runs_of_organisations_are_not_taken_for_each_other(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([answered(1, "run-1")], "org-1")
        archive.save_runs([run(1, node_executions=[execution("other", 1, 1, "1")])], "org-2")
        assert set(by_model(archive)) == {""}


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({"process_data": {"model_name": "m", "usage": {"total_tokens": 9}}}, {("m", ""): (9, 0, (0, 0))}),
        (
            {
                "process_data": {"model_name": "m"},
                "execution_metadata": {"total_tokens": 8, "total_price": 0.25, "currency": "EUR"},
            },
            {("m", "EUR"): (8, 0, (0, 250_000_000_000))},
        ),
        (
            {"process_data": {"model_name": "m"}, "outputs": {"usage": {"completion_tokens": 3}}},
            {("m", ""): (0, 3, (0, 0))},
        ),
        ({"process_data": {"model_name": "m", "usage": {"prompt_tokens": -5}}}, {("m", ""): (0, 0, (0, 0))}),
        ({"process_data": {"model_name": 5, "usage": {"prompt_tokens": 5}}}, {}),
        ({"process_data": "text", "outputs": [], "execution_metadata": None}, {}),
        ({}, {}),
    ],
)
def test_what_an_execution_says_of_its_model_is_read_in_every_form(
    execution: dict[str, object], expected: dict[tuple[str, str], tuple[object, ...]]
) -> None:
    data = json.dumps({"run_id": "r", "node_executions": [execution]}).encode()
    found = read_usages(data, "run_r.json")
    assert {
        key: (one.message_tokens, one.answer_tokens, one.split_cost) for key, one in found.items()
    } == expected


@pytest.mark.parametrize("data", [b"", b"[]", b'{"run_id":1}', b'{"run_id":"r","node_executions":[5]}'])
def test_what_is_no_run_is_refused(data: bytes) -> None:
    with pytest.raises(BadJsonError, match="run_r"):
        read_usages(data, "run_r.json")
