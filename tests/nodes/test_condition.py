from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from weft.errors import NodeFailedError
from weft.nodes.condition import Condition, ConditionList, LogicalOperator, evaluate
from weft.testing.node_harness import make_pool
from weft.variables import File, Value, ValueType

PDF = File(
    type="document",
    transfer_method="local_file",
    filename="a.pdf",
    extension=".pdf",
    size=3,
    mime_type="application/pdf",
)
PNG = File(
    type="image",
    transfer_method="remote_url",
    filename="b.png",
    extension="png",
    size=None,
    url="https://x/b",
)


def condition(operator: str, value: Any = None, selector: str = "n.x", **more: Any) -> Condition:
    data = {"variable_selector": selector.split("."), "comparison_operator": operator, "value": value, **more}
    return Condition.model_validate(data)


def holds(operator: str, actual: Value, value: Any = None, **more: Any) -> bool:
    return evaluate(
        [condition(operator, value, **more)], "and", make_pool({"n.x": actual, "n.y": "lo"})
    ).result


def error(operator: str, actual: Value, value: Any = None, **more: Any) -> str:
    with pytest.raises(NodeFailedError) as raised:
        holds(operator, actual, value, **more)
    assert raised.value.error_type == ""
    return str(raised.value)


@pytest.mark.parametrize(
    ("actual", "operator", "value", "expected"),
    [
        pytest.param("HELLO", "contains", "hello", False, id="dsl-13"),
        pytest.param("oh hello", "contains", "hello", True, id="dsl-13-found"),
        pytest.param("", "contains", "", False, id="an empty text contains nothing"),
        pytest.param(None, "contains", "a", False, id="nothing contains nothing"),
        pytest.param(["a", "b"], "contains", "a", True, id="dsl-79a-list"),
        pytest.param([1, 2], "contains", "1", False, id="numbers in a list are not read as texts"),
        pytest.param("hello", "contains", "{{#n.y#}}", True, id="dsl-79a-template"),
        pytest.param("", "not contains", "a", True, id="not contains of nothing"),
        pytest.param(["a"], "not contains", "a", False, id="not contains of a list"),
        pytest.param("None here", "contains", None, True, id="a missing expectation is read as a text"),
        pytest.param("hello", "start with", "he", True, id="start with"),
        pytest.param("", "start with", "", False, id="start with of nothing"),
        pytest.param("hello", "end with", "lo", True, id="end with"),
        pytest.param("", "end with", "", False, id="end with of nothing"),
        pytest.param("a", "is", "a", True, id="is"),
        pytest.param(" a", "is", "a", False, id="blanks count"),
        pytest.param("A", "is not", "a", True, id="is not"),
        pytest.param(None, "is", "a", False, id="nothing is nothing"),
        pytest.param(None, "is not", "a", False, id="nothing is not anything either"),
        pytest.param(False, "is", "false", True, id="dsl-78"),
        pytest.param(True, "is", "1", True, id="dsl-78-one"),
        pytest.param(True, "is not", True, False, id="a boolean in the file"),
        pytest.param([True, True], "contains", "false", False, id="dsl-78-list"),
        pytest.param([True, False], "all of", ["true", "false"], True, id="dsl-78-all"),
        pytest.param("", "empty", "", True, id="empty text"),
        pytest.param(0, "empty", None, True, id="zero is empty"),
        pytest.param(False, "empty", "", True, id="false is empty"),
        pytest.param([], "empty", None, True, id="empty list"),
        pytest.param({}, "empty", None, True, id="empty object"),
        pytest.param(None, "empty", None, True, id="null is empty"),
        pytest.param(" ", "not empty", "", True, id="a blank is not empty"),
        pytest.param(1, "=", "1", True, id="equal"),
        pytest.param(1, "=", " 1 ", True, id="equal with blanks"),
        pytest.param(1.0, "=", "1", True, id="equal float"),
        pytest.param(1.5, "≠", "1", True, id="unequal"),
        pytest.param(None, "=", "0", False, id="nothing equals nothing"),
        pytest.param(None, "≠", "0", False, id="nothing differs from nothing"),
        pytest.param(True, "=", "true", True, id="equal boolean"),
        pytest.param(0, "≤", "0.95", True, id="dsl-77-a"),
        pytest.param(1, "≥", "0.95", True, id="dsl-77-b"),
        pytest.param(1.1, ">", "0", True, id="dsl-77-c"),
        pytest.param(2, "<", "2.0", False, id="less"),
        pytest.param(3, "≥", 3, True, id="a number in the file"),
        pytest.param(None, "<", "1", False, id="nothing is not less"),
        pytest.param("a", "in", ["a", "b"], True, id="in"),
        pytest.param("", "in", ["", "b"], False, id="nothing is in nothing"),
        pytest.param("c", "not in", ["a", "b"], True, id="not in"),
        pytest.param(None, "not in", ["a"], True, id="nothing is not in"),
        pytest.param(["a", "b", "c"], "all of", ["a", "c"], True, id="all of"),
        pytest.param(["a"], "all of", ["a", "c"], False, id="not all of"),
        pytest.param("abc", "all of", ["a", "c"], True, id="all of in a text"),
        pytest.param([], "all of", ["a"], False, id="all of nothing"),
        pytest.param(5, "all of", ["a"], False, id="all of a number"),
        pytest.param(None, "null", "", True, id="null"),
        pytest.param("", "null", "", False, id="an empty text is not null"),
        pytest.param("", "not null", "", True, id="not null"),
        pytest.param("", "exists", "", True, id="exists"),
        pytest.param(None, "exists", "", False, id="null does not exist"),
        pytest.param(None, "not exists", "", True, id="not exists"),
    ],
)
def test_each_operator_judges_by_its_own_rules(
    actual: Value, operator: str, value: Any, expected: bool
) -> None:
    assert holds(operator, actual, value) is expected


