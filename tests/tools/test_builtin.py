from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.tools.fake import FakeHttp, caller, reply, said
from weft.errors import SandboxUnavailableError, WeftError
from weft.sandbox import Sandbox, open_sandbox
from weft.testing.node_harness import FakeSandbox
from weft.tools import Caller, HttpRequest, TextMessage, Toolbox, ToolInvokeError, ToolParameterError, ToolRef
from weft.tools.builtin.maths import evaluate
from weft.variables import Value

pytestmark = pytest.mark.anyio


async def call(name: str, by: Caller | None = None, **values: Any) -> str:
    """The text of a built-in tool, named like ``time/weekday``."""
    provider, _, tool_name = name.partition("/")
    tool = await Toolbox().get(ToolRef(provider_id=provider, tool_name=tool_name), by or caller())
    [message] = await said(tool, values, by)
    assert isinstance(message, TextMessage)
    return message.text


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("time/current_time", {}, "2026-03-01 12:00:00 UTC"),
        ("time/current_time", {"timezone": "Asia/Shanghai", "format": "%H:%M"}, "20:00"),
        ("time/current_time", {"timezone": "Mars/Base"}, "Invalid timezone: Mars/Base"),
        ("time/current_time", {"timezone": "../UTC"}, "Invalid timezone: ../UTC"),
        (
            "time/timezone_conversion",
            {"current_time": "2024-1-1 0:0:0", "current_timezone": "UTC", "target_timezone": "Asia/Tokyo"},
            "2024-01-01 09:00:00",
        ),
        ("time/timezone_conversion", {"current_time": "2024-01-01 00:00:00"}, "2024-01-01 01:00:00"),
        ("time/weekday", {"year": "2024", "month": 2, "day": 29}, "February 29, 2024 is Thursday."),
        ("time/weekday", {"year": 2023, "month": 2, "day": 29}, "Invalid date: Year 2023, Month 2, Day 29."),
        ("time/localtime_to_timestamp", {"localtime": "1970-01-01 08:00:01"}, "1"),
        ("time/localtime_to_timestamp", {"localtime": "1970-01-01 00:00:01", "timezone": "UTC"}, "1"),
        ("time/timestamp_to_localtime", {"timestamp": "1", "timezone": "UTC"}, "1970-01-01 00:00:01"),
    ],
)
async def test_times_are_told(name: str, values: dict[str, Any], text: str) -> None:
    assert await call(name, **values) == text


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("time/localtime_to_timestamp", {"localtime": "noon"}, "'noon' is no time"),
        (
            "time/localtime_to_timestamp",
            {"localtime": "2024-01-01 00:00:00", "timezone": "X"},
            "no time zone 'X'",
        ),
        ("time/timestamp_to_localtime", {"timestamp": 1e20}, "no time has the timestamp"),
        ("time/weekday", {"year": 2024, "month": 1}, "parameter 'day' is required"),
        (
            "webscraper/webscraper",
            {"url": "https://a", "generate_summary": "true"},
            "switch generate_summary off",
        ),
        ("webscraper/webscraper", {"url": "https://a"}, "there is no way out"),
        ("code/simple_code", {"language": "ruby", "code": "1"}, "python3 and javascript, not 'ruby'"),
        ("code/simple_code", {"language": "python3", "code": "1"}, "there is no sandbox here"),
    ],
)
async def test_what_cannot_be_done_fails_the_call(name: str, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises((ToolInvokeError, ToolParameterError), match=complaint):
        await call(name, **values)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(1 + 2) ** 3 % 5", 2),
        ("7 / 2", 3.5),
        ("-7 // 2", -4),
        ("1 << 4 | 1", 17),
        ("sqrt(16) + arctan2(0, 1)", 4.0),
        ("math.floor(2.7) + max(1, 2, 3)", 5),
        ("round(2.567, 2)", 2.57),
        ("where(1 < 2 <= 2, 10, 20)", 10),
        ("factorial(5) + pow(2, 10)", 1144),
        ("2 ** -1", 0.5),
        ("10 if not 0 and 1 else 20", 10),
        ("abs(-pi) - pi", 0.0),
    ],
)
async def test_an_expression_has_its_value(expression: str, value: float) -> None:
    assert evaluate(expression) == value
    told = await call("maths/eval_expression", expression=f" {expression} ")
    assert told == f'The result of the expression "{expression}" is {value}'


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("__import__('os').system('id')", "is no number"),
        ("().__class__", "is no number"),
        ("open('/etc/passwd')", "is no number"),
        ("'a' * 10", "is no number"),
        ("[1, 2]", "is no number"),
        ("(lambda: 1)()", "there is no function"),
        ("x + 1", "is no number"),
        ("9 ** 9 ** 9", "too large"),
        ("9 ** 99999 ** 9", "too large"),
        ("1 << 10 ** 9", "too large"),
        ("round(5, -10 ** 9)", "rounded to at most"),
        ("factorial(10 ** 9)", "factorials are known"),
        ("factorial(1.5)", "factorials are known"),
        ("10.0 ** 400", "too large"),
        ("(-8) ** 0.5", "no real number"),
        ("1 / 0", "division by zero"),
        ("1 +", "cannot be read"),
        ("(" * 999, "cannot be read"),
        ("-" * 1999 + "1", "nested too deeply"),
        ("1 + " * 2000 + "1", "characters"),
        ("sqrt()", "takes exactly one argument"),
        ("1.5 << 2", "unsupported operand"),
        ("1 in 2", "compared by"),
    ],
)
async def test_nothing_but_an_expression_is_computed(expression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        evaluate(expression)
    told = await call("maths/eval_expression", expression=expression)
    assert told.startswith(f"Invalid expression: {expression}, error: ")


CONTENT = '{"name": "Zoë", "items": [{"id": 1}, {"id": 2}]}'


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("parse", {"json_filter": "$.name"}, "Zoë"),
        ("parse", {"json_filter": "$.items[*].id"}, "[1, 2]"),
        ("parse", {"json_filter": "items[0]"}, '{"id": 1}'),
        ("parse", {"json_filter": "$", "ensure_ascii": "false"}, CONTENT),
        ("parse", {"json_filter": "$.none"}, "[]"),
        ("parse", {}, "Invalid parameter json_filter"),
        (
            "parse",
            {"json_filter": "$.a", "content": "{"},
            "Failed to extract JSON content: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
        (
            "json_insert",
            {"query": "$.items", "new_value": '{"id": 3}', "value_decode": True, "ensure_ascii": False},
            '{"name": "Zoë", "items": [{"id": 1}, {"id": 2}, {"id": 3}]}',
        ),
        (
            "json_insert",
            {"query": "$.items", "new_value": "x", "index": 0},
            '{"name": "Zo\\u00eb", "items": ["x", {"id": 1}, {"id": 2}]}',
        ),
        (
            "json_insert",
            {"query": "$.items[0]", "new_value": '{"a": 1}', "value_decode": True, "ensure_ascii": False},
            '{"name": "Zoë", "items": [{"id": 1, "a": 1}, {"id": 2}]}',
        ),
        (
            "json_insert",
            {"query": "$.items[0]", "new_value": "x"},
            "Failed to insert JSON content: only an object can be inserted into an object",
        ),
        ("json_insert", {"content": "{}", "query": "$.a.b[0].c", "new_value": "1"}, "{}"),
        (
            "json_insert",
            {"content": "{}", "query": "$.a.b[0].c", "new_value": "1", "create_path": "true"},
            '{"a": {"b": [{"c": "1"}]}}',
        ),
        (
            "json_insert",
            {"content": "{}", "query": "$.a[3]", "new_value": "1", "create_path": "True"},
            "Failed to insert JSON content: 3 cannot be created in what is above it",
        ),
        (
            "json_replace",
            {
                "query": "$.items[*].id",
                "replace_value": "9",
                "replace_model": "value",
                "value_decode": "true",
            },
            '{"name": "Zo\\u00eb", "items": [{"id": 9}, {"id": 9}]}',
        ),
        (
            "json_replace",
            {"query": "$.items[*].id", "replace_value": "key", "replace_model": "key"},
            '{"name": "Zo\\u00eb", "items": [{"key": 1}, {"key": 2}]}',
        ),
        (
            "json_replace",
            {"query": "$.name", "replace_pattern": "oë", "replace_value": "oe"},
            '{"name": "Zoe", "items": [{"id": 1}, {"id": 2}]}',
        ),
        (
            "json_replace",
            {"query": "$.items", "replace_pattern": "a", "replace_value": "b"},
            "Failed to replace JSON content: a string can be replaced in strings only, and 'items' is none",
        ),
        ("json_replace", {"query": "$", "replace_value": "x", "replace_model": "value"}, '"x"'),
        ("json_delete", {"query": "$.items[*]"}, '{"name": "Zo\\u00eb", "items": []}'),
        ("json_delete", {"query": "$..id"}, '{"name": "Zo\\u00eb", "items": [{}, {}]}'),
        ("json_delete", {"query": "$.none", "ensure_ascii": False}, CONTENT),
        (
            "json_delete",
            {"query": "$.a", "content": "[" * 100_000},
            "Failed to delete JSON content: it is nested too deeply",
        ),
    ],
)
async def test_json_is_read_and_changed(name: str, values: dict[str, Any], text: str) -> None:
    tool = await Toolbox().get(
        ToolRef(provider_id="langgenius/json_process/json_process", tool_name=name), caller()
    )
    assert await said(tool, {"content": CONTENT, **values}) == [TextMessage(text)]


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    opened = open_sandbox(concurrency=1)
    yield opened
    await opened.close()


