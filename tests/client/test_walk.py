"""Lists that change while they are read: rows arrive, go, and move, and nothing is lost or met twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.fake import MakeClient, refused, said
from weft import errors, wire
from weft.client import Progress
from weft.client._call import get
from weft.client._walk import (
    BackwardWalk,
    ChronologicalWalk,
    CursorWalk,
    ForwardWalk,
    NumberedWalk,
    Walk,
)

LIMIT = 3


class Row(wire.WireModel):
    id: str
    updated_at: int = 0


class Table:
    """Rows of a server, newest change first."""

    def __init__(self, count: int) -> None:
        self.clock = 0
        self.made = 0
        self.rows: list[Row] = []
        for _ in range(count):
            self.arrive()

    def arrive(self) -> None:
        self.made += 1
        self.clock += 1
        self.rows.insert(0, Row(id=f"r{self.made}", updated_at=self.clock))

    def go(self, place: int) -> str | None:
        return self.rows.pop(place % len(self.rows)).id if self.rows else None

    def move(self, place: int) -> None:
        if self.rows:
            row = self.rows.pop(place % len(self.rows))
            self.clock += 1
            self.rows.insert(0, row.model_copy(update={"updated_at": self.clock}))

    def numbered(self, page: int) -> wire.Page[Row]:
        start = (page - 1) * LIMIT
        return wire.Page[Row](
            page=page,
            limit=LIMIT,
            total=len(self.rows),
            has_more=len(self.rows) > start + LIMIT,
            data=self.rows[start : start + LIMIT],
        )

    def after(self, last_id: str | None) -> wire.CursorPage[Row] | None:
        """What a server answers: rows changed before the cursor; nothing for a cursor that went."""
        older = self.rows
        if last_id is not None:
            cursor = next((row for row in self.rows if row.id == last_id), None)
            if cursor is None:
                return None
            older = [row for row in self.rows if row.updated_at < cursor.updated_at]
        return wire.CursorPage[Row](limit=LIMIT, has_more=len(older) > LIMIT, data=older[:LIMIT])


Step = tuple[str, int]
STEPS = st.lists(
    st.lists(st.tuples(st.sampled_from(["arrive", "go", "move"]), st.integers(0, 30)), max_size=4)
)


def happen(table: Table, steps: list[Step], kinds: str) -> set[str]:
    """Let things happen; returns the ids of rows that went."""
    gone = set()
    for kind, place in steps:
        if kind not in kinds:
            continue
        if kind == "arrive":
            table.arrive()
        elif kind == "move":
            table.move(place)
        elif (id := table.go(place)) is not None:
            gone.add(id)
    return gone


def walk_through(
    walk: Walk[Row],
    ask: Callable[[dict[str, str]], wire.Listing[Row] | None],
    table: Table,
    between: list[list[Step]],
    kinds: str,
) -> tuple[list[str], set[str]]:
    found: list[str] = []
    gone: set[str] = set()
    steps = iter(between)
    for _ in range(1_000):
        if walk.call is None:
            return found, gone
        page = ask(dict(walk.call.query))
        if page is None:
            assert walk.step_back(), "a place to go on from is left"
            continue
        found += [row.id for row in walk.take(page)]
        gone |= happen(table, next(steps, []), kinds)
    raise AssertionError("the walk does not end")


@given(st.integers(0, 20), STEPS)
@settings(max_examples=100, deadline=None)
def test_numbered_pages_lose_nothing_while_rows_arrive_and_go(count: int, between: list[list[Step]]) -> None:
    table = Table(count)
    before = [row.id for row in table.rows]
    walk = NumberedWalk(get(wire.Page[Row], "/rows", page=1, limit=LIMIT))
    found, gone = walk_through(
        walk, lambda query: table.numbered(int(query["page"])), table, between, "arrive go"
    )
    assert len(found) == len(set(found))
    assert set(before) - gone <= set(found)


@given(st.integers(0, 20), STEPS)
@settings(max_examples=100, deadline=None)
def test_numbered_pages_lose_nothing_while_rows_move_to_the_front(
    count: int, between: list[list[Step]]
) -> None:
    table = Table(count)
    before = [row.id for row in table.rows]
    walk = NumberedWalk(get(wire.Page[Row], "/rows", page=1, limit=LIMIT), moves=True)
    found, _ = walk_through(
        walk, lambda query: table.numbered(int(query["page"])), table, between, "arrive move"
    )
    assert len(found) == len(set(found))
    assert set(before) <= set(found)


@given(st.integers(0, 20), STEPS)
@settings(max_examples=100, deadline=None)
def test_cursors_lose_nothing_while_rows_arrive_and_move_to_the_front(
    count: int, between: list[list[Step]]
) -> None:
    table = Table(count)
    before = [row.id for row in table.rows]
    walk = ForwardWalk(get(wire.CursorPage[Row], "/rows", limit=LIMIT, sort_by="-updated_at"))
    found, _ = walk_through(
        walk, lambda query: table.after(query.get("last_id")), table, between, "arrive move"
    )
    assert len(found) == len(set(found))
    assert set(before) <= set(found)


def test_a_cursor_that_went_is_replaced_by_the_row_before_it() -> None:
    table = Table(6)
    walk = CursorWalk(get(wire.CursorPage[Row], "/rows", limit=LIMIT), cursor="last_id", end=-1)
    page = table.after(None)
    assert page is not None
    assert [row.id for row in walk.take(page)] == ["r6", "r5", "r4"]
    table.go(2)
    assert walk.call is not None
    assert table.after(walk.call.query["last_id"]) is None
    assert walk.step_back()
    assert walk.call.query["last_id"] == "r5"
    page = table.after("r5")
    assert page is not None
    assert [row.id for row in walk.take(page)] == ["r3", "r2", "r1"]


def test_without_a_row_before_it_a_lost_cursor_stays_lost() -> None:
    walk = CursorWalk(get(wire.CursorPage[Row], "/rows"), cursor="last_id", end=-1)
    assert not walk.step_back()
    walk.take(wire.CursorPage[Row](has_more=True, data=[Row(id="a")]))
    assert not walk.step_back()


def test_messages_come_newest_first_or_as_they_were_said() -> None:
    pages = [
        wire.CursorPage[Row](has_more=True, data=[Row(id="c"), Row(id="d")]),
        wire.CursorPage[Row](has_more=False, data=[Row(id="a"), Row(id="b")]),
    ]
    backward = BackwardWalk(get(wire.CursorPage[Row], "/rows"))
    assert [[row.id for row in backward.take(page)] for page in pages] == [["d", "c"], ["b", "a"]]
    forward = ChronologicalWalk(get(wire.CursorPage[Row], "/rows"))
    assert [[row.id for row in forward.take(page)] for page in pages] == [[], ["a", "b", "c", "d"]]


def rows(*ids: str, more: bool) -> object:
    return {"limit": 2, "has_more": more, "total": 5, "data": [{"id": id} for id in ids]}


@pytest.mark.anyio
async def test_progress_is_told_after_every_page(make: MakeClient) -> None:
    client, _ = make(said(rows("a", "b", more=True)), said(rows("c", more=False)))
    told: list[Progress] = []
    async with client.iter_annotations(limit=2, progress=told.append) as found:
        assert [one.id async for one in found] == ["a", "b", "c"]
    assert told == [Progress(items=2, pages=1, total=5), Progress(items=3, pages=2, total=5)]


@pytest.mark.anyio
async def test_no_more_is_read_than_was_wanted(make: MakeClient) -> None:
    client, fake = make(said(rows("a", "b", more=True)), said(rows("c", "d", more=True)))
    assert [one.id for one in await client.iter_annotations(limit=2, max_items=2).collect()] == ["a", "b"]
    assert len(fake.asked) == 1
    assert await client.iter_annotations(max_items=0).collect() == []
    assert len(fake.asked) == 1


@pytest.mark.anyio
async def test_leaving_the_context_ends_the_list(make: MakeClient) -> None:
    client, fake = make(said(rows("a", "b", more=True)))
    async with client.iter_annotations() as found:
        async for one in found:
            assert one.id == "a"
            break
    assert await found.collect() == []
    assert len(fake.asked) == 1


@pytest.mark.anyio
async def test_after_an_error_the_same_page_is_asked_for_again(make: MakeClient) -> None:
    client, fake = make(said(rows("a", more=True)), refused(503, "unknown"), said(rows("b", more=False)))
    found = client.iter_annotations(limit=1)
    with pytest.raises(errors.ServerError):
        await found.collect()
    assert [one.id for one in await found.collect()] == ["b"]
    assert [asked.query["page"] for asked in fake.asked] == ["1", "2", "2"]


@pytest.mark.anyio
async def test_a_conversation_that_was_deleted_does_not_end_the_list(make: MakeClient) -> None:
    client, fake = make(
        said({"limit": 2, "has_more": True, "data": [{"id": "a"}, {"id": "b"}]}),
        refused(404, "not_found", "Last Conversation Not Exists."),
        said({"limit": 2, "has_more": False, "data": [{"id": "c"}]}),
    )
    found = await client.iter_conversations(user="u1", sort_by="-created_at", limit=2).collect()
    assert [one.id for one in found] == ["a", "b", "c"]
    assert [asked.query.get("last_id") for asked in fake.asked] == [None, "b", "a"]
