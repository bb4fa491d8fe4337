from __future__ import annotations

import io
import json
from asyncio import to_thread
from pathlib import Path

import pytest

from tests.contract.console_caller import log_in
from tests.contract.house import open_house
from weft.cli import main
from weft.runs import open_runtime
from weft.settings import Settings

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WEFT_MODELS_URL", "WEFT_PORT", "WEFT_CONFIG", "WEFT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))
    return tmp_path


def made(said: Said, *words: str) -> dict[str, str]:
    assert main(["accounts", *words, "--json"]) == 0
    content: dict[str, str] = json.loads(said.readouterr().out)
    return content


@pytest.mark.anyio
async def test_an_added_account_can_log_in_and_a_closed_one_cannot(place: Path, capsys: Said) -> None:
    added = await to_thread(made, capsys, "add", "ada@example.org", "--role", "editor")
    async with open_house(place) as house:
        assert (await log_in(house, "ada@example.org", added["password"])).status == 200
        await to_thread(made, capsys, "close", "ada@example.org")
        assert (await log_in(house, "ada@example.org", added["password"])).status != 200


@pytest.mark.anyio
async def test_a_changed_password_counts_and_the_first_is_told_no_more(
    place: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=place / "data")
    async with open_runtime(settings) as runtime:
        email, first = runtime.admin
        assert runtime.has_first_password
    monkeypatch.setattr("sys.stdin", io.StringIO("a better password\n"))
    await to_thread(made, capsys, "password", email, "--stdin")
    async with open_runtime(settings) as runtime:
        assert not runtime.has_first_password
    async with open_house(place) as house:
        assert (await log_in(house, email, first)).status == 401
        assert (await log_in(house, email, "a better password")).status == 200


def test_accounts_are_listed(capsys: Said) -> None:
    made(capsys, "add", "ada@example.org", "--name", "Ada")
    assert main(["accounts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["email", "name", "role", "status", "last", "login"],
        ["ada@example.org", "Ada", "normal", "active", "never"],
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["add"], 2, "weft accounts add needs the address of an account"),
        (["list", "ada@example.org"], 2, "weft accounts list takes no address"),
        (["add", "ada"], 2, "'ada' is no e-mail address"),
        (["close", "ada@example.org"], 2, "there is no account ada@example.org"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(words: list[str], code: int, told: str, capsys: Said) -> None:
    assert main(["accounts", *words]) == code
    assert told in capsys.readouterr().err


def test_an_address_has_one_account(capsys: Said) -> None:
    made(capsys, "add", "ada@example.org")
    assert main(["accounts", "add", "Ada@Example.org"]) == 2
    assert "ada@example.org" in capsys.readouterr().err


def test_a_short_password_is_refused(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["accounts", "add", "ada@example.org", "--stdin"]) == 2
    assert "give 8 or more" in capsys.readouterr().err
