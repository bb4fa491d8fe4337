from __future__ import annotations

import json
from pathlib import Path

import pytest

from weft.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WEFT_MODELS_URL", "WEFT_MODELS_KEY", "WEFT_PORT", "WEFT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_DATA", str(tmp_path / "data"))
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, tuple[str, str]]:
    assert main(["config", "--json", *words]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    return {row["name"]: (row["value"], row["source"]) for row in settings}


def test_each_setting_tells_where_it_came_from(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "weft.toml").write_text('port = 9000\n[log]\nlevel = "warning"\n')
    monkeypatch.setenv("WEFT_HOST", "0.0.0.0")
    found = rows(capsys, "--limits-max-steps", "7", "--models", "http://127.0.0.1:1/v1")
    names = ("data", "host", "port", "models_url", "limits.max_steps", "log.level", "log.format")
    assert {name: found[name] for name in names} == {
        "data": (str(place / "data"), "WEFT_DATA"),
        "host": ("0.0.0.0", "WEFT_HOST"),
        "port": ("9000", "weft.toml:1"),
        "models_url": ("http://127.0.0.1:1/v1", "--models-url"),
        "limits.max_steps": ("7", "--limits-max-steps"),
        "log.level": ("warning", "weft.toml:3"),
        "log.format": ("text", "default"),
    }


def test_secrets_are_masked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_MODELS_KEY", "sk-very-secret")
    assert main(["config"]) == 0
    shown = capsys.readouterr().out
    assert ("sk-very-secret" in shown, "models_key" in shown) == (False, True)


def test_a_reader_that_is_no_terminal_gets_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    port = next(line for line in lines if line.startswith("port "))
    assert (head.split(), port.split()) == (["setting", "value", "from"], ["port", "8600", "default"])


def test_a_named_settings_file_has_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["config", "--config", "other.toml"])
    assert (code, "other.toml cannot be read" in capsys.readouterr().err) == (2, True)
