from __future__ import annotations

import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from weft.errors import ConfigError
from weft.settings import (
    Limits,
    SettingInfo,
    SettingRow,
    Settings,
    load_server_secret,
    load_settings,
    reference,
)
from weft.settings.file import find_lines, read_file

NOTHING: Mapping[str, str] = {}


def refusal(
    cli: Mapping[str, object] = NOTHING, environ: Mapping[str, str] = NOTHING, *, cwd: Path, toml: str = ""
) -> str:
    (cwd / "weft.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_settings(cli, environ=environ, cwd=cwd)
    assert not isinstance(caught.value.__context__, ValidationError), "it would show secrets in a traceback"
    return str(caught.value)


def rows(settings: Settings) -> dict[str, tuple[str, str]]:
    return {row.name: (row.value, row.source) for row in settings.describe()}


def test_each_place_gives_way_to_the_one_before_it(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text("port = 1\nhost = 'file'\n\n[limits]\nmax_steps = 3\n")
    environ = {"WEFT_PORT": "2", "WEFT_LIMITS_MAX_STEPS": "4"}
    settings = load_settings({"limits.max_steps": 5, "host": None}, environ=environ, cwd=tmp_path)
    found = rows(settings)
    assert [found[name] for name in ("limits.max_steps", "port", "host", "log.level")] == [
        ("5", "--limits-max-steps"),
        ("2", "WEFT_PORT"),
        ("file", "weft.toml:2"),
        ("info", "default"),
    ]
    assert (settings.limits.max_steps, settings.port, settings.source("limits.max_steps")) == (
        5,
        2,
        "--limits-max-steps",
    )


def test_nothing_given_means_a_local_server_that_keeps_everything_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    settings = load_settings(environ={}, cwd=tmp_path)
    data = settings.data
    assert data.name == "weft"
    assert (settings.host, settings.port) == ("127.0.0.1", 8600)
    assert (settings.database_url, settings.files_url) == (
        f"sqlite:///{data}/weft.db",
        f"file://{data}/files",
    )
    assert settings.limits == Limits()
    assert (settings.models_url, settings.models_key, settings.secret) == (None, None, None)
    assert not data.exists()


def test_the_database_and_the_files_follow_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings({"data": "here"}, environ={}, cwd=tmp_path)
    assert settings.data == tmp_path / "here"
    assert settings.database_url == f"sqlite:///{tmp_path}/here/weft.db"


def test_a_relative_folder_of_packages_lies_beside_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text('[sandbox]\npackages = "env/lib"\n', encoding="utf-8")
    assert load_settings({}, environ={}, cwd=tmp_path).sandbox.packages == tmp_path / "env" / "lib"


def test_a_relative_folder_in_a_settings_file_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text('data = "var"')
    by_option = load_settings({"config": "etc/my.toml"}, environ={}, cwd=tmp_path)
    by_variable = load_settings(environ={"WEFT_CONFIG": "etc/my.toml"}, cwd=tmp_path)
    assert by_option.data == by_variable.data == tmp_path / "etc" / "var"
    assert by_option.source("data") == "my.toml:1"


def test_a_settings_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read: No such file"):
        load_settings({"config": "gone.toml"}, environ={}, cwd=tmp_path)


def test_a_settings_file_has_to_be_toml(tmp_path: Path) -> None:
    assert "weft.toml is not valid TOML: " in refusal(cwd=tmp_path, toml="port = ")


def test_a_variable_that_is_empty_counts_as_not_set(tmp_path: Path) -> None:
    assert load_settings(environ={"WEFT_PORT": ""}, cwd=tmp_path).port == 8600


def test_old_names_are_understood_and_give_way_to_new_ones(tmp_path: Path) -> None:
    environ = {
        "DIFY_API_URL": "https://old.example/v1",
        "WEFT_ARCHIVE_URL": "https://new.example/v1",
        "DIFY_APP_ID": "app",
        "DIFY_API_KEY": "key-1",
        "LOG_RETENTION_DAYS": "30",
        "ENABLE_AUTO_LOGGING": "true",
    }
    settings = load_settings(environ=environ, cwd=tmp_path)
    archive = settings.archive
    assert (archive.url, archive.app_id, archive.api_key, archive.retention_days, archive.auto_pull) == (
        "https://new.example/v1",
        "app",
        SecretStr("key-1"),
        30,
        True,
    )
    assert rows(settings)["archive.api_key"] == ("********", "DIFY_API_KEY")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"WEFT_PORT": "x"},
            "port: 'x' (from WEFT_PORT) is not allowed; it has to be a whole number from 0 to 65535",
        ),
        (
            {"WEFT_LIMITS_MAX_RUN_SECONDS": "0"},
            "limits.max_run_seconds: '0' (from WEFT_LIMITS_MAX_RUN_SECONDS) is not allowed; "
            "it has to be a number, more than 0",
        ),
        (
            {"WEFT_LOG_FORMAT": "xml"},
            "log.format: 'xml' (from WEFT_LOG_FORMAT) is not allowed; it has to be one of: text, json",
        ),
        (
            {"WEFT_SERVER_MAX_BODY_BYTES": "big"},
            "server.max_body_bytes: 'big' (from WEFT_SERVER_MAX_BODY_BYTES) is not allowed; "
            "it has to be a size such as 1048576 or 1 MiB, at least 1024",
        ),
        (
            {"WEFT_SECRET": "short-hush"},
            "secret: the value (from WEFT_SECRET) is not allowed; "
            "it has to be a text of 32 characters or more",
        ),
        (
            {"WEFT_DATABASE_URL": "mysql://me:hush@db/x"},
            "database_url: 'mysql://me:********@db/x' (from WEFT_DATABASE_URL) is not allowed; "
            "it has to be an address that starts with sqlite:// or postgresql://",
        ),
        (
            {"ENABLE_AUTO_LOGGING": "maybe"},
            "archive.auto_pull: 'maybe' (from ENABLE_AUTO_LOGGING) is not allowed; "
            "it has to be true or false",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_name_its_place_and_what_is_allowed(
    environ: Mapping[str, str], sentence: str, tmp_path: Path
) -> None:
    assert refusal(environ=environ, cwd=tmp_path) == sentence


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    toml = "prot = 1\n[server]\nping_seconds = 0\n[limits]\nqqq = 1\n"
    known = ", ".join(f"limits.{name}" for name in Limits.model_fields)
    assert refusal({"hots": "x"}, {"WEFT_PORT": "-1"}, cwd=tmp_path, toml=toml).splitlines() == [
        "weft.toml:1: unknown setting 'prot'; did you mean 'port'?",
        f"weft.toml:5: unknown setting 'limits.qqq'; known here: {known}",
        "command line: unknown setting 'hots'; did you mean 'host'?",
        "port: '-1' (from WEFT_PORT) is not allowed; it has to be a whole number from 0 to 65535",
        "server.ping_seconds: '0' (from weft.toml:3) is not allowed; it has to be a number, more than 0",
    ]


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("max_step = 5", "weft.toml:1: unknown setting 'max_step'; did you mean 'limits.max_steps'?"),
        ("\n[limit]\nmax_steps = 5", "weft.toml:2: unknown setting 'limit'; did you mean 'limits'?"),
        (
            "[server]\nmax_steps = 5",
            "weft.toml:2: unknown setting 'server.max_steps'; did you mean 'limits.max_steps'?",
        ),
        ("limits = 5", "weft.toml:1: limits is a table; write [limits] and its settings below"),
        (
            "[providers]\n\nopenai = 5",
            "providers.openai: the value (from weft.toml:3) is not allowed; "
            'it has to be tables such as [providers."openai"]',
        ),
        (
            '[prices."gpt-4o"]\ninput = 1',
            'weft.toml:1: prices.gpt-4o names no model of a provider; write [prices."provider/model"]',
        ),
    ],
)
def test_a_name_or_table_that_means_nothing_is_refused_with_what_was_probably_meant(
    toml: str, sentence: str, tmp_path: Path
) -> None:
    assert refusal(cwd=tmp_path, toml=toml) == sentence


