from __future__ import annotations

import inspect
import re

import pytest

from weft import errors
from weft.errors import (
    GraphError,
    InvalidRequestError,
    LimitExceededError,
    NodeFailedError,
    NotFoundError,
    Problem,
    ProviderError,
    RateLimitedError,
    ServerError,
    StreamBrokenError,
    TooManyRequestsError,
    WeftError,
)

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, WeftError)
}


def test_every_class_stands_in_the_tree_that_the_module_shows_under_its_parent() -> None:
    lines = (errors.__doc__ or "").split("::")[1].split("Errors carry data")[0].splitlines()
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in lines:
        names = re.findall(r"\b[A-Z]\w+Error\b", line)
        if not names:
            continue
        indent = len(line) - len(line.lstrip())
        above = [(depth, name) for depth, name in above if depth < indent]
        for name in names:
            parents[name] = above[-1][1] if above else "Exception"
        above.append((indent, names[0]))
    assert parents == {name: value.__bases__[0].__name__ for name, value in CLASSES.items()}


def test_everything_public_is_exported() -> None:
    assert set(errors.__all__) == {*CLASSES, "Problem"}


def test_a_graph_error_holds_and_tells_every_problem() -> None:
    problems = [
        Problem("a.code", "it is wrong", path="nodes[0].data", fix="make it right"),
        Problem("b.code", "so is this"),
    ]
    error = GraphError(problems)
    assert error.problems == tuple(problems)
    assert str(error) == "nodes[0].data: it is wrong (make it right); so is this"
    assert str(GraphError([])) == "invalid chatflow file"


def test_a_limit_names_its_setting_and_what_it_is_set_to() -> None:
    error = LimitExceededError("limits.max_steps", 500)
    assert (error.limit, error.value) == ("limits.max_steps", 500)
    assert str(error) == (
        "limits.max_steps exceeded: the limit is 500; "
        "raise the setting 'limits.max_steps' if this is intended"
    )


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (
            NodeFailedError("m", error_type="T", node_id="n", node_type="llm"),
            {"error_type": "T", "node_id": "n", "node_type": "llm"},
        ),
        (ProviderError("m", provider="p", model="x"), {"provider": "p", "model": "x"}),
        (
            RateLimitedError("m", provider="p", retry_after=3),
            {"provider": "p", "model": "", "retry_after": 3},
        ),
        (InvalidRequestError("m", {"query": "empty"}), {"fields": {"query": "empty"}}),
        (InvalidRequestError("m"), {"fields": {}}),
        (NotFoundError("m", kind="run", id="1"), {"kind": "run", "id": "1"}),
        (TooManyRequestsError("m", retry_after=1.5), {"retry_after": 1.5}),
        (StreamBrokenError("m", answer="so far"), {"answer": "so far"}),
        (ServerError("m", status=502), {"status": 502, "code": "unknown", "request_id": None}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_carries_its_data(error: WeftError, data: dict[str, object]) -> None:
    assert (str(error), vars(error)) == ("m", data)


def test_providers_errors_name_the_class_that_records_show() -> None:
    shown = {name: value.error_type for name, value in CLASSES.items() if issubclass(value, ProviderError)}
    assert shown == {
        "ProviderError": "InvokeError",
        "CredentialsError": "InvokeAuthorizationError",
        "RateLimitedError": "InvokeRateLimitError",
        "QuotaExceededError": "InvokeRateLimitError",
        "ProviderTimeoutError": "InvokeConnectionError",
        "BadReplyError": "InvokeServerUnavailableError",
        "UnsupportedModelError": "InvokeBadRequestError",
    }


def test_every_error_has_a_sentence() -> None:
    assert [name for name, value in CLASSES.items() if not (value.__doc__ or "").strip().endswith(".")] == []
