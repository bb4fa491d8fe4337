from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet  # type: ignore[import-untyped]  # has no types
import pytest

from tests.archive.records import StoppedClock, conversation, conversation_files, open_archive, record
from weft.archive import FORMATS, Archive, Conversation, ExportError, Query
from weft.errors import ConfigError

FEW = Query(start=date(2025, 10, 2), end=date(2025, 10, 4))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = open_archive(tmp_path / "archive")
    archive.save([conversation(number, turns=1 + number % 3) for number in range(40)])
    archive.save([conversation(number) for number in range(100, 110)], "org-1")
    archive.save([Conversation.parse({**record(200), "messages": []})])
    return archive


def write(archive: Archive, format: str, query: Query | None = None) -> bytes:
    return b"".join(archive.export(format, query))


def test_json_is_the_guides_export(archive: Archive, tmp_path: Path) -> None:
    found = json.loads(write(archive, "json", FEW))
    assert (found["success"], found["count"]) == (True, len(found["conversations"]))
    assert found["count"] == archive.count(FEW).conversations
    assert found["totals"] == {
        "conversations": found["count"],
        "messages": archive.count(FEW).messages,
        "rows": found["count"],
        "skipped": 0,
        "damaged": [],
        "complete": True,
    }
    stored = [json.loads(data) for data in conversation_files(tmp_path / "archive").values()]
    assert all(one in stored for one in found["conversations"])
    assert json.loads(write(archive, "json", Query(app_ids=frozenset())))["conversations"] == []


def test_lines_are_the_stored_files_and_the_last_is_the_totals(archive: Archive, tmp_path: Path) -> None:
    lines = write(archive, "jsonl").splitlines(keepends=True)
    assert sorted(lines[:-1]) == sorted(conversation_files(tmp_path / "archive").values())
    assert json.loads(lines[-1])["totals"]["conversations"] == 51 == archive.count().conversations


@pytest.mark.parametrize("format", FORMATS.names())
@pytest.mark.parametrize("query", [None, FEW, Query(organization_id="org-1")])
def test_the_totals_are_those_of_the_query(archive: Archive, format: str, query: Query | None) -> None:
    stream = archive.export(format, query)
    assert sum(len(chunk) for chunk in stream) == stream.offset
    count = archive.count(query)
    assert (stream.totals.conversations, stream.totals.messages) == (count.conversations, count.messages)
    assert stream.totals.complete
    if format in ("csv", "parquet"):
        assert stream.totals.rows == count.rows


def test_csv_has_a_row_for_each_message(archive: Archive) -> None:
    rows = list(csv.DictReader(io.StringIO(write(archive, "csv", FEW).decode("utf-8-sig"), newline="")))
    assert len(rows) == archive.count(FEW).rows
    assert rows[0]["query"] == "Question 0 of 1?"
    assert rows[0]["provider_response_latency"] == "1.25"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        (" =1", "' =1"),
        ("\r\n=1", "'\r\n=1"),
        ("＝1", "'＝1"),
        ('a "b", c\nd', 'a "b", c\nd'),
        ("1=1", "1=1"),
    ],
)
def test_no_cell_is_a_formula(tmp_path: Path, text: str, cell: str) -> None:
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, answer=text, name=text)])
        rows = list(csv.DictReader(io.StringIO(write(archive, "csv").decode("utf-8-sig"), newline="")))
    assert [(row["answer"], row["name"]) for row in rows] == [(cell, cell)]


def test_parquet_has_types_and_totals(archive: Archive) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(write(archive, "parquet", FEW)))
    assert table.num_rows == archive.count(FEW).rows
    first = table.slice(0, 1).to_pylist()[0]
    assert first["created_at"] == datetime(2025, 10, 2, 10, 30, tzinfo=UTC)
    assert (first["answer"], first["answer_tokens"], first["rating"]) == ("Hello!", 5, None)
    totals = json.loads(table.schema.metadata[b"weft.totals"]) if table.schema.metadata else {}
    metadata = pyarrow.parquet.read_metadata(io.BytesIO(write(archive, "parquet", FEW))).metadata
    assert json.loads(metadata[b"weft.totals"])["rows"] == table.num_rows
    assert totals.get("complete", True)


def test_what_was_said_forms_nothing_in_a_page(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\n# not a heading\n```\n![x](http://evil)\n    indented"
    with open_archive(tmp_path) as archive:
        archive.save([conversation(1, answer=hostile, name="<img src=x onerror=y>\n# T")])
        page, text = write(archive, "html").decode(), write(archive, "markdown").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\\<script\\>" in text
    assert "\\!\\[x\\]\\(http" in text
    lines = [line for line in text.splitlines() if "heading" in line or "indented" in line or "\\`" in line]
    assert lines == ["> \\# not a heading\\", "> \\`\\`\\`\\", "> indented"]


def rated(number: int, **messages: dict[str, object]) -> Conversation:
    return Conversation.parse(
        {
            **record(number),
            "pre_prompt": "Be brief.",
            "messages": [{"id": id, "created_at": 1759401000, **fields} for id, fields in messages.items()],
        }
    )


def test_training_lines_leave_out_what_is_not_worth_learning(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save(
            [
                rated(
                    1,
                    good={"query": "A?", "answer": "a"},
                    bad={"query": "B?", "answer": "b", "feedback": {"rating": "dislike"}},
                    failed={"query": "C?", "answer": "c", "status": "error"},
                    empty={"query": "D?", "answer": " "},
                ),
                rated(2, bad={"query": "B?", "answer": "b", "feedbacks": [{"rating": "dislike"}]}),
            ]
        )
        stream = archive.export("openai")
        assert [json.loads(line) for line in b"".join(stream).splitlines()] == [
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "A?"},
                    {"role": "assistant", "content": "a"},
                ]
            }
        ]
        assert (stream.totals.conversations, stream.totals.rows, stream.totals.skipped) == (2, 1, 1)
        assert json.loads(write(archive, "sharegpt")) == {
            "id": "conv-1",
            "system": "Be brief.",
            "conversations": [{"from": "human", "value": "A?"}, {"from": "gpt", "value": "a"}],
        }


