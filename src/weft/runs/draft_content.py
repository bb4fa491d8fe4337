"""What an app does, as its editor has it: a graph, features and variables."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from weft.errors import GraphError, InvalidRequestError
from weft.graph import load_app
from weft.runs.dsl_text import render_yaml
from weft.store import JsonObject, Workflow

MASK: Final = "*" * 20
"""Shown in the place of a secret."""
_UNCHANGED = ("[__HIDDEN__]", MASK)
"""Written back for a secret that shall stay as it is. Source: Dify console API, environment variables."""
_MAX_DEPTH: Final = 150
"""Lists and mappings inside each other; a file could not hold many more."""
_IDS = uuid.UUID("0b9c9c1e-6c0e-5c5b-8d5b-2f6f4a1d9a77")
"""Namespace of the ids of variables that have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftContent:
    """The part of a version that people edit."""

    graph: JsonObject
    features: JsonObject
    environment_variables: Sequence[JsonObject] = ()
    conversation_variables: Sequence[JsonObject] = ()

    @classmethod
    def of(cls, workflow: Workflow) -> DraftContent:
        """That of a stored version."""
        return cls(
            graph=workflow.graph,
            features=workflow.features,
            environment_variables=workflow.environment_variables,
            conversation_variables=workflow.conversation_variables,
        )

    @property
    def hash(self) -> str:
        """Changes whenever anything of it changes; 64 hexadecimal digits."""
        parts = (self.graph, self.features, self.environment_variables, self.conversation_variables)
        return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()

    def check(self) -> None:
        """Make sure that it can be kept; whether it can run is another question.

        Raises:
            InvalidRequestError: A variable is wrong, or something is nested too deep.
        """
        if _depth_of(self.graph) > _MAX_DEPTH or _depth_of(self.features) > _MAX_DEPTH:
            raise InvalidRequestError(f"graph and features may be nested {_MAX_DEPTH} levels deep")
        variables = [*self.environment_variables, *self.conversation_variables]
        if _depth_of(variables) > _MAX_DEPTH:
            raise InvalidRequestError(f"variables may be nested {_MAX_DEPTH} levels deep")
        try:
            msgspec.json.encode((self.graph, self.features, variables))
        except (OverflowError, UnicodeEncodeError) as error:
            raise InvalidRequestError(f"the draft has a value that cannot be kept: {error}") from error
        problems = _variable_problems(self) if variables else []
        if problems:
            raise InvalidRequestError("; ".join(problems))

    def with_secrets_of(self, before: Workflow | None) -> DraftContent:
        """The same with the secrets that it leaves unchanged taken over from what was there before."""
        known = {} if before is None else {_key(item): item for item in before.environment_variables}
        variables = []
        for variable in self.environment_variables:
            old = known.get(_key(variable))
            is_masked = variable.get("value_type") == "secret" and variable.get("value") in _UNCHANGED
            if is_masked:
                variable = {**variable, "value": old.get("value", "") if old is not None else ""}
            variables.append(variable)
        return replace(self, environment_variables=variables)


def with_ids(variables: Iterable[Mapping[str, object]]) -> list[JsonObject]:
    """Variables that all have an id, which follows from the name where there was none."""
    return [
        variable
        if isinstance(variable.get("id"), str) and variable.get("id")
        else {**variable, "id": str(uuid.uuid5(_IDS, str(variable.get("name"))))}
        for variable in variables
    ]


def masked(variables: Sequence[JsonObject]) -> list[JsonObject]:
    """Environment variables for showing."""
    return [
        {**variable, "value": MASK} if variable.get("value_type") == "secret" else variable
        for variable in variables
    ]


def _key(variable: JsonObject) -> object:
    return variable.get("id") or variable.get("name")


def _variable_problems(content: DraftContent) -> list[str]:
    """What is wrong with the variables, found by the reader of files on a file that has nothing else."""
    text = render_yaml(
        {
            "kind": "app",
            "app": {"name": "-", "mode": "workflow"},
            "workflow": {
                "graph": {"nodes": []},
                "environment_variables": list(content.environment_variables),
                "conversation_variables": list(content.conversation_variables),
            },
        }
    )
    try:
        load_app(text)
    except GraphError as error:
        return [str(problem) for problem in error.problems if problem.code.startswith("runtime_variables.")]
    return []


def _depth_of(value: object) -> int:
    """Levels of lists and mappings, counted as far as they matter."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (
                outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            )
            if isinstance(inner, dict | list)
        ]
    return depth
