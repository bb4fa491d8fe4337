from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.store.rows import Rows, at
from weft.store import EndUser, Form, Run, Store, forms, runs

pytestmark = pytest.mark.anyio


@pytest.fixture
async def run(store: Store, rows: Rows, end_user: EndUser) -> Run:
    """A run that has begun."""
    conversation = rows.conversation(end_user)
    message = rows.message(conversation)
    made = rows.run(message)
    await store.write(lambda connection: runs.start(connection, conversation, message, made))
    return made


def form(rows: Rows, run: Run, token: str | None = "t", seconds: float = 3600) -> Form:
    return Form(
        id=rows.ids.new(),
        run_id=run.id,
        app_id=run.app_id,
        node_id="ask",
        node_title="Ask",
        content="Well? {{#$output.why#}}",
        inputs=[{"type": "paragraph", "output_variable_name": "why"}],
        actions=[{"id": "yes", "title": "Yes", "button_style": "default"}],
        created_at=at(0),
        expires_at=at(seconds),
        token=token,
        display_in_ui=True,
        resolved_defaults={"why": "ü\x00"},
    )


async def create(store: Store, *made: Form) -> None:
    for one in made:
        await store.write(lambda connection, one=one: forms.create(connection, one))  # type: ignore[misc]


async def submit(store: Store, id: str, seconds: float = 10, action: str = "yes") -> bool:
    return await store.write(
        lambda connection: forms.submit(
            connection,
            id,
            action_id=action,
            submitted={"why": "so"},
            rendered_content="Well? so",
            now=at(seconds),
            end_user_id=None,
        )
    )


async def test_a_form_is_found_by_its_token_within_its_app(store: Store, rows: Rows, run: Run) -> None:
    made = form(rows, run)
    await create(store, made, form(rows, run, None))
    assert await store.read(lambda connection: forms.find_by_token(connection, run.app_id, "t")) == made
    assert await store.read(lambda connection: forms.find_by_token(connection, run.app_id, "t\x00")) is None
    assert await store.read(lambda connection: forms.find_by_token(connection, rows.ids.new(), "t")) is None


async def test_the_first_answer_counts(store: Store, rows: Rows, run: Run) -> None:
    made = form(rows, run)
    await create(store, made)
    won = await asyncio.gather(*(submit(store, made.id, action=f"a{number}") for number in range(5)))
    assert sorted(won) == [False, False, False, False, True]
    (kept,) = await store.read(lambda connection: forms.list_by_run(connection, run.id))
    assert kept == msgspec.structs.replace(
        made,
        status="submitted",
        action_id=f"a{won.index(True)}",
        submitted={"why": "so"},
        rendered_content="Well? so",
        closed_at=at(10),
    )


async def test_an_answer_after_the_time_is_over_does_not_count(store: Store, rows: Rows, run: Run) -> None:
    made = form(rows, run, seconds=10)
    await create(store, made)
    assert await submit(store, made.id, seconds=10) is False


async def test_forms_expire_once_each_of_them_told_to_one(store: Store, rows: Rows, run: Run) -> None:
    first, second, later = form(rows, run, "1"), form(rows, run, "2"), form(rows, run, "3", 7200)
    await create(store, first, second, later)
    told = await asyncio.gather(
        *(store.write(lambda connection: forms.expire(connection, at(3600))) for _ in range(3))
    )
    assert sorted(told, key=len) == [[], [], [(run.id, run.app_id)]]
    left = await store.read(lambda connection: forms.list_by_run(connection, run.id))
    assert [one.status for one in left] == ["expired", "expired", "waiting"]
    assert await submit(store, first.id, seconds=1) is False


async def test_forms_that_nothing_waits_for_are_closed(store: Store, rows: Rows, run: Run) -> None:
    kept, dropped = form(rows, run, "1"), form(rows, run, "2")
    await create(store, kept, dropped)
    await store.write(lambda connection: forms.abandon(connection, run.id, at(5), keep=[kept.id]))
    left = await store.read(lambda connection: forms.list_by_runs(connection, [run.id, rows.ids.new()]))
    assert {id: [one.status for one in found] for id, found in left.items()} == {
        run.id: ["waiting", "expired"]
    }
