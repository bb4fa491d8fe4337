"""What to do with a day folder in which a writer was killed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from weft.archive.errors import DamagedFileError
from weft.archive.file_system import FileSystem
from weft.archive.instant import parse_instant
from weft.archive.json_text import BadJsonError, digest
from weft.archive.manifest import Entry, Manifest, describe_stored, make_manifest, numbered, packed
from weft.archive.packing import Packer
from weft.archive.place import MANIFEST, PACKED, TEMPORARY, Day, day_of, parse_file
from weft.errors import InvalidRequestError


class Shelf(Protocol):
    """What recovery needs of the vault."""

    root: Path
    files: FileSystem
    packer: Packer


@dataclass(slots=True)
class Reconciled:
    """The decision: the rows that are true now, and what else is to go."""

    manifest: Manifest | None = None
    """None when nothing is left in the folder."""
    adopted: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    """Files to remove: temporary, superseded, or of a deletion that was under way."""


def reconcile(shelf: Shelf, day: Day, manifest: Manifest | None, names: Iterable[str]) -> Reconciled:
    """Decide what each file of the folder is; reads files, changes nothing.

    A whole file that the manifest does not know is adopted when it is new or later than the one that the
    manifest names. An earlier one is removed only when the later one is proven whole. Files that the archive
    did not make are left alone.
    """
    entries = manifest.by_id() if manifest is not None else {}
    removing = set(manifest.removing) if manifest is not None else set()
    listed = {entry.file: entry for entry in entries.values()}
    sequence = manifest.sequence if manifest is not None else 0
    done = Reconciled()
    for name in sorted(names):
        if name.startswith(TEMPORARY) or name in removing:
            done.leftovers.append(name)
            continue
        # A run's file is replaced under its own name, so a crash can leave it newer than its row.
        row = listed.get(name)
        if name == MANIFEST or (row is not None and (day.kind != "runs" or is_whole(shelf, day, row))):
            continue
        described = describe_file(shelf, day, name)
        if described is None:
            continue
        found, _ = described
        present = entries.get(found.id)
        if present is not None and row is None and found.logged_at[:-1] <= present.logged_at[:-1]:
            if is_whole(shelf, day, present):
                done.leftovers.append(name)
            continue
        if present is not None and present.file != name:
            done.leftovers.append(present.file)
        sequence += 1
        entries[found.id] = numbered(found, sequence)
        done.adopted.append(name)
    if entries:
        done.manifest = make_manifest(day, entries.values(), sequence)
    return done


def is_whole(shelf: Shelf, day: Day, entry: Entry) -> bool:
    """Whether the file on the disk is the one of its row."""
    try:
        return digest(shelf.files.read(shelf.root / day.path / entry.file)) == entry.stored_sha256
    except FileNotFoundError:
        return False


def describe_file(shelf: Shelf, day: Day, name: str) -> tuple[Entry, bytes] | None:
    """Row and JSON of a file that has no row; none when the archive did not make it or it is not whole."""
    path = f"{day.path}/{name}"
    said = parse_file(name)
    try:
        stored = shelf.files.read(shelf.root / path)
        data = shelf.packer.unpack(stored, path) if name.endswith(PACKED) else stored
        organization_id, entry = describe_stored(day.kind, data, path)
        belongs = day_of(day.kind, organization_id, parse_instant(entry.created_at, "created_at")) == day
    except (FileNotFoundError, DamagedFileError, BadJsonError, InvalidRequestError):
        return None
    if said != (day.kind, entry.id) or not belongs or entry.file != name.removesuffix(PACKED):
        return None
    return (packed(entry, stored) if name.endswith(PACKED) else entry), data
