from __future__ import annotations

import json
import signal
import socket
import sqlite3
import stat
from collections.abc import Callable

import pytest

from tests.cli.command import ASK, BROKEN, ECHO, Weft, script
from weft.cli import main
from weft.client import Client
from weft.errors import ProviderError
from weft.wire import MessageEvent

PIECES = [f"{number}," for number in range(10)]
SLOW = script({"chunks": PIECES, "delay_s": 0.05})
ENDLESS = script({"chunks": ["on and "] * 1000, "delay_s": 0.1})


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    weft: Weft, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_logging: None
) -> Call:
    """`weft serve` in this process, for what ends by itself: exit code, output, errors."""
    monkeypatch.chdir(weft.folder)
    monkeypatch.setenv("WEFT_DATA", str(weft.data))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["serve", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_ready_file_has_all_that_a_caller_needs_and_the_keys_work(weft: Weft) -> None:
    weft.write("echo.yml", ECHO)
    with weft.serve("./echo.yml") as server:
        ready = server.ready
        (app,) = ready["apps"]
        assert {name: type(value) for name, value in ready.items()} == {
            "url": str,
            "service_api": str,
            "console_api": str,
            "apps": list,
            "admin": dict,
            "operator_token": str,
        }
        assert ready["service_api"] == ready["url"] + "/v1"
        assert ready["console_api"] == ready["url"] + "/console/api"
        assert (app["name"], app["mode"], app["file"]) == ("Echo", "advanced-chat", "./echo.yml")
        assert set(ready["admin"]) == {"email", "password"}
        assert stat.S_IMODE(server.ready_file.stat().st_mode) == 0o600
        with Client(ready["url"], app["key"]) as client:
            assert client.chat_messages("Hi", user="u", inputs={"name": "Ada"}).answer == "Hi, Ada"
        for secret in (app["key"], ready["admin"]["password"], ready["operator_token"]):
            assert server.output.count(secret) == 1
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == (0, "")
        assert list(weft.folder.glob(".ready*")) == []


def test_a_running_answer_finishes_after_the_server_was_told_to_stop(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write("weft.toml", SLOW)
    with weft.serve("ask.yml") as server:
        with (
            Client(server.ready["url"], server.ready["apps"][0]["key"]) as client,
            client.stream_chat_messages("x", user="u") as stream,
        ):
            for event in stream:
                if isinstance(event, MessageEvent):
                    break
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("Stopping: 1 answer may finish")
            result = stream.collect()
        assert (result.status, result.answer) == ("succeeded", "".join(PIECES))
        assert server.end() == (0, "")


def test_an_answer_that_takes_longer_than_the_bound_is_stopped_and_kept(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write("weft.toml", ENDLESS)
    with weft.serve("ask.yml", "--server-drain-seconds", "0.3") as server:
        with (
            Client(server.ready["url"], server.ready["apps"][0]["key"]) as client,
            client.stream_chat_messages("x", user="u") as stream,
        ):
            for event in stream:
                if isinstance(event, MessageEvent):
                    break
            server.process.send_signal(signal.SIGINT)
            result = stream.collect()
        code, _ = server.end()
    with sqlite3.connect(weft.data / "weft.db") as database:
        rows = database.execute("select status, error from runs").fetchall()
        (answer,) = database.execute("select answer from messages").fetchone()
    database.close()
    assert (result.status, code) == ("stopped", 0)
    assert rows == [("stopped", "The server is shutting down.")]
    assert result.answer == answer


def test_a_second_signal_ends_at_once(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write("weft.toml", ENDLESS)
    with weft.serve("ask.yml") as server:
        client = Client(server.ready["url"], server.ready["apps"][0]["key"])
        with client, client.stream_chat_messages("x", user="u") as stream:
            next(stream)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("Stopping: 1 answer")
            server.process.send_signal(signal.SIGTERM)
            code, _ = server.end()
    assert code == -signal.SIGTERM


def test_a_changed_file_is_published_again_and_keeps_its_key(weft: Weft) -> None:
    weft.write("echo.yml", ECHO)
    seen = []
    for text in (ECHO, ECHO, ECHO.replace("{{#sys.query#}}", "You say {{#sys.query#}}")):
        weft.write("echo.yml", text)
        with weft.serve("echo.yml") as server:
            (app,) = server.ready["apps"]
            with Client(server.ready["url"], app["key"]) as client:
                answer = client.chat_messages("hi", user="u", inputs={"name": "Bo"}).answer
            outcome = server.output.partition("Echo (advanced-chat, ")[2].partition(")")[0]
            seen.append((app["id"], app["key"], outcome, answer))
            server.process.send_signal(signal.SIGTERM)
            assert server.end()[0] == 0
    ids, keys, outcomes, answers = zip(*seen, strict=True)
    assert (len(set(ids)), len(set(keys))) == (1, 1)
    assert outcomes == ("new", "unchanged", "changed, published as a new version")
    assert answers == ("hi, Bo", "hi, Bo", "You say hi, Bo")


def test_without_files_the_apps_of_the_data_folder_are_served(weft: Weft) -> None:
    path = weft.write("ask.yml", ASK)
    with weft.serve("ask.yml") as server:
        first = server.ready["apps"]
        assert "  acme/small  the scripted model\n  warning: a script answers for acme/small" in server.output
    with weft.serve() as server:
        assert server.ready["apps"] == [{**first[0], "file": str(path)}]


def test_who_answers_for_the_models_is_told_and_what_is_no_model_is_warned_of(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write("more.yml", ASK.replace("acme", "other"))
    weft.write("weft.toml", script())
    with weft.serve("ask.yml", "more.yml", WEFT_MODELS_URL="http://127.0.0.1:9/v1") as server:
        models = server.output.partition("Models\n")[2].splitlines()
    assert models[:2] == [
        '  acme/small   [providers."acme"] in weft.toml',
        "  other/small  http://127.0.0.1:9/v1",
    ]
    assert models[2].startswith("  warning: a script answers for acme/small, no model;")


def test_a_port_that_is_taken_is_told_in_one_line(weft: Weft, call: Call) -> None:
    weft.write("echo.yml", ECHO)
    weft.write("ready.json", "of an older server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = call("echo.yml", "--port", str(port), "--ready-file", "ready.json")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert not (weft.folder / "ready.json").exists()


def test_all_bad_files_are_told_together_before_anything_starts(weft: Weft, call: Call) -> None:
    for name in ("one.yml", "two.yml"):
        weft.write(name, BROKEN)
    weft.write("echo.yml", ECHO)
    code, out, err = call("one.yml", "echo.yml", "absent.yml", "two.yml")
    files = [line.split(": ")[1] for line in err.splitlines()]
    assert (code, out) == (2, "")
    assert files == ["one.yml", "one.yml", "absent.yml", "two.yml", "two.yml"]
    assert not weft.data.exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--ready-file", "no/where.json"],
            "--ready-file no/where.json: there is no folder no; make it first",
        ),
        (["--ready-file", "."], "--ready-file .: Is a directory"),
        (["--data", "/proc/weft"], "the data folder /proc/weft cannot be made: "),
    ],
)
def test_a_place_that_cannot_be_written_is_told_in_one_line(
    call: Call, words: list[str], complaint: str
) -> None:
    code, out, err = call(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {complaint}")


def test_the_log_is_json_if_asked_for_and_tells_neither_keys_nor_contents(weft: Weft) -> None:
    weft.write("ask.yml", ASK)
    weft.write("weft.toml", script({"chunks": ["the answer"], "error": "BadReplyError", "message": "broken"}))
    with weft.serve("ask.yml", WEFT_LOG_FORMAT="json", WEFT_LOG_LEVEL="debug") as server:
        key = server.ready["apps"][0]["key"]
        with (
            Client(server.ready["url"], key) as client,
            client.stream_chat_messages("why", user="u") as stream,
            pytest.raises(ProviderError, match="broken"),
        ):
            stream.collect()
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.end()
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert [word for word in (key, "the answer", "why") if word in errors] == []
