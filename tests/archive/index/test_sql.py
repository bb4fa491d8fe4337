from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.archive.records import conversation, open_archive
from weft.archive import QueryTimeoutError, RetentionRule
from weft.errors import ArchiveError, ConfigError, InvalidRequestError

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


def test_messages_are_a_table(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, turns=2), conversation(2)])
        archive.save([conversation(3)], "Org/1")
        found = archive.sql(
            "SELECT organization_id, count(*) AS messages, min(created_at) AS first, sum(cost) AS cost"
            " FROM messages WHERE app_id = ? GROUP BY 1 ORDER BY 1 NULLS FIRST",
            ["app-a"],
        )
        assert found.to_dict()["rows"] == [
            [None, 3, "2025-10-02T10:30:00+00:00", None],
            ["Org/1", 1, "2025-10-04T10:30:00+00:00", None],
        ]
        assert found.columns == ["organization_id", "messages", "first", "cost"]
        assert archive.verify().findings == []


def test_the_table_follows_the_archive(tmp_path: Path) -> None:
    count = "SELECT count(*) FROM messages"
    with open_archive(tmp_path) as archive:
        assert archive.sql(count).rows == [(0,)]
        archive.save([conversation(0), conversation(1), conversation(6)])
        assert archive.sql(count).rows == [(3,)]
        files = sorted(path.name for path in (tmp_path / "logs/.weft/parquet").iterdir())
        archive.save([conversation(1, turns=3)])
        archive.apply_retention([RetentionRule(name="old", keep_days=18.6)], max_share=1)
        assert archive.sql(count).rows == [(4,)]
        kept = sorted(path.name for path in (tmp_path / "logs/.weft/parquet").iterdir())
        assert len(set(files) & set(kept)) == 2  # the day that did not change, and the state
        with open_archive(tmp_path, read_only=True) as reader:
            assert reader.sql(count).rows == [(4,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; SELECT 2",
        "COPY messages TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CREATE TABLE t (a INTEGER)",
        "DROP VIEW messages",
        "SELECT * FROM read_text('{folder}/secret.txt')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_parquet('{folder}/*.parquet')",
        "SELECT nonsense FROM messages",
        "SELEC 1",
        "",
    ],
)
def test_nothing_but_reading_the_table_is_possible(tmp_path: Path, statement: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (tmp_path / "secret.txt").write_text("secret")
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1)])
        with pytest.raises(InvalidRequestError):
            archive.sql(statement.format(folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "secret.csv", "secret.txt"]


def test_a_statement_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive, pytest.raises(QueryTimeoutError, match=r"longer than 0\.2 s"):
        archive.sql(
            "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range * b.range = -1",
            timeout_seconds=0.2,
        )


def test_too_many_rows_are_cut_and_it_is_said(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        found = archive.sql("SELECT * FROM range(5000)", max_rows=3)
        assert (found.rows, found.is_cut) == ([(0,), (1,), (2,)], True)


def test_without_its_packages_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with open_archive(tmp_path) as archive, pytest.raises(ConfigError, match=r"weft\[analytics\]"):
        archive.sql("SELECT 1")


def test_an_archive_for_reading_without_the_table_says_so(tmp_path: Path) -> None:
    open_archive(tmp_path).close()
    reader = open_archive(tmp_path, read_only=True)
    with pytest.raises(ArchiveError, match="not made yet"):
        reader.sql("SELECT 1")
