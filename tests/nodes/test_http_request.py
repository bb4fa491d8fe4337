from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from aiohttp import web

from tests.egress.server import OPEN, Handler, Recorded, ok, opened, serve, serve_raw, silent
from tests.nodes.kept import MemoryFiles
from weft.egress import EgressConfig, EgressRequest, EgressResponse
from weft.errors import GraphError, NodeFailedError
from weft.graph import Need
from weft.nodes import Limits, build_node
from weft.testing.node_harness import NodeRun, make_spec, run_node
from weft.variables import File, Value, mask_secret, remote_file

pytestmark = pytest.mark.anyio

UUID = "57eeeeb1-450b-482c-81b9-4be77e95dee2"
KEY = "sk-1234567890"
MASKED = mask_secret(KEY)
HIDDEN = "*" * 20


def http(**changes: Any) -> dict[str, Any]:
    """A node's data as editors write them."""
    return {
        "type": "http-request",
        "title": "HTTP",
        "variables": [],
        "method": "get",
        "url": "{{#start.url#}}/",
        "authorization": {"type": "no-auth", "config": None},
        "headers": "",
        "params": "",
        "body": {"type": "none", "data": []},
        "timeout": {"max_connect_timeout": 0, "max_read_timeout": 0, "max_write_timeout": 0},
        **changes,
    }


def body(kind: str, *items: Mapping[str, object] | str) -> dict[str, Any]:
    """A body; a text stands for an item that has only a value."""
    data = [{"key": "", "type": "text", "value": item} if isinstance(item, str) else item for item in items]
    return {"method": "post", "body": {"type": kind, "data": data}}


def api_key(kind: str | None = "bearer", key: str = KEY, header: str = "") -> dict[str, Any]:
    config = None if kind is None else {"type": kind, "api_key": key, "header": header}
    return {"authorization": {"type": "api-key", "config": config}}


def responds(text: str | bytes = "", status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        data = text.encode() if isinstance(text, str) else text
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=data, status=status, headers={"Content-Type": "text/plain", **names})

    return handler


async def send(
    data: Mapping[str, Any],
    values: Mapping[str, Value] | None = None,
    *,
    handler: Handler = ok,
    config: EgressConfig = OPEN,
    secrets: tuple[str, ...] = (),
    files: MemoryFiles | None = None,
    limits: Limits | None = None,
) -> tuple[NodeRun, list[Recorded]]:
    """Run a node; `start.url` is the address of a server that answers with the handler."""
    async with serve(handler) as server, opened(config) as egress:
        pool = {"start.url": server.url, **(values or {})}
        run = await run_node(data, pool, egress=egress, secrets=secrets, files=files, limits=limits)
        return run, server.requests


async def sent(data: Mapping[str, Any], values: Mapping[str, Value] | None = None) -> Recorded:
    """The request that a node sends."""
    run, requests = await send(data, values)
    assert run.outputs["status_code"] == 200
    return requests[-1]


def failure(run: NodeRun) -> tuple[str, str]:
    """Class name and message, as the record shows them."""
    assert isinstance(run.error, NodeFailedError)
    return run.error.error_type, str(run.error)


def transcript(run: NodeRun) -> str:
    """The request as the record shows it, its host replaced."""
    text = run.context.process_data["request"]
    assert isinstance(text, str)
    head, _, rest = text.partition("Host: ")
    return f"{head}Host: server{rest[rest.index(chr(13)) :]}"


def fields(request: Recorded) -> list[tuple[object, ...]]:
    """Name, filename, type and content of the parts of a form."""
    [content_type] = request.header("content-type")
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + request.body
    )
    assert message.is_multipart()
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part["content-type"] and part.get_content_type(),
            part.get_payload(decode=True),
        )
        for part in message.iter_parts()
    ]


PLACEHOLDER = ("__multipart_placeholder__", "", "application/octet-stream", b"")


# What comes back


async def test_status_body_and_headers_come_out() -> None:
    run, _ = await send(http(), handler=responds("grün", X_One="1", Content_Type="text/plain; charset=utf-8"))

    headers = run.outputs.pop("headers")
    assert run.outputs == {"status_code": 200, "body": "grün", "files": []}
    assert isinstance(headers, dict)
    assert (headers["x-one"], headers["content-type"]) == ("1", "text/plain; charset=utf-8")
    assert run.context.inputs == {}


