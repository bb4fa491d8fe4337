"""Write the generated parts of the reference pages, out of the code that they describe.

A page in `docs/reference` is prose with regions between ``<!-- begin NAME -->`` and ``<!-- end -->``. Each
region has a function here that makes its text; the prose around it is written by hand. ``--check`` only
compares and fails when a page is out of date.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from weft import errors, events, wire
from weft.cli import main as weft
from weft.client import Client
from weft.nodes import NODE_TYPES, NodeConfig
from weft.nodes.assigner_v1 import AssignerV1Config
from weft.nodes.assigner_v2 import AssignerV2Config
from weft.nodes.condition import Condition
from weft.nodes.memory import MemoryConfig
from weft.nodes.model_config import ModelConfig
from weft.nodes.vision import VisionConfig
from weft.providers import PRICES_AS_OF, Price, ProviderConfig, Rule, Timeouts
from weft.providers.service import SERVICES
from weft.retrieval import DatasetConfig
from weft.runs import LiveRun
from weft.server import errors as server_errors
from weft.server import sse
from weft.server.openapi import Description
from weft.settings import reference
from weft.store import Message, Run
from weft.tools import TOOL_PROVIDERS, McpConfig, OpenApiConfig
from weft.variables import Selector

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/reference"
APPS = ROOT / "examples/apps"
SOURCE = ROOT / "src/weft"

_REGION = re.compile(r"(<!-- begin (?P<name>[\w.-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMANDS = (
    *("demo", "serve", "run", "check", "test", "record", "replay"),
    *("archive", "worker", "accounts", "config", "version"),
)
_HELP_WIDTH = "90"
_EVERYWHERE = {
    "bad_request",
    "forbidden",
    "internal_server_error",
    "invalid_param",
    "request_entity_too_large",
    "too_many_requests",
    "unauthorized",
    "unsupported_media_type",
}
"""Error codes that are said once and not at each operation."""
_STREAM_EVENT = "StreamEvent"
"""A union of classes, which a type checker reads as a type and not as a value."""
_VARIANTS: dict[str, Sequence[tuple[str, type[NodeConfig]]]] = {
    "assigner": (('`version: "2"`', AssignerV2Config), ("without a version", AssignerV1Config)),
}
"""Types whose configuration has several forms: how to tell each, and its model."""
_WORDS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    object: "any value",
    Any: "any value",
    Selector: "selector",
}
ANNOUNCED = ("limits.max_upload_files",)
"""Settings that callers are told of and that are not enforced."""
ROOMS = (
    "weft.client",
    "weft.wire",
    "weft.settings",
    "weft.runs",
    "weft.server",
    "weft.graph",
    "weft.nodes",
    "weft.variables",
    "weft.providers",
    "weft.testing",
    "weft.testing.node_harness",
    "weft.sessions",
    "weft.archive",
)
"""Front doors that users and authors of plugins go through; events and errors have pages of their own."""
_SHARED: dict[type[BaseModel], str] = {
    ModelConfig: "model",
    MemoryConfig: "memory",
    VisionConfig: "vision",
    Condition: "condition",
}
"""Objects that several types have, by the section that describes them."""


def regions() -> dict[str, Callable[[], str]]:
    """Every region by its name."""
    made: dict[str, Callable[[], str]] = {
        "settings": settings_tables,
        "providers": lambda: struct_table(ProviderConfig),
        "timeouts": lambda: struct_table(Timeouts),
        "services": services_table,
        "prices": prices_table,
        "datasets": lambda: struct_table(DatasetConfig),
        "tools.openapi": lambda: struct_table(OpenApiConfig),
        "tools.mcp": lambda: struct_table(McpConfig),
        "rules": lambda: struct_table(Rule),
        "commands": commands_help,
        "client": client_methods,
        "errors.tree": errors_tree,
        "errors.classes": errors_table,
        "events": events_table,
        "events.told": told_table,
        "stream-events": stream_events_table,
        "nodes.common": lambda: config_table(NodeConfig),
        "nodes.retrying": lambda: ", ".join(f"`{name}`" for name in retrying_types()),
        "conformance.operations": operations_tables,
        "conformance.divergences": divergences_table,
        "conformance.missing": missing_table,
        "tools": lambda: ", ".join(f"`{name}`" for name in TOOL_PROVIDERS.names()),
    }
    for room in ROOMS:
        made[f"room.{room}"] = lambda room=room: room_table(room)  # type: ignore[misc]  # binds it
    for shared, title in _SHARED.items():
        made[f"nodes.shared.{title}"] = lambda shared=shared: config_table(shared)  # type: ignore[misc]  # binds it
    for name in NODE_TYPES.names():
        made[f"nodes.{name}"] = lambda name=name: node_section(name)  # type: ignore[misc]  # binds the name
    return made


# Settings


def settings_tables() -> str:
    """A table for each section, in the order of `weft config`."""
    sections: dict[str, list[Sequence[str]]] = {}
    for info in reference():
        section = info.name.rpartition(".")[0]
        names = [f"`{name}`" for name in (info.option, info.variable, *info.synonyms) if name]
        about = info.description + (" Never shown." if info.secret else "")
        if info.name in ANNOUNCED:
            about += " *Told in `GET /parameters`; an app's own `number_limits` decides.*"
        given = "<br>".join(names) or "`weft.toml` only"
        sections.setdefault(section, []).append(
            (f"`{info.name}`", given, info.allowed, f"`{info.default}`", about)
        )
    parts = []
    for section, rows in sections.items():
        title = f"`[{section}]`" if section else "At the top"
        columns = ("setting", "option, variable", "allowed", "default", "what it is for")
        parts.append(f"### {title}\n\n{table(columns, rows)}")
    return "\n\n".join(parts)


def prices_table() -> str:
    """The keys of a price, and of which day the built-in ones are."""
    return f"{struct_table(Price)}\n\nThe built-in prices are those of {PRICES_AS_OF:%d %B %Y}."


def services_table() -> str:
    """The services whose address is known."""
    rows = [
        (f"`{name}`", f"`{service.base_url}`", "yes" if service.needs_key else "no")
        for name, service in sorted(SERVICES.items())
    ]
    return table(("provider", "address", "needs a key"), rows)


# Commands


def commands_help() -> str:
    """What each command's `--help` says."""
    parts = []
    for words in ([], *([name] for name in _COMMANDS)):
        parts.append(f"## {' '.join(['weft', *words])}\n\n```text\n{help_of(words)}\n```")
    return "\n\n".join(parts)


