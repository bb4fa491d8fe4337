"""The console's models read whatever a server says: nulls, keys nobody knows, statuses nobody knows."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import BaseModel

from weft.wire import CursorPage, Page, RunStatus, console

ANSWERS = sorted(
    {
        found
        for name in console.__all__
        if isinstance(found := getattr(console, name), type)
        and issubclass(found, console.ConsoleModel | Page | CursorPage)
        and not name.endswith("Request")
    },
    key=lambda found: found.__name__,
)
LEAST: dict[str, object] = {
    "id": "1",
    "data": [],
    "items": [],
    "token": "app-x",
    "status": "novel",
    "date": "2024-01-02",
    "source": "a",
    "target": "b",
    "workflow_run": {"status": "novel"},
}
OTHER: dict[type[BaseModel], dict[str, object]] = {
    console.AppExport: {"data": "app: {}"},
    console.GraphNode: {"id": "1", "data": {}},
}


def least(model: type[BaseModel]) -> dict[str, object]:
    """The keys that an answer must have."""
    if model in OTHER:
        return OTHER[model]
    names = (field.alias or name for name, field in model.model_fields.items() if field.is_required())
    return {name: LEAST[name] for name in names}


@pytest.mark.parametrize("model", ANSWERS, ids=lambda model: str(model.__name__))
def test_what_need_not_be_there_may_be_null(model: type[console.ConsoleModel]) -> None:
    optional = [field.alias or name for name, field in model.model_fields.items() if not field.is_required()]
    paging = {"page", "limit", "has_more", "result", "step", "count", "index", "type"}
    nulls = {name: None for name in optional if name not in paging}
    found = model.model_validate_json(json.dumps({**nulls, **least(model), "novelty": {"a": [1]}}))
    assert found.extra == {"novelty": {"a": [1]}}
    assert model.from_dict(found.to_dict()) == found


def test_a_status_nobody_knows_is_kept() -> None:
    run = console.WorkflowRun.from_dict({"status": "napping"})
    assert (run.status, run.status.is_finished) == ("napping", False)
    assert console.AppSummary.from_dict({"id": "1", "mode": "rag-pipeline"}).mode == "rag-pipeline"
    assert console.WorkflowRun(status=RunStatus.FAILED).status.is_finished


@pytest.mark.parametrize(
    ("price", "exact"),
    [("0.0000070", "0.0000070"), (7e-06, "0.000007"), (0.1, "0.1"), (3, "3"), ("0E-7", "0E-7"), (None, None)],
)
def test_a_price_is_exact_whether_it_came_as_text_or_as_a_number(price: object, exact: str | None) -> None:
    text = json.dumps({"total_price": price})
    found = console.NodeExecutionMetadata.model_validate_json(text).total_price
    assert found == (None if exact is None else Decimal(exact))
    costs = console.TokenCosts.model_validate_json(json.dumps({"date": "2024-01-02", "total_price": price}))
    assert costs.total_price == Decimal(exact or 0)


def test_a_graph_of_any_shape_goes_back_as_it_came() -> None:
    graph = {
        "nodes": [
            {
                "id": "1",
                "data": {"type": "llm", "nested": {"x": [None, 1.5, "a"]}},
                "position": {"x": 1.5, "y": -2},
                "width": 244.5,
                "height": 98,
                "selected": False,
                "parentId": "9",
                "targetPosition": None,
            }
        ],
        "edges": [
            {"source": "1", "target": "2", "data": {"sourceType": "llm", "isInLoop": True}, "zIndex": 1002},
            {"id": "e2", "source": "2", "target": "3", "data": None},
        ],
        "viewport": {"x": -1.25, "y": 0, "zoom": 0.7},
        "novelty": 1,
    }
    assert console.Graph.model_validate_json(json.dumps(graph)).to_dict() == graph
    assert json.loads(console.Graph.from_dict(graph).to_json()) == graph


def test_a_login_is_read_whatever_its_generation() -> None:
    now = console.LoginAnswer.from_dict({"result": "success"})
    before = console.LoginAnswer.from_dict(
        {"result": "success", "data": {"access_token": "a", "refresh_token": "r"}}
    )
    once = console.LoginAnswer.from_dict({"result": "success", "data": "a"})
    assert (now.data, before.data, once.data) == (
        None,
        console.LoginTokens(access_token="a", refresh_token="r"),
        "a",
    )
    assert "'a'" not in repr(before) + repr(once)


def test_satisfaction_is_counted_by_the_thousand() -> None:
    assert console.UserSatisfactionRate(date="2024-01-02", rate=250.0).share == 0.25