@pytest.mark.parametrize(
    ("headers", "data", "text"),
    [
        pytest.param({"Content_Type": "text/csv"}, "a,b", "a,b", id="dsl-94-csv"),
        pytest.param({"Content_Type": "application/json"}, '{"a":1}', '{"a":1}', id="dsl-94-json"),
        pytest.param({"Content_Type": ""}, "plain", "plain", id="dsl-94-unlabelled"),
        pytest.param(
            {"Content_Disposition": 'attachment; filename="a.csv"', "Content_Type": "text/csv"},
            "a,b",
            "a,b",
            id="dsl-94-attachment-that-is-text",
        ),
    ],
)
async def test_texts_come_out_as_the_body(headers: dict[str, str], data: str, text: str) -> None:
    run, _ = await send(http(), handler=responds(data, 200, **headers))

    assert (run.outputs["body"], run.outputs["files"]) == (text, [])


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        pytest.param({"Content_Type": "image/png"}, b"\x89PNG\r\n\x1a\n", id="dsl-94-image"),
        pytest.param({"Content_Disposition": "attachment"}, b"\xff\xfe\x00", id="dsl-94-attachment"),
        pytest.param({"Content_Type": "application/octet-stream"}, b"a\0b", id="dsl-94-binary"),
    ],
)
async def test_files_fail_the_node_where_nothing_keeps_them(headers: dict[str, str], data: bytes) -> None:
    run, _ = await send(http(), handler=responds(data, 200, **headers))

    kind, message = failure(run)
    assert kind == "ResponseFileError"
    assert "no files can be kept here" in message
    assert f"{len(data)} bytes" in message


@pytest.mark.parametrize(
    ("headers", "name", "kind"),
    [
        pytest.param({"Content_Type": "image/png"}, "cat.png", "image", id="dsl-94-image"),
        pytest.param(
            {"Content_Type": "text/plain", "Content_Disposition": 'attachment; filename="../a b.pdf"'},
            "a b.pdf",
            "document",
            id="dsl-94-attachment",
        ),
        pytest.param({"Content_Type": "video/mp4"}, "cat.png", "video", id="dsl-94-video"),
    ],
)
async def test_files_are_kept(headers: dict[str, str], name: str, kind: str) -> None:
    kept = MemoryFiles()
    data = http(url="{{#start.url#}}/dir/cat.png?key=1")
    run, _ = await send(data, handler=responds(b"data", 200, **headers), files=kept)

    (file,) = run.context.files
    assert run.outputs["body"] == ""
    assert run.outputs["files"] == [file]
    assert (file.filename, file.type, file.size, file.transfer_method) == (name, kind, 4, "tool_file")
    assert kept.contents == {file.related_id: b"data"}
    (source,) = kept.sources
    assert source is not None
    assert source.endswith("/dir/cat.png")


async def test_an_empty_file_is_none() -> None:
    kept = MemoryFiles()
    run, _ = await send(http(), handler=responds(b"", 200, Content_Type="image/png"), files=kept)
    assert (run.outputs["body"], run.outputs["files"], kept.contents) == ("", [], {})


async def test_kept_files_are_sent() -> None:
    kept = MemoryFiles()
    one, two = kept.add("a b.png", "image/png", b"one"), kept.add("b.txt", "text/plain", b"two")
    item = {"type": "file", "key": "f", "file": ["x", "files"]}
    run, requests = await send(http(**body("form-data", item)), {"x.files": [one, two]}, files=kept)
    assert run.outputs["status_code"] == 200
    assert fields(requests[0]) == [
        ("f", "a b.png", "image/png", b"one"),
        ("f", "b.txt", "text/plain", b"two"),
    ]

    binary = {"type": "file", "file": ["x", "file"]}
    _, requests = await send(http(**body("binary", binary)), {"x.file": two}, files=kept)
    assert requests[0].body == b"two"


@pytest.mark.parametrize("kind", ["binary", "form-data"])
async def test_a_kept_file_that_is_gone_or_too_large_fails_the_node(kind: str) -> None:
    kept = MemoryFiles()
    large = kept.add("a.png", "image/png", b"12345")
    gone = File(filename="a.png", related_id="gone", transfer_method="local_file", url="http://127.0.0.1/a")
    item = {"type": "file", "file": ["x", "file"]}
    for file in (large, gone):
        data, limits = http(**body(kind, item)), Limits(max_node_file_bytes=4)
        run, requests = await send(data, {"x.file": file}, files=kept, limits=limits)
        assert failure(run)[0] == "FileFetchError"
        assert "'a.png' cannot be sent" in failure(run)[1]
        assert requests == []


