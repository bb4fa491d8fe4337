"""Valid files made invalid in every possible way."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

from tests.graph.stand_in import StandIn, build_stand_in
from weft.errors import ConfigError
from weft.graph import NodeSpec
from weft.graph.yaml_text import parse_yaml
from weft.nodes import NODE_TYPES, Node, build_node

_Dumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Path: TypeAlias = tuple[str | int, ...]

_TOKENS = (
    *("{", "}", "[", "]", ": ", "- ", ", ", "&a ", "*a ", "<<: *a", "? ", "|\n", ">\n", "'", '"', "#", "%"),
    *(
        "!!int ",
        "!!python/object:os.system ",
        "---\n",
        "\n",
        "\t",
        "  ",
        "null",
        "true",
        "0x_",
        "1e999",
        ".nan",
    ),
    *("2020-01-01", "9" * 30, "\x00", "\ufeff", "\\ud800", "iteration", "loop", "start", "custom-note"),
)
_WORDS = (
    *(
        "",
        "a",
        "start",
        "end",
        "iteration",
        "loop",
        "if-else",
        "custom-note",
        "conversation",
        "sys",
        "source",
    ),
    *("fail-branch", "default-value", "array[string]", "number", "2", "{{#start.topic#}}", "{{#", "[" * 2000),
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(_WORDS)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
    max_leaves=4,
)
_KEYS = ("iteration_id", "loop_id", "start_node_id", "type", "cases", "title", "error_strategy", "variables")


@st.composite
def mutated_texts(draw: st.DrawFn, text: str) -> bytes:
    """The file with a few characters removed, repeated or replaced."""
    data = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 40))
        piece = (
            st.sampled_from(_TOKENS).map(str.encode) | st.binary(max_size=3) | st.just(bytes(data[start:end]))
        )
        at = draw(st.integers(0, len(data)))
        data[start if draw(st.booleans()) else at : end] = draw(piece)
    return bytes(data)


@st.composite
def mutated_trees(draw: st.DrawFn, text: str) -> bytes:
    """The file with a few of its values removed, moved about or replaced."""
    tree = deepcopy(parse_yaml(text)[0])
    for _ in range(draw(st.integers(1, 4))):
        paths = list(_paths(tree))[1:]
        if not paths:
            break
        path, other = (paths[draw(st.integers(0, len(paths) - 1))] for _ in range(2))
        parent = _at(tree, path[:-1])
        value = draw(_values | st.just(deepcopy(_at(tree, other))))
        match draw(st.sampled_from(("set", "delete", "add"))):
            case "set":
                parent[path[-1]] = value
            case "delete":
                del parent[path[-1]]
            case _ if isinstance(parent, list):
                parent.append(value)
            case _:
                parent[draw(st.sampled_from(_KEYS))] = value
    dumped: bytes = yaml.dump(tree, Dumper=_Dumper, allow_unicode=True, sort_keys=False, encoding="utf-8")
    return dumped


def build_any(spec: NodeSpec) -> Node[Any] | StandIn:
    """The real node where its module can be imported, a stand-in elsewhere."""
    try:
        is_real = spec.type not in NODE_TYPES or NODE_TYPES.get(spec.type) is not None
    except ConfigError:
        is_real = False
    return build_node(spec) if is_real else build_stand_in(spec)


def _paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield from _paths(item, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value
