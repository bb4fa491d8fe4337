from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.archive.conftest import Command
from weft.archive import Archive

NAMES = (
    *("pull", "summary", "search", "show", "export", "stats", "clean"),
    *("verify", "import", "restore", "schedule", "tail", "holds", "thin", "reveal", "copy", "report"),
)


def ok(told: tuple[int, str, str]) -> object:
    code, out, err = told
    assert (code, err) == (0, ""), told
    return json.loads(out)


@pytest.mark.requirement("archive-37")
def test_the_guides_operations_work_on_the_files_themselves(
    weft_archive: Command, exports: Path, tmp_path: Path
) -> None:
    assert weft_archive("pull", "--folder", exports, "--organization-id", "org-1") == (
        0,
        f"{exports}: 3 written, 0 unchanged, 0 failed\n",
        "",
    )
    assert weft_archive("pull", "--folder", exports, "--organization-id", "org-1")[1] == (
        f"{exports}: 0 written, 3 unchanged, 0 failed\n"
    )
    summary = ok(weft_archive("summary", "--json", "--organization-id", "org-1"))
    assert isinstance(summary, dict)
    assert (summary["total_files"], len(summary["directories"])) == (3, 3)
    assert ok(weft_archive("export", "o.json", "--start", "2025-10-03", "--end", "2025-10-04", "--json")) == {
        "file": "o.json",
        "conversations": 2,
        "messages": 2,
        "rows": 2,
        "skipped": 0,
        "damaged": [],
        "complete": True,
    }
    assert json.loads((tmp_path / "work" / "o.json").read_text())["count"] == 2
    assert ok(weft_archive("clean", "--days", "30", "--json")) == {
        "success": True,
        "message": "Deleted logs older than 30 days",
        "deleted_files": 3,
        "deleted_size_bytes": summary["total_size_bytes"],
    }
    assert ok(weft_archive("import", "o.json", "--json")) == {
        "success": True,
        "written": 2,
        "unchanged": 0,
        "failed": [],
    }


def test_conversations_are_found_shown_and_counted(weft_archive: Command, exports: Path) -> None:
    weft_archive("pull", "--folder", exports)
    code, out, _ = weft_archive("search", "parcel", "--app-id", "app-a")
    assert (code, out.count("is on its way")) == (0, 2)
    assert weft_archive("search", "cat") == (1, "nothing matches\n", "")
    code, out, _ = weft_archive("show", "conv-1")
    assert (code, "> Question 0 of 1?\nParcel 1 is on its way\n" in out) == (0, True)
    assert weft_archive("show", "conv-9") == (2, "", "error: there is no conversation 'conv-9'\n")
    found = ok(weft_archive("stats", "--by", "app", "--json"))
    assert isinstance(found, dict)
    assert {group["key"]: group["messages"] for group in found["groups"]} == {"app-a": 2, "app-b": 1}
    code, out, _ = weft_archive("tail", "--since", "2025-01-01", "--count", "3", "--json")
    assert code == 0
    seen = {json.loads(line)["conversation_id"] for line in out.splitlines()}
    assert seen == {"conv-1", "conv-2", "conv-3"}


def test_costs_are_told_exactly_for_each_currency(weft_archive: Command, tmp_path: Path) -> None:
    paid = [
        ("shop", "0.0000015", "USD"),
        ("shop", "1234.1", "USD"),
        ("desk", "0.10", "EUR"),
        ("desk", None, ""),
    ]
    folder = tmp_path / "paid"
    folder.mkdir()
    for number, (app, price, currency) in enumerate(paid):
        usage = {"usage": {"total_price": price, "currency": currency}} if price else {}
        message = {"id": "m", "query": "q", "created_at": "2025-10-01T10:00:00Z", "metadata": usage}
        conversation = {"conversation_id": f"c-{number}", "app_id": app, "messages": [message]}
        (folder / f"{number}.json").write_text(json.dumps(conversation), encoding="utf-8")
    weft_archive("pull", "--folder", folder)
    _, out, _ = weft_archive("stats", "--by", "app")
    told = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]
    assert [(row[0], *row[-2:]) for row in told] == [
        ("app", "cost EUR", "cost USD"),
        ("all", "0.1", "1,234.1000015"),
        ("desk", "0.1", "-"),
        ("shop", "-", "1,234.1000015"),
    ]
    found = ok(weft_archive("stats", "--by", "app", "--json"))
    assert isinstance(found, dict)
    assert found["totals"]["cost"] == {"EUR": "0.1", "USD": "1234.1000015"}
    assert [group["cost"] for group in found["groups"]] == [{"EUR": "0.1"}, {"USD": "1234.1000015"}]


def test_a_dry_run_deletes_nothing_and_what_is_on_hold_stays(weft_archive: Command, exports: Path) -> None:
    weft_archive("pull", "--folder", exports)
    placed = ok(weft_archive("holds", "--place", "case 7", "--app-id", "app-b", "--json"))
    assert isinstance(placed, dict)
    (hold,) = placed["data"]
    code, out, _ = weft_archive("clean", "--days", "1", "--dry-run")
    assert (code, out.splitlines()[0].split(" would")[0]) == (0, "2 of 3 conversations")
    code, _, err = weft_archive("clean", "--days", "1", "--max-share", "0.5")
    assert (code, "more than the share 0.5" in err) == (1, True)
    assert weft_archive("clean", "--days", "1")[1].startswith(
        "Deleted logs older than 1 days: 2 conversations"
    )
    assert weft_archive("holds", "--release", hold["id"])[0] == 0
    assert weft_archive("holds")[1].split() == ["id", "reason", "what", "placed"]


