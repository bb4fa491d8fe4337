"""A source whose every misbehaviour a test can order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from tests.archive.records import record, run
from weft.archive import Conversation, Loaded, RunRecord, SourceApp, SourceItem, SourcePage
from weft.errors import NotFoundError


class FakeSource:
    """Apps with rows ``id -> (version, turns)``, given page by page; the cursor is the place in the list."""

    name = "fake"

    def __init__(self, apps: dict[str, dict[int, int]], page_size: int = 3) -> None:
        self.apps = apps
        self.page_size = page_size
        self.before_load: Callable[[str, str], None] = lambda app, id: None
        self.before_page: Callable[[str, int], None] = lambda app, start: None
        self.versions = True
        self.repeat = False
        self.loads: list[str] = []
        self.starts: list[tuple[str, str]] = []
        self.active = self.most_active = 0

    async def list_apps(self) -> Sequence[SourceApp]:
        return [SourceApp(app, organization_id=f"org-{app}") for app in self.apps]

    async def iter_pages(self, app: SourceApp, cursor: str) -> AsyncIterator[SourcePage]:
        self.starts.append((app.id, cursor))
        start = int(cursor or 0)
        while True:
            self.before_page(app.id, start)
            numbers = sorted(self.apps[app.id])[start : start + self.page_size]
            if not numbers and not self.repeat:
                return
            if numbers or not self.repeat:
                start += len(numbers)
            items = [
                SourceItem(id=f"conv-{n}", version=str(self.apps[app.id][n]) if self.versions else None)
                for n in numbers
            ]
            yield SourcePage(items, str(start))

    async def load(self, app: SourceApp, item: SourceItem) -> Loaded:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(0)
            self.loads.append(item.id)
            self.before_load(app.id, item.id)
            number = int(item.id.removeprefix("conv-"))
            turns = self.apps[app.id].get(number)
            if turns is None:
                raise NotFoundError("gone")
            fields = record(number, turns=turns, app_id=app.id)
            runs: list[RunRecord] = [run(number)]
            return Loaded(Conversation.parse(fields), runs)
        finally:
            self.active -= 1
