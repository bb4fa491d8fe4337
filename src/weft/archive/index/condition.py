"""Conditions of the statements that count; a value that is null asks for nothing."""

from __future__ import annotations

ONE_OF = """(:{value} IS NULL
    OR {column} IN (SELECT id FROM name WHERE text IN (SELECT value FROM json_each(:{value}))))"""
OF_ORG = ONE_OF.format(column="org", value="orgs")
CHOSEN = " AND ".join(
    (OF_ORG, ONE_OF.format(column="app", value="apps"), ONE_OF.format(column="source", value="sources"))
)
DAYS = f"day BETWEEN :first AND :last AND {CHOSEN}"