@pytest.mark.parametrize(
    ("content_type", "size", "kind"),
    [
        ("text/plain", 100, None),
        pytest.param("text/plain", 101, "ResponseSizeError", id="dsl-96-text"),
        ("application/json", 101, "ResponseSizeError"),
        ("image/png", 200, "ResponseFileError"),
        pytest.param("image/png", 201, "ResponseSizeError", id="dsl-96-file"),
    ],
)
async def test_responses_are_bounded_by_what_they_are(content_type: str, size: int, kind: str | None) -> None:
    config = EgressConfig(allow_private_addresses=True, max_text_bytes=100, max_file_bytes=200)

    run, _ = await send(http(), handler=responds("x" * size, Content_Type=content_type), config=config)

    assert (None if run.result else failure(run)[0]) == kind


@pytest.mark.parametrize("status", [201, 204, 304, pytest.param(404, id="dsl-95-404"), 500])
async def test_any_status_is_a_success_for_a_node_that_does_not_mind(status: int) -> None:
    retry = {"retry_enabled": False, "max_retries": 3, "retry_interval": 100}

    run, _ = await send(http(retry_config=retry), handler=responds("no", status))

    assert run.outputs["status_code"] == status


@pytest.mark.parametrize(
    "minding",
    [
        pytest.param({"retry_config": {"retry_enabled": True, "max_retries": 3}}, id="dsl-95-retry"),
        pytest.param({"retry_config": {"retry_enabled": True, "max_retries": 0}}, id="dsl-95-no-retries"),
        pytest.param({"error_strategy": "fail-branch"}, id="dsl-95-branch"),
        pytest.param({"error_strategy": "default-value"}, id="dsl-95-default"),
    ],
)
async def test_another_status_than_2xx_fails_a_node_that_minds_and_stays_on_record(
    minding: dict[str, Any],
) -> None:
    run, _ = await send(http(**minding), handler=responds("gone", 404))
    fine, _ = await send(http(**minding), handler=responds("here", 206))

    assert failure(run)[0] == "HTTPResponseCodeError"
    assert "404" in failure(run)[1]
    assert {**run.context.outputs, "headers": None} == {
        "status_code": 404,
        "body": "gone",
        "headers": None,
        "files": [],
    }
    assert transcript(run).startswith("GET / HTTP/1.1\r\n")
    assert fine.outputs["body"] == "here"


async def test_a_response_to_head_has_no_body_whatever_it_would_be() -> None:
    run, _ = await send(http(method="head"), handler=responds("x" * 50, Content_Type="image/png"))

    assert (run.outputs["body"], run.outputs["status_code"]) == ("", 200)


# What goes out


@pytest.mark.parametrize("method", ["get", "POST", "Put", "patch", "DELETE", "head"])
async def test_methods_are_read_in_any_case(method: str) -> None:
    assert (await sent(http(method=method))).method == method.upper()


