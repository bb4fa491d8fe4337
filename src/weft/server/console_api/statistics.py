"""Numbers by day of the account's calendar. Source: Dify console API, `/apps/{id}/statistics`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.server.console_api.call import CHAT_MODES, FLOW_MODES, ConsoleCall
from weft.server.console_api.time_range import days_of, parse_range
from weft.server.reply import json_reply
from weft.store import Connection, Days, statistics

Row = dict[str, object]
_Rows = Callable[[Connection, str, Days], Iterable[tuple[date, Row]]]


def _daily_messages(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_messages(connection, app_id, days)
    return ((day, {"message_count": number}) for day, number in found.items())


def _daily_conversations(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_conversations(connection, app_id, days)
    return ((day, {"conversation_count": number}) for day, number in found.items())


def _daily_end_users(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_end_users(connection, app_id, days)
    return ((day, {"terminal_count": number}) for day, number in found.items())


def _token_costs(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.sum_costs(connection, app_id, days)
    return (
        (day, {"token_count": spent.tokens, "total_price": f"{spent.price:f}", "currency": "USD"})
        for day, spent in found.items()
    )


def _session_interactions(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_interactions(connection, app_id, days)
    return ((day, {"interactions": _ratio(some, of, 2)}) for day, (some, of) in found.items())


def _satisfaction(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_likes(connection, app_id, days)
    return ((day, {"rate": _ratio(likes * 1000, of, 2)}) for day, (likes, of) in found.items())


def _tokens_per_second(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.sum_latencies(connection, app_id, days)
    return (
        (day, {"tps": round(tokens / latency, 4) if latency > 0 else 0.0})
        for day, (_, tokens, latency) in found.items()
    )


def _response_time(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.sum_latencies(connection, app_id, days)
    return (
        (day, {"latency": round(latency * 1000 / number, 4)}) for day, (number, _, latency) in found.items()
    )


def _runs(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_runs(connection, app_id, days)
    return ((day, {"runs": number}) for day, number in found.items())


def _run_users(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_run_users(connection, app_id, days)
    return ((day, {"terminal_count": people}) for day, (_, people) in found.items())


def _run_tokens(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.sum_run_tokens(connection, app_id, days)
    return ((day, {"token_count": tokens}) for day, tokens in found.items())


def _run_interactions(connection: Connection, app_id: str, days: Days) -> Iterable[tuple[date, Row]]:
    found = statistics.count_run_users(connection, app_id, days)
    return ((day, {"interactions": _ratio(number, people, 2)}) for day, (number, people) in found.items())


def _ratio(some: int, of: int, digits: int) -> float:
    """Exactly divided and rounded once."""
    return float(round(Decimal(some) / Decimal(of), digits)) if of else 0.0


def _route(path: str, rows: _Rows, *modes: str) -> Route:
    async def answer(request: Request) -> Response:
        call = await ConsoleCall.begin(request)
        app = await call.app(*modes)
        zone = call.zone
        start, end = parse_range(call.query, zone)

        def read(connection: Connection) -> list[Row]:
            bounds = statistics.bounds(connection, app.id)
            if bounds is None:
                return []
            days = days_of(zone, *bounds, start, end)
            return [{"date": day.isoformat(), **row} for day, row in rows(connection, app.id, days)]

        return json_reply({"data": await call.read(read)})

    return Route(f"/apps/{{app_id}}/{path}", answer, methods=["GET"])


ROUTES = [
    _route("statistics/daily-messages", _daily_messages),
    _route("statistics/daily-conversations", _daily_conversations),
    _route("statistics/daily-end-users", _daily_end_users),
    _route("statistics/token-costs", _token_costs),
    _route("statistics/average-session-interactions", _session_interactions, *CHAT_MODES),
    _route("statistics/user-satisfaction-rate", _satisfaction),
    _route("statistics/tokens-per-second", _tokens_per_second),
    _route("statistics/average-response-time", _response_time, "completion"),
    _route("workflow/statistics/daily-conversations", _runs, *FLOW_MODES),
    _route("workflow/statistics/daily-terminals", _run_users, *FLOW_MODES),
    _route("workflow/statistics/token-costs", _run_tokens, *FLOW_MODES),
    _route("workflow/statistics/average-app-interactions", _run_interactions, *FLOW_MODES),
]
