"""The provider ``time``: what time it is, and times of other places.

Source: Dify built-in tools, provider ``time``; a time zone or date that does not exist is told as text where
it is there.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from weft.tools.errors import ToolInvokeError
from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, TextTool, ToolProvider
from weft.variables import Value

_PROVIDER = "time"
_FORMAT = "%Y-%m-%d %H:%M:%S"
_FORMAT_WITH_ZONE = f"{_FORMAT} %Z"
_ZONE = "Asia/Shanghai"
"""What these tools take for granted when nobody says where."""


def open_time(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""
    zone = ToolParameter(name="timezone", description="Time zone, such as Asia/Shanghai", default=_ZONE)
    return FixedTools(
        [
            TextTool(
                _PROVIDER,
                "current_time",
                "A tool for getting the current time.",
                [
                    ToolParameter(name="format", form="form", description="Time format in strftime standard"),
                    ToolParameter(name="timezone", type="select", form="form", default="UTC"),
                ],
                _current_time,
            ),
            TextTool(
                _PROVIDER,
                "timezone_conversion",
                "A tool to convert time to the equivalent time of another time zone.",
                [
                    ToolParameter(
                        name="current_time", required=True, description="A time, such as 2024-1-1 0:0:0"
                    ),
                    ToolParameter(
                        name="current_timezone",
                        required=True,
                        description="Where it is that time",
                        default=_ZONE,
                    ),
                    ToolParameter(
                        name="target_timezone",
                        required=True,
                        description="The other time zone, such as Asia/Tokyo",
                        default="Asia/Tokyo",
                    ),
                ],
                _timezone_conversion,
            ),
            TextTool(
                _PROVIDER,
                "weekday",
                "A tool for calculating the weekday of a given date by year, month and day.",
                [ToolParameter(name=part, type="number", required=True) for part in ("year", "month", "day")],
                _weekday,
            ),
            TextTool(
                _PROVIDER,
                "localtime_to_timestamp",
                "A tool to convert a local time to a unix timestamp.",
                [
                    ToolParameter(
                        name="localtime", required=True, description="A local time, such as 2024-1-1 0:0:0"
                    ),
                    zone,
                ],
                _localtime_to_timestamp,
            ),
            TextTool(
                _PROVIDER,
                "timestamp_to_localtime",
                "A tool to convert a unix timestamp to a local time.",
                [ToolParameter(name="timestamp", type="number", required=True), zone],
                _timestamp_to_localtime,
            ),
        ]
    )


async def _current_time(arguments: Mapping[str, Value], caller: Caller) -> str:
    name = str(arguments.get("timezone", "UTC"))
    try:
        zone = _zone(name)
    except ToolInvokeError:
        return f"Invalid timezone: {name}"
    return caller.clock.now().astimezone(zone).strftime(str(arguments.get("format") or _FORMAT_WITH_ZONE))


async def _timezone_conversion(arguments: Mapping[str, Value], caller: Caller) -> str:
    here, there = _zone(str(arguments["current_timezone"])), _zone(str(arguments["target_timezone"]))
    try:
        return _parse(arguments["current_time"], here).astimezone(there).strftime(_FORMAT)
    except OverflowError as error:
        raise _failed(f"the time {arguments['current_time']} has no equivalent there") from error


async def _weekday(arguments: Mapping[str, Value], caller: Caller) -> str:
    year, month, day = (arguments[part] for part in ("year", "month", "day"))
    try:
        date = datetime(int(year), int(month), int(day))  # type: ignore[arg-type]  # cast to numbers already
    except (ValueError, OverflowError):
        return f"Invalid date: Year {year}, Month {month}, Day {day}."
    name = calendar.day_name[date.weekday()]
    return f"{calendar.month_name[date.month]} {date.day}, {date.year} is {name}."


async def _localtime_to_timestamp(arguments: Mapping[str, Value], caller: Caller) -> str:
    local = _parse(arguments["localtime"], _zone(str(arguments["timezone"])))
    return str(int(local.timestamp()))


async def _timestamp_to_localtime(arguments: Mapping[str, Value], caller: Caller) -> str:
    timestamp = arguments["timestamp"]
    zone = _zone(str(arguments["timezone"]))
    try:
        return datetime.fromtimestamp(timestamp, zone).strftime(_FORMAT)  # type: ignore[arg-type]  # a number
    except (ValueError, OverflowError, OSError) as error:
        raise _failed(f"no time has the timestamp {timestamp}") from error


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise _failed(f"there is no time zone {name!r}; write one such as Asia/Tokyo") from error


def _parse(text: Value, zone: tzinfo) -> datetime:
    try:
        return datetime.strptime(str(text).strip(), _FORMAT).replace(tzinfo=zone)
    except ValueError as error:
        raise _failed(f"{text!r} is no time; write it like 2024-01-31 18:30:00") from error


def _failed(message: str) -> ToolInvokeError:
    return ToolInvokeError(message, provider=_PROVIDER)