def help_of(words: Sequence[str]) -> str:
    """The help of a command, as a terminal of a fixed width shows it.

    Raises:
        SystemExit: The command has none.
    """
    output = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _HELP_WIDTH
    try:
        with contextlib.redirect_stdout(output):
            code = weft([*words, "--help"])
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    if code != 0:
        raise SystemExit(f"weft {' '.join(words)} --help failed with {code}")
    return "\n".join(line.rstrip() for line in output.getvalue().strip().splitlines())


# Python


def client_methods() -> str:
    """The client's methods, as one writes a call of them."""
    rows = []
    for name, function in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            words = [
                argument.name if argument.kind is not argument.KEYWORD_ONLY else f"{argument.name}="
                for argument in list(inspect.signature(function).parameters.values())[1:]
            ]
            rows.append((f"`{name}({', '.join(words)})`", first_line(function)))
    return table(("method", ""), rows)


def room_table(name: str) -> str:
    """What a room's front door offers; what has no sentence of its own is named below."""
    room = import_module(name)
    rows, others = [], []
    for member in room.__all__:
        value = getattr(room, member)
        own = inspect.isfunction(value) or (isinstance(value, type) and value.__module__.startswith("weft"))
        about = first_line(value) if own else ""
        if about:
            rows.append((f"`{member}`", about))
        else:
            others.append(f"`{member}`")
    return table(("name", ""), rows) + (f"\n\nAlso: {', '.join(others)}." if others else "")


# Errors


