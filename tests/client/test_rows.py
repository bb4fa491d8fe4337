"""Lists as tables."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]  # it comes without types
import pytest

from tests.client.fake import MakeClient, said
from weft import errors, wire
from weft.client import to_arrow, to_pandas

c = wire.console
RUNS = [
    c.WorkflowLogEntry.from_dict(
        {
            "id": "l1",
            "workflow_run": {
                "id": "r1",
                "status": "succeeded",
                "elapsed_time": 1.5,
                "total_tokens": 7,
                "finished_at": 60,
            },
            "created_by_end_user": {"id": "e1", "session_id": "u1"},
            "details": {"trigger_metadata": {"a": [1]}},
            "created_at": 0,
        }
    ),
    c.WorkflowLogEntry.from_dict(
        {"id": "l2", "workflow_run": {"id": "r2", "status": "novel"}, "novelty": "x"}
    ),
]


def test_an_object_is_a_row_and_what_it_holds_are_columns() -> None:
    table = to_arrow(RUNS)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["l1", "l2"]
    assert [row["workflow_run.status"] for row in rows] == ["succeeded", "novel"]
    assert [row["workflow_run.elapsed_time"] for row in rows] == [1.5, None]
    assert [row["workflow_run.finished_at"] for row in rows] == [datetime(1970, 1, 1, 0, 1, tzinfo=UTC), None]
    assert [row["created_at"] for row in rows] == [datetime(1970, 1, 1, tzinfo=UTC), None]
    assert [row["created_by_end_user.session_id"] for row in rows] == ["u1", None]
    assert [row["details"] for row in rows] == ['{"trigger_metadata": {"a": [1]}}', None]
    assert [row["novelty"] for row in rows] == [None, "x"]
    assert table.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("workflow_run.total_tokens").type == pa.int64()


def test_prices_stay_exact() -> None:
    rows = [c.TokenCosts(date="2024-01-01", total_price=Decimal(price)) for price in ("0.0000012", "12")]
    assert to_arrow(rows).column("total_price").to_pylist() == [Decimal("0.0000012"), Decimal("12.0000000")]


def test_values_of_several_types_become_text() -> None:
    rows = [c.ConsoleModel.from_dict({"x": value}) for value in (1, "a", None)]
    assert to_arrow(rows).column("x").to_pylist() == ["1", "a", None]


def test_nothing_is_a_table_without_columns() -> None:
    assert to_arrow([]).num_rows == 0


def test_conversations_have_their_names_of_the_wire() -> None:
    conversation = c.ChatConversation.from_dict(
        {"id": "c1", "model_config": {"model": "m", "pre_prompt": None}, "status_count": None}
    )
    (row,) = to_arrow([conversation]).to_pylist()
    assert (row["model_config.model"], row["user_feedback_stats.like"]) == ("m", 0)


@pytest.mark.anyio
async def test_a_whole_list_becomes_a_table(make: MakeClient) -> None:
    client, _ = make(
        said({"has_more": True, "data": [{"id": "a"}]}), said({"has_more": False, "data": [{"id": "b"}]})
    )
    table = await client.iter_conversations(sort_by="-created_at").to_arrow()
    assert table.column("id").to_pylist() == ["a", "b"]


@pytest.mark.anyio
async def test_a_whole_list_becomes_a_data_frame(make: MakeClient) -> None:
    pytest.importorskip("pandas")
    client, _ = make(said({"has_more": False, "data": [{"id": "a", "created_at": 0}]}))
    frame = await client.iter_conversations().to_pandas()
    assert list(frame["id"]) == ["a"]
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert to_pandas(RUNS).shape[0] == 2


@pytest.mark.parametrize(("library", "convert"), [("pyarrow", to_arrow), ("pandas", to_pandas)])
def test_a_library_that_is_absent_is_said_with_the_fix(
    library: str, convert: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        errors.ConfigError, match=rf"{library} is not installed; pip install 'weft\[analytics\]'"
    ):
        (to_arrow if convert is to_arrow else to_pandas)(RUNS)