def test_keys_of_providers_are_looked_up_in_the_environment_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text(
        '[providers."my llm"]\nbase_url = "https://me:hush@llm.example"\napi_key = "env:LLM_KEY"\n'
        'headers = { x-route = "env:ROUTE" }\n'
        '[prices."my llm/small"]\ninput = 0.15\n'
    )
    settings = load_settings(environ={"LLM_KEY": "k-hush", "ROUTE": "r-hush"}, cwd=tmp_path)
    assert settings.providers == {
        "my llm": {
            "base_url": "https://me:hush@llm.example",
            "api_key": "k-hush",
            "headers": {"x-route": "r-hush"},
        }
    }
    assert settings.prices == {"my llm/small": {"input": 0.15}}
    assert settings.describe()[-4:] == [
        SettingRow('providers."my llm".base_url', "https://me:********@llm.example", "weft.toml:2"),
        SettingRow('providers."my llm".api_key', "********", "weft.toml:3"),
        SettingRow('providers."my llm".headers', "1 entry", "weft.toml:4"),
        SettingRow('prices."my llm/small".input', "0.15", "weft.toml:6"),
    ]
    assert "hush" not in repr(settings) + str(settings.describe())


def test_a_key_that_the_environment_should_hold_has_to_be_there(tmp_path: Path) -> None:
    toml = '[providers.openai]\napi_key = "env:OPENAI_API_KEY"'
    assert refusal(cwd=tmp_path, toml=toml) == (
        "providers.openai.api_key: weft.toml:2 refers to the environment variable 'OPENAI_API_KEY', "
        "which is not set; set it"
    )


