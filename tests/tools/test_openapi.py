from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.fake import FakeHttp, caller, reply, said
from weft.errors import ConfigError
from weft.tools import (
    BlobMessage,
    JsonMessage,
    TextMessage,
    Tool,
    Toolbox,
    ToolCredentialsError,
    ToolInvokeError,
    ToolMessage,
    ToolParameter,
    ToolParameterError,
    ToolRef,
    parse_tools_config,
)
from weft.tools.openapi import load_operations

pytestmark = pytest.mark.anyio

SHOP = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers:
  - url: https://{region}.shop.example/v2/
    variables: {region: {default: eu}}
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: getOrder
      summary: One order
      parameters:
        - {name: fields, in: query, schema: {type: array, items: {type: string}}}
        - {name: tags, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: X-Trace, in: header, schema: {type: string}}
        - {name: visit, in: cookie, schema: {type: string}}
        - $ref: '#/components/parameters/Limit'
  /orders:
    post:
      description: Makes an order
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Order'}
  /notes:
    put:
      operationId: writeNote
      requestBody: {content: {text/plain: {schema: {type: string}}}}
    post:
      operationId: sendNote
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {text: {type: string}, public: {type: boolean}}}
    patch:
      operationId: uploadNote
      requestBody:
        content:
          multipart/form-data:
            schema: {type: object, properties: {text: {type: string}, size: {type: integer}}}
components:
  parameters:
    Limit: {name: limit, in: query, description: At most, schema: {type: integer, default: 10}}
  schemas:
    Base: {type: object, properties: {note: {type: [string, "null"]}}}
    Order:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [article, count]
          properties:
            article: {type: string, enum: [tea, cup], description: What}
            count: {type: integer}
            gift: {anyOf: [{type: boolean}, {type: "null"}]}
            example: {type: string, example: dropped}
            parent: {$ref: '#/components/schemas/Order'}
