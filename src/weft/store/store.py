"""What every database looks like to the rest of the program, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from weft.errors import StoreError

T = TypeVar("T")


class Store(Protocol):
    """The server's records behind three doors, each taking a function of a connection.

    The function gets a `sqlalchemy.Connection` inside a transaction and may call any number of this
    room's functions; what it returns comes back, what it raises is raised. It must leave the
    transaction alone and must have no effect but on the connection: it may be run again when the
    transaction it took part in could not be kept.

    Database errors arrive as `StoreError`.
    """

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent snapshot of everything committed before the call."""
        ...

    async def read_quick(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn`, which looks up a row or two by an index, in the quickest way.

        On SQLite the event loop itself does it, so `fn` must take microseconds. Several statements
        see several snapshots.
        """
        ...

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction and return once it is on disk.

        Nothing of `fn` is kept when it raises. A caller that is cancelled while waiting does not
        take the write back.
        """
        ...


def refusal(error: SQLAlchemyError, where: str) -> StoreError:
    """The database's error in our family, without the values of the statement."""
    reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    reason = reason.splitlines()[0] if reason else type(error).__name__
    advice = next((text for sign, text in _ADVICE if sign in reason), "")
    return StoreError(f"{where}: {reason}{advice}")


def sqlstate(error: SQLAlchemyError) -> str:
    """Postgres' five-letter code of what went wrong; empty when Postgres did not say."""
    return str(getattr(error.orig, "sqlstate", None) or "") if isinstance(error, DBAPIError) else ""


_ADVICE = (
    ("database is locked", "; another process is writing for too long: find it, or raise the busy timeout"),
    ("disk is full", "; make room on the disk"),
    ("readonly database", "; check the permissions of the file and its folder, and that reads do not write"),
    ("disk image is malformed", "; restore the file from a backup"),
)
