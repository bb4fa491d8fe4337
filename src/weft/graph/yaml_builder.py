"""Values from the events of a YAML parser, measured while they are built.

One pass without recursion keeps count of nesting, of values, and of what aliases would blow up to. Plain
scalars get the types that PyYAML's safe loader gives them, because that is what Dify reads; only dates stay
text, since nothing in an app file is a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from yaml.constructor import SafeConstructor

from weft.graph.findings import MAX_FINDINGS, Findings

MAX_DEPTH: Final = 200
MAX_VALUES: Final = 500_000
"""Scalars, lists and mappings together; a flow of a thousand nodes has about fifty thousand."""
MAX_EXPANDED: Final = 20_000_000
"""Characters and values that the file would have if every alias were written out."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_STR = _PREFIX + "str"
_MERGE = _PREFIX + "merge"
_TYPED = {_PREFIX + name for name in ("int", "float", "bool", "null")}
_TEXTS = {_STR, _PREFIX + "timestamp"}
_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _TYPED or tag == _MERGE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_construct = SafeConstructor()
_CONSTRUCTORS: dict[str, Callable[[yaml.ScalarNode], object]] = {
    _PREFIX + "int": _construct.construct_yaml_int,
    _PREFIX + "float": _construct.construct_yaml_float,
    _PREFIX + "bool": _construct.construct_yaml_bool,
    _PREFIX + "null": _construct.construct_yaml_null,
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_KEY: Final = object()
_MERGING: Final = object()


class Refused(Exception):
    """The document is well-formed but not acceptable; `line` and `column` count from zero."""

    def __init__(self, code: str, what: str, fix: str, mark: Any) -> None:
        self.code = code
        self.what = what
        self.fix = fix
        self.line: int = mark.line
        self.column: int = mark.column
        super().__init__(what)


class _Open:
    """A list or mapping whose end has not come yet."""

    __slots__ = ("anchor", "height", "items", "key", "mapping", "merged", "weight")

    def __init__(self, value: list[object] | dict[str, object], anchor: str | None) -> None:
        self.items: list[object] = value if isinstance(value, list) else []
        self.mapping: dict[str, object] | None = value if isinstance(value, dict) else None
        self.anchor = anchor
        self.key: object = _NO_KEY
        self.merged: list[object] = []
        self.weight = 1
        self.height = 1


class ValueBuilder:
    """Turns the events of one document into values."""

    def __init__(self, text: str) -> None:
        self.findings = Findings()
        self._text = text
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[object, int, int] | None] = {}
        """Value, expanded size and height; ``None`` while the anchored value is still open."""
        self._values = 0
        self._expanded = 0
        self._documents = 0
        self._root: object = None

    def build(self) -> object:
        """The value of the only document.

        Raises:
            Refused: It is not acceptable.
            yaml.YAMLError: It is no YAML.
            ValueError: An escape is no character; only the parser in Python says it so.
        """
        for event in self._events():
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    raise Refused(
                        "parse.invalid_yaml",
                        "holds several documents",
                        "keep one of the documents that `---` separates",
                        event.start_mark,
                    )
        return self._root

    def _events(self) -> Iterator[Any]:
        loader = _Loader(self._text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        tag: str | None = event.tag
        if event.style == '"' and not text.isascii() and _SURROGATE.search(text):
            raise Refused(
                "parse.invalid_yaml",
                "has half of a surrogate pair",
                "write the character itself",
                event.start_mark,
            )
        value: object = text
        if tag is None or tag == "!":
            tag = _resolve(text) if event.implicit[0] else _STR
        elif tag not in _TYPED and tag not in _TEXTS:
            raise _unsafe_tag(event)
        if tag in _TYPED:
            value = self._typed(tag, text, event)
        weight = len(text) + 1
        top = self._stack[-1] if self._stack else None
        if top is not None and top.mapping is not None and top.key is _NO_KEY:
            self._count(weight, event)
            top.weight += weight
            self._set_key(top, _MERGING if tag == _MERGE else value, text, event)
        else:
            self._add(value, weight, 0, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, weight, 0)

    def _typed(self, tag: str, text: str, event: Any) -> object:
        try:
            value = _CONSTRUCTORS[tag](yaml.ScalarNode(tag, text))
        except (ValueError, KeyError, IndexError) as error:
            if event.tag is None:  # such as 0x_ or five thousand digits: they look like numbers only to YAML
                return text
            raise Refused(
                "parse.invalid_yaml",
                f"has a value that is not what its tag {event.tag!r} says",
                "remove the tag",
                event.start_mark,
            ) from error
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            self._warn(
                "parse.number_too_large",
                f"the number on line {event.start_mark.line + 1} does not fit into 64 bits; it stays a text",
                "put it in quotes",
            )
            return text
        return value

    def _start(self, event: Any, value: list[object] | dict[str, object]) -> None:
        kind = "map" if isinstance(value, dict) else "seq"
        if event.tag not in (None, "!", _PREFIX + kind):
            raise _unsafe_tag(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and top.mapping is not None and top.key is _NO_KEY:
            raise _key_is_no_text(event)
        self._check_depth(len(self._stack) + 1, event)
        self._count(1, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(value, event.anchor))

    def _end(self, event: Any) -> None:
        done = self._stack.pop()
        value: object = done.items
        if done.mapping is not None:
            value = self._with_merged(done, event)
        if done.anchor is not None:
            self._anchors[done.anchor] = (value, done.weight, done.height)
        self._put(value, done.weight, done.height)

    def _with_merged(self, done: _Open, event: Any) -> dict[str, object]:
        """The mapping, with what its ``<<`` keys bring in where it says nothing itself."""
        mapping = done.mapping or {}
        if not done.merged:
            return mapping
        result: dict[str, object] = {}
        for merged in done.merged:
            parts = merged if isinstance(merged, list) else [merged]
            for part in reversed(parts):  # of several, the first one wins
                if not isinstance(part, dict):
                    raise Refused(
                        "parse.invalid_yaml",
                        "merges with `<<` something that is not a mapping",
                        "write the keys out",
                        event.start_mark,
                    )
                result.update(part)
                self._count(len(part), event)
        return result | mapping

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise Refused(
                "parse.invalid_yaml",
                f"refers to {event.anchor!r}, which it does not define",
                "write the value out",
                event.start_mark,
            )
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise Refused(
                "parse.recursive_alias",
                f"has a value that contains itself through the alias {event.anchor!r}",
                "write the value out",
                event.start_mark,
            )
        value, weight, height = anchored
        self._check_depth(len(self._stack) + height, event)
        top = self._stack[-1]
        if top.mapping is not None and top.key is _NO_KEY:
            if isinstance(value, list | dict):
                raise _key_is_no_text(event)
            self._count(weight, event)
            top.weight += weight
            self._set_key(top, value, str(value), event)
        else:
            self._add(value, weight, height, event)

    def _add(self, value: object, weight: int, height: int, event: Any) -> None:
        self._count(weight, event)
        self._put(value, weight, height)

    def _put(self, value: object, weight: int, height: int) -> None:
        """Hand a finished value to what it stands in."""
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        top.weight += weight
        top.height = max(top.height, height + 1)
        if top.mapping is None:
            top.items.append(value)
        elif top.key is _MERGING:
            top.merged.append(value)
            top.key = _NO_KEY
        else:
            assert isinstance(top.key, str)
            top.mapping[top.key] = value
            top.key = _NO_KEY

    def _set_key(self, top: _Open, value: object, written: str, event: Any) -> None:
        if value is _MERGING:
            top.key = _MERGING
            return
        key = value if isinstance(value, str) else self._key_text(value, written, event)
        assert top.mapping is not None
        top.key = key
        if key in top.mapping:
            self._warn(
                "parse.duplicate_key",
                f"line {event.start_mark.line + 1} gives the key {key!r} again; the last value counts",
                "remove one of the two",
            )

    def _key_text(self, value: object, written: str, event: Any) -> str:
        """The key as Dify's own JSON copy of the flow spells it."""
        if isinstance(value, bool) or value is None:
            text = "null" if value is None else str(value).lower()
            self._warn(
                "parse.ambiguous_key",
                f"the key {written!r} on line {event.start_mark.line + 1} is read as {text!r}",
                "put the key in quotes",
            )
            return text
        return str(value)

    def _count(self, weight: int, event: Any) -> None:
        self._values += 1
        self._expanded += weight
        if self._values > MAX_VALUES:
            raise Refused(
                "parse.too_large",
                f"holds more than {MAX_VALUES:,} values",
                "split the app into several",
                event.start_mark,
            )
        if self._expanded > MAX_EXPANDED:
            raise Refused(
                "parse.expands_too_far",
                "grows beyond all bounds when its aliases are written out",
                "write the values out instead of using aliases",
                event.start_mark,
            )

    def _check_depth(self, depth: int, event: Any) -> None:
        if depth > MAX_DEPTH:
            raise Refused(
                "parse.too_deep", f"is nested deeper than {MAX_DEPTH} levels", "flatten it", event.start_mark
            )

    def _warn(self, code: str, message: str, fix: str) -> None:
        if len(self.findings.warnings) <= MAX_FINDINGS:  # a path is costly to spell out
            self.findings.warn(code, self._path(), message, fix)

    def _path(self) -> str:
        """Where the value that is being read stands."""
        path = ""
        for frame in self._stack:
            if frame.mapping is None:
                path += f"[{len(frame.items)}]"
            elif isinstance(frame.key, str):
                path += f".{frame.key}" if path else frame.key
        return path


def _resolve(text: str) -> str:
    for tag, pattern in _RESOLVERS.get(text[:1], ()):
        if pattern.match(text):
            return tag
    return _STR


def _key_is_no_text(event: Any) -> Refused:
    return Refused(
        "parse.invalid_yaml", "has a list or a mapping as a key", "make the key a text", event.start_mark
    )


def _unsafe_tag(event: Any) -> Refused:
    tag = event.tag.removeprefix(_PREFIX)
    return Refused(
        "parse.unsafe_tag",
        f"has a value with the tag {tag!r}; an app file holds plain data only",
        "remove the tag",
        event.start_mark,
    )
