"""Packing the days that nothing is expected to change any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from weft.archive.errors import from_os_error
from weft.archive.json_text import digest
from weft.archive.manifest import Entry, packed
from weft.archive.packing import SAMPLE_BYTES
from weft.archive.place import Day
from weft.archive.query import Query, iter_entries
from weft.archive.vault import DayChange, Vault
from weft.errors import ArchiveError

BATCH = 256


@dataclass(slots=True)
class Packed:
    """What packing did."""

    files: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


def sealed_days(vault: Vault, after_days: float) -> list[Day]:
    """Days that ended more than so many days ago."""
    bound = (vault.clock.now() - timedelta(days=after_days)).date()
    return [day for kind in ("conversations", "runs") for day in vault.days(kind) if day.date < bound]


def compress_sealed_days(vault: Vault, after_days: float) -> Packed:
    """Pack every file of the sealed days in place; each packed file is unpacked and compared first.

    Raises:
        DamagedFileError: A file is not what was written; days before it are packed.
        ArchiveError: The disk is full, or refuses.
    """
    vault.check_writable()
    done = Packed()
    days = [day for day in sealed_days(vault, after_days) if not vault.rows()[day].packed]
    if not days:
        return done
    number = _dictionary(vault)
    for day in days:
        manifest = vault.find_manifest(day)
        waiting = [entry for entry in (manifest.files if manifest else []) if entry.packed_sha256 is None]
        for start in range(0, len(waiting), BATCH):
            writes = [_pack(vault, day, entry, number) for entry in waiting[start : start + BATCH]]
            vault.apply({day: DayChange(writes=writes)})
            done.files += len(writes)
            done.bytes_before += sum(entry.size for entry, _ in writes)
            done.bytes_after += sum(len(data) for _, data in writes)
    vault.checkpoint()
    return done


def _pack(vault: Vault, day: Day, entry: Entry, number: int | None) -> tuple[Entry, bytes]:
    data = vault.read(day, entry)
    small = vault.packer.pack(data, number)
    if digest(vault.packer.unpack(small, f"{day.path}/{entry.file}")) != entry.sha256:
        raise ArchiveError(f"{day.path}/{entry.file}: packing does not give back what was packed")
    return packed(entry, small), small


def _dictionary(vault: Vault) -> int | None:
    """The newest dictionary; one is trained from conversations across the archive when there is none."""
    known = vault.packer.numbers()
    if known:
        return known[-1]
    total = sum(row.totals.files for day, row in vault.rows().items() if day.kind == "conversations")
    step = max(1, total // 2000)
    samples: list[bytes] = []
    size = 0
    for index, (day, entry) in enumerate(iter_entries(vault, Query())):
        if index % step or entry.size > 256 * 1024:
            continue
        samples.append(vault.read(day, entry))
        size += entry.size
        if size >= SAMPLE_BYTES:
            break
    try:
        return vault.packer.train(samples)
    except OSError as error:
        raise from_os_error(error, "writing a dictionary") from error