"""


async def shop_tool(name: str, **table: Any) -> Tool:
    box = Toolbox(parse_tools_config({"Shop": {"openapi": SHOP, **table}}))
    ref = ToolRef(provider_type="api", provider_id="4f1c-uuid", provider_name="shop", tool_name=name)
    return await box.get(ref, caller())


async def test_each_operation_is_a_tool_with_the_parameters_of_the_request() -> None:
    order = await shop_tool("getOrder")
    assert (order.provider, order.description) == ("Shop", "One order")
    assert list(order.parameters) == [
        ToolParameter(name="id", required=True, schema={"type": "string"}),
        ToolParameter(name="fields", type="array", schema={"type": "array", "items": {"type": "string"}}),
        ToolParameter(name="tags", type="array", schema={"type": "array", "items": {"type": "string"}}),
        ToolParameter(name="X-Trace", schema={"type": "string"}),
        ToolParameter(name="visit", schema={"type": "string"}),
        ToolParameter(
            name="limit",
            type="number",
            description="At most",
            default=10,
            schema={"type": "integer", "default": 10},
        ),
    ]
    made = await shop_tool("orders_post")
    assert made.description == "Makes an order"
    assert [(item.name, item.type, item.required, item.options) for item in made.parameters] == [
        ("note", "string", False, ()),
        ("article", "string", True, ("tea", "cup")),
        ("count", "number", True, ()),
        ("gift", "boolean", False, ()),
        ("example", "string", False, ()),
        ("parent", "any", False, ()),
    ]


async def test_arguments_go_where_the_description_says() -> None:
    http = FakeHttp(reply({}))
    values: Any = {
        "id": "a/../b?c",
        "fields": '["x", "y z"]',
        "tags": ["p", "q"],
        "X-Trace": "t",
        "visit": "v;1",
        "limit": 5.0,
    }
    await said(await shop_tool("getOrder"), values, caller(http))
    [request] = http.requests
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == (
        "https://eu.shop.example/v2/orders/a%2F..%2Fb%3Fc?fields=x&fields=y%20z&tags=p%2Cq&limit=5"
    )
    assert request.headers == {
        "Accept": "application/json, */*;q=0.5",
        "X-Trace": "t",
        "Cookie": "visit=v%3B1",
    }


@pytest.mark.parametrize(
    ("name", "values", "kind", "body"),
    [
        (
            "orders_post",
            {"article": "tea", "count": "2", "gift": "true"},
            "application/json",
            b'{"article":"tea","count":2,"gift":true}',
        ),
        ("writeNote", {"body": "hello"}, "text/plain", b"hello"),
        (
            "sendNote",
            {"text": "a b&c", "public": True},
            "application/x-www-form-urlencoded",
            b"text=a+b%26c&public=true",
        ),
        (
            "uploadNote",
            {"text": "--weft-form-part", "size": 3},
            "multipart/form-data; boundary=weft-form-part-",
            b'--weft-form-part-\r\nContent-Disposition: form-data; name="text"\r\n\r\n--weft-form-part\r\n'
            b'--weft-form-part-\r\nContent-Disposition: form-data; name="size"\r\n\r\n3\r\n'
            b"--weft-form-part---\r\n",
        ),
    ],
)
async def test_a_body_is_written_as_its_type_demands(
    name: str, values: dict[str, Any], kind: str, body: bytes
) -> None:
    http = FakeHttp(reply({}))
    await said(await shop_tool(name), values, caller(http))
    [request] = http.requests
    assert (request.headers["Content-Type"], request.body) == (kind, body)


async def test_a_body_without_any_field_is_not_sent() -> None:
    http = FakeHttp(reply({}))
    await said(await shop_tool("sendNote"), {}, caller(http))
    await said(await shop_tool("writeNote"), {}, caller(http))
    assert [(request.body, "Content-Type" in request.headers) for request in http.requests] == [
        (b"", False),
        (b"", False),
    ]


@pytest.mark.parametrize(
    ("table", "header", "query"),
    [
        ({"api_key": "k"}, ("Authorization", "Bearer k"), ""),
        ({"api_key": "u:p", "auth": "basic"}, ("Authorization", "Basic dTpw"), ""),
        ({"api_key": "ready", "auth": "basic"}, ("Authorization", "Basic ready"), ""),
        ({"api_key": "k", "auth": "header", "auth_name": "X-Key"}, ("X-Key", "k"), ""),
        ({"headers": {"X-Team": "t"}}, ("X-Team", "t"), ""),
        ({"api_key": "k k", "auth": "query", "auth_name": "key"}, None, "?key=k%20k"),
    ],
)
async def test_the_key_is_shown_as_the_table_says(
    table: dict[str, Any], header: tuple[str, str] | None, query: str
) -> None:
    http = FakeHttp(reply({}))
    await said(await shop_tool("sendNote", **table), {}, caller(http))
    [request] = http.requests
    assert request.url == f"https://eu.shop.example/v2/notes{query}"
    assert dict([header] if header else []).items() <= request.headers.items()
    assert request.credentials == frozenset([header[0].lower()] if header else [])


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        (reply({"a": 1}), [JsonMessage({"a": 1}), TextMessage('{"a": 1}')]),
        (reply([1]), [TextMessage("[1]")]),
        (reply('{"a": 1}', content_type="text/plain"), [JsonMessage({"a": 1}), TextMessage('{"a": 1}')]),
        (reply("{broken"), [TextMessage("{broken")]),
        (reply("done", content_type="text/plain"), [TextMessage("done")]),
        (reply(b"", status=204), [TextMessage("")]),
        (
            reply(b"\x89PNG", content_type="image/png", content_disposition='inline; filename="../a.png"'),
            [BlobMessage(b"\x89PNG", "image/png", "a.png")],
        ),
        (reply(b"x", content_type="application/zip"), [BlobMessage(b"x", "application/zip", "")]),
        (
            reply(b"\x89PNG", content_type="image/png", content_disposition="inline; filename=a.png"),
            [BlobMessage(b"\x89PNG", "image/png", "a.png")],
        ),
    ],
)
async def test_a_reply_becomes_messages(answer: Any, messages: list[ToolMessage]) -> None:
    assert await said(await shop_tool("sendNote"), {}, caller(FakeHttp(answer))) == messages


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (reply("no", status=401), ToolCredentialsError, r"check api_key and auth in \[tools.Shop\]"),
        (
            reply("no such thing", status=404),
            ToolInvokeError,
            "tool 'getOrder' of 'Shop': status 404: no such thing",
        ),
    ],
)
async def test_a_refusal_fails_the_call(answer: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        await said(await shop_tool("getOrder"), {"id": "1"}, caller(FakeHttp(answer)))


@pytest.mark.parametrize(
    "values", [{"id": ".."}, {"id": "."}, {"id": ""}, {"id": "1", "X-Trace": "a\r\nHost: b"}, {}]
)
async def test_an_argument_cannot_lead_elsewhere(values: dict[str, Any]) -> None:
    http = FakeHttp(reply({}))
    with pytest.raises(ToolParameterError):
        await said(await shop_tool("getOrder"), values, caller(http))
    assert http.requests == []


async def test_the_older_form_of_descriptions_is_understood() -> None:
    text = """{"swagger": "2.0", "host": "old.example", "basePath": "/api", "schemes": ["http", "https"],
      "paths": {
        "/a": {"post": {"operationId": "json", "parameters": [
          {"in": "body", "name": "x", "required": true, "schema": {"$ref": "#/definitions/X"}},
          {"in": "query", "name": "q", "type": "integer", "default": 1}]}},
        "/b": {"post": {"operationId": "form", "parameters": [
          {"in": "formData", "name": "f", "type": "string", "required": true, "description": "F"}]}}},
      "definitions": {"X": {"type": "object", "properties": {"n": {"type": "number"}}}}}"""
    json, form = load_operations(text)
    assert (json.url, json.body_type) == ("https://old.example/api/a", "application/json")
    assert [(item.tool.name, item.tool.type, item.location) for item in json.parameters] == [
        ("q", "number", "query"),
        ("n", "number", "body"),
    ]
    assert form.body_type == "application/x-www-form-urlencoded"
    assert [(item.tool.name, item.tool.required, item.tool.description) for item in form.parameters] == [
        ("f", True, "F")
    ]


async def test_a_description_may_lie_in_a_file_and_its_api_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "api.json"
    file.write_text('{"paths": {"/now": {"get": {}}}}', encoding="utf-8")
    box = Toolbox(parse_tools_config({"x": {"openapi": str(file), "base_url": "https://x.example/api/"}}))
    http = FakeHttp(reply({}))
    tool = await box.get(ToolRef(provider_type="api", provider_name="x", tool_name="now_get"), caller())
    await said(tool, {}, caller(http))
    assert http.requests[0].url == "https://x.example/api/now"


AT_A = "servers: [{url: 'https://a'}], "


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [\n", "it cannot be read: while parsing"),
        ("- a\n- b", "it is no OpenAPI description, for it has no paths"),
        ("paths: {}\n", "it describes no operation"),
        ("paths: {/a: {get: {}}}\n", "it does not say where the API is"),
        ("{servers: [{url: /v1}], paths: {/a: {get: {}}}}", "it does not say where the API is"),
        (
            "{" + AT_A + "paths: {/a: {get: {parameters: [{$ref: '#/x'}]}}}}",
            "the reference '#/x' leads nowhere",
        ),
        (
            "{" + AT_A + "paths: {/a: {get: {parameters: [{$ref: 'b.yml'}]}}}}",
            "the reference 'b.yml' leads elsewhere",
        ),
        (
            "{" + AT_A + "x: {$ref: '#/x'}, paths: {/a: {get: {parameters: [{$ref: '#/x'}]}}}}",
            "references lead round in a circle",
        ),
        (
            "{" + AT_A + "paths: {/a: {get: {operationId: x}}, /b: {get: {operationId: x}}}}",
            "2 operations are called 'x'",
        ),
        (
            "{" + AT_A + "paths: {/a: {get: {parameters: [{name: x, in: moon}]}}}}",
            "parameter 'x' is in 'moon', which is no place for one",
        ),
        (
            "{" + AT_A + "paths: {/a: {post: {operationId: o, "
            "parameters: [{name: x, in: query}], "
            "requestBody: {content: {application/json: {schema: {properties: {x: {}}}}}}}}}}",
            "operation 'o' has two parameters called 'x'",
        ),
        ("missing.yml", "No such file"),
    ],
)
def test_a_description_that_cannot_be_used_is_told_at_once(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Toolbox(parse_tools_config({"x": {"openapi": text}}))
    assert str(raised.value).startswith("[tools.x] openapi: ")
    assert complaint in str(raised.value)