async def test_variables_stand_in_every_part() -> None:
    data = http(
        url="{{#start.url#}}/{{#a.path#}}?q={{#a.q#}}#part",
        headers="X-{{#a.name#}}: {{#a.value#}}\nX-Missing: {{#no.where#}}",
        params="{{#a.name#}}: {{#a.value#}}",
        **api_key(key="{{#env.key#}}"),
        **body("raw-text", "{{#a.name#}} is {{#a.flag#}}"),
    )
    values: dict[str, Value] = {
        "a.path": "ä b",
        "a.q": 1,
        "a.name": "Name",
        "a.value": "v 1",
        "a.flag": True,
        "env.key": KEY,
    }

    request = await sent(data, values)

    assert request.target == "/%C3%A4%20b?q=1&Name=v+1"
    assert request.header("x-name") == ["v 1"]
    assert request.header("x-missing") == ["no.where"]
    assert request.header("authorization") == [f"Bearer {KEY}"]
    assert request.body == b"Name is True"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param("aa", {"aa": [""]}, id="dsl-92a-name"),
        pytest.param("aa:", {"aa": [""]}, id="dsl-92a-colon"),
        pytest.param("aa: bb", {"aa": ["bb"]}, id="dsl-92a-value"),
        pytest.param("aa:bb:cc\n\n : no\nAA: last", {"aa": ["last"]}, id="last-wins"),
        pytest.param("{{#x.lines#}}", {"one": ["1"], "two": ["2"]}, id="lines-from-a-variable"),
    ],
)
async def test_headers_are_lines(headers: str, expected: dict[str, list[str]]) -> None:
    request = await sent(http(headers=headers), {"x.lines": "one: 1\r\ntwo: 2"})

    assert {name: request.header(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("params", "target"),
    [
        pytest.param("a: 1\na:2\nb", "/?a=1&a=2&b=", id="dsl-92a-repeated"),
        pytest.param("a: x:y\n\n: no", "/?a=x%3Ay", id="colons"),
        pytest.param("a: {{#x.lines#}}", "/?a=one%3A+1%0Atwo%26", id="lines-in-a-value"),
        pytest.param("", "/", id="none"),
    ],
)
async def test_parameters_are_split_before_variables_are_put_in(params: str, target: str) -> None:
    assert (await sent(http(params=params), {"x.lines": "one: 1\ntwo&"})).target == target


@pytest.mark.parametrize(
    ("kind", "key", "header", "expected"),
    [
        ("bearer", KEY, "", ("authorization", f"Bearer {KEY}")),
        ("basic", "me:pass", "", ("authorization", "Basic bWU6cGFzcw==")),
        ("basic", "bWU6cGFzcw==", "", ("authorization", "Basic bWU6cGFzcw==")),
        ("custom", KEY, "X-Key", ("x-key", KEY)),
        ("custom", KEY, " ", ("authorization", KEY)),
        ("bearer", KEY, "X-Key", ("x-key", f"Bearer {KEY}")),
    ],
)
async def test_a_key_is_sent_as_its_type_says_and_hidden_in_the_record(
    kind: str, key: str, header: str, expected: tuple[str, str]
) -> None:
    data = http(headers="authorization: mine\nx-key: mine", **api_key(kind, key, header))

    run, [request] = await send(data)

    name, value = expected
    assert request.header(name) == [value]
    assert key not in transcript(run)
    assert transcript(run).lower().count(f"{name}: {HIDDEN}") == 1


@pytest.mark.parametrize("kind", ["basic", "bearer", "custom"])
@pytest.mark.parametrize("key", ["", "  ", "{{#env.empty#}}"], ids=["dsl-92b", "blanks", "dsl-92b-variable"])
async def test_a_blank_key_fails_the_node(kind: str, key: str) -> None:
    run, requests = await send(http(**api_key(kind, key)), {"env.empty": ""})

    assert failure(run)[0] == "AuthorizationConfigError"
    assert requests == []


@pytest.mark.parametrize("strategy", [None, "fail-branch", "default-value"])
@pytest.mark.parametrize("config", [None, {}, ""], ids=["dsl-24", "empty", "text"])
async def test_a_key_that_is_not_set_up_fails_the_node_when_it_runs(
    config: object, strategy: str | None
) -> None:
    data = http(authorization={"type": "api-key", "config": config}, error_strategy=strategy)

    run, requests = await send(data)

    assert failure(run)[0] == "AuthorizationConfigError"
    assert requests == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"n": {{#x.number#}}}', b'{"n":1.5}', id="dsl-91-number"),
        pytest.param('{"o": {{#x.object#}}}', '{"o":{"a":[1,"ü"]}}'.encode(), id="dsl-91-object"),
        pytest.param(
            '{"x": {"o": {{#x.object#}}}}', '{"x":{"o":{"a":[1,"ü"]}}}'.encode(), id="dsl-91-nested"
        ),
        pytest.param('{"id": {{#x.id#}}}', f'{{"id":"{UUID}"}}'.encode(), id="dsl-91-uuid"),
        pytest.param('{"t": "{{#x.lines#}}"}', b'{"t":"a\\nb"}', id="line-break"),
        pytest.param('{"f": {{#x.flag#}}}', b'{"f":true}', id="boolean"),
        pytest.param("[1, 2,]", b"[1,2]", id="trailing-comma"),
        pytest.param('["a\n' + "x" * 60_000 + '"]', b'["a\\n' + b"x" * 60_000 + b'"]', id="long-but-right"),
    ],
)
async def test_json_is_mended_and_sent(text: str, expected: bytes) -> None:
    values: dict[str, Value] = {
        "x.number": 1.5,
        "x.object": {"a": [1, "ü"]},
        "x.id": UUID,
        "x.lines": "a\nb",
        "x.flag": True,
    }

    request = await sent(http(**body("json", text)), values)

    assert request.body == expected
    assert request.header("content-type") == ["application/json"]


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("json", []),
        ("json", ["{}", "{}"]),
        ("json", [""]),
        ("json", ["no json at all"]),
        ("json", ['{"a": 1e999}']),
        ("json", ["[" * 100_000]),
        ("json", ["{" + "x" * 60_000]),
        ("raw-text", []),
        ("raw-text", ["a", "b"]),
        ("binary", []),
    ],
)
async def test_a_body_that_cannot_be_made_fails_the_node(kind: str, items: list[str]) -> None:
    run, requests = await send(http(**body(kind, *items)))

    assert failure(run)[0] == "RequestBodyError"
    assert requests == []


