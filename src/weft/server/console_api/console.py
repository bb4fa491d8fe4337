"""What the console's routes share in a process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from weft.runs import ImportedFile, Runtime
from weft.server.console_api.passport import Passport
from weft.server.console_api.throttle import LoginThrottle

_PENDING_LIFE: Final = timedelta(minutes=10)
_MAX_PENDING: Final = 16
"""Files of 10 MB that may wait for somebody's yes."""


@dataclass(frozen=True, slots=True)
class PendingImport:
    """A file of another version of the format, to be confirmed by whoever sent it."""

    workspace_id: str
    file: ImportedFile
    fields: dict[str, str | None]
    app_id: str | None
    until: datetime


class Console:
    """Tokens, locks and files that wait, of one process."""

    def __init__(self, runtime: Runtime) -> None:
        clock = runtime.clock
        self.passport = Passport(runtime.secret, clock)
        self.throttle = LoginThrottle(clock, runtime.settings.server.max_login_failures)
        self.has_looked_back = False
        """Whether it was seen to that what an earlier process left undone is done."""
        self.removing = asyncio.Lock()
        self._clock = clock
        self._pending: OrderedDict[str, PendingImport] = OrderedDict()

    def keep_import(
        self,
        import_id: str,
        workspace_id: str,
        file: ImportedFile,
        fields: dict[str, str | None],
        app_id: str | None,
    ) -> None:
        """Keep a file for ten minutes; when too many wait, the oldest is forgotten."""
        until = self._clock.now() + _PENDING_LIFE
        self._pending[import_id] = PendingImport(workspace_id, file, fields, app_id, until)
        while len(self._pending) > _MAX_PENDING:
            self._pending.popitem(last=False)

    def take_import(self, import_id: str, workspace_id: str) -> PendingImport | None:
        """The file that waits under that id in that workspace, once."""
        found = self._pending.get(import_id)
        if found is None or found.workspace_id != workspace_id:
            return None
        del self._pending[import_id]
        return found if found.until > self._clock.now() else None