def errors_tree() -> str:
    """The classes below each other, each with its sentence."""
    lines: list[tuple[str, str]] = []

    def add(kind: type, depth: int) -> None:
        lines.append(("  " * depth + kind.__name__, first_line(kind)))
        for inner in vars(errors).values():
            if isinstance(inner, type) and inner.__base__ is kind:
                add(inner, depth + 1)

    add(errors.WeftError, 0)
    width = max(len(name) for name, _ in lines)
    return "```text\n" + "\n".join(f"{name:<{width}}  {about}" for name, about in lines) + "\n```"


def errors_table() -> str:
    """Status and code of each class that the server answers with."""
    rows = [
        (f"`{kind.__name__}`", str(status), f"`{code}`")
        for kind, (status, code) in server_errors._TABLE.items()
    ]
    status, code, _ = server_errors.INTERNAL
    return table(("class", "status", "code"), [*rows, ("anything else", str(status), f"`{code}`")])


# Conformance


def operations_tables() -> str:
    """The operations of each API, with what they answer."""
    document = Description("", ()).document()
    rows: dict[str, list[Sequence[str]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"].items()
            good = [status for status, _ in answers if status < "400"]
            bad = sorted({code for _, answer in answers for code in _codes(answer)} - _EVERYWHERE)
            codes = ", ".join(f"`{code}`" for code in bad)
            name = f"`{method.upper()} {path}`"
            rows[operation["tags"][0]].append((name, operation["summary"], ", ".join(good), codes))
    everywhere = ", ".join(f"`{code}`" for code in sorted(_EVERYWHERE))
    parts = [f"Any operation may also answer {everywhere}."]
    for tag in document["tags"]:
        columns = ("operation", "what it does", "answers", "errors of its own")
        parts.append(f"### {tag['description']}\n\n{table(columns, rows[tag['name']])}")
    return "\n\n".join(parts)


def _codes(answer: dict[str, Any]) -> list[str]:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    parts = schema.get("anyOf", [schema])
    return [code for part in parts for code in part.get("properties", {}).get("code", {}).get("enum", ())]


def divergences_table() -> str:
    """Where the tests say that we differ."""
    rows = [(row.sentence, row.divergence) for row in _requirements() if row.divergence]
    return table(("what Weft does", "what else is done"), rows)


def missing_table() -> str:
    """What no test can show yet."""
    rows = [(row.sentence, row.later) for row in _requirements() if row.later]
    return table(("what is missing", "because"), rows) if rows else "Nothing that the tests know of."


def _requirements() -> list[Any]:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return list(import_module("tests.contract.requirements").REQUIREMENTS.values())


# Events


def events_table() -> str:
    """Our own events."""
    rows = [
        (f"`{kind.__name__}`", first_line(kind), ", ".join(f"`{name}`" for name in kind.__struct_fields__))
        for kind in get_args(events.Event)
    ]
    return table(("event", "what happened", "fields"), rows)


def told_table() -> str:
    """What each of our events becomes on a stream, found out by telling one of each."""
    chat = sse.Teller(LiveRun(sample(Run), sample(Message), None), "ada")
    workflow = sse.Teller(LiveRun(sample(Run), None, None), "ada")
    makers = event_makers()
    rows = []
    for kind in get_args(events.Event):
        event = sample(kind)
        variants = {"": event}
        if isinstance(event, events.RunFinished):
            variants = {"": event, ", failed": msgspec.structs.replace(event, status="failed")}
        for note, variant in variants.items():
            told = (_told(chat, variant), _told(workflow, variant))
            rooms = ", ".join(makers.get(kind.__name__, ["nothing yet"]))
            rows.append((f"`{kind.__name__}`{note}", *told, rooms))
    return table(("event", "in a chatflow", "in a workflow app", "comes from"), rows)


def _told(teller: sse.Teller, event: events.Event) -> str:
    frames = (frame.removeprefix(b"data: ") for frame in teller.tell(event))
    return ", ".join(f"`{msgspec.json.decode(frame)['event']}`" for frame in frames) or "not told"


def sample(kind: Any) -> Any:
    """Some value of a type; of several that a type allows the first."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)
    if kind is Decimal:
        return Decimal(0)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = [field for field in msgspec.structs.fields(kind) if field.required]
        return kind(**{field.name: sample(field.type) for field in fields})
    if origin is Literal:
        return args[0]
    if origin is tuple:
        return ("node", "text")
    if kind is Any or (origin in (Union, UnionType) and NoneType in args):
        return None
    if origin in (Union, UnionType):
        return sample(args[0])
    return (origin or kind)()


def event_makers() -> dict[str, list[str]]:
    """The rooms that make each event, by the event's name."""
    found: dict[str, set[str]] = {}
    names = {kind.__name__ for kind in get_args(events.Event)}
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0]
        if room in ("events", "testing"):
            continue
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text if "weft.events" in text else "")
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in names:
                found.setdefault(call.func.id, set()).add(f"`{room}`")
    return {name: sorted(rooms) for name, rooms in found.items()}


