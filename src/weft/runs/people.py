"""End users that were seen lately, so that a message need not ask the store who sends it."""

from __future__ import annotations

from collections import OrderedDict

from weft.store import EndUser

_KEEP = 10_000


class KnownEndUsers:
    """The end users of the last messages. Their rows never change and are never removed."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], EndUser] = OrderedDict()

    def find(self, app_id: str, session_id: str) -> EndUser | None:
        """The end user whom callers of the app send that text for, if seen lately."""
        key = (app_id, session_id)
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def keep(self, end_user: EndUser) -> None:
        """Remember one that is in the store."""
        self._known[end_user.app_id, end_user.session_id] = end_user
        if len(self._known) > _KEEP:
            self._known.popitem(last=False)
