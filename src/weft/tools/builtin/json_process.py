"""The provider ``json_process``: reading and changing JSON by paths.

Source: Dify built-in tools, provider ``json_process``; as there, what cannot be done is told as text, and the
flow goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import cast

from weft.tools.json_path import JsonPath, Place
from weft.tools.parameter import ToolParameter
from weft.tools.tool import Caller, FixedTools, Function, TextTool, ToolProvider
from weft.variables import Value

_PROVIDER = "json_process"
_CONTENT = ToolParameter(name="content", required=True, description="JSON data to be processed")
_DECODE = ToolParameter(
    name="value_decode", type="boolean", form="form", default=False, description="Read the value as JSON"
)
_ASCII = ToolParameter(
    name="ensure_ascii",
    type="boolean",
    form="form",
    default=True,
    description="Write other characters as escapes",
)

Work = Callable[[Mapping[str, Value], Value], Value]
"""Gets the arguments and the decoded content, and gives what the content becomes."""


def open_json_process(name: str, options: Mapping[str, object]) -> ToolProvider:
    """The provider; it has no options."""

    def query(what: str) -> ToolParameter:
        return ToolParameter(name="query", required=True, description=f"JSONPath of the element to {what}")

    return FixedTools(
        [
            TextTool(
                _PROVIDER,
                "parse",
                "A tool for extracting JSON objects.",
                [
                    _CONTENT,
                    ToolParameter(name="json_filter", description="JSONPath of the fields to extract"),
                    _ASCII,
                ],
                _parse,
            ),
            TextTool(
                _PROVIDER,
                "json_insert",
                "A tool for inserting JSON content.",
                [
                    _CONTENT,
                    query("insert into"),
                    ToolParameter(name="new_value", required=True, description="New value to insert"),
                    ToolParameter(name="index", type="number", form="form", description="Where in a list"),
                    _DECODE,
                    ToolParameter(
                        name="create_path",
                        type="select",
                        form="form",
                        default="False",
                        options=("True", "False"),
                        description="Make the path where there is none",
                    ),
                    _ASCII,
                ],
                _changed("insert", _insert),
            ),
            TextTool(
                _PROVIDER,
                "json_replace",
                "A tool for replacing JSON content.",
                [
                    _CONTENT,
                    query("replace"),
                    ToolParameter(name="replace_pattern", description="String to be replaced"),
                    ToolParameter(name="replace_value", required=True, description="New value"),
                    _DECODE,
                    ToolParameter(
                        name="replace_model",
                        type="select",
                        form="form",
                        default="pattern",
                        options=("key", "value", "pattern"),
                        description="What is replaced",
                    ),
                    _ASCII,
                ],
                _changed("replace", _replace),
            ),
            TextTool(
                _PROVIDER,
                "json_delete",
                "A tool for deleting JSON content.",
                [_CONTENT, query("delete"), _ASCII],
                _changed("delete", _delete),
            ),
        ]
    )


async def _parse(arguments: Mapping[str, Value], caller: Caller) -> str:
    if not arguments.get("json_filter"):
        return "Invalid parameter json_filter"
    try:
        content = _decode(arguments["content"])
        found = [place.value for place in JsonPath(str(arguments["json_filter"])).find(content)]
    except ValueError as error:
        return f"Failed to extract JSON content: {error}"
    result = found[0] if len(found) == 1 else found
    return _encode(result, arguments) if isinstance(result, dict | list) else str(result)


def _changed(verb: str, work: Work) -> Function:
    async def run(arguments: Mapping[str, Value], caller: Caller) -> str:
        try:
            return _encode(work(arguments, _decode(arguments["content"])), arguments)
        except ValueError as error:
            return f"Failed to {verb} JSON content: {error}"

    return run


def _insert(arguments: Mapping[str, Value], content: Value) -> Value:
    path = JsonPath(str(arguments["query"]))
    new = _new_value(arguments, "new_value")
    places = path.find(content)
    if not places and arguments["create_path"] == "True":
        return _create(path, content, new)
    for place in places:
        if isinstance(place.value, dict):
            if not isinstance(new, dict):
                raise ValueError("only an object can be inserted into an object")
            place.value.update(new)
        elif isinstance(place.value, list):
            index = arguments.get("index")
            place.value.insert(len(place.value) if index is None else int(cast("int", index)), new)
        elif place.parent is None:
            content = new
        else:
            place.replace(new)
    return content


def _create(path: JsonPath, content: Value, new: Value) -> Value:
    """Put a value where there is no place yet, by making the objects and lists on the way."""
    keys = []
    for step in path.steps:
        if step.deep or len(step.wanted) != 1 or isinstance(step.wanted[0], slice):
            raise ValueError("a path with more than one end cannot be created")
        keys.append(step.wanted[0])
    if not keys:
        return new
    current: Value = content
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        fresh: Value = new if following is None else [] if isinstance(following, int) else {}
        if isinstance(current, dict) and isinstance(key, str):
            current = current.setdefault(key, fresh)
        elif isinstance(current, list) and isinstance(key, int) and 0 <= key <= len(current):
            if key == len(current):
                current.append(fresh)
            current = current[key]
        else:
            raise ValueError(f"{key!r} cannot be created in what is above it")
    return content


def _replace(arguments: Mapping[str, Value], content: Value) -> Value:
    places = JsonPath(str(arguments["query"])).find(content)
    new = _new_value(arguments, "replace_value")
    for place in places:
        match arguments["replace_model"]:
            case "key":
                _rename(place, str(arguments["replace_value"]))
            case "value" if place.parent is None:
                content = new
            case "value":
                place.replace(new)
            case _:
                pattern = arguments.get("replace_pattern")
                if not pattern:
                    raise ValueError("replace_pattern is empty")
                if not isinstance(place.value, str):
                    raise ValueError(f"a string can be replaced in strings only, and {place.key!r} is none")
                place.replace(place.value.replace(str(pattern), str(arguments["replace_value"])))
    return content


def _rename(place: Place, name: str) -> None:
    if isinstance(place.parent, dict) and place.key in place.parent:
        place.parent[name] = place.parent.pop(str(place.key))


def _delete(arguments: Mapping[str, Value], content: Value) -> Value:
    # From behind, so that the indices of a list stay right.
    for place in reversed(JsonPath(str(arguments["query"])).find(content)):
        if isinstance(place.parent, dict):
            place.parent.pop(str(place.key), None)
        elif place.parent is not None:
            del place.parent[int(place.key)]
    return content


def _new_value(arguments: Mapping[str, Value], name: str) -> Value:
    text = str(arguments[name])
    return _decode(text) if arguments["value_decode"] else text


def _decode(text: Value) -> Value:
    try:
        return cast("Value", json.loads(str(text)))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _encode(value: Value, arguments: Mapping[str, Value]) -> str:
    return json.dumps(value, ensure_ascii=bool(arguments["ensure_ascii"]))