SAMPLES = {
    "a folder": "x",
    "true or false": "true",
    "one of: text, json": "json",
    "one of: debug": "ERROR",
    "one of: auto, on": "OFF",
    "one of: conversation": "Archive",
    "image, document": "image, audio",
    "an address that starts with sqlite": "postgresql://x",
    "an address that starts with file": "s3://x",
    "an address that starts with s3": "s3://x/y",
    "an address that starts with http": "https://x",
    "a text of 32": "s" * 32,
    "a text of 16": "s" * 16,
    "* or addresses": "https://shop.example.com",
    "addresses without a path": "https://console.example.com",
    "addresses that start with http": "https://hook.example.com/weft",
    "five cron fields": "5 4 * * *",
}


@pytest.mark.parametrize("info", [info for info in reference() if info.variable], ids=lambda info: info.name)
def test_a_setting_can_be_given_in_each_place_that_the_reference_names(
    info: SettingInfo, tmp_path: Path
) -> None:
    value = next((text for start, text in SAMPLES.items() if info.allowed.startswith(start)), "1234")
    if value == info.default == "true":
        value = "false"
    plain = load_settings(environ={}, cwd=tmp_path)
    by_variable = load_settings(environ={str(info.variable): value}, cwd=tmp_path)
    by_option = load_settings({info.name: value}, environ={}, cwd=tmp_path)
    assert by_variable.model_dump() == by_option.model_dump() != plain.model_dump()
    assert (by_variable.source(info.name), by_option.source(info.name)) == (info.variable, info.option)


def test_every_setting_is_described_in_whole_sentences() -> None:
    assert [info.name for info in reference() if not info.description.endswith(".")] == []


def test_settings_do_not_change_after_they_were_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(data=tmp_path).port = 1


def test_the_line_of_a_key_is_found_whatever_stands_around_it() -> None:
    text = '''# a comment
a = """
[not.a.table]
b = 1
"""

c = [
  [1],
  { d = 2 },
]
"quoted.key" = 1
x.y = { z = 3 }

[t."u v"]
w = 1
[[many]]
k = 1
'''
    assert find_lines(text) == {
        ("a",): 2,
        ("c",): 7,
        ("quoted.key",): 11,
        ("x",): 12,
        ("x", "y"): 12,
        ("x", "y", "z"): 12,
        ("t", "u v"): 14,
        ("t", "u v", "w"): 15,
        ("many",): 16,
        ("many", "k"): 17,
    }


@given(
    st.lists(
        st.sampled_from(["", "# [c]", "k1 = 1", "[s]", "k2 = '''\n[x]\n'''", "k3 = [\n[1],\n]"]), unique=True
    )
)
def test_every_key_is_found_on_a_line_that_begins_with_it(parts: list[str]) -> None:
    text = "\n".join(parts)
    lines = text.split("\n")
    for key, number in find_lines(text).items():
        assert lines[number - 1].lstrip("[").startswith(key[-1])