async def confined(sandbox: Sandbox, name: str, **values: Value) -> str:
    try:
        return await call(name, Caller(clock=caller().clock, code=sandbox), **values)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


async def test_an_expression_is_searched_for_in_the_sandbox(sandbox: Sandbox) -> None:
    found = await confined(sandbox, "regex/regex_extract", content=" a1 b22 ", expression=r"[a-z](\d+)")
    assert found == "['1', '22']"
    broken = await confined(sandbox, "regex/regex_extract", content="a", expression="(")
    assert broken.startswith("Failed to extract result, error: ")


@pytest.mark.parametrize(
    ("language", "source", "printed"),
    [
        ("python3", "for i in range(2):\n    print('n', i)", "n 0\nn 1\n"),
        ("python3", "def f():\n    return g()\ndef g():\n    return 1\nprint(f())", "1\n"),
        ("javascript", "console.log('a', {b: [1]}); console.error(undefined)", 'a {"b":[1]}\nundefined\n'),
        ("js", "const x = await Promise.resolve(2); console.log(x)", "2\n"),
    ],
)
async def test_code_gives_what_it_prints(sandbox: Sandbox, language: str, source: str, printed: str) -> None:
    assert await confined(sandbox, "code/simple_code", language=language, code=source) == printed


async def test_code_that_fails_fails_the_call(sandbox: Sandbox) -> None:
    with pytest.raises(ToolInvokeError, match="division by zero"):
        await confined(sandbox, "code/simple_code", language="python3", code="1 / 0")


