"""The two rules of `.importlinter` that its own contract types cannot say."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import grimp
from importlinter import Contract, ContractCheck, output


class FrontDoorContract(Contract):
    """A room is imported as a package (``weft.graph``), never by a module inside it (``weft.graph.load``).

    A module that the room's ``__all__`` names is exported like a class: ``from weft.store import apps``.
    """

    type_name = "front_door"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        trespassers = sorted(
            f"{importer} imports {imported} (line {detail['line_number']})"
            for importer, imported in _imports(graph)
            if imported.count(".") > 1 and _room(importer) != _room(imported)
            for detail in graph.get_import_details(importer=importer, imported=imported)
            if not _is_exported(imported, detail["line_contents"])
        )
        return ContractCheck(kept=not trespassers, metadata={"found": trespassers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for sentence in check.metadata["found"]:
            output.print_error(f"- {sentence}")
        output.print_error(
            "\nImport the name from the room's package; let its __init__ export it if it does not."
        )


class NoModuleCyclesContract(Contract):
    """Modules have an order in which each imports only earlier ones; imports inside functions count."""

    type_name = "no_module_cycles"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        cycles = find_cycles({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
        return ContractCheck(kept=not cycles, metadata={"found": cycles})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for cycle in check.metadata["found"]:
            output.print_error("- " + " -> ".join(cycle))


def find_cycles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The shortest way round from each knot of modules that reach one another, back to its first."""
    reach = {name: _shortest_ways(name, edges) for name in edges}
    cycles: list[list[str]] = []
    told: set[str] = set()
    for name in sorted(edges):
        if name in reach[name] and name not in told:
            cycles.append([name, *reach[name][name]])
            told.update(other for other in reach[name] if name in reach[other])
    return cycles


def _shortest_ways(start: str, edges: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    ways: dict[str, list[str]] = {}
    frontier: list[tuple[str, list[str]]] = [(start, [])]
    for name, way in frontier:
        for following in sorted(edges.get(name, ())):
            if following not in ways:
                ways[following] = [*way, following]
                frontier.append((following, ways[following]))
    return ways


def _imports(graph: grimp.ImportGraph) -> Iterable[tuple[str, str]]:
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            yield importer, imported


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _is_exported(imported: str, statement: str) -> bool:
    room, _, name = imported.rpartition(".")
    return room == _room(imported) and statement.startswith(f"from {room} import") and name in _exports(room)


@cache
def _exports(room: str) -> frozenset[str]:
    """What the room's `__init__` lists in `__all__`, read without running it.

    A room whose names are imported when they are first used computes the list, from the same names that it
    imports for type checkers.
    """
    spec = find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            if isinstance(statement.value, ast.List):
                return frozenset(ast.literal_eval(statement.value))
            imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            return frozenset(name.asname for node in imports for name in node.names if name.asname)
    return frozenset()
