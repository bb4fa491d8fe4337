"""Reading an OpenAPI description, versions 3.0 and 3.1, and Swagger 2.0 as far as it is used in the wild.

The description comes from whoever runs this server, not from a flow; it is read as a whole when the program
starts, so that a mistake in it is told at once.

Source: OpenAPI specification 3.1; naming and flattening of parameters as Dify does it for custom tools.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

import msgspec
import yaml

from weft.tools.openapi.operation import Operation, OperationParameter, is_json
from weft.tools.parameter import ToolParameter
from weft.tools.schema import References, as_list, as_mapping, parameter_of, parameters_of

Json: TypeAlias = Mapping[str, object]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_OLD_SCHEMA = ("type", "enum", "default", "items")
_PREFERRED = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


def load_operations(text: str, base_url: str = "") -> list[Operation]:
    """All operations of a description.

    Args:
        text: YAML or JSON.
        base_url: Where the API is, if not where the description says.

    Raises:
        ValueError: It is no description, or says nowhere where the API is.
    """
    try:
        document = _decode(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"it cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError("it is no OpenAPI description, for it has no paths")
    operations = list(_Reader(document, base_url).operations())
    if not operations:
        raise ValueError("it describes no operation")
    for name, count in Counter(operation.name for operation in operations).items():
        if count > 1:
            raise ValueError(f"{count} operations are called {name!r}; give each an operationId of its own")
    return operations


def _decode(text: str) -> object:
    if text.lstrip().startswith("{"):
        # JSON is YAML as well, but takes a hundred times as long to be read as such.
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(text)
    return yaml.load(text, _Loader)  # noqa: S506  # a safe loader


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written, as JSON does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Reader:
    def __init__(self, document: Json, base_url: str) -> None:
        self._document = document
        self._references = References(document)
        self._base_url = base_url or _server_of(document)

    def operations(self) -> Iterator[Operation]:
        """All of them, in the order of the description."""
        for path, given in as_mapping(self._document.get("paths")).items():
            item = as_mapping(self._references.resolve(given))
            shared = as_list(item.get("parameters"))
            server = _first_server(item.get("servers"))
            for method in _METHODS:
                if isinstance(item.get(method), dict):
                    yield self._operation(str(path), method, as_mapping(item[method]), shared, server)

    def _operation(self, path: str, method: str, given: Json, shared: list[object], server: str) -> Operation:
        url = self._url(path, _first_server(given.get("servers")) or server)
        name = given.get("operationId") or f"{re.sub(r'[^a-zA-Z0-9_-]', '', path)}_{method}"
        parameters: dict[tuple[str, str], OperationParameter] = {}
        body = as_mapping(self._references.resolve(given.get("requestBody")))
        for item in (*shared, *as_list(given.get("parameters"))):
            found = as_mapping(self._references.resolve(item))
            if found.get("in") in ("body", "formData"):  # Swagger 2.0
                body = _old_body(found, body)
            elif found.get("name"):
                parameter = self._parameter(found)
                parameters[parameter.location, parameter.tool.name] = parameter
        body_type, whole, fields = self._body(body)
        taken = {item.tool.name for item in parameters.values()}
        both = [field.name for field in fields if field.name in taken]
        if both:
            raise ValueError(f"operation {name!r} has two parameters called {both[0]!r}; rename one of them")
        summary = given.get("summary") or given.get("description") or ""
        return Operation(
            name=str(name),
            method=method.upper(),
            url=url,
            summary=str(summary),
            parameters=(*parameters.values(), *(OperationParameter(field, "body") for field in fields)),
            body_type=body_type,
            whole_body=whole,
        )

    def _url(self, path: str, server: str) -> str:
        base = urljoin(f"{self._base_url}/", server) if server else self._base_url
        if urlsplit(base).scheme not in ("http", "https"):
            raise ValueError(
                "it does not say where the API is; set base_url, or write an address under servers"
            )
        return f"{base.rstrip('/')}/{path.lstrip('/')}"

    def _parameter(self, given: Json) -> OperationParameter:
        location = given.get("in")
        if location not in ("path", "query", "header", "cookie"):
            raise ValueError(f"parameter {given['name']!r} is in {location!r}, which is no place for one")
        schema = as_mapping(self._references.expand(given.get("schema")))
        if not schema and given.get("type"):  # Swagger 2.0 writes the schema beside the name
            schema = {key: value for key, value in given.items() if key in _OLD_SCHEMA}
        described = given.get("description")
        parameter = parameter_of(
            str(given["name"]),
            schema,
            required=bool(given.get("required")) or location == "path",
            description=described if isinstance(described, str) else "",
        )
        return OperationParameter(parameter, location, given.get("explode") is not False)

    def _body(self, body: Json) -> tuple[str, str, list[ToolParameter]]:
        """Media type, the name of the parameter that is all of it, and the parameters that it is made of."""
        content = as_mapping(body.get("content"))
        kinds = [str(kind) for kind in content]
        if not kinds:
            return "", "", []
        kind = next((kind for kind in _PREFERRED if kind in kinds), "") or next(
            (kind for kind in kinds if is_json(kind.partition(";")[0])), kinds[0]
        )
        schema = as_mapping(self._references.expand(as_mapping(content[kind]).get("schema")))
        fields = parameters_of(schema)
        if fields:
            return kind.partition(";")[0], "", fields
        whole = parameter_of("body", schema, required=bool(body.get("required")))
        return kind.partition(";")[0], "body", [whole]


def _old_body(found: Json, body: Json) -> Json:
    """What Swagger 2.0 writes among the parameters, as a later version would have it."""
    if found.get("in") == "body":
        content = {"application/json": {"schema": found.get("schema") or {}}}
        return {"required": found.get("required"), "content": content}
    form = as_mapping(body.get("content")).get("application/x-www-form-urlencoded")
    schema = as_mapping(as_mapping(form).get("schema"))
    field = {key: value for key, value in found.items() if key in (*_OLD_SCHEMA, "description")}
    properties = {**as_mapping(schema.get("properties")), str(found.get("name")): field}
    required = [*as_list(schema.get("required")), *([found.get("name")] if found.get("required") else [])]
    grown = {"type": "object", "properties": properties, "required": required}
    return {"content": {"application/x-www-form-urlencoded": {"schema": grown}}}


def _server_of(document: Json) -> str:
    server = _first_server(document.get("servers"))
    if server or not document.get("host"):
        return server
    schemes = as_list(document.get("schemes"))
    scheme = "https" if "https" in schemes or not schemes else str(schemes[0])
    return f"{scheme}://{document['host']}{document.get('basePath') or ''}"


def _first_server(servers: object) -> str:
    server = as_mapping(next(iter(as_list(servers)), {}))
    url = str(server.get("url") or "")
    for name, variable in as_mapping(server.get("variables")).items():
        url = url.replace(f"{{{name}}}", str(as_mapping(variable).get("default", "")))
    return url