def test_preference_pairs_come_from_feedback(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.save(
            [
                rated(
                    1,
                    m1={"query": "Hi", "answer": "Hello"},
                    m2={"query": "B?", "answer": "worse", "feedback": {"rating": "dislike"}},
                    m3={"query": "B?", "answer": "better", "feedback": {"rating": "like"}},
                    m4={
                        "query": "C?",
                        "answer": "wrong",
                        "feedback": {"rating": "dislike"},
                        "annotation": {"content": "right"},
                    },
                )
            ]
        )
        pairs = [json.loads(line) for line in write(archive, "preference").splitlines()]
    assert [
        (
            len(pair["input"]["messages"]),
            pair["input"]["messages"][-1]["content"],
            pair["preferred_output"][0]["content"],
            pair["non_preferred_output"][0]["content"],
        )
        for pair in pairs
    ] == [(4, "B?", "better", "worse"), (6, "C?", "right", "wrong")]


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "markdown", "html", "openai", "sharegpt"])
def test_an_export_that_was_broken_off_goes_on_to_the_same_bytes(
    archive: Archive, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(archive, format)
    monkeypatch.setattr("weft.archive.export.stream.CHUNK_BYTES", 700)
    stream = archive.export(format)
    chunks = iter(stream)
    begun = next(chunks) + next(chunks)
    cursor = stream.cursor
    assert cursor is not None
    path = tmp_path / "out"
    path.write_bytes(begun + b"half a chunk that was not finished")
    totals = archive.export_to_file(format, path, cursor=cursor)
    assert path.read_bytes() == whole
    assert totals.conversations == 51
    with pytest.raises(ExportError, match="belongs to another export"):
        archive.export(format, FEW, cursor)


def test_parquet_goes_on_in_a_file_of_its_own(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.archive.export.stream.CHUNK_BYTES", 1)
    monkeypatch.setattr("weft.archive.export.parquet.GROUP_ROWS", 1)
    stream = archive.export("parquet")
    chunks = iter(stream)
    for _ in range(10):
        next(chunks)
    done = stream.totals.rows
    rest = b"".join(archive.export("parquet", cursor=stream.cursor))
    assert pyarrow.parquet.read_table(io.BytesIO(rest)).num_rows == archive.count().rows - done


def test_a_file_appears_only_when_it_is_whole(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    totals = archive.export_to_file("jsonl", path)
    assert path.read_bytes() == write(archive, "jsonl")
    assert json.loads((tmp_path / "out.jsonl.totals.json").read_bytes())["rows"] == totals.rows == 51


def test_a_damaged_file_is_named_in_the_totals_and_cuts_nothing_else(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        path = archive.save([conversation(1), conversation(2)]).paths["conv-1"]
        (tmp_path / path).write_bytes(b"{}")
        stream = archive.export("jsonl")
        assert len(b"".join(stream).splitlines()) == 2
        assert (stream.totals.damaged, stream.totals.complete) == ([path], False)


@pytest.mark.parametrize("cursor", ["", "x", "e30=", "WzFd"])
def test_a_cursor_of_somebody_else_is_refused(archive: Archive, cursor: str) -> None:
    with pytest.raises(ExportError, match="cursor"):
        archive.export("jsonl", cursor=cursor)


def test_an_unknown_format_is_refused_with_those_that_are_known(archive: Archive) -> None:
    with pytest.raises(ConfigError, match="unknown export format 'xml'; known: csv, html"):
        archive.export("xml")


def test_readers_see_no_difference_when_days_are_packed(tmp_path: Path) -> None:
    clock = StoppedClock()
    with open_archive(tmp_path, clock=clock) as archive:
        archive.save([conversation(n, answer=f"{n} " + "some words to learn from " * 700) for n in range(60)])
        before = {name: write(archive, name) for name in FORMATS.names() if name != "parquet"}
        files = conversation_files(tmp_path)
        done = archive.compress_sealed_days()
        assert (done.files, done.bytes_before) == (60, sum(map(len, files.values())))
        assert {path.removesuffix(".zst") for path in conversation_files(tmp_path)} == set(files)
        assert archive.compress_sealed_days().files == 0
        assert {name: write(archive, name) for name in before} == before
        assert archive.get_logs_summary().total_size_bytes == done.bytes_after < done.bytes_before / 3
        assert [path.suffix for path in (tmp_path / "logs/.weft/dictionaries").iterdir()] != []
        assert archive.verify().findings == []
        archive.save([conversation(1, turns=2)])
        assert archive.compress_sealed_days().files == 1
        assert len(archive.get("conv-1").messages) == 2