def stream_events_table() -> str:
    """The events that a caller reads."""
    rows = []
    common = set(wire.StreamEventBase.model_fields) | {"workflow_run_id"}
    for kind in flatten(getattr(wire, _STREAM_EVENT)):
        fields = kind.model_fields
        own = [name for name in fields if name not in common]
        content = fields.get("data")
        data = None if content is None else content.annotation
        names = [f"`{name}`" for name in own if name != "data"]
        if isinstance(data, type) and issubclass(data, BaseModel):
            names += [f"`data.{name}`" for name in data.model_fields]
        event = get_args(fields["event"].annotation)[0]
        rows.append((f"`{event}`", first_line(kind), ", ".join(names)))
    return table(("event", "what it says", "own fields"), rows)


def flatten(union: object) -> Iterator[type[BaseModel]]:
    """The classes of a union, those of unions in it included."""
    if isinstance(union, type):
        yield union
    else:
        for part in get_args(union):
            if isinstance(part, type) or get_origin(part) is not None:
                yield from flatten(part)


# Nodes


def node_section(name: str) -> str:
    """The fields of a node type, and the examples that have one."""
    parts = []
    for how, config in _VARIANTS.get(name, ((None, NODE_TYPES.get(name).config_type),)):
        text = config_table(config, skip=NodeConfig.model_fields)
        parts.append(f"Fields {how}:\n\n{text}" if how else text)
    apps = [path for path in sorted(APPS.glob("*.yml")) if not path.name.endswith(".cases.yml")]
    users = [path.name for path in apps if name in node_types(path)]
    if users:
        links = ", ".join(f"[{user}](../../examples/apps/{user})" for user in users)
        parts.append(f"Examples: {links}.")
    return "\n\n".join(parts)


def retrying_types() -> list[str]:
    """The types that honour their retry settings."""
    return [name for name in NODE_TYPES.names() if NODE_TYPES.get(name).retries]


@cache
def node_types(path: Path) -> set[str]:
    """The types of the nodes in an app."""
    graph = yaml.safe_load(path.read_text(encoding="utf-8"))["workflow"]["graph"]
    return {node["data"]["type"] for node in graph["nodes"]}


def config_table(config: type[BaseModel], *, skip: Iterable[str] = ()) -> str:
    """The fields of a configuration model."""
    rows = list(model_rows(config, "", set(skip), ()))
    return table(("field", "type", "default", ""), rows) if rows else "It has no settings."


def model_rows(
    model: type[BaseModel], prefix: str, skip: set[str], around: tuple[type, ...]
) -> Iterator[Sequence[str]]:
    """A row for each field, and for those of the objects in it."""
    documented = attribute_docs(model)
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        inner, suffix = inner_model(field.annotation)
        words = words_of(field.annotation)
        if inner in _SHARED:
            words = re.sub("objects?", rf"[\g<0>](#{_SHARED[inner]})", words)
            inner = None
        elif inner in (*around, model):
            words += f", like `{prefix.rstrip('.*[]')}`"
            inner = None
        yield f"`{prefix}{name}`", words, default_of(field), documented.get(name, "")
        if inner is not None:
            yield from model_rows(inner, f"{prefix}{name}{suffix}.", set(), (*around, model))