@pytest.mark.parametrize(
    ("kind", "items", "content_type", "data"),
    [
        ("raw-text", ["grün"], ["text/plain"], "grün".encode()),
        (
            "x-www-form-urlencoded",
            [{"key": "a b", "value": "{{#x.v#}}"}, {"key": "c", "value": "1"}, {"key": "c", "value": "2"}],
            ["application/x-www-form-urlencoded"],
            b"a+b=1%262&c=2",
        ),
        ("none", ["unused"], [], b""),
    ],
)
async def test_texts_go_out_with_their_type(
    kind: str, items: list[Any], content_type: list[str], data: bytes
) -> None:
    request = await sent(http(**body(kind, *items)), {"x.v": "1&2"})

    assert (request.header("content-type"), request.body) == (content_type, data)


@pytest.mark.parametrize("kind", ["raw-text", "json", "x-www-form-urlencoded"])
async def test_a_given_content_type_stays(kind: str) -> None:
    request = await sent(http(headers="content-type: a/b", **body(kind, "1")))

    assert request.header("content-type") == ["a/b"]


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("raw-text", "text: {{#x.v#}}", b"text: 1"),
        ("json", '{"a": {{#x.v#}}}', b'{"a":1}'),
        ("x-www-form-urlencoded", "a: {{#x.v#}}\nb:2:3", b"a=1&b=2%3A3"),
        ("none", "", b""),
    ],
)
async def test_a_body_may_be_one_text_as_older_files_have_it(kind: str, data: str, expected: bytes) -> None:
    request = await sent(http(method="post", body={"type": kind, "data": data}), {"x.v": 1})

    assert request.body == expected


async def test_a_form_without_files_is_a_multipart_one_all_the_same() -> None:
    items = [{"key": "a", "value": "{{#x.v#}}"}, {"key": 'b"\n', "value": ""}]

    request = await sent(http(**body("form-data", *items)), {"x.v": "grün"})

    assert fields(request) == [
        ("a", None, None, "grün".encode()),
        ("b%22%0A", None, None, b""),
        PLACEHOLDER,
    ]


@pytest.mark.parametrize(
    ("given", "content_type"),
    [
        ("multipart/form-data", "multipart/form-data; boundary=weft-"),
        ("Multipart/Form-Data; boundary=mine", "Multipart/Form-Data; boundary=mine"),
        ("application/x-own", "application/x-own"),
    ],
)
async def test_a_given_type_of_a_form_stays_if_it_can_be_read_with_it(given: str, content_type: str) -> None:
    item = {"key": "a", "value": "1"}

    request = await sent(http(headers=f"Content-Type: {given}", **body("form-data", item)))

    assert request.header("content-type")[0].startswith(content_type)
    if "x-own" not in content_type:
        assert fields(request) == [("a", None, None, b"1"), PLACEHOLDER]


