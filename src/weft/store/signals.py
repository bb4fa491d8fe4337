"""Signals: what one process tells the others. The row is the truth; on Postgres a notification says that
there is one, elsewhere whoever wants to know looks from time to time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, delete, select

from weft.store.codec import Codec, micros
from weft.store.records import Signal
from weft.store.statement import Statement, inserting
from weft.store.tables import signals

CHANNEL = "weft_signals"
"""Where Postgres notifies."""

_CODEC = Codec(Signal, signals)
_INSERT = inserting(signals)
_SINCE = Statement(
    select(signals)
    .where(signals.c.created_at >= bindparam("since", type_=BigInteger))
    .order_by(signals.c.created_at, signals.c.id),
    ["since"],
)
_FORGET = Statement(
    delete(signals).where(signals.c.created_at < bindparam("before", type_=BigInteger)), ["before"]
)


def post(connection: Connection, signal: Signal) -> None:
    """Store a signal; on Postgres, those who listen are notified when the transaction is kept."""
    _INSERT.run(connection, *_CODEC.encode(signal))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_notify($1, $2)", (CHANNEL, signal.id))


def list_since(connection: Connection, since: datetime) -> tuple[Signal, ...]:
    """The signals from then on, oldest first."""
    return _CODEC.decode_all(_SINCE.rows(connection, micros(since)))


def remove_old(connection: Connection, before: datetime) -> int:
    """Forget the signals from before then; how many there were."""
    return _FORGET.run(connection, micros(before))