def test_verifying_tells_by_its_exit_code_what_it_found(
    weft_archive: Command, exports: Path, tmp_path: Path
) -> None:
    weft_archive("pull", "--folder", exports)
    assert weft_archive("verify")[::2] == (0, "")
    code, out, _ = weft_archive("verify", "--budget-seconds", "0", "--json")
    assert (code, json.loads(out)["result"]) == (2, "incomplete")
    file = next((tmp_path / "data").rglob("conversation_conv-1_*"))
    file.write_text("{}")
    code, out, _ = weft_archive("verify")
    assert (code, out.splitlines()[-1].startswith("damaged: ")) == (1, True)


def test_what_cannot_be_had_is_told_and_fails_the_command(weft_archive: Command, exports: Path) -> None:
    (exports / "bad.json").write_text("[]x")
    code, out, _ = weft_archive("pull", "--folder", exports)
    assert (code, out.splitlines()[0]) == (1, f"{exports}: 3 written, 0 unchanged, 1 failed")
    assert out.splitlines()[1].startswith("  bad.json#1: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pull"], "no source is set: give --folder, --url or --source, or set archive.url and its key"),
        (["pull", "--folder", "x", "--url", "https://x"], "give one of --source, --folder and --url"),
        (["pull", "--url", "https://x.example"], "a server needs a key: set DIFY_API_KEY"),
        (["pull", "--source", "shop"], "the settings have no source 'shop'; known: none"),
        (["thin"], "older_than_days: is missing, and archive.store_days is not set"),
        (["restore"], "say where to: --server ADDRESS, or --into-store for the server's own database"),
        (["restore", "--to-app", "x", "--server", "http://h"], "--to-app needs --into-store"),
        (
            ["restore", "x.jsonl", "--into-store"],
            "--into-store takes from the archive: first weft archive import x.jsonl",
        ),
        (["clean"], "say how many --days to keep, or set archive.retention_days"),
        (
            ["schedule", "--set", "x", "--cron", "0 4 * * 6", "--task", "thin"],
            "a schedule that thins the database needs the setting archive.store_days",
        ),
        (["schedule", "--set", "x"], "--set needs --cron, e.g. --cron '0 2 * * *'"),
        (["holds", "--place", "a", "--release", "b"], "give one of --place and --release"),
        (["import", "nothing.json"], "nothing.json: there is no such file or folder"),
        (
            ["restore", "--server", "here"],
            "--server 'here' is not an address that starts with http:// or https://",
        ),
        (["export", "x", "--start", "soon"], "--start 'soon' is not a date; give a day such as 2025-10-15"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(
    weft_archive: Command, exports: Path, words: list[str], said: str
) -> None:
    if words[0] == "export":
        weft_archive("pull", "--folder", exports)
    assert weft_archive(*words) == (2, "", f"error: {said}\n")


def test_without_an_archive_it_is_said_where_it_was_looked_for(weft_archive: Command, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "archive"
    told = f"error: {folder}: there is no archive; name one with --archive, or pull into it first\n"
    assert weft_archive("summary") == (2, "", told)
    assert not folder.exists()


def test_another_archive_can_be_named(weft_archive: Command, exports: Path, tmp_path: Path) -> None:
    weft_archive("pull", "--folder", exports, "--archive", tmp_path / "other")
    with Archive.open(tmp_path / "other", read_only=True) as archive:
        assert archive.get_logs_summary().total_files == 3


def test_without_a_database_there_is_nothing_to_thin(
    weft_archive: Command, exports: Path, tmp_path: Path
) -> None:
    weft_archive("pull", "--folder", exports)
    told = f"error: {tmp_path / 'data'}: no server has kept anything here; name its folder with --data\n"
    assert weft_archive("thin", "--older-than", "9") == (2, "", told)
    assert weft_archive("restore", "--into-store") == (2, "", told)


def test_schedules_are_made_listed_and_removed(weft_archive: Command) -> None:
    weft_archive("schedule", "--set", "prove", "--cron", "0 4 * * 6", "--task", "verify")
    found = ok(weft_archive("schedule", "--json"))
    assert isinstance(found, dict)
    (one,) = found["data"]
    assert (one["id"], one["task"], one["cron"], one["origin"]) == ("prove", "verify", "0 4 * * 6", "api")
    assert weft_archive("schedule", "--remove", "prove")[0] == 0
    assert weft_archive("schedule", "--remove", "prove")[0] == 2
    assert weft_archive("schedule", "--set", "x", "--cron", "61 4 * * 6")[0] == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example_and_its_exit_codes(weft_archive: Command, name: str) -> None:
    code, out, _ = weft_archive(name, "--help")
    assert code == 0
    assert f"  weft archive {name}" in out
    assert "Exit codes: 0" in out
    assert "--json" in out
