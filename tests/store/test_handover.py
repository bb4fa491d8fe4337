from __future__ import annotations

from collections.abc import Callable

import pytest

from weft.store.handover import EVERY, PAUSE, Handover


class FakeLoop:
    """Keeps what is to be called later until the test says that it is later."""

    def __init__(self) -> None:
        self.later: list[tuple[Callable[[int], None], int]] = []

    def call_later(self, delay: float, callback: Callable[[int], None], argument: int) -> None:
        assert delay == EVERY
        self.later.append((callback, argument))

    def turn(self) -> None:
        due, self.later = self.later, []
        for callback, argument in due:
            callback(argument)


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


def test_the_loop_gives_way_while_work_does_not_get_on(loop: FakeLoop) -> None:
    pauses: list[float] = []

    with Handover(loop.call_later, pauses.append):
        loop.turn()
        loop.turn()

    assert pauses == [PAUSE, PAUSE]


def test_the_loop_goes_on_while_some_of_the_work_ends(loop: FakeLoop) -> None:
    pauses: list[float] = []
    handover = Handover(loop.call_later, pauses.append)

    with handover:
        for _ in range(3):
            with handover:
                pass
            loop.turn()

    assert pauses == []


def test_nobody_looks_when_all_work_has_ended(loop: FakeLoop) -> None:
    handover = Handover(loop.call_later, lambda seconds: None)

    for _ in range(3):
        with handover:
            pass
    assert len(loop.later) == 1
    loop.turn()

    assert loop.later == []