@pytest.mark.parametrize(
    ("actual", "operator", "value"),
    [
        (5, "contains", "5"),
        ({"a": 1}, "not contains", "a"),
        (True, "contains", "true"),
        (5, "start with", "5"),
        ("a", "end with", ["a"]),
        (5, "is", "5"),
        (["a"], "is not", "a"),
        ("1", "=", "1"),
        (1, "=", "1.5"),
        (1, "≠", "one"),
        (1, "=", None),
        (1, "=", ["1"]),
        ("2", ">", "1"),
        (2, ">", "one"),
        (2, "≤", None),
        ("a", "in", "abc"),
        ("a", "not in", None),
        (["a"], "all of", "a"),
        ([], "all of", None),
        (True, "is", "yes"),
        (True, "is", "1.0"),
        ([True], "contains", ""),
        (1, ">", "{{#n.y#}}"),
    ],
)
def test_values_that_do_not_suit_the_operator_are_an_error(actual: Value, operator: str, value: Any) -> None:
    assert error(operator, actual, value).startswith(f"condition on 'n.x': cannot apply {operator!r}: ")


@pytest.mark.parametrize("operator", ["exists", "not exists", "empty", "null", "is"])
def test_a_missing_variable_is_an_error_whatever_is_asked(operator: str) -> None:
    missing = condition(operator, "", selector="n.nowhere")

    with pytest.raises(NodeFailedError, match=r"condition on 'n\.nowhere': the variable was not found"):
        evaluate([missing], "and", make_pool({}))


@pytest.mark.parametrize(
    ("operator", "first", "expected", "results"),
    [("and", "b", False, [False]), ("or", "a", True, [True])],
)
def test_what_does_not_matter_any_more_is_not_looked_at(
    operator: LogicalOperator, first: str, expected: bool, results: list[Value]
) -> None:
    conditions = [condition("is", first), condition("is", "", selector="n.nowhere")]

    evaluation = evaluate(conditions, operator, make_pool({"n.x": "a"}))  # dsl-79b

    assert (evaluation.result, evaluation.results) == (expected, results)


@pytest.mark.parametrize(("operator", "expected"), [("and", True), ("or", False)])
def test_without_conditions_and_holds_and_or_does_not(operator: LogicalOperator, expected: bool) -> None:
    assert evaluate([], operator, make_pool({})).result is expected


@pytest.mark.parametrize(
    ("values", "expected"), [(["a", "b"], False), (["a", "a"], True)], ids=["dsl-81-not", "dsl-81"]
)
def test_and_holds_only_if_every_condition_does(values: list[str], expected: bool) -> None:
    conditions = [condition("is", "a", selector=f"n.v{index}") for index in range(2)]
    pool = make_pool({f"n.v{index}": value for index, value in enumerate(values)})

    assert evaluate(conditions, "and", pool).result is expected


