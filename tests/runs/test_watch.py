from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.engine.harness import BOUND, answer, start
from tests.engine.pausing import ask
from tests.runs.house import House
from weft.runs.watch import Watch
from weft.store import Signal, Store, forms, signals
from weft.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio


def watch(house: House, process_id: str = "this process", clock: FrozenClock | None = None) -> Watch:
    made = Watch(house.runner, house.store, clock or house.clock, process_id=process_id, every=5)
    made.lets_go_on = True
    return made


async def post(house: House, kind: str, target: str, **payload: object) -> None:
    signal = Signal(house.ids.new(), kind, target, house.clock.now(), payload)
    await house.store.write(lambda connection: signals.post(connection, signal))


async def test_a_process_obeys_others_once_and_never_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    obeyed: list[tuple[str, str, object]] = []

    async def obey(kind: str, run_id: str, payload: object) -> None:
        obeyed.append((kind, run_id, payload))

    monkeypatch.setattr(house.runner, "obey", obey)
    await post(house, "stop", "before", reason="old")
    looking = watch(house)
    await looking.open()
    await looking.close()  # what was said before it was there is not for it
    await post(house, "stop", "run 1", **{"reason": "because", "from": "another"})
    await post(house, "stop", "run 2", **{"reason": "mine", "from": "this process"})
    for _ in range(2):
        await looking.look()
    assert obeyed == [("stop", "run 1", {"reason": "because"})]


async def test_what_makes_no_sense_is_passed_over(house: House) -> None:
    looking = watch(house)
    await post(house, "variables", "run", changes={"$odd": 1})
    await post(house, "dance", "run")
    await looking.look()


async def test_old_signals_are_forgotten(house: House) -> None:
    await post(house, "stop", "run 1")
    looking = watch(house)
    await looking.look()
    house.clock.advance(600)
    await looking.look()
    left = await house.store.read(
        lambda connection: signals.list_since(connection, house.clock.now() - timedelta(days=1))
    )
    assert left == ()


async def paused(house: House) -> tuple[str, str]:
    """A run that waits; ids of the run and of its app."""
    version = await house.serve({"start": start(), "ask": ask(), "a": answer("A")}, "start > ask:yes > a")
    heard = await house.ask(version)
    assert heard.live.run.status == "paused"
    return heard.live.run.id, heard.live.run.app_id


async def test_of_several_processes_one_lets_a_run_go_on_whose_form_has_expired(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on: list[tuple[str, str]] = []
    monkeypatch.setattr(house.runner, "resume_soon", lambda app_id, run_id: went_on.append((run_id, app_id)))
    monkeypatch.setattr("weft.runs.watch.SWEEP_SECONDS", float("inf"))
    run = await paused(house)
    processes = [watch(house, f"process {number}") for number in range(3)]
    for process in processes:
        process._swept = 0.0
    for hours, expected in ((35, []), (2, [run]), (1, [run])):
        house.clock.advance(hours * 3600)
        await asyncio.gather(*(process.look() for process in processes))
        assert went_on == expected


async def test_a_program_that_is_no_server_lets_nothing_go_on(house: House) -> None:
    run_id, _ = await paused(house)
    house.clock.advance(40 * 3600)
    looking = watch(house)
    looking.lets_go_on = False
    await looking.look()
    (form,) = await house.store.read(lambda connection: forms.list_by_run(connection, run_id))
    assert form.status == "waiting"


async def test_it_looks_every_few_seconds_and_when_it_is_roused(house: House) -> None:
    clock = FrozenClock(holds=True)
    looked = asyncio.Event()
    looking = watch(house, clock=clock)

    async def look() -> None:
        looked.set()

    vars(looking)["look"] = look
    await looking.open()
    async with asyncio.timeout(BOUND):
        for reason in ("it begins", "it is roused", "time has passed"):
            if reason == "it is roused":
                looking.rouse()
            elif reason == "time has passed":
                clock.advance(5)
            await looked.wait()
            looked.clear()
            await clock.sleeper()
            for _ in range(10):
                await asyncio.sleep(0)
            assert not looked.is_set()
    await looking.close()
    assert set(clock.slept) == {5}


async def test_a_store_that_cannot_be_asked_now_is_asked_again(store: Store) -> None:
    house = House(store)
    looking = watch(house, clock=FrozenClock(holds=True))
    failed = asyncio.Event()

    async def look() -> None:
        failed.set()
        raise RuntimeError("odd")

    vars(looking)["look"] = look
    await looking.open()
    async with asyncio.timeout(BOUND):
        for _ in range(2):
            await failed.wait()
            failed.clear()
            looking.rouse()
    await looking.close()
    await house.runner.close(1)
