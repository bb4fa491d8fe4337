from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.errors import NotFoundError
from weft.store import (
    Annotation,
    AnnotationHit,
    AnnotationPage,
    AnnotationState,
    App,
    Connection,
    Store,
    app_annotations,
)

pytestmark = pytest.mark.anyio


def annotation(
    rows: Rows, app: App, question: str = "q", answer: str = "a", seconds: float = 0
) -> Annotation:
    return Annotation(rows.ids.new(), app.id, question, answer, at(seconds), at(seconds))


async def insert(store: Store, *given: Annotation) -> None:
    def write(connection: Connection) -> None:
        for one in given:
            app_annotations.insert(connection, one)

    await store.write(write)


@pytest.fixture
async def fruit(store: Store, app: App, rows: Rows) -> list[Annotation]:
    """Four annotations, newest first."""
    given = [
        annotation(rows, app, "Quince?", "a fruit", 30),
        annotation(rows, app, "Äpfel?", "no QUINCE", 20),
        annotation(rows, app, "100%?", "all", 10),
        annotation(rows, app, "Pear?", "a_b", 0),
    ]
    await insert(store, *given)
    return given


async def test_annotations_are_listed_newest_first_in_numbered_pages(
    store: Store, app: App, fruit: list[Annotation]
) -> None:
    def read(connection: Connection) -> list[AnnotationPage]:
        return [
            app_annotations.list_page(connection, app.id, page=page, limit=2) for page in (1, 2, 3, 10**18)
        ]

    assert await store.read(read) == [
        AnnotationPage(tuple(fruit[:2]), 4, has_more=True),
        AnnotationPage(tuple(fruit[2:]), 4, has_more=False),
        AnnotationPage((), 4, has_more=False),
        AnnotationPage((), 4, has_more=False),
    ]


@pytest.mark.parametrize(
    ("keyword", "places"),
    [("quince", [0, 1]), ("ÄPFEL", [1]), ("%", [2]), ("a_", [3]), ("plum", []), ("\0", [])],
)
async def test_a_keyword_is_found_in_question_and_answer_in_whatever_case(
    store: Store, app: App, fruit: list[Annotation], keyword: str, places: list[int]
) -> None:
    page = await store.read(lambda connection: app_annotations.list_page(connection, app.id, keyword=keyword))
    assert page == AnnotationPage(tuple(fruit[place] for place in places), len(places), has_more=False)


async def test_an_annotation_is_changed_and_deleted_within_its_app(
    store: Store, app: App, fruit: list[Annotation]
) -> None:
    changed = replace(fruit[0], question="Plum?", answer="blue", updated_at=at(99), embedding=[0.5, -1.0])
    await store.write(lambda connection: app_annotations.update_content(connection, changed))

    def read(connection: Connection) -> list[Annotation | None]:
        return [
            app_annotations.find(connection, app.id, changed.id),
            app_annotations.find(connection, "another app", changed.id),
        ]

    assert await store.read(read) == [changed, None]
    with pytest.raises(NotFoundError, match="Annotation not found"):
        await store.write(lambda connection: app_annotations.remove(connection, "another app", changed.id))
    await store.write(lambda connection: app_annotations.remove(connection, app.id, changed.id))
    for gone in (
        lambda connection: app_annotations.remove(connection, app.id, changed.id),
        lambda connection: app_annotations.update_content(connection, changed),
        lambda connection: app_annotations.get(connection, app.id, changed.id),
    ):
        with pytest.raises(NotFoundError, match="Annotation not found"):
            await store.write(gone)


async def test_an_index_is_stored_only_for_the_question_that_it_is_of(
    store: Store, app: App, fruit: list[Annotation]
) -> None:
    indexed = [replace(one, embedding_model="m", embedding=[1.0, 0.25]) for one in fruit]
    changed = replace(fruit[0], question="Plum?", updated_at=at(99))

    def write(connection: Connection) -> tuple[Annotation, ...]:
        app_annotations.update_content(connection, changed)
        app_annotations.remove(connection, app.id, fruit[1].id)
        app_annotations.update_index(connection, indexed)
        return app_annotations.list_all(connection, app.id)

    assert await store.write(write) == (indexed[3], indexed[2], changed)


async def test_the_state_tells_of_every_change_but_hits(
    store: Store, app: App, fruit: list[Annotation], rows: Rows
) -> None:
    def state(connection: Connection) -> AnnotationState:
        return app_annotations.state(connection, app.id)

    assert await store.read(state) == AnnotationState(4, at(30))
    await store.write(lambda connection: app_annotations.record_hit(connection, hit(rows, fruit[0])))
    assert await store.read(state) == AnnotationState(4, at(30))
    changed = replace(fruit[3], updated_at=at(99))
    await store.write(lambda connection: app_annotations.update_content(connection, changed))
    assert await store.read(state) == AnnotationState(4, at(99))
    await store.write(lambda connection: app_annotations.remove(connection, app.id, fruit[0].id))
    assert await store.read(state) == AnnotationState(3, at(99))
    assert await store.read(lambda connection: app_annotations.state(connection, "none")) == AnnotationState(
        0, None
    )


def hit(rows: Rows, of: Annotation, seconds: float = 0) -> AnnotationHit:
    return AnnotationHit(
        id=rows.ids.new(),
        annotation_id=of.id,
        app_id=of.app_id,
        message_id=rows.ids.new(),
        source="api",
        question="Quince, please",
        annotation_question=of.question,
        annotation_answer=of.answer,
        score=0.75,
        created_at=at(seconds),
    )


async def test_hits_are_counted_and_listed_newest_first(
    store: Store, app: App, fruit: list[Annotation], rows: Rows
) -> None:
    hits = [hit(rows, fruit[0], seconds) for seconds in (1, 2, 3)]
    absent = replace(hits[0], id=rows.ids.new(), annotation_id=rows.ids.new())

    def write(connection: Connection) -> list[bool]:
        return [app_annotations.record_hit(connection, one) for one in (*hits, absent)]

    assert await store.write(write) == [True, True, True, False]

    def read(connection: Connection) -> object:
        found = app_annotations.find(connection, app.id, fruit[0].id)
        assert found is not None
        return [
            found.hit_count,
            app_annotations.list_hits(connection, app.id, fruit[0].id, limit=2),
            app_annotations.list_hits(connection, app.id, fruit[0].id, limit=2, page=2),
            app_annotations.list_hits_by_message(connection, app.id, [hits[1].message_id, "none"]),
            app_annotations.list_hits_by_message(connection, app.id, []),
        ]

    assert await store.read(read) == [
        3,
        (hits[2], hits[1]),
        (hits[0],),
        {hits[1].message_id: hits[1]},
        {},
    ]


async def test_the_annotation_of_a_message_is_found(store: Store, app: App, rows: Rows) -> None:
    first = replace(annotation(rows, app), message_id="m1", conversation_id="c1")
    second = replace(annotation(rows, app, seconds=5), message_id="m1")
    other = replace(annotation(rows, app), message_id="m2")
    await insert(store, first, second, other)

    def read(connection: Connection) -> object:
        return [
            app_annotations.find_by_message(connection, app.id, "m1"),
            app_annotations.find_by_message(connection, app.id, "m3"),
            app_annotations.list_by_message(connection, app.id, ["m1", "m2", "m3"]),
            app_annotations.list_by_message(connection, app.id, []),
        ]

    assert await store.read(read) == [second, None, {"m1": second, "m2": other}, {}]
