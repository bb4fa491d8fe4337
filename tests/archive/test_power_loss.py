"""When the power goes, at any moment: what was acknowledged is there, and nothing torn is served."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.archive.attached import LETTER, PICTURE, FileSource, Web, file, sha, with_files
from tests.archive.fake_source import FakeSource
from tests.archive.power import CUTS, PowerDisk, random_cut
from tests.archive.records import StoppedClock, conversation, record, run
from weft.archive import Archive, Hold, PullOptions, RetentionRule
from weft.archive.json_text import encode

CHANCES = int(os.environ.get("WEFT_POWER_CHANCES", "1"))
"""Cuts by chance at every step, besides those that are known to be hard; raise it for a long run."""
MOST = int(os.environ.get("WEFT_POWER_MOST", "90"))
"""Disks that are looked at for each deed, drawn from all that differ; raise it for a long run."""
State = tuple[object, ...]
States = dict[str, State]
Tell = Callable[[Mapping[str, State | None]], None]
Deed = Callable[[Archive, Tell], None]
GONE: State = ()


def prepared(root: Path, deed: Deed) -> PowerDisk:
    disk = PowerDisk(root)
    # A dictionary is trained of no fewer than sixteen and a quarter of a mebibyte, and slowly.
    others = range(30, 48) if deed is pack else range(30, 33)
    with open_on(disk) as archive:
        archive.save([conversation(number, answer="a" * 2000) for number in (0, 1, 7, 8, 15)])
        archive.save([conversation(number, answer="b" * 20_000) for number in others], "org-1")
        archive.save_runs([run(number) for number in (0, 1)])
        archive.place_hold(Hold(id="old", reason="case 1", conversation_id="conv-0"))
    disk.settle()
    return disk


def open_on(disk: PowerDisk, *, read_only: bool = False) -> Archive:
    return Archive.open(disk.root, clock=StoppedClock(), file_system=disk, read_only=read_only)


def save_new(archive: Archive, tell: Tell) -> None:
    archive.save([conversation(100), conversation(101)], "org-2")
    tell({"conv-100": (1,), "conv-101": (1,)})
    archive.save([conversation(102)])
    tell({"conv-102": (1,)})


def save_changed(archive: Archive, tell: Tell) -> None:
    archive.save([conversation(1, turns=2), conversation(8, turns=3), conversation(50)])
    tell({"conv-1": (2,), "conv-8": (3,), "conv-50": (1,)})
    archive.save_runs([run(1, status="failed"), run(60)])
    tell({"run-1": ("failed",), "run-60": ("succeeded",)})


def delete_some(archive: Archive, tell: Tell) -> None:
    archive.apply_retention([RetentionRule(name="old", keep_days=17.5)], max_share=1)
    tell({"conv-1": None, "conv-8": None, "conv-15": None, "run-1": None})
    archive.clean_old_logs(12)
    tell({"conv-0": (1,), "conv-30": None, "conv-32": None})


def pack(archive: Archive, tell: Tell) -> None:
    archive.compress_sealed_days()
    tell({"conv-0": (1,), "conv-47": (1,), "run-1": ("succeeded",)})


def take_in(archive: Archive, tell: Tell) -> None:
    path = archive.root.parent / "october.json"
    stamp: dict[str, Any] = {"logged_at": "2025-10-21T09:00:00Z"}
    path.write_bytes(encode([record(1, turns=4, **stamp), record(200, **stamp), record(201, **stamp)]))
    archive.import_folder(path)
    tell({"conv-1": (4,), "conv-200": (1,), "conv-201": (1,)})


def hold_and_release(archive: Archive, tell: Tell) -> None:
    known = {hold.id for hold in archive.list_holds()}
    if "new" not in known:
        archive.place_hold(Hold(id="new", reason="case 2"))
    tell({"hold new": ("case 2",)})
    if "old" in known:
        archive.release_hold("old")
    tell({"hold old": None})


def pull(archive: Archive, tell: Tell) -> None:
    source = FakeSource({"a": dict.fromkeys(range(300, 303), 1), "b": {400: 2}})
    report = archive.pull(source)
    assert report.succeeded
    tell({f"conv-{number}": (1,) for number in range(300, 303)} | {"run-400": ("succeeded",)})
    source.apps["a"][301] = 5
    archive.pull(FakeSource(source.apps | {"c": {500: 1}}))
    tell({"conv-500": (1,)})


def attach(archive: Archive, tell: Tell) -> None:
    source = FileSource(with_files(600, file("f1"), file("f2")), with_files(601, file("f3")))
    source.files = {"f1": PICTURE, "f2": LETTER, "f3": LETTER}
    archive.file_rules = Web().rules()
    archive.pull(source, options=PullOptions(restart=True))
    tell({"conv-600": (1, *sorted((sha(PICTURE), sha(LETTER)))), "conv-601": (1, sha(LETTER))})
    source.records = {"conv-600": with_files(600, file("f2"), turns=2)}
    archive.pull(source, options=PullOptions(restart=True))
    tell({"conv-600": (2, sha(LETTER))})
    archive.clean_old_logs(13.5)
    tell({"conv-600": None})


DEEDS: list[Deed] = [save_new, save_changed, delete_some, pack, take_in, hold_and_release, pull, attach]


def states(disk: PowerDisk) -> States:
    """Every conversation, run and hold; everything is read and checked on the way."""
    with open_on(disk, read_only=True) as archive:
        found: States = {item.id: (len(item.messages),) for item in archive.iter_conversations()}
        for day, entry in archive.iter_entries():
            for ref in sorted(entry.files, key=lambda ref: ref.sha256):
                archive.vault.shelf.read(day.organization, ref)
                found[entry.id] += (ref.sha256,)
        for day, entry in archive.iter_entries(kind="runs"):
            one = archive.find_run(entry.id, day.organization_id)
            assert one is not None
            found[entry.id] = (one.fields["status"],)
        found |= {f"hold {hold.id}": (hold.reason,) for hold in archive.list_holds()}
        return found


@dataclass(frozen=True, slots=True)
class Left:
    """A disk that the power left behind, and what had been promised until then."""

    what: str
    disk: PowerDisk
    told: Mapping[str, State | None]
    ever: Mapping[str, set[State | None]]
    """What the deed makes of each on its way."""


class Recorder:
    """Keeps what would be left, for every step of a deed and several ways of the power to go."""

    def __init__(self, disk: PowerDisk, seed: int) -> None:
        self.left: list[Left] = []
        self.told: dict[str, State | None] = {}
        self.ever: dict[str, set[State | None]] = {}
        self._disk = disk
        self._known: set[object] = set()
        self._chance = random.Random(seed)
        disk.before_step = self._keep

    def tell(self, states: Mapping[str, State | None]) -> None:
        self.told = {**self.told, **states}
        for name, state in states.items():
            self.ever.setdefault(name, set()).add(state)

    def stop(self) -> None:
        self._keep("the end")
        self._disk.before_step = lambda step: None

    def _keep(self, step: str) -> None:
        for cut in (*CUTS, *(random_cut(self._chance) for _ in range(CHANCES))):
            disk = self._disk.after(cut)
            key = (disk.fingerprint(), tuple(self.told.items()))
            if key not in self._known:
                self._known.add(key)
                self.left.append(
                    Left(f"before {step!r}, {cut.name} (image {len(self.left)})", disk, self.told, self.ever)
                )


def check(left: Left, before: States, after: States, deed: Deed | None) -> None:
    """What is left is sound, between before and after, and the deed done again ends as it should."""
    seen = states(left.disk)  # as a reader sees it before anything was put in order
    assert_between(left, before, seen, after)
    with open_on(left.disk) as archive:
        assert archive.verify().findings == [], left.what
        audited = {line.id for line in archive.iter_audit_lines()}
        assert_between(left, before, mended := states(left.disk), after)
        gone = {name for name in before if name not in mended and not name.startswith("hold")}
        assert gone <= audited, left.what
        assert seen.keys() <= mended.keys(), left.what
        if deed is not None:
            deed(archive, lambda told: None)
    if deed is not None:
        assert states(left.disk) == after, left.what
        assert one_file_each(left.disk), left.what
        with open_on(left.disk, read_only=True) as archive:
            assert archive.verify().findings == [], left.what


def assert_between(left: Left, before: States, seen: States, after: States) -> None:
    for name in {*before, *after, *seen}:
        allowed = {left.told.get(name, before.get(name)), after.get(name), *left.ever.get(name, ())}
        if name in left.told and len(left.ever[name]) == 1:
            allowed = {left.told[name], after.get(name)}
        assert seen.get(name) in allowed, (left.what, name)


def one_file_each(disk: PowerDisk) -> bool:
    names = [path.rpartition("/")[2] for path in disk.paths() if "/conversation_" in path]
    ids = [name.removeprefix("conversation_").partition("_")[0] for name in names]
    return len(ids) == len(set(ids))


def recorded(disk: PowerDisk, deed: Deed) -> list[Left]:
    recorder = Recorder(disk, seed=7)
    with open_on(disk) as archive:
        deed(archive, recorder.tell)
    recorder.stop()
    return recorder.left


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_that_was_acknowledged_is_lost_when_the_power_goes(tmp_path: Path, deed: Deed) -> None:
    disk = prepared(tmp_path / "archive", deed)
    before = states(disk)
    found = recorded(disk, deed)
    after = states(disk)
    assert len(found) > 30
    for left in random.Random(3).sample(found, min(len(found), MOST // 4 if deed is pack else MOST)):
        check(left, before, after, deed)


@pytest.mark.parametrize("deed", DEEDS)
def test_the_power_may_go_again_while_things_are_put_in_order(tmp_path: Path, deed: Deed) -> None:
    disk = prepared(tmp_path / "archive", deed)
    before = states(disk)
    found = recorded(disk, deed)
    after = states(disk)
    chance = random.Random(11)
    for first in chance.sample(found, min(len(found), MOST // 15)):
        recorder = Recorder(first.disk, seed=13)
        recorder.tell(first.told)
        with open_on(first.disk):
            pass
        recorder.stop()
        for second in chance.sample(recorder.left, min(len(recorder.left), MOST // 6)):
            check(
                Left(f"{first.what}, then {second.what}", second.disk, first.told, first.ever),
                before,
                after,
                None,
            )


def test_an_archive_that_is_made_while_the_power_goes_can_be_made_again(tmp_path: Path) -> None:
    def make(archive: Archive, tell: Tell) -> None:
        archive.save([conversation(1)])
        tell({"conv-1": (1,)})

    disk = PowerDisk(tmp_path / "archive")
    disk.make_folder(disk.root)
    found = recorded(disk, make)
    for left in found:
        check(left, {}, {"conv-1": (1,)}, make)