async def test_a_missing_sandbox_is_told_as_it_is() -> None:
    class Nowhere(FakeSandbox):
        async def run(self, *arguments: Any, **more: Any) -> dict[str, object]:
            raise SandboxUnavailableError("this machine has no walls")

    with pytest.raises(WeftError, match="no walls"):
        await call("regex/regex_extract", caller(sandbox=Nowhere()), content="a", expression="a")


PAGE = """<!doctype html><html><head><title> A &amp; B </title><style>p {}</style></head><body>
<nav>Home</nav><h1>Head<b>line</b></h1><script>alert("<p>no</p>")</script><p>One
line &lt;here&gt;<br>next</p><ul><li>a</li><li>b</li></ul><noscript>off</noscript> end &eacute;"""


async def test_a_page_is_read_as_text() -> None:
    http = FakeHttp(reply(PAGE, content_type="text/html; charset=utf-8"))
    text = await call("webscraper/webscraper", caller(http), url=" https://example.com/ ")
    assert text == "TITLE: A & B\nTEXT:\n\nHome\nHeadline\nOne\nline <here>\nnext\na\nb\nend é"
    [request] = http.requests
    assert (request.method, request.url) == ("GET", "https://example.com/")
    assert request.headers["User-Agent"].startswith("Mozilla/5.0")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply("plain <b>", content_type="text/plain"), "plain <b>"),
        (reply({"a": 1}), '{"a": 1}'),
        (reply("x", status=404), "URL returned status code 404."),
        (
            reply(b"%PDF", content_type="application/pdf"),
            "Unsupported content-type [application/pdf] of URL.",
        ),
        (reply("Käse".encode("latin-1"), content_type="text/plain; charset=ISO-8859-1"), "Käse"),
        (reply('<meta charset="gbk">中文'.encode("gbk"), content_type="text/html"), "中文"),
        (reply(b"\\x41", content_type="text/plain; charset=unicode-escape"), "\\x41"),
        (reply("<p>broken <a href='", content_type="text/html"), "broken"),
        (
            reply("<title>t</title><svg><title>x</title></svg>y", content_type="text/html"),
            "TITLE: t\nTEXT:\n\ny",
        ),
    ],
)
async def test_other_answers_are_told_as_what_they_are(answer: Any, text: str) -> None:
    assert await call("webscraper/webscraper", caller(FakeHttp(answer)), url="https://example.com") == text


async def test_a_page_of_nothing_but_beginnings_is_read_in_no_time() -> None:
    def answer(request: HttpRequest) -> Any:
        return reply("<!--" * 250_000 + "<a " * 100_000, content_type="text/html")

    assert await call("webscraper/webscraper", caller(FakeHttp(answer)), url="https://example.com") == ""