def test_a_place_without_a_line_of_its_own_has_that_of_the_table_around_it(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text("\n[a]\nb = 1\n")
    file = read_file(tmp_path / "weft.toml")
    assert [file.place(("a", "b")), file.place(("a", "c")), file.place(("d",))] == [
        "weft.toml:3",
        "weft.toml:2",
        "weft.toml",
    ]


def test_the_server_makes_its_secret_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    first = load_server_secret(settings)
    assert load_server_secret(settings) == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_servers_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    settings, gate, found = Settings(data=tmp_path), threading.Barrier(8), []

    def start(number: int) -> None:
        def token() -> str:
            gate.wait(10)
            return f"{number:064d}"

        found.append(load_server_secret(settings, token=token))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [found[0]] * 8


def test_a_secret_that_was_given_is_used_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", secret=SecretStr("s" * 32))
    assert load_server_secret(settings) == "s" * 32
    assert not (tmp_path / "data").exists()


def test_a_damaged_secret_is_not_replaced_silently(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    with pytest.raises(ConfigError, match="fewer than 32 characters; restore it"):
        load_server_secret(Settings(data=tmp_path))


def test_datasets_are_tables_whose_keys_are_never_shown_and_whose_folders_lie_beside_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "weft.toml").write_text(
        '[datasets."my texts"]\nfolder = "docs"\n'
        '[datasets.remote]\ndify = "https://host/v1"\napi_key = "env:DATASET_KEY"\n'
    )
    environ = {"WEFT_CONFIG": "etc/weft.toml", "DATASET_KEY": "dataset-hush"}
    settings = load_settings(environ=environ, cwd=tmp_path)
    assert settings.datasets == {
        "my texts": {"folder": str(tmp_path / "etc" / "docs")},
        "remote": {"dify": "https://host/v1", "api_key": "dataset-hush"},
    }
    assert [row for row in settings.describe() if row.name.startswith("datasets")] == [
        SettingRow('datasets."my texts".folder', str(tmp_path / "etc" / "docs"), "weft.toml:2"),
        SettingRow("datasets.remote.dify", "https://host/v1", "weft.toml:4"),
        SettingRow("datasets.remote.api_key", "********", "weft.toml:5"),
    ]
    assert "hush" not in repr(settings)


def test_a_dataset_has_to_be_a_table(tmp_path: Path) -> None:
    assert refusal(cwd=tmp_path, toml='[datasets]\nhandbook = "docs"') == (
        "datasets.handbook: the value (from weft.toml:2) is not allowed; "
        'it has to be tables such as [datasets."handbook"]'
    )


def test_tools_are_tables_whose_keys_are_never_shown_and_whose_files_lie_beside_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "weft.toml").write_text(
        '[tools."my api"]\nopenapi = "api.yml"\napi_key = "env:TOOL_KEY"\n'
        "[tools.inline]\nopenapi = '{\"paths\": {}}'\n"
        "[tools.lines]\nopenapi = '''\nopenapi: 3.1.0\npaths: {}\n'''\n"
        '[tools.maps]\nmcp = "https://host/mcp"\nheaders = {X-Key = "env:TOOL_KEY"}\n'
    )
    environ = {"WEFT_CONFIG": "etc/weft.toml", "TOOL_KEY": "tool-hush"}
    settings = load_settings(environ=environ, cwd=tmp_path)
    assert settings.tools == {
        "my api": {"openapi": str(tmp_path / "etc" / "api.yml"), "api_key": "tool-hush"},
        "inline": {"openapi": '{"paths": {}}'},
        "lines": {"openapi": "openapi: 3.1.0\npaths: {}\n"},
        "maps": {"mcp": "https://host/mcp", "headers": {"X-Key": "tool-hush"}},
    }
    assert [row for row in settings.describe() if row.name.startswith('tools."my api"')] == [
        SettingRow('tools."my api".openapi', str(tmp_path / "etc" / "api.yml"), "weft.toml:2"),
        SettingRow('tools."my api".api_key', "********", "weft.toml:3"),
    ]
    assert "hush" not in repr(settings)