async def test_files_are_fetched_and_sent() -> None:
    async with serve(responds(b"\x89PNG", Content_Type="image/png")) as files:
        image = File(type="image", filename="ä.png", mime_type="image/x", url=f"{files.url}/1")
        plain = remote_file(f"{files.url}/name")
        values: dict[str, Value] = {"x.one": image, "x.many": [image, plain], "x.text": "no file"}
        items: list[Mapping[str, object]] = [
            {"key": "t", "type": "text", "value": "v"},
            {"key": "one", "type": "file", "file": ["x", "one"]},
            {"key": "{{#x.text#}}", "type": "file", "file": ["x", "many"]},
            {"key": "none", "type": "file", "file": ["x", "missing"]},
            {"key": "none", "type": "file", "file": ["x", "text"]},
        ]
        data = http(headers="Content-Type: application/x-own", **body("form-data", *items))

        run, [request] = await send(data, values)

    assert fields(request) == [
        ("t", None, None, b"v"),
        ("one", "ä.png", "image/x", b"\x89PNG"),
        ("no file", "ä.png", "image/x", b"\x89PNG"),
        ("no file", "name", "image/png", b"\x89PNG"),
    ]
    assert [told.target for told in files.requests] == ["/1", "/1", "/name"]
    assert "<file 'name', type image/png, 4 bytes>" in transcript(run)


async def test_a_file_is_the_whole_body() -> None:
    async with serve(responds(b"\0\1\2")) as files:
        item = {"key": "", "type": "file", "value": "", "file": ["x", "file"]}

        run, [request] = await send(http(**body("binary", item)), {"x.file": remote_file(files.url)})

    assert (request.body, request.header("content-type")) == (b"\0\1\2", [])
    assert transcript(run).endswith("Content-Length: 3\r\n\r\n<binary content, 3 bytes>")


@pytest.mark.parametrize("kind", ["binary", "form-data"])
async def test_a_file_that_cannot_be_had_fails_the_node(kind: str) -> None:
    config = EgressConfig(allow_private_addresses=True, max_file_bytes=10)

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if request.path == "/gone" else web.Response(body=bytes(11))

    async with serve(handler) as files:
        links = [
            "",
            "/relative",
            "http://127.0.0.1:1/",
            "ftp://a.b/",
            f"{files.url}/gone",
            f"{files.url}/large",
        ]
        item = {"type": "file", "file": ["x", "file"]}
        failures = []
        for link in links:
            file = File(filename="a.png", url=link)
            run, requests = await send(http(**body(kind, item)), {"x.file": file}, config=config)
            failures.append((failure(run)[0], "'a.png'" in failure(run)[1], requests))

    assert failures == [("FileFetchError", True, [])] * len(links)


@pytest.mark.parametrize("value", [None, "text", []])
async def test_a_body_that_is_no_file_fails_the_node(value: Value) -> None:
    item = {"type": "file", "file": ["x", "file"]}

    run, requests = await send(http(**body("binary", item)), {} if value is None else {"x.file": value})

    assert failure(run)[0] == "FileFetchError"
    assert requests == []


async def test_files_pass_the_same_guard_as_requests() -> None:
    async with serve() as files:
        item = {"type": "file", "file": ["x", "file"]}
        values: dict[str, Value] = {"start.url": "http://a.b", "x.file": remote_file(files.url)}
        async with opened(EgressConfig()) as egress:
            run = await run_node(http(**body("binary", item)), values, egress=egress)
        assert files.requests == []

    assert failure(run)[0] == "FileFetchError"
    assert "loopback" in failure(run)[1]


# What goes wrong


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        pytest.param("ftp://a.b/", "InvalidURLError", id="dsl-96-ftp"),
        ("", "InvalidURLError"),
        ("  \n", "InvalidURLError"),
        ("a.b", "InvalidURLError"),
        ("{{#no.where#}}", "InvalidURLError"),
        ("http://", "InvalidURLError"),
        ("http://[::1", "InvalidURLError"),
        ("http://a.b:port/", "InvalidURLError"),
        ("http://a.b\\@c.d/", "InvalidURLError"),
        ("http://a\nb/", "InvalidURLError"),
        ("http://127.0.0.1:1/", "HttpRequestNodeError"),
    ],
)
async def test_an_address_that_leads_nowhere_fails_the_node(url: str, kind: str) -> None:
    run, _ = await send(http(url=url))

    assert failure(run)[0] == kind


async def test_line_breaks_at_the_end_of_an_address_do_not_count() -> None:
    assert (await sent(http(url="{{#start.url#}}/x\n"))).target == "/x"


@pytest.mark.parametrize("method", [pytest.param("options", id="dsl-96-options"), "OPTIONS"])
async def test_a_method_that_is_not_sent_fails_the_node_when_it_runs(method: str) -> None:
    run, requests = await send(http(method=method))

    assert failure(run)[0] == "InvalidHttpMethodError"
    assert requests == []


