"""What every node type keeps, as tests that a type's author inherits.

::

    class TestShout(NodeContract):
        node_type = ShoutNode
        data = {"type": "shout", "source": ["sys", "query"]}
        values = {"sys.query": "land ho"}
        outputs = {"text": "LAND HO!"}
        wrong_data = ({"times": 0},)
        failing = ({"sys.query": MISSING},)

Mark the class with whatever runs your asynchronous tests, e.g. ``pytestmark = pytest.mark.anyio``.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from weft.errors import GraphError, Problem, WeftError
from weft.nodes import NODE_TYPES, Node, NodeResult
from weft.testing.node_harness import NodeRun, make_spec, run_node
from weft.variables import MISSING, Value


class NodeContract:
    """Inherit, say what the type is given and gives, and every method is a test."""

    node_type: ClassVar[type[Node[Any]]]
    """The class."""
    data: ClassVar[Mapping[str, Any]]
    """The node's data as files have them, with `type`; it works with `values`."""
    values: ClassVar[Mapping[str, Value]] = {}
    """Values of variables by dotted path."""
    outputs: ClassVar[Mapping[str, Value]] = {}
    """What it then puts out, as far as that can be said beforehand."""
    wrong_data: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Changes to `data` that nobody can have meant; the file is refused."""
    failing: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Changes to `values` (`MISSING` takes one away) with which the node fails."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of `weft.testing.node_harness.run_node`, e.g. ``models``."""

    async def test_it_puts_out_what_it_should(self) -> None:
        """The outputs are as said, and plain values: text, numbers, lists, objects, files."""
        run = await self._run()
        assert {name: run.outputs.get(name) for name in self.outputs} == dict(self.outputs)
        assert msgspec.json.decode(msgspec.json.encode(run.outputs)) is not None

    async def test_it_leaves_by_a_way_that_it_has(self) -> None:
        """A branch takes one of its handles, everything else none."""
        run = await self._run()
        handles = self._build().handles()
        assert run.handle is None if handles is None else run.handle in handles

    async def test_it_notes_what_goes_into_the_record(self) -> None:
        """Inputs, process data and metadata are JSON objects."""
        run = await self._run()
        for noted in (run.context.inputs, run.context.process_data, run.context.metadata):
            assert isinstance(msgspec.json.decode(msgspec.json.encode(noted)), dict)

    async def test_one_instance_serves_many_runs_at_once(self) -> None:
        """Runs of the same node do not see one another."""
        runs = await asyncio.gather(*[self._run() for _ in range(3)])
        for run in runs:
            assert {name: run.outputs.get(name) for name in self.outputs} == dict(self.outputs)

    async def test_it_changes_neither_its_data_nor_what_it_reads(self) -> None:
        """Data and values are the same afterwards, down to the last list."""
        data, values = copy.deepcopy(dict(self.data)), copy.deepcopy(dict(self.values))
        await run_node(data, values, **self.options)
        assert data == dict(self.data)
        assert msgspec.json.encode(values) == msgspec.json.encode(dict(self.values))

    async def test_it_fails_with_an_error_of_ours_that_says_why(self) -> None:
        """Any other exception would end the whole run and not just the node."""
        for change in self.failing:
            values = {**self.values, **change}
            given = {path: value for path, value in values.items() if value is not MISSING}
            run = await run_node(self.data, given, **self.options)
            assert isinstance(run.error, WeftError), f"with {change} the node did not fail"
            assert str(run.error)

    def test_wrong_data_are_refused_with_the_place(self) -> None:
        """The file is refused when it is loaded, and the message names the field."""
        for change in self.wrong_data:
            problems = self._problems({**self.data, **change})
            assert problems, f"{change} was accepted"
            assert all(problem.path and problem.fix for problem in problems)

    def test_unknown_data_do_not_disturb(self) -> None:
        """Files of newer editors have keys that nobody knows yet."""
        self.node_type.build(make_spec({**self.data, "a_key_of_tomorrow": [1, 2]}))

    def test_it_says_which_variables_it_looks_at(self) -> None:
        """Selectors have two parts at least; the checks and the answer stream rely on them."""
        node = self._build()
        for selector in (*node.reads(), *node.writes()):
            assert len(selector) >= 2
            assert all(isinstance(part, str) for part in selector)

    def test_it_says_what_it_needs_from_outside(self) -> None:
        """`weft check` shows it."""
        node = self._build()
        assert all(need.name for need in node.needs())

    def test_it_is_found_by_its_name(self) -> None:
        """Its package is installed, or it was added by hand."""
        assert NODE_TYPES.get(str(self.data["type"])) is self.node_type

    def _build(self) -> Node[Any]:
        return self.node_type.build(make_spec(self.data))

    def _problems(self, data: Mapping[str, Any]) -> Sequence[Problem]:
        try:
            self.node_type.build(make_spec(data))
        except GraphError as error:
            return error.problems
        return ()

    async def _run(self) -> NodeRun:
        run = await run_node(self.data, self.values, **self.options)
        if run.error is not None:
            raise AssertionError(f"the node failed: {run.error}") from run.error
        assert isinstance(run.result, NodeResult)
        return run


__all__ = ["NodeContract"]
