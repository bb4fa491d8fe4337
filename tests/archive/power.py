"""A disk in memory that knows what would be left of it if the power went now.

What is *visible* is what a running process sees. What is *durable* is what was synced: of a file its content,
of a folder its names. Between the two the operating system is free: of an unsynced content nothing, a part,
or zeros may be left, and of a folder's unsynced changes any may have happened and any other not. A rename
within a folder is one change, so it happens wholly or not at all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(eq=False, slots=True)
class File:
    """A content, whatever its names."""

    visible: bytes
    durable: bytes | None = None
    """None until it is synced for the first time."""


@dataclass(eq=False, slots=True)
class Folder:
    """Names: those that a process sees, and those that are on the disk."""

    visible: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    """What was done to the names since the folder was last synced."""

    def change(self, change: Change) -> None:
        """Give, move or take away names in one step."""
        self.pending.append(change)
        _apply(self.visible, change)


Change: TypeAlias = "dict[str, File | Folder | None]"


@dataclass(frozen=True, slots=True)
class Cut:
    """One way in which the power can go."""

    name: str
    choose: Callable[[list[Change]], list[Change]]
    """Which of a folder's unsynced changes happened."""
    keep: Callable[[bytes], bytes]
    """What is left of a content that was not synced."""


def _whole(data: bytes) -> bytes:
    return data


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _zeros(data: bytes) -> bytes:
    return bytes(len(data))


