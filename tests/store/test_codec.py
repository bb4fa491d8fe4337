from __future__ import annotations

import types
import typing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table

from tests.store.rows import ANSWERED, START, Rows
from weft.store import records, tables
from weft.store.codec import Codec, dump_json, instant, load_json, micros, storable
from weft.store.records import Message, Record

PAIRS = [
    (record, getattr(tables, table))
    for record, table in [
        (records.Workspace, "workspaces"),
        (records.Account, "accounts"),
        (records.App, "apps"),
        (records.Workflow, "workflows"),
        (records.ApiToken, "api_tokens"),
        (records.EndUser, "end_users"),
        (records.Conversation, "conversations"),
        (records.Message, "messages"),
        (records.MessageFile, "message_files"),
        (records.ConversationVariable, "conversation_variables"),
        (records.Run, "runs"),
        (records.NodeExecution, "node_executions"),
        (records.StoredFile, "files"),
        (records.Form, "forms"),
        (records.RunState, "run_states"),
        (records.Signal, "signals"),
        (records.Feedback, "feedbacks"),
        (records.Annotation, "annotation_table"),
        (records.AnnotationHit, "annotation_hits"),
        (records.AnnotationSettings, "annotation_settings"),
        (records.AnnotationJob, "annotation_jobs"),
        (records.RefreshToken, "refresh_tokens"),
        (records.LoginFailures, "login_failures"),
        (records.AuditEntry, "audit_log"),
        (records.Process, "processes"),
    ]
]


BOOKKEEPING = {"run_counts", "run_changes", "search_queue", "search_skipped", "search_state"}
"""Tables that only the database's triggers and the log pages know."""


def test_every_table_has_a_record() -> None:
    assert {table.name for _, table in PAIRS} | BOOKKEEPING == set(tables.metadata.tables)


@pytest.mark.parametrize(("record", "table"), PAIRS, ids=lambda value: str(value))
def test_a_record_has_the_columns_of_its_table_in_their_order(record: type[Record], table: Table) -> None:
    assert [field.name for field in msgspec.structs.fields(record)] == table.c.keys()


@pytest.mark.parametrize(("record", "table"), PAIRS, ids=lambda value: str(value))
def test_a_field_may_be_none_exactly_where_its_column_may_be_null(record: type[Record], table: Table) -> None:
    hints = typing.get_type_hints(record)

    optional = [name for name, hint in hints.items() if _takes_none(hint)]

    assert optional == [column.name for column in table.c if column.nullable]


def _takes_none(hint: object) -> bool:
    if hint is object:
        return True
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return union and type(None) in typing.get_args(hint)


def test_a_record_comes_back_from_its_row_as_it_was() -> None:
    rows = Rows()
    message = rows.message(rows.conversation(rows.end_user(rows.app())))
    codec = Codec(Message, tables.messages)
    answered = msgspec.structs.replace(message, **ANSWERED)

    assert codec.decode(codec.encode(answered)) == answered


def test_a_row_holds_plain_values() -> None:
    rows = Rows()
    run = rows.run(rows.message(rows.conversation(rows.end_user(rows.app()))))
    encode = Codec(records.Run, tables.runs).encoder("total_price", "inputs", "outputs", "created_at", "id")

    assert encode(run) == (
        "0",
        '{"sys.query":"Rain?","city":"Köln"}',
        None,
        1769851800000000,
        run.id,
    )


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_to_the_microsecond(moment: datetime) -> None:
    assert instant(micros(moment)) == moment
    assert instant(micros(moment)).tzinfo is UTC


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    there = START.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert micros(there) == micros(START)


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        micros(datetime(2026, 1, 31))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert load_json(dump_json(value)) == value


def test_what_json_cannot_say_becomes_null_or_a_replacement_character() -> None:
    value = {"a": float("nan"), "b": float("-inf"), "\ud800": ["x\ud800", ("\udfff",)]}

    assert load_json(dump_json({"a": value["a"], "b": value["b"]})) == {"a": None, "b": None}
    assert load_json(dump_json(value)) == {"a": None, "b": None, "\ufffd": ["x\ufffd", ["\ufffd"]]}


def test_json_keeps_letters_of_every_alphabet_readable() -> None:
    assert dump_json({"город": "Köln"}) == '{"город":"Köln"}'


@given(st.text(alphabet=st.characters(codec=None)))
def test_whatever_text_becomes_storable(text: str) -> None:
    stored = storable(text)

    stored.encode()
    assert "\0" not in stored
    assert stored == text or "\ufffd" in stored


def test_a_price_keeps_its_digits() -> None:
    codec = Codec(Message, tables.messages)
    rows = Rows()
    message = rows.message(rows.conversation(rows.end_user(rows.app())))

    for price in ("0.0000001", "0E-7", "12.50", "123456789012345678901234567890.123456789"):
        row = codec.encode(msgspec.structs.replace(message, total_price=Decimal(price)))
        assert str(codec.decode(row).total_price) == str(Decimal(price))