@pytest.mark.parametrize("headers", ["a b: c", "ä: b", "a: \0"])
async def test_a_header_that_cannot_be_sent_fails_the_node(headers: str) -> None:
    run, requests = await send(http(headers=headers))

    assert failure(run)[0] == "HttpRequestNodeError"
    assert requests == []


async def test_an_address_that_is_not_public_is_a_request_error() -> None:
    run, requests = await send(http(), config=EgressConfig())

    kind, message = failure(run)
    assert (kind, "http.allow_private_addresses" in message) == ("HttpRequestNodeError", True)
    assert requests == []


class NotedEgress:
    """Answers nothing to everything, and notes what was asked for."""

    config = OPEN

    def __init__(self) -> None:
        self.requests: list[EgressRequest] = []

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        self.requests.append(request)
        yield EgressResponse(status=200, origin="http://a.b", headers={}, pieces=self._nothing())

    async def _nothing(self) -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ({"connect": 1, "read": "2", "write": 3.5, "max_read_timeout": 9}, (1, 2, 3.5)),
        ({"connect": 0, "read": "", "write": None}, (0, None, None)),
        ({"max_connect_timeout": 0}, (None, None, None)),
        (None, (None, None, None)),
    ],
)
async def test_the_node_asks_for_its_own_timeouts(timeout: object, seconds: tuple[float | None, ...]) -> None:
    egress = NotedEgress()

    await run_node(http(url="http://a.b", timeout=timeout), egress=egress)

    [request] = egress.requests
    assert (request.connect_seconds, request.read_seconds, request.write_seconds) == seconds


@pytest.mark.parametrize(
    ("value", "verify"), [(True, True), (None, True), ("", True), (False, False), ("false", False)]
)
async def test_certificates_are_checked_unless_the_node_says_no(value: object, verify: bool) -> None:
    egress = NotedEgress()
    item = {"type": "file", "file": ["x", "file"]}
    data = http(url="http://a.b", ssl_verify=value, **body("binary", item))

    await run_node(data, {"x.file": remote_file("http://c.d/f")}, egress=egress)

    assert [(request.url, request.verify_tls) for request in egress.requests] == [
        ("http://c.d/f", verify),
        ("http://a.b", verify),
    ]


async def test_silence_fails_the_node_after_its_timeout() -> None:
    async with asyncio.timeout(5), serve_raw(silent) as server, opened() as egress:
        run = await run_node(
            http(timeout={"connect": "5", "read": 0.05, "write": ""}),
            {"start.url": server.url},
            egress=egress,
        )

    assert failure(run) == ("HttpRequestNodeError", f"{server.url} sent nothing for 0.05 s")


async def test_without_a_way_out_the_node_fails() -> None:
    run = await run_node(http(url="http://a.b/"))

    assert failure(run)[0] == "HttpRequestNodeError"


async def test_redirects_are_followed_and_take_no_key_to_another_origin() -> None:
    async with serve(host="127.0.0.2") as other:
        handler = responds("", 302, Location=f"{other.url}/there")
        data = http(headers="X-Own: {{#env.key#}}\nX-Plain: yes", **api_key("custom", "k", "X-Key"))

        run, [first] = await send(data, {"env.key": KEY}, handler=handler, secrets=(KEY,))

        assert run.outputs["body"] == "ok"
        told = [
            [request.header(name) for name in ("x-own", "x-key", "x-plain")]
            for request in (first, other.last)
        ]
    assert told == [[[KEY], ["k"], ["yes"]], [[], [], ["yes"]]]


# What the record shows


async def test_the_record_shows_the_request_as_text() -> None:
    data = http(
        url="{{#start.url#}}/a?b=c",
        headers="X-One: 1",
        params="d: e f",
        **body("json", '{"a": "ü"}'),
    )

    run, _ = await send(data)

    assert transcript(run) == (
        "POST /a?b=c&d=e+f HTTP/1.1\r\nHost: server\r\nX-One: 1\r\nContent-Type: application/json\r\n"
        'Content-Length: 10\r\n\r\n{"a":"ü"}'
    )