def test_the_evaluation_tells_what_was_compared() -> None:
    conditions = [
        condition("exists"),
        condition("is", "{{#n.x#}}!"),
        condition("=", "3", selector="n.n"),
        condition("not empty", "", selector="n.b"),
    ]

    evaluation = evaluate(conditions, "and", make_pool({"n.x": "a", "n.n": 3, "n.b": True}))

    assert evaluation.inputs == [{"actual_value": "a", "expected_value": "a!", "comparison_operator": "is"}]
    assert evaluation.results == [True, False]
    assert evaluate(conditions[2:], "and", make_pool({"n.n": 3, "n.b": True})).inputs == [
        {"actual_value": 3, "expected_value": "3", "comparison_operator": "="},
        {"actual_value": True, "expected_value": "", "comparison_operator": "not empty"},
    ]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("n.o.key", True), ("n.f.name", True), ("n.o.other", None), ("n.l.0", None)],
    ids=["dsl-111-key", "dsl-111-file", "dsl-111-missing", "dsl-111-index"],
)
def test_selectors_walk_into_objects_and_files_but_not_into_lists(
    selector: str, expected: bool | None
) -> None:
    pool = make_pool({"n.o": {"key": "a.pdf"}, "n.f": PDF, "n.l": ["a.pdf"]})
    conditions = ConditionList([condition("is", "a.pdf", selector=selector)])

    if expected is None:
        with pytest.raises(NodeFailedError, match="was not found"):
            conditions.evaluate(pool)
    else:
        assert conditions.evaluate(pool).result is expected


def files(logical_operator: str, *conditions: tuple[str, str, Any]) -> dict[str, Any]:
    listed = [{"key": key, "comparison_operator": name, "value": value} for key, name, value in conditions]
    return {"sub_variable_condition": {"logical_operator": logical_operator, "conditions": listed}}


@pytest.mark.parametrize(
    ("of_files", "expected"),
    [
        pytest.param(files("and", ("name", "contains", "b.")), True, id="dsl-80b-any-file"),
        pytest.param(files("and", ("name", "not contains", "b.")), False, id="dsl-80b-not-means-all"),
        pytest.param(
            files("and", ("name", "is", "a.pdf"), ("type", "in", ["image"])), True, id="each by itself"
        ),
        pytest.param(files("and", ("name", "is", "a.pdf"), ("type", "in", ["audio"])), False, id="and"),
        pytest.param(files("or", ("name", "is", "c"), ("type", "in", ["document"])), True, id="or"),
        pytest.param(files("and", ("extension", "is", "png")), True, id="dot or none"),
        pytest.param(files("and", ("extension", "is", ".pdf")), True, id="dot and dot"),
        pytest.param(files("and", ("extension", "not empty", None)), False, id="not empty negates, so all"),
        pytest.param(files("and", ("size", ">", "2")), True, id="size"),
        pytest.param(files("and", ("url", "start with", "https:")), True, id="url"),
        pytest.param(files("and", ("transfer_method", "in", ["tool_file"])), False, id="transfer method"),
        pytest.param(files("and"), True, id="no conditions and"),
        pytest.param(files("or"), False, id="no conditions or"),
    ],
)
@pytest.mark.parametrize("operator", ["contains", "not contains", "all of"])
def test_lists_of_files_are_judged_by_attributes_of_the_files(
    operator: str, of_files: dict[str, Any], expected: bool
) -> None:
    bare = File(type="document", filename="c.txt", extension="")

    assert (
        holds(operator, [PDF, PNG, bare] if "extension" in str(of_files) else [PDF, PNG], **of_files)
        is expected
    )


def test_conditions_on_files_that_make_no_sense_are_errors() -> None:
    assert "needs conditions on an attribute" in error("contains", [PDF], "a.pdf")
    assert "no attribute 'colour'" in error("contains", [PDF], **files("and", ("colour", "is", "red")))
    assert "only be compared with a text" in error(
        "contains", [PDF], **files("and", ("extension", "in", ["pdf"]))
    )


@pytest.mark.parametrize("type", ["array[file]", None])
def test_an_empty_list_of_files_has_none_that_could_match(type: ValueType | None) -> None:
    pool = make_pool({"n.x": []}, {"n.x": type} if type else {})
    any_file = condition("contains", "", **files("and", ("name", "is", "a")))
    no_file = condition("contains", "", **files("and", ("name", "is not", "a")))

    assert [evaluate([item], "and", pool).result for item in (any_file, no_file)] == [False, True]


def test_other_operators_see_a_list_of_files_as_a_list() -> None:
    assert holds("not empty", [PDF])
    assert not holds("empty", [PDF])


def test_the_list_knows_all_variables_that_it_may_look_at() -> None:
    conditions = ConditionList([condition("is", "{{#a.b#}} {{#n.x#}}"), condition("empty", selector="c.d")])

    assert conditions.selectors == (("n", "x"), ("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    "data", [{"comparison_operator": "before"}, {"comparison_operator": "is", "value": {}}, {}]
)
def test_a_condition_that_nobody_could_judge_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({"variable_selector": ["n", "x"], **data})
