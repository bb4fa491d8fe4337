"""A stored session as JSON text, written page by page.

A conversation of ten thousand turns is some hundred thousand objects. Each page of them is written and
forgotten before the next is read, so that there are never many at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.sessions.json_text import dump_json
from weft.sessions.plain import JsonObject
from weft.sessions.turn import SessionHead, Turn
from weft.sessions.view import SessionTotal, session_head
from weft.sessions.view_run import plain_run_of

_RUNS = "runs"


class SessionText:
    """The plain form of a session as JSON, gathered from its newest turn back.

    Args:
        head: The session without its turns.
        whole: All turns will come, so that there are metrics and files of the session.
        steps: With what each step did.
        messages: With the runs of agents and teams.
    """

    def __init__(self, head: SessionHead, *, whole: bool, steps: bool, messages: bool) -> None:
        self._head = head
        self._total = SessionTotal() if whole else None
        self._steps = steps
        self._messages = messages
        self._pages: list[str] = []

    def add(self, newest_first: Sequence[tuple[Turn, bool]]) -> None:
        """Write turns that come before those that are written, each with whether it was replaced."""
        if not newest_first:
            return
        if self._total is not None:
            self._total.add([turn for turn, _ in reversed(newest_first)])
        runs: list[JsonObject] = []
        for turn, replaced in reversed(newest_first):
            runs.append(
                plain_run_of(self._head, turn, replaced=replaced, steps=self._steps, messages=self._messages)
            )
        self._pages.append(dump_json(runs)[1:-1])

    def dump(self) -> bytes:
        """All that was written."""
        session = session_head(self._head)
        if self._total is not None:
            self._total.put_into(session)
        fields = {name: value for name, value in session.to_dict().items() if name != _RUNS}
        runs = f"[{','.join(reversed(self._pages))}]" if self._pages else "null"
        return f'{dump_json(fields)[:-1]},"{_RUNS}":{runs}}}'.encode()