@pytest.mark.parametrize(
    "secret",
    [KEY, "short", 'quo"te\\d & spaced/ü'],
    ids=["key", "short", "special"],
)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"url": "{{#start.url#}}/x/{{#env.key#}}?y={{#env.key#}}"}, id="dsl-93-url"),
        pytest.param({"params": "k: {{#env.key#}}"}, id="dsl-93-params"),
        pytest.param({"headers": "X-Key: pre{{#env.key#}}"}, id="dsl-93-header"),
        pytest.param(body("raw-text", "k={{#env.key#}}"), id="dsl-93-body"),
        pytest.param(body("json", '{"k": {{#x.json#}}}'), id="dsl-93-json"),
        pytest.param(body("x-www-form-urlencoded", {"key": "k", "value": "{{#env.key#}}"}), id="dsl-93-form"),
        pytest.param(body("form-data", {"key": "k", "value": "{{#env.key#}}"}), id="dsl-93-multipart"),
    ],
)
async def test_secret_variables_are_sent_and_masked_in_the_record(part: dict[str, Any], secret: str) -> None:
    values: dict[str, Value] = {"env.key": secret, "x.json": json.dumps(secret)}

    run, [request] = await send(http(**part), values, secrets=(secret, ""))

    shown = transcript(run)
    assert mask_secret(secret) in shown
    assert secret not in shown
    unmasked, [same] = await send(http(**part), values)
    assert mask_secret(secret) not in transcript(unmasked)
    assert (request.target, request.header("x-key"), request.body) == (
        same.target,
        same.header("x-key"),
        same.body,
    )


@pytest.mark.parametrize(
    "data",
    [
        http(url="{{#env.key#}}"),
        http(url="ftp://{{#env.key#}}"),
        http(**body("json", "{{#env.key#}}")),
        http(url="http://{{#env.key#}}:1/"),
    ],
)
async def test_messages_of_failures_hold_no_secrets(data: dict[str, Any]) -> None:
    run, _ = await send(data, {"env.key": KEY}, secrets=(KEY,))

    assert KEY not in failure(run)[1]


async def test_user_and_password_of_an_address_are_not_on_record() -> None:
    async with serve() as server, opened() as egress:
        url = server.url.replace("http://", "http://me:hidden@")
        run = await run_node(http(), {"start.url": url}, egress=egress)

        assert server.last.header("authorization") == ["Basic bWU6aGlkZGVu"]
    assert "hidden" not in str(run.context.process_data)


# What a file may look like


def test_the_node_says_what_it_reads_and_needs() -> None:
    node = build_node(
        make_spec(
            http(
                url="https://me:secret@{{#a.host#}}/x?key={{#a.url#}}",
                headers="{{#b.name#}}: {{#b.value#}}",
                params="{{#c.name#}}: {{#c.value#}}",
                **api_key(key="{{#env.key#}}"),
                **body(
                    "form-data",
                    {"key": "{{#d.name#}}", "value": "{{#d.value#}}"},
                    {"key": "f", "type": "file", "value": "{{#not.read#}}", "file": ["sys", "files"]},
                ),
                retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 100},
            )
        )
    )

    assert list(node.reads()) == [
        ("a", "host"),
        ("a", "url"),
        ("env", "key"),
        ("b", "name"),
        ("b", "value"),
        ("c", "name"),
        ("c", "value"),
        ("d", "name"),
        ("d", "value"),
        ("sys", "files"),
    ]
    assert node.needs() == (Need("http", "https://{{#a.host#}}/x", "node"),)
    assert node.retry is not None


def test_a_file_may_leave_almost_everything_out() -> None:
    node = build_node(
        make_spec(
            {
                "type": "http-request",
                "url": None,
                "headers": None,
                "authorization": {"type": "no-auth", "config": {"type": "", "api_key": 5}},
                "body": None,
                "timeout": None,
                "ssl_verify": None,
            }
        )
    )

    assert (list(node.reads()), node.config.method) == ([], "get")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"method": "trace"}, "method"),
        ({"body": {"type": "xml"}}, "body.type"),
        ({"authorization": {"type": "oauth"}}, "authorization.type"),
        ({"authorization": {"type": "api-key", "config": {"type": "digest"}}}, "authorization.config.type"),
    ],
)
def test_what_no_editor_offers_is_refused_at_load(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(GraphError) as caught:
        build_node(make_spec(http(**changes)))

    assert [problem.path for problem in caught.value.problems] == [f"workflow.graph.nodes[0].data.{path}"]
