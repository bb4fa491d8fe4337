"""How steps spell columns, keys and indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def id_(name: str, *, null: bool = False) -> sa.Column[str]:
    """A text UUID."""
    return sa.Column(name, _ID, nullable=null)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    """Text, also for JSON and prices."""
    return sa.Column(name, sa.Text(), nullable=null)


def small(name: str, *, null: bool = False) -> sa.Column[int]:
    """A count."""
    return sa.Column(name, sa.Integer(), nullable=null)


def big(name: str, *, null: bool = False) -> sa.Column[int]:
    """An instant or a size."""
    return sa.Column(name, sa.BigInteger(), nullable=null)


def double(name: str, *, null: bool = False) -> sa.Column[float]:
    """A measured number."""
    return sa.Column(name, sa.Double(), nullable=null)


def boolean(name: str, *, null: bool = False) -> sa.Column[bool]:
    """Yes or no."""
    return sa.Column(name, sa.Boolean(), nullable=null)


def parent(table: str, column: str, parent: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    """A foreign key; what it belongs to takes it along when `cascade`."""
    return sa.ForeignKeyConstraint(
        [column], [f"{parent}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE" if cascade else None
    )


def create(table: str, *parts: sa.schema.SchemaItem) -> None:
    """Make a table whose key is its id."""
    op.create_table(table, *parts, sa.PrimaryKeyConstraint("id", name=f"pk_{table}"))


def index(table: str, *columns: str, unique: bool = False) -> None:
    """Make an index under its customary name."""
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)


def partial_index(name: str, table: str, column: str, where: str, *, unique: bool = False) -> None:
    """Make an index over the rows that `where` selects."""
    condition = sa.text(where)
    op.create_index(name, table, [column], unique=unique, sqlite_where=condition, postgresql_where=condition)
