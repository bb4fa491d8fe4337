"""Legal holds: what retention must leave alone until somebody says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from weft.archive.audit import AuditLine, AuditLog
from weft.archive.errors import DamagedFileError, from_os_error
from weft.archive.file_system import write_durably
from weft.archive.instant import render_instant
from weft.archive.json_text import BadJsonError, seal, unseal
from weft.archive.manifest import Entry
from weft.archive.place import INNER
from weft.archive.vault import Vault
from weft.errors import InvalidRequestError, NotFoundError

FILE = "holds.json"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Exempts every conversation that fits all of its fields; a hold without any exempts everything."""

    id: str
    reason: str
    placed_at: str = ""
    organization_id: str | None = None
    app_id: str | None = None
    from_source: str | None = None
    end_user_id: str | None = None
    conversation_id: str | None = None

    def covers(self, organization_id: str | None, entry: Entry) -> bool:
        """Whether this conversation is held."""
        pairs = (
            (self.organization_id, organization_id),
            (self.app_id, entry.app_id),
            (self.from_source, entry.from_source),
            (self.end_user_id, entry.end_user_id),
            (self.conversation_id, entry.id),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)


class _Holds(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    holds: list[Hold]


def list_holds(vault: Vault) -> list[Hold]:
    """The holds in force.

    Raises:
        DamagedFileError: The file was changed; nothing is deleted until it is mended.
    """
    try:
        data = vault.files.read(vault.inner / FILE)
        return unseal(data, _Holds, f"{INNER}/{FILE}").holds
    except FileNotFoundError:
        return []
    except BadJsonError as error:
        raise DamagedFileError(f"{INNER}/{FILE}", str(error)) from error
    except OSError as error:
        raise from_os_error(error, f"reading {INNER}/{FILE}") from error


def missing_holds(holds: Iterable[Hold], lines: Iterable[AuditLine]) -> list[str]:
    """Ids of holds that were placed and not released, as the audit log says, and are not among these."""
    placed: dict[str, None] = {}
    for line in lines:
        if line.action == "hold":
            placed[line.id] = None
        elif line.action == "release":
            placed.pop(line.id, None)
    known = {hold.id for hold in holds}
    return [id for id in placed if id not in known]


def check_holds(vault: Vault, audit: AuditLog) -> list[Hold]:
    """The holds in force, after the audit log was asked whether these are all.

    Raises:
        DamagedFileError: One is missing, or the file or the log was changed.
    """
    holds = list_holds(vault)
    if missing := missing_holds(holds, audit.iter()):
        raise missing_error(missing[0])
    return holds


def missing_error(id: str) -> DamagedFileError:
    """What is said about a hold that the file lacks."""
    return DamagedFileError(
        f"{INNER}/{FILE}", f"hold {id!r} was placed and is not in it (without a copy, place it again)"
    )


def place_hold(vault: Vault, audit: AuditLog, hold: Hold) -> Hold:
    """Put a hold into force.

    Raises:
        InvalidRequestError: No id, no reason, or the id is in use.
    """
    vault.check_writable()
    holds = list_holds(vault)
    if not hold.id or not hold.reason:
        raise InvalidRequestError("a hold needs an id and a reason", {"reason": "missing"})
    if any(other.id == hold.id for other in holds):
        raise InvalidRequestError(f"hold {hold.id!r} exists; release it first", {"id": "exists"})
    placed = msgspec.structs.replace(hold, placed_at=render_instant(vault.clock.now()))
    _write(vault, [*holds, placed])
    audit.append([_line("hold", placed)])
    return placed


def release_hold(vault: Vault, audit: AuditLog, id: str) -> Hold:
    """Take a hold out of force.

    Raises:
        NotFoundError: There is none of that id.
    """
    vault.check_writable()
    holds = list_holds(vault)
    found = next((hold for hold in holds if hold.id == id), None)
    if found is None:
        known = ", ".join(hold.id for hold in holds) or "none"
        raise NotFoundError(f"there is no hold {id!r}; known: {known}", kind="hold", id=id)
    audit.append([_line("release", found)])
    _write(vault, [hold for hold in holds if hold.id != id])
    return found


def _write(vault: Vault, holds: Sequence[Hold]) -> None:
    try:
        write_durably(vault.files, vault.inner / FILE, seal(_Holds(holds=list(holds))))
    except OSError as error:
        raise from_os_error(error, f"writing {INNER}/{FILE}") from error


def _line(action: str, hold: Hold) -> AuditLine:
    return AuditLine(
        at="",
        action=action,
        path="",
        id=hold.id,
        organization_id=hold.organization_id,
        sha256="",
        reason=hold.reason,
        previous="",
    )
