from __future__ import annotations

import uuid
from typing import Literal

import pytest

from tests.graph.apps import app_text
from weft.errors import GraphError, Problem
from weft.graph import AppFile, VariableDeclaration, load_app

Kind = Literal["environment", "conversation"]
KINDS: tuple[Kind, ...] = ("environment", "conversation")


def load(kind: Kind, *items: object) -> AppFile:
    return load_app(app_text(workflow={f"{kind}_variables": list(items)}))


def read(kind: Kind, *items: object) -> tuple[VariableDeclaration, ...]:
    app = load(kind, *items)
    return app.environment_variables if kind == "environment" else app.conversation_variables


def problems(kind: Kind, *items: object) -> list[Problem]:
    with pytest.raises(GraphError) as caught:
        load(kind, *items)
    return list(caught.value.problems)


def item(**changes: object) -> dict[str, object]:
    return {"id": "v1", "name": "v", "value_type": "string", "value": "x", "description": "d", **changes}


@pytest.mark.parametrize("kind", KINDS)
def test_a_declaration_is_read_whole(kind: Kind) -> None:
    assert read(kind, item(selector=[kind, "v"])) == (
        VariableDeclaration(id="v1", name="v", value_type="string", value="x", description="d"),
    )


@pytest.mark.parametrize(
    ("value_type", "value", "read_type", "read_value"),
    [
        ("string", "", "string", ""),
        ("number", 3, "number", 3),
        ("number", 2.5, "number", 2.5),
        ("number", True, "number", 1),
        ("integer", 3, "number", 3),
        ("float", 2.5, "number", 2.5),
        ("boolean", False, "boolean", False),
        ("object", {"a": [1]}, "object", {"a": [1]}),
        ("object", '{"a": 1}', "object", {"a": 1}),
        ("array[string]", [], "array[string]", []),
        ("array[string]", ["a"], "array[string]", ["a"]),
        ("array[number]", [1, 2.5], "array[number]", [1, 2.5]),
        ("array[boolean]", [True], "array[boolean]", [True]),
        ("array[object]", [{"a": 1}], "array[object]", [{"a": 1}]),
        ("array[object]", '[{"a": 1}]', "array[object]", [{"a": 1}]),
    ],
)
def test_a_value_has_its_declared_type(
    value_type: str, value: object, read_type: str, read_value: object
) -> None:
    (variable,) = read("conversation", item(value_type=value_type, value=value))
    assert (variable.value_type, variable.value) == (read_type, read_value)
    assert type(variable.value) is type(read_value)


def test_a_secret_may_be_empty_as_exports_leave_it() -> None:
    (variable,) = read("environment", item(value_type="secret", value=""))
    assert (variable.value_type, variable.value) == ("secret", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"value": None}, ("runtime_variables.invalid_item", "value"), id="dsl-9-no-value"),
        pytest.param({"name": None}, ("runtime_variables.invalid_name", "name"), id="dsl-9-no-name"),
        pytest.param({"name": ""}, ("runtime_variables.invalid_name", "name"), id="dsl-9-empty-name"),
        pytest.param({"name": 3}, ("runtime_variables.invalid_name", "name"), id="dsl-9-name-no-text"),
        pytest.param(
            {"value_type": None}, ("runtime_variables.invalid_item", "value_type"), id="dsl-9-no-type"
        ),
        pytest.param(
            {"value_type": "file"}, ("runtime_variables.invalid_item", "value_type"), id="dsl-9-bad-type"
        ),
        pytest.param(
            {"value_type": ["string"]}, ("runtime_variables.invalid_item", "value_type"), id="dsl-9-odd-type"
        ),
        pytest.param(
            {"value_type": "number", "value": "many"},
            ("runtime_variables.invalid_item", "value"),
            id="dsl-9-number-with-text",
        ),
        pytest.param(
            {"value_type": "number", "value": "5"},
            ("runtime_variables.invalid_item", "value"),
            id="dsl-9-number-in-quotes",
        ),
        pytest.param(
            {"value_type": "number", "value": float("nan")},
            ("runtime_variables.invalid_item", "value"),
            id="dsl-9-no-number",
        ),
        pytest.param({"value": 3}, ("runtime_variables.invalid_item", "value"), id="dsl-9-text-with-number"),
    ],
)
def test_a_wrong_declaration_is_reported(
    kind: Kind, changes: dict[str, object], expected: tuple[str, str]
) -> None:
    code, key = expected
    assert [(problem.code, problem.path) for problem in problems(kind, item(**changes))] == [
        (code, f"workflow.{kind}_variables[0].{key}")
    ]


