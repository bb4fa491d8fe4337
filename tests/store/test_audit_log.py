from __future__ import annotations

import pytest

from tests.store.rows import Rows, at
from weft.store import AuditEntry, Connection, Page, Store, audit_log

pytestmark = pytest.mark.anyio


async def test_entries_are_listed_newest_first_by_workspace(store: Store, rows: Rows) -> None:
    ours = rows.workspace.id
    entries = [
        AuditEntry(
            rows.ids.new(), ours, f"app.{n}", at(n // 2), "ada", "app", "target", "::1", {"name": "Zoë"}
        )
        for n in range(5)
    ]
    other = AuditEntry(rows.ids.new(), "another", "app.create", at(9))

    def fn(connection: Connection) -> list[Page[AuditEntry]]:
        for entry in (*entries, other):
            audit_log.append(connection, entry)
        first = audit_log.list_page(connection, ours, limit=3)
        return [first, audit_log.list_page(connection, ours, before=first.items[-1], limit=3)]

    newest = tuple(reversed(entries))
    assert await store.write(fn) == [Page(newest[:3], has_more=True), Page(newest[3:], has_more=False)]


async def test_what_has_begun_and_not_ended_is_found(store: Store, rows: Rows) -> None:
    ours = rows.workspace.id

    def fn(connection: Connection) -> tuple[str, ...]:
        for seconds, (workspace, action, app_id) in enumerate(
            (
                (ours, "app.delete", "a"),
                (ours, "app.delete", "b"),
                (ours, "app.purge", "a"),
                (ours, "app.delete", "c"),
                ("another", "app.delete", "d"),
                (ours, "app.update", "e"),
                (ours, "app.delete", None),
            )
        ):
            entry = AuditEntry(rows.ids.new(), workspace, action, at(seconds), app_id=app_id)
            audit_log.append(connection, entry)
        return audit_log.list_open(connection, ours, "app.delete", "app.purge")

    assert await store.write(fn) == ("b", "c")