def _hole(data: bytes) -> bytes:
    return bytes(len(data) // 2) + data[len(data) // 2 :]


def _nothing(data: bytes) -> bytes:
    return b""


def _is_removal(change: Change) -> bool:
    return all(node is None for node in change.values())


CUTS = (
    Cut("nothing but what was synced", lambda changes: [], _nothing),
    Cut("names without content", list, _nothing),
    Cut("names with half a content", list, _half),
    Cut("names with zeros for content", list, _zeros),
    Cut("names with a hole in the content", list, _hole),
    Cut("everything", list, _whole),
    Cut("removals alone", lambda changes: [one for one in changes if _is_removal(one)], _whole),
    Cut("all but removals", lambda changes: [one for one in changes if not _is_removal(one)], _whole),
    Cut("the last change alone", lambda changes: changes[-1:], _whole),
    Cut("all but the first change", lambda changes: changes[1:], _half),
)


def random_cut(chance: random.Random) -> Cut:
    """Any changes, and for each content anything."""
    return Cut(
        "by chance",
        lambda changes: [one for one in changes if chance.random() < 0.5],
        lambda data: chance.choice((_whole, _half, _zeros, _hole, _nothing))(data),
    )


class PowerDisk:
    """A file system below one folder.

    Args:
        root: What paths begin with. Folders are made there in earnest too, since the lock is a file of the
            operating system.
    """

    def __init__(self, root: Path, top: Folder | None = None) -> None:
        self.root = root
        self.top = top or Folder()
        self.before_step: Callable[[str], None] = lambda step: None
        """Called before each step that changes something, and in the middle of those that write."""

    # What a process does

    def read(self, path: Path) -> bytes:
        return self._file(path).visible

    def create(self, path: Path, data: bytes) -> None:
        self.before_step(f"create {path.name}")
        folder, present = self._folder(path.parent), self._find(path)
        if isinstance(present, File):
            present.visible, present.durable = data, None
        else:
            folder.change({path.name: File(data)})

    def sync_file(self, path: Path) -> None:
        self.before_step(f"sync {path.name}")
        file = self._file(path)
        file.durable = file.visible

    def sync_whole(self, path: Path) -> bool:
        return False

    def rename(self, old: Path, new: Path) -> None:
        self.before_step(f"rename {old.name} to {new.name}")
        file = self._file(old)
        if old.parent == new.parent:
            self._folder(old.parent).change({old.name: None, new.name: file})
            return
        # Between two folders each may be on the disk without the other.
        self._folder(new.parent).change({new.name: file})
        self._folder(old.parent).change({old.name: None})

    def sync_folder(self, path: Path) -> None:
        self.before_step(f"sync folder {path.name}")
        self._sync(self._folder(path))

    def remove(self, path: Path) -> None:
        self.before_step(f"remove {path.name}")
        if isinstance(self._find(path), File):
            self._folder(path.parent).change({path.name: None})

    def append(self, path: Path, data: bytes) -> None:
        self.before_step(f"append {path.name}")
        present = self._find(path)
        if present is None:
            present = File(b"", b"")
            self._folder(path.parent).change({path.name: present})
        assert isinstance(present, File)
        present.visible += data
        self.before_step(f"flush {path.name}")
        present.durable = present.visible

    def add_folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        if path == self.root or isinstance(self._find(path), Folder):
            return
        self.add_folder(path.parent)
        self.before_step(f"make {path.name}")
        self._folder(path.parent).change({path.name: Folder()})

    def make_folder(self, path: Path) -> None:
        if path == self.root or isinstance(self._find(path), Folder):
            path.mkdir(parents=True, exist_ok=True)
            if path != self.root:
                self.sync_folder(path.parent)
            return
        self.make_folder(path.parent)
        self.add_folder(path)
        self.before_step(f"sync folder {path.parent.name}")
        self._sync(self._folder(path.parent))

    def remove_folder(self, path: Path) -> None:
        self.before_step(f"remove folder {path.name}")
        found = self._find(path)
        if isinstance(found, Folder) and not found.visible:
            self._folder(path.parent).change({path.name: None})

    def list(self, path: Path) -> list[tuple[str, bool]]:
        return sorted((name, isinstance(node, Folder)) for name, node in self._folder(path).visible.items())

    def size(self, path: Path) -> int:
        return len(self._file(path).visible)

    # What the power does

    def settle(self) -> None:
        """Sync everything."""
        self.top = _image(self.top, CUTS[5])

    def after(self, cut: Cut) -> PowerDisk:
        """The disk that is found when the power comes back; this one is left as it is."""
        return PowerDisk(self.root, _image(self.top, cut))

    def paths(self) -> Sequence[str]:
        """Every visible file, relative to the root."""
        return sorted(_walk(self.top, ""))

    def fingerprint(self) -> object:
        """Equal for disks on which everything visible is equal."""
        return tuple((path, self._file(self.root / path).visible) for path in self.paths())

    def _find(self, path: Path) -> File | Folder | None:
        node: File | Folder | None = self.top
        for part in path.relative_to(self.root).parts:
            if not isinstance(node, Folder):
                raise NotADirectoryError(path)
            node = node.visible.get(part)
            if node is None:
                return None
        return node

    def _file(self, path: Path) -> File:
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(path)
        if isinstance(found, Folder):
            raise IsADirectoryError(path)
        return found

    def _folder(self, path: Path) -> Folder:
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(path)
        if isinstance(found, File):
            raise NotADirectoryError(path)
        return found

    def _sync(self, folder: Folder) -> None:
        folder.durable = dict(folder.visible)
        folder.pending.clear()


def _apply(names: dict[str, File | Folder], change: Change) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _image(folder: Folder, cut: Cut) -> Folder:
    names = dict(folder.durable)
    for change in cut.choose(folder.pending) if folder.pending else ():
        _apply(names, change)
    left: dict[str, File | Folder] = {}
    for name, node in names.items():
        if isinstance(node, Folder):
            left[name] = _image(node, cut)
        else:
            content = _content(node, cut)
            left[name] = File(content, content)
    return Folder(left, dict(left))


def _content(file: File, cut: Cut) -> bytes:
    if file.visible == file.durable:
        return file.visible
    if file.durable is None:
        return cut.keep(file.visible)
    assert file.visible.startswith(file.durable)
    return file.durable + cut.keep(file.visible[len(file.durable) :])


def _walk(folder: Folder, below: str) -> list[str]:
    found: list[str] = []
    for name, node in folder.visible.items():
        found += _walk(node, f"{below}{name}/") if isinstance(node, Folder) else [f"{below}{name}"]
    return found