@pytest.mark.parametrize(
    ("kind", "value_type"),
    [
        ("conversation", "secret"),
        ("conversation", "array[file]"),
        ("conversation", "array[any]"),
        ("environment", "boolean"),
        ("environment", "object"),
        ("environment", "array[string]"),
    ],
)
def test_each_kind_has_its_own_types(kind: Kind, value_type: str) -> None:
    (problem,) = problems(kind, item(value_type=value_type))
    assert problem.message == f"the {kind} variable 'v' is of the unsupported type {value_type!r}"


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        ("object", [1]),
        ("array[string]", [1]),
        ("array[number]", ["1"]),
        ("array[object]", {"a": 1}),
        ("boolean", "perhaps"),
        ("object", "[" * 100_000),
    ],
)
def test_a_value_of_another_type_is_reported(value_type: str, value: object) -> None:
    (problem,) = problems("conversation", item(value_type=value_type, value=value))
    assert problem.code == "runtime_variables.invalid_item"
    assert problem.message.startswith(f"the conversation variable 'v' is declared as {value_type}, ")


def test_everything_wrong_with_all_of_them_is_reported_at_once() -> None:
    found = problems("environment", {}, 3, item(value=None, value_type="x"))
    assert [(problem.code, problem.path) for problem in found] == [
        ("runtime_variables.invalid_name", "workflow.environment_variables[0].name"),
        ("runtime_variables.invalid_item", "workflow.environment_variables[0].value_type"),
        ("runtime_variables.invalid_item", "workflow.environment_variables[0].value"),
        ("runtime_variables.invalid_item", "workflow.environment_variables[1]"),
        ("runtime_variables.invalid_item", "workflow.environment_variables[2].value_type"),
        ("runtime_variables.invalid_item", "workflow.environment_variables[2].value"),
    ]


def test_a_value_has_at_most_two_hundred_kibibytes() -> None:
    (variable,) = read("conversation", item(value="x" * (200 * 1024 - 2)))
    assert len(str(variable.value)) == 204_798
    (problem,) = problems("conversation", item(value="x" * (200 * 1024 - 1)))
    assert problem.message == (
        "the conversation variable 'v' is too large: 204801 bytes, of which 204800 are allowed"
    )


@pytest.mark.parametrize("id", [None, "", 7])
def test_a_missing_id_is_made_of_the_name_and_always_the_same(id: object) -> None:
    (first,) = read("conversation", item(id=id))
    (second,) = read("conversation", item(id=id, value="other"))
    (other,) = read("environment", item(id=id))
    assert first.id == second.id
    assert first.id != other.id
    assert uuid.UUID(first.id).version == 5


def test_no_two_variables_share_an_id() -> None:
    first, second = read("conversation", item(name="a"), item(name="b"))
    assert first.id == "v1"
    assert second.id == read("conversation", item(name="b", id=None))[0].id


def test_of_two_declarations_of_one_name_the_last_counts() -> None:
    app = load("environment", item(value="old"), item(id="v2", value="new"))
    assert [(variable.id, variable.value) for variable in app.environment_variables] == [("v2", "new")]
    assert [(warning.code, warning.path) for warning in app.warnings] == [
        ("runtime_variables.invalid_name", "workflow.environment_variables[1].name")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_may_be_missing_but_not_something_else(kind: Kind) -> None:
    app = load_app(app_text(workflow={f"{kind}_variables": None}))
    assert (app.environment_variables, app.conversation_variables) == ((), ())
    with pytest.raises(GraphError) as caught:
        load_app(app_text(workflow={f"{kind}_variables": {"a": 1}}))
    assert [problem.code for problem in caught.value.problems] == ["runtime_variables.invalid"]
