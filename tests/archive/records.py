"""Conversations for tests, and a disk that fails when it is told to."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from shutil import copytree

from weft.archive import Archive, Conversation, LocalFileSystem, Redactor, RunRecord

NOW = datetime(2025, 10, 20, 12, 0, tzinfo=UTC)


class StoppedClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.instant = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - NOW).total_seconds()

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.instant += timedelta(seconds=seconds)


def record(number: int = 1, *, turns: int = 1, answer: str = "Hello!", **fields: object) -> dict[str, object]:
    """A conversation of day 1 + number % 7 in October 2025, in the guide's format."""
    day = datetime(2025, 10, 1 + number % 7, 10, 30, tzinfo=UTC)
    return {
        "conversation_id": f"conv-{number}",
        "app_id": "app-a",
        "name": f"Chat {number}",
        "status": "normal",
        "from_source": "api",
        "created_at": day.isoformat(),
        "messages": [
            {
                "id": f"msg-{number}-{turn}",
                "query": f"Question {turn} of {number}?",
                "answer": answer,
                "created_at": (day + timedelta(minutes=turn)).isoformat(),
                "message_tokens": 3,
                "answer_tokens": 5,
                "provider_response_latency": 1.25,
                "from_end_user_id": "user-1",
            }
            for turn in range(turns)
        ],
        **fields,
    }


def conversation(number: int = 1, **fields: object) -> Conversation:
    turns, answer = fields.pop("turns", 1), fields.pop("answer", "Hello!")
    assert isinstance(turns, int)
    assert isinstance(answer, str)
    return Conversation.parse(record(number, turns=turns, answer=answer, **fields))


def run(number: int = 1, **fields: object) -> RunRecord:
    return RunRecord.parse(
        {
            "run_id": f"run-{number}",
            "app_id": "app-a",
            "conversation_id": f"conv-{number}",
            "status": "succeeded",
            "created_at": datetime(2025, 10, 1 + number % 7, 10, 31, tzinfo=UTC).isoformat(),
            "node_executions": [{"id": "n1", "node_type": "llm", "outputs": {"text": "Hello!"}}],
            **fields,
        }
    )


def open_archive(
    root: Path,
    *,
    clock: StoppedClock | None = None,
    files: LocalFileSystem | None = None,
    redactor: Redactor | None = None,
    read_only: bool = False,
) -> Archive:
    return Archive.open(
        root,
        clock=clock or StoppedClock(),
        file_system=files or FailingDisk(),
        redactor=redactor,
        read_only=read_only,
    )


def tree(root: Path, part: str = "logs") -> dict[str, bytes]:
    """Every file of an archive, by its path, except for what changes with every opening."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / part).rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def conversation_files(root: Path) -> dict[str, bytes]:
    return {path: data for path, data in tree(root).items() if "/conversation_" in path}


class KilledError(BaseException):
    """The process is gone; nothing that would tidy up may run."""


class FailingDisk(LocalFileSystem):
    """Counts the steps that change something, and does at one of them what it was told to do.

    A step that fails may have been half done: `create` and `append` leave half of the bytes.
    """

    def __init__(self, at: int = 0, fail: Callable[[], None] | None = None) -> None:
        self.steps = 0
        self.at = at
        self.log: list[str] = []
        self._fail = fail

    def _step(self, name: str, path: Path, half: Callable[[], None] | None = None) -> None:
        self.steps += 1
        self.log.append(f"{name} {path.name}")
        if self._fail is not None and self.steps == self.at:
            if half is not None:
                half()
            self._fail()

    def create(self, path: Path, data: bytes) -> None:
        self._step("create", path, lambda: super(FailingDisk, self).create(path, data[: len(data) // 2]))
        super().create(path, data)

    def sync_file(self, path: Path) -> None:
        # Nothing is flushed: a process that is killed leaves the system's memory as it is.
        self._step("sync", path)

    def sync_whole(self, path: Path) -> bool:
        self._step("sync", path)
        return False

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", new)
        super().rename(old, new)

    def sync_folder(self, path: Path) -> None:
        self._step("sync", path)

    def remove(self, path: Path) -> None:
        self._step("remove", path)
        super().remove(path)

    def append(self, path: Path, data: bytes) -> None:
        self._step("append", path, lambda: super(FailingDisk, self).append(path, data[: len(data) // 2]))
        super().append(path, data)

    def add_folder(self, path: Path) -> None:
        if not path.is_dir():
            self._step("add", path)
        super().add_folder(path)

    def make_folder(self, path: Path) -> None:
        if not path.is_dir():
            self._step("make", path)
        super().make_folder(path)

    def remove_folder(self, path: Path) -> None:
        self._step("rmdir", path)
        super().remove_folder(path)


def killed_at_each_step(
    start: Path, open_on: Callable[[Path, FailingDisk], Archive], do: Callable[[Archive], None], *, least: int
) -> Iterator[tuple[Path, FailingDisk]]:
    """Copies of an archive in which something was done and the process killed, one step later each time.

    Args:
        start: The archive as it was.
        open_on: Opens a copy on a disk.
        do: What is done; the closing belongs to it.
        least: Steps that it has at the least.
    """
    for step in count(1):
        root = start.with_name(f"step-{step}")
        copytree(start, root)
        disk = FailingDisk(step, killed)
        try:
            archive = open_on(root, disk)
        except KilledError:
            continue
        with suppress(KilledError):
            do(archive)
            archive.close()
        archive.vault.abandon()
        yield root, disk
        if disk.steps < step:
            assert step > least
            return


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def denied() -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def killed() -> None:
    raise KilledError
