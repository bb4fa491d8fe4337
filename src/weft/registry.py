"""Names to plugins, in plain sight.

One registry per kind of plugin. Ours stand in a table of ``"name": "module:attribute"``, which is
greppable and costs nothing until a name is used; everybody else's come from one entry-point group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from weft.errors import ConfigError

T = TypeVar("T")


class Registry(Generic[T]):
    """The plugins of one kind, imported when first asked for.

    Args:
        kind: What a member is called in messages, e.g. ``node type``.
        group: Entry-point group for plugins of others, e.g. ``weft.nodes``.
        table: Our own members, name to ``module:attribute``.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._targets: dict[str, str | EntryPoint] = dict(table)
        self._loaded: dict[str, T] = {}
        self._discovered = False

    def get(self, name: str) -> T:
        """The member of that name.

        Raises:
            ConfigError: There is none (the message lists all), or its module cannot be imported.
        """
        found = self._loaded.get(name)
        if found is None:
            found = self._loaded[name] = self._load(name)
        return found

    def names(self) -> list[str]:
        """All names, ours and those of installed plugins, sorted."""
        self._discover()
        return sorted(self._targets)

    def __contains__(self, name: object) -> bool:
        if name in self._targets:
            return True
        self._discover()
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def add(self, name: str, member: T) -> None:
        """Register a member by hand.

        Raises:
            ConfigError: The name is taken.
        """
        if name in self:
            raise ConfigError(f"{self.kind} {name!r} is registered twice; rename one of them")
        self._targets[name] = f"{type(member).__module__}:{name}"
        self._loaded[name] = member

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        for entry in entry_points(group=self.group):
            if entry.name in self._targets:
                raise ConfigError(
                    f"{self.kind} {entry.name!r} of {entry.value} is registered already; "
                    "uninstall one of the two"
                )
            self._targets[entry.name] = entry

    def _load(self, name: str) -> T:
        if name not in self:
            raise ConfigError(f"unknown {self.kind} {name!r}; known: {', '.join(self.names())}")
        target = self._targets[name]
        try:
            if isinstance(target, EntryPoint):
                return cast(T, target.load())
            module, _, attribute = target.partition(":")
            return cast(T, getattr(import_module(module), attribute))
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{self.kind} {name!r} cannot be imported from {target}: {error}") from error
