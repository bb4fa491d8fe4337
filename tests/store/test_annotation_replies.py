from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.store.rows import Rows, at
from weft.store import (
    AnnotationAction,
    AnnotationJob,
    AnnotationSettings,
    App,
    Connection,
    Store,
    annotation_replies,
)

pytestmark = pytest.mark.anyio


def job(
    rows: Rows, app: App, action: AnnotationAction = "enable", seconds: float = 0, owner: str = "us"
) -> AnnotationJob:
    settings = {"score_threshold": 0.5, "owner_id": owner}
    return AnnotationJob(rows.ids.new(), app.id, action, "waiting", at(seconds), settings)


async def test_settings_are_stored_once_per_app_and_switched_off(store: Store, app: App) -> None:
    first = AnnotationSettings(app.id, True, 0.9, "openai", "small", at(0))
    second = replace(first, score_threshold=0.8, embedding_model="large", updated_at=at(1))

    def write(connection: Connection) -> list[AnnotationSettings | None]:
        found = [annotation_replies.find_settings(connection, app.id)]
        annotation_replies.switch_off(connection, app.id, at(0))
        for settings in (first, second):
            annotation_replies.put_settings(connection, settings)
            found.append(annotation_replies.find_settings(connection, app.id))
        annotation_replies.switch_off(connection, app.id, at(2))
        return [*found, annotation_replies.find_settings(connection, app.id)]

    off = replace(second, enabled=False, updated_at=at(2))
    assert await store.write(write) == [None, first, second, off]


async def test_a_job_is_known_under_its_app_and_action(store: Store, app: App, rows: Rows) -> None:
    first, second = job(rows, app), job(rows, app, seconds=1)
    ended = replace(first, status="error", error="no", finished_at=at(5))

    def write(connection: Connection) -> object:
        annotation_replies.insert_job(connection, first)
        annotation_replies.insert_job(connection, second)
        return [
            annotation_replies.find_job(connection, app.id, "enable", first.id),
            annotation_replies.find_job(connection, app.id, "disable", first.id),
            annotation_replies.find_job(connection, "another app", "enable", first.id),
            annotation_replies.find_unfinished_job(connection, app.id, "enable"),
            annotation_replies.find_unfinished_job(connection, app.id, "disable"),
            annotation_replies.update_job(connection, ended),
            annotation_replies.find_job(connection, app.id, "enable", first.id),
            annotation_replies.find_unfinished_job(connection, app.id, "enable"),
        ]

    assert await store.write(write) == [first, None, None, first, None, True, ended, second]


async def test_jobs_whose_process_died_are_closed(store: Store, app: App, rows: Rows) -> None:
    ours, theirs = job(rows, app), job(rows, app, owner="the dead")
    done = replace(job(rows, app, owner="the dead"), status="completed", finished_at=at(1))

    def write(connection: Connection) -> object:
        for one in (ours, theirs, done):
            annotation_replies.insert_job(connection, one)
        closed = annotation_replies.close_orphans(connection, ["us"], at(9))
        return closed, [
            annotation_replies.find_job(connection, app.id, "enable", one.id) for one in (ours, theirs, done)
        ]

    orphan = replace(theirs, status="error", error=annotation_replies.ORPHANED, finished_at=at(9))
    assert await store.write(write) == (1, [ours, orphan, done])


async def test_jobs_that_ended_long_ago_are_forgotten(store: Store, app: App, rows: Rows) -> None:
    running, old, new = (
        job(rows, app),
        replace(job(rows, app), finished_at=at(1)),
        replace(job(rows, app), finished_at=at(2)),
    )

    def write(connection: Connection) -> object:
        for one in (running, old, new):
            annotation_replies.insert_job(connection, one)
        removed = annotation_replies.remove_jobs(connection, at(2))
        updated = annotation_replies.update_job(connection, old)
        return (
            removed,
            updated,
            [
                annotation_replies.find_job(connection, app.id, "enable", one.id)
                for one in (running, old, new)
            ],
        )

    assert await store.write(write) == (1, False, [running, None, new])