def inner_model(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """The model that a field holds, and how the path to its fields goes on."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, args = get_origin(annotation), get_args(annotation)
    for part in args:
        found, suffix = inner_model(part)
        if found is not None:
            return found, ("[]" if origin is list else ".*" if origin is dict else "") + suffix
    return None, ""


def default_of(field: FieldInfo) -> str:
    """A field's default as a file would have it; empty for objects, whose fields have their own."""
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined:
        value = field.default_factory() if field.default_factory is not None else None  # type: ignore[call-arg]  # ours take nothing
    return literal(value)


# Words for types and values


def words_of(annotation: object) -> str:
    """A type in words."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words_of(args[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in args)
    if origin in (Union, UnionType):
        # Sorted: `Literal[...] | None` of another library is one object with ours, in the order of the first.
        parts = (Literal[tuple(sorted(get_args(p)))] if get_origin(p) is Literal else p for p in args)
        return " or ".join(dict.fromkeys(words_of(part) for part in parts if part is not NoneType))
    if origin in (list, tuple):
        return f"list of {_several(args[0])}"
    if origin is dict:
        return "object" if args[1] in (object, Any) else f"object of {_several(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{choice.value}`" for choice in annotation)
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel | msgspec.Struct) or is_dataclass(annotation)
    ):
        return "object"
    return getattr(annotation, "__name__", str(annotation)).lower()


def _several(annotation: object) -> str:
    words = words_of(annotation)
    first, blank, rest = words.partition(" ")
    if words.startswith("`") or words == "true or false":
        return words
    return f"{words}s" if rest in ("", "number") else f"{first}s{blank}{rest}"


def literal(value: object) -> str:
    """A default as YAML or TOML would have it."""
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f"`{value}`" if value else "empty"
        case BaseModel() | msgspec.Struct():
            return ""
        case tuple() | list():
            return f"`[{', '.join(str(item) for item in value)}]`"
        case _:
            return f"`{value}`"


def struct_table(struct: type[msgspec.Struct]) -> str:
    """The fields of a table of `weft.toml`."""
    documented = attribute_docs(struct)
    rows = []
    for field in msgspec.structs.fields(struct):
        default = "required" if field.required else literal(_struct_default(field))
        rows.append((f"`{field.name}`", words_of(field.type), default, documented.get(field.name, "")))
    return table(("key", "type", "default", ""), rows)


def _struct_default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def attribute_docs(kind: type) -> dict[str, str]:
    """The texts that stand below the attributes of a class and of those it is made from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] != "weft":
            continue
        names: list[str] = []
        for statement in definitions(base.__module__)[base.__name__].body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names.append(statement.target.id)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and names:
                found[names[-1]] = " ".join(str(statement.value.value).split())
            else:
                names = []
    return {name: text.replace("``", "`") for name, text in found.items()}


@cache
def definitions(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module, as they are written."""
    path = Path(inspect.getfile(import_module(module)))
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.ClassDef)}


def first_line(kind: type | Callable[..., object]) -> str:
    """The sentence of a class or a function."""
    return (kind.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(re.sub(r"\| +(?=\|)", "| ", line) for line in lines)


# Pages


def fill(text: str, made: dict[str, Callable[[], str]], used: set[str]) -> str:
    """A page with fresh regions.

    Raises:
        SystemExit: It has a region that nothing here makes.
    """

    def fresh(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in made:
            raise SystemExit(f"the region {name!r} is made by nothing; remove it from its page")
        used.add(name)
        return f"{found[1]}\n{made[name]()}\n\n{found[3]}"

    return _REGION.sub(fresh, text)


def run(*, check: bool) -> int:
    """Write or compare all pages; returns the exit code."""
    made, used, stale = regions(), set[str](), []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        fresh = fill(text, made, used)
        if fresh != text:
            stale.append(path)
            if not check:
                path.write_text(fresh, encoding="utf-8")
    for path in stale:
        name = path.relative_to(ROOT)
        print(f"{name} is out of date; run: ./dev docs" if check else f"wrote {name}")
    missing = sorted(set(made) - used)
    for region in missing:
        print(f"no page of docs/reference has the region {region!r}; describe it there")
    return 1 if missing or (check and stale) else 0


if __name__ == "__main__":
    sys.exit(run(check="--check" in sys.argv[1:]))
