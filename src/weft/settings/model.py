"""Every setting: its name, type, default, bounds and what it is for; `load` knows where values come from.

They stand in the order of `weft config` and of the reference page. The name of a setting is its path in
`weft.toml` (``limits.max_steps``); `names` derives the environment variable and the option from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PrivateAttr, SecretStr

from weft.settings.names import MASK, TABLES, dotted, fields, holds_secret, shown

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of `weft config`."""

    name: str
    """Path of the setting, e.g. ``limits.max_steps``."""
    value: str
    """For people; secrets are masked."""
    source: str
    """``--port``, ``WEFT_PORT``, ``weft.toml:12`` or ``default``."""


class Section(BaseModel):
    """A table of `weft.toml`; values are validated once and do not change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class ServerSettings(Section):
    """How the server treats connections and requests."""

    drain_seconds: float = Field(
        default=20,
        ge=0,
        description="How long running answers may go on after the server was told to stop.",
    )
    ping_seconds: float = Field(
        default=10, gt=0, description="Time between two keep-alive frames of an event stream."
    )
    max_body_bytes: ByteSize = Field(
        default=ByteSize(15 * MIB),
        ge=KIB,
        description="Largest request body, except for uploads of files; a larger one gets status 413.",
    )
    max_active_requests: int = Field(
        default=0,
        ge=0,
        description="Answers that one app may be working on at the same time; 0 means no limit. "
        "An app's own limit counts when it is smaller.",
    )
    key_requests_per_minute: int = Field(
        default=0,
        ge=0,
        description="Requests a minute with one key, counted in each server process by itself; 0 means no "
        "limit. A tenth of them may come at once.",
    )
    user_requests_per_minute: int = Field(
        default=0,
        ge=0,
        description="Requests a minute for one end user of an app, counted in the same way; 0 means no "
        "limit.",
    )
    max_head_bytes: ByteSize = Field(
        default=ByteSize(64 * KIB),
        ge=KIB,
        description="Largest address and headers of a request together; larger ones get status 431.",
    )
    max_head_seconds: float = Field(
        default=20, gt=0, description="Longest time that a client may take to send a request's headers."
    )
    max_upload_seconds: float = Field(
        default=600,
        gt=0,
        description="Longest time that a client may take to send a request's body; then it gets status 408.",
    )
    max_stall_seconds: float = Field(
        default=60,
        gt=0,
        description="How long a client may take nothing of an answer before its connection is closed; a run "
        "goes on.",
    )
    cors_origins: str = Field(
        default="*",
        pattern=r"^(\*|(https?://[^\s/,]+([\s,]+|$))*)$",
        description="Where pages come from that may call the service API from a browser: `*` for anywhere, "
        "nothing for nowhere, or addresses separated by blanks.",
        json_schema_extra={"allowed": "* or addresses without a path, such as https://shop.example.com"},
    )
    trusted_proxies: str = Field(
        default="",
        pattern=r"^(\*|([0-9A-Fa-f:./]+([\s,]+|$))*)$",
        description="Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` say where a request comes from: "
        "addresses or networks separated by blanks, `*` for any; nothing to believe nobody.",
        json_schema_extra={"default": "nobody", "allowed": "addresses or networks, such as 10.0.0.0/8, or *"},
    )
    metrics: bool = Field(
        default=False, description="Tell numbers about the server at `/metrics`, for Prometheus."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The bearer token that may read them.",
        json_schema_extra={
            "default": "the operator's token",
            "allowed": "a text of 16 characters or more",
        },
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="Address under which others reach this server; links to files begin with it.",
        json_schema_extra={
            "default": "the address that it listens on",
            "allowed": "an address that starts with http:// or https://",
        },
    )
    blocked_extensions: str = Field(
        default="",
        pattern=r"^\s*[\w.]*\s*(,\s*[\w.]+\s*)*$",
        description="Extensions of files that may not be uploaded, separated by commas.",
        json_schema_extra={"default": "none", "allowed": "extensions such as exe, bat"},
    )
    stop_when_client_leaves: bool = Field(
        default=False,
        description="Stop a run when its client closes the stream, instead of finishing and recording it.",
    )
    console_origins: str = Field(
        default="",
        pattern=r"^(https?://[^\s/,]+([\s,]+|$))*$",
        description="Where pages come from that may call the console API from a browser, e.g. "
        "https://console.example.com; several are separated by blanks. None means only pages of this server.",
        json_schema_extra={
            "default": "none",
            "allowed": "addresses without a path, such as https://console.example.com",
        },
    )
    secure_cookies: bool = Field(
        default=False,
        description="Tell browsers to send the console's cookies over https only; for a server behind a "
        "proxy that speaks https.",
    )
    show_keys: bool = Field(
        default=True,
        description="Show app keys in full whenever the console lists them, as Dify does; otherwise once, "
        "when they are made.",
    )
    search_index: bool = Field(
        default=True,
        description="Keep an index of what was said, so that a search of logs takes milliseconds however "
        "long they are. It needs some five times the room of the texts. All servers of one database need "
        "the same value.",
    )
    max_login_failures: int = Field(
        default=100,
        ge=0,
        description="Failed logins from one network address within a quarter of an hour; 0 means no limit. "
        "One account is locked after six in any case.",
    )


class Limits(Section):
    """What one run may use before it fails with an error that names the limit."""

    max_steps: int = Field(
        default=500,
        ge=1,
        description="Nodes that one run may start, retries included, those inside containers not.",
    )
    max_run_seconds: float = Field(default=1200, gt=0, description="Duration of one run.")
    max_call_depth: int = Field(
        default=5, ge=1, description="Workflows that call one another as tools, one inside the other."
    )
    max_parallel: int = Field(
        default=50, ge=1, description="Nodes of one run that wait for something outside at the same time."
    )
    max_variable_bytes: ByteSize = Field(
        default=ByteSize(200 * KIB), ge=1, description="Size of one conversation variable, written as JSON."
    )
    max_template_chars: int = Field(
        default=400_000, ge=1, description="Length of the text that a template node produces."
    )
    max_string_chars: int = Field(
        default=400_000, ge=1, description="Length of a text that a code node returns."
    )
    max_string_array: int = Field(
        default=30, ge=1, description="Items of an array[string] that a code node returns."
    )
    max_number_array: int = Field(
        default=1000, ge=1, description="Items of an array[number] that a code node returns."
    )
    max_object_array: int = Field(
        default=30, ge=1, description="Items of an array[object] that a code node returns."
    )
    max_object_depth: int = Field(
        default=5, ge=1, description="Levels of an object that a code node returns."
    )
    max_number_precision: int = Field(
        default=20, ge=0, description="Decimal places of a number that a code node returns."
    )
    max_number: int = Field(
        default=2**63 - 1, ge=1, description="Largest number that a code node returns, with either sign."
    )
    max_memory_turns: int = Field(
        default=500,
        ge=1,
        description="Earlier exchanges that a model is given when its memory has no window of its own.",
    )
    default_memory_tokens: int = Field(
        default=2000, ge=1, description="Room for them where the size of the model's context is unknown."
    )
    model_connect_seconds: float = Field(
        default=10, gt=0, description="Wait for a connection to a model service."
    )
    model_first_byte_seconds: float = Field(
        default=300,
        gt=0,
        description="Wait for the first byte of a model's reply; models that think need long.",
    )
    model_between_chunks_seconds: float = Field(
        default=120, gt=0, description="Longest silence between two pieces of a model's reply."
    )
    max_upload_files: int = Field(default=10, ge=1, description="Files in one message.")
    max_document_bytes: ByteSize = Field(
        default=ByteSize(15 * MIB),
        ge=1,
        description="Size of an uploaded file that is neither image, audio nor video.",
    )
    max_image_bytes: ByteSize = Field(
        default=ByteSize(10 * MIB), ge=1, description="Size of an uploaded image."
    )
    max_audio_bytes: ByteSize = Field(
        default=ByteSize(50 * MIB), ge=1, description="Size of an uploaded audio file."
    )
    max_video_bytes: ByteSize = Field(
        default=ByteSize(100 * MIB), ge=1, description="Size of an uploaded video."
    )
    max_node_file_bytes: ByteSize = Field(
        default=ByteSize(100 * MIB),
        ge=1,
        description="Size of one kept file that a node reads, to send it or its text, or that a tool makes.",
    )
    max_shown_bytes: ByteSize = Field(
        default=ByteSize(20 * MIB),
        ge=1,
        description="Size of all uploaded files together that a model is shown in one call.",
    )


class HttpSettings(Section):
    """Requests that chatflows send to addresses of their own choice."""

    connect_seconds: float = Field(
        default=10, gt=0, description="Wait for a connection; a node may ask for less."
    )
    read_seconds: float = Field(
        default=600, gt=0, description="Longest silence of the other side; a node may ask for less."
    )
    write_seconds: float = Field(
        default=600, gt=0, description="Longest time to send a piece; a node may ask for less."
    )
    max_text_bytes: ByteSize = Field(
        default=ByteSize(1 * MIB), ge=1, description="Size of a response that is text."
    )
    max_file_bytes: ByteSize = Field(
        default=ByteSize(10 * MIB), ge=1, description="Size of a response that is a file."
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Let chatflows reach this machine and its private networks. Whoever can edit an app "
        "can then read what answers there.",
    )


class SandboxSettings(Section):
    """What one run of a code node may use."""

    cpu_seconds: float = Field(default=10, gt=0, description="Processor time of one run of code.")
    wall_seconds: float = Field(default=60, gt=0, description="Duration of one run of code.")
    memory_mb: int = Field(default=256, ge=32, description="Memory of one run of code, in MiB.")
    concurrency: int | None = Field(
        default=None,
        ge=1,
        description="Runs of code at the same time; further ones wait.",
        json_schema_extra={"default": "two for each processor"},
    )
    packages: Path | None = Field(
        default=None,
        description="A folder whose modules code may import besides the standard library, e.g. the "
        "`site-packages` of an environment made for this. Code can read all that lies in it.",
    )


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ArchiveSettings(Section):
    """Where conversations are pulled from when a command does not say, and how long they are kept."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="Address of the server's API, e.g. https://api.dify.ai/v1.",
        json_schema_extra={"allowed": "an address that starts with http:// or https://"},
    )
    app_id: str | None = Field(
        default=None, min_length=1, description="The app whose conversations are pulled."
    )
    api_key: SecretStr | None = Field(default=None, min_length=1, description="The key that may read them.")
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after its last activity until a conversation may be deleted; none means never.",
    )
    store_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days after its last activity until a conversation that the archive has is deleted from "
        "this server's own database, to keep that small; 0 keeps all. Fewer than `retention_days`.",
    )
    unused_file_days: int = Field(
        default=30,
        ge=0,
        le=36_500,
        description="Days until an upload that no conversation and no run has used is deleted, when old "
        "conversations are; 0 keeps them.",
    )
    auto_pull: bool = Field(
        default=False, description="Pull new conversations in the background while the server runs."
    )
    folder: Path | None = Field(
        default=None,
        description="The archive's folder; conversations lie below `logs` in it.",
        json_schema_extra={"default": "<data>/archive"},
    )
    organization_id: str | None = Field(
        default=None, min_length=1, description="The organisation under which they are filed."
    )
    redact: bool = Field(
        default=False,
        description="Take keys, e-mail addresses, account and card numbers and telephone numbers out of "
        "conversations before they are stored.",
    )
    redact_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Keep what `redact` takes out, encrypted with this key, so that `weft archive reveal` "
        "can show it; without a key it is gone. Whoever loses the key has redacted for good.",
        json_schema_extra={"default": "none", "allowed": "a text of 32 characters or more"},
    )
    redact_tokens: Annotated[Literal["conversation", "archive"], BeforeValidator(_lower)] = Field(
        default="conversation",
        description="With a key, where the same text has the same token: within one conversation, or in the "
        "whole archive, which allows joins and tells what conversations have in common.",
    )
    files: Annotated[Literal["auto", "on", "off"], BeforeValidator(_lower)] = Field(
        default="auto",
        description="Keep the bytes of files that came with messages, since the links of a server expire. "
        "`auto` keeps them unless `redact` is on: what is in a file cannot be taken out of it.",
    )
    file_kinds: str = Field(
        default="image document audio video custom",
        pattern=r"^\s*((image|document|audio|video|custom)([\s,]+|$))+$",
        description="Kinds of files that are kept, separated by blanks.",
        json_schema_extra={"allowed": "image, document, audio, video, custom"},
    )
    max_file_bytes: ByteSize = Field(
        default=ByteSize(50 * MIB),
        ge=1,
        description="Size of one file that is kept; of a larger one only its record is.",
    )
    pull_schedule: str = Field(
        default="0 2 * * *",
        pattern=r"^\S+( +\S+){4}$",
        description="When `auto_pull` pulls, as a cron expression.",
        json_schema_extra={"allowed": "five cron fields such as 0 2 * * *"},
    )
    clean_schedule: str = Field(
        default="0 3 * * 0",
        pattern=r"^\S+( +\S+){4}$",
        description="When conversations older than `retention_days` and `store_days` are deleted, as a cron "
        "expression.",
        json_schema_extra={"allowed": "five cron fields such as 0 3 * * 0"},
    )
    pack_after_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after its end until a day's files are packed, by `copy_schedule`; they take a "
        "quarter of the room, and readers see no difference. None never packs.",
        json_schema_extra={"default": "never"},
    )
    bucket: str | None = Field(
        default=None,
        pattern=r"^(s3|gs|az)://[^\s/?#]+(/[^\s?#]*)?$|^file:///[^\s?#]+$",
        description="Where days that have ended are copied to, by `copy_schedule`: s3://, gs:// or az:// "
        "with a bucket and perhaps a prefix, or file:// and a folder. Keys and regions are taken from the "
        "environment, as the cloud's own tools do.",
        json_schema_extra={"allowed": "an address that starts with s3://, gs://, az:// or file:///"},
    )
    copy_schedule: str = Field(
        default="0 4 * * *",
        pattern=r"^\S+( +\S+){4}$",
        description="When the archive is packed and copied to `bucket`, as a cron expression.",
        json_schema_extra={"allowed": "five cron fields such as 0 4 * * *"},
    )
    report_schedule: str | None = Field(
        default=None,
        pattern=r"^\S+( +\S+){4}$",
        description="When a report on the last full week is written, as a cron expression; none writes none.",
        json_schema_extra={"allowed": "five cron fields such as 0 6 * * 1"},
    )
    report_folder: Path | None = Field(
        default=None,
        description="Where these reports are written.",
        json_schema_extra={"default": "logs/reports in the archive's folder"},
    )
    timezone: str = Field(
        default="UTC", min_length=1, description="The time zone of the schedules, e.g. Europe/Berlin."
    )
    webhook_urls: str = Field(
        default="",
        pattern=r"^(https?://[^\s,]+([\s,]+|$))*$",
        repr=False,
        description="Addresses that are told of failed and recovered work and of a disk that is filling up, "
        "separated by blanks.",
        json_schema_extra={"default": "none", "allowed": "addresses that start with http:// or https://"},
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What these messages are signed with; they need one.",
        json_schema_extra={"allowed": "a text of 32 characters or more"},
    )
    pull_private_addresses: bool = Field(
        default=True,
        description="Let requests and schedules that name an address pull from this machine and its private "
        "networks, where most servers are. Switch it off where people make them whom you would not let "
        "there; sources in the settings may be anywhere.",
    )
    webhook_private_addresses: bool = Field(
        default=False, description="Let these addresses be of this machine and its private networks."
    )
    min_free_bytes: ByteSize = Field(
        default=ByteSize(1024 * MIB),
        ge=0,
        description="With less room than this on the archive's disk, it is said to be filling up.",
    )


class JobsSettings(Section):
    """Background work: pulls, retention, verification."""

    in_server: bool = Field(
        default=True,
        description="Do background work inside of `weft serve`; otherwise `weft worker` does it.",
    )
    pulls_at_once: int = Field(default=2, ge=1, description="Pulls at the same time, by all processes.")
    keep_days: float = Field(
        default=30, gt=0, description="Days until background work that has ended is forgotten."
    )


class LogSettings(Section):
    """What the server says of itself."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", description="The least important messages that are still written."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="Lines for people, or one JSON object a line for a log collector."
    )
    requests: bool = Field(
        default=True, description="Write a line for each request, at the level info, without its contents."
    )


class TracingSettings(Section):
    """Where runs are traced to."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+",
        description="Address that takes spans as OTLP over HTTP, e.g. http://127.0.0.1:4318/v1/traces. Needs "
        "the extra `otel`.",
        json_schema_extra={"allowed": "an address that starts with http:// or https://"},
    )
    service: str = Field(default="weft", min_length=1, description="What this server is called there.")
    contents: bool = Field(
        default=False,
        description="Send what people and models said, and what nodes took and gave, along with the spans.",
    )


def _data_folder() -> Path:
    from platformdirs import user_data_path  # costs milliseconds that a given folder saves

    return user_data_path("weft", appauthor=False)


class Settings(Section):
    """All settings, validated.

    `load_settings` makes one from the command line, the environment and `weft.toml`; a test may call the
    class itself: ``Settings(data=folder)``.
    """

    data: Path = Field(
        default_factory=_data_folder,
        description="The folder for everything that has to be kept; copy it and you have a backup.",
        json_schema_extra={"default": "the platform's folder for user data, e.g. ~/.local/share/weft"},
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; 0.0.0.0 for all of this machine's.",
        json_schema_extra={"allowed": "a host name or an IP address"},
    )
    port: int = Field(default=8600, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    database_url: str = Field(
        default_factory=lambda data: f"sqlite:///{data['data']}/weft.db" if "data" in data else "sqlite://",
        pattern=r"^(sqlite|postgres|postgresql)(\+[a-z0-9]+)?://",
        repr=False,
        description="Where records are kept. Several servers share one Postgres database.",
        json_schema_extra={
            "default": "sqlite:///<data>/weft.db",
            "allowed": "an address that starts with sqlite:// or postgresql://",
        },
    )
    files_url: str = Field(
        default_factory=lambda data: f"file://{data['data']}/files" if "data" in data else "memory://",
        pattern=r"^(file|s3|gs|az|memory)://",
        repr=False,
        description="Where uploaded and produced files are kept. Several servers share one object store.",
        json_schema_extra={
            "default": "file://<data>/files",
            "allowed": "an address that starts with file://, s3://, gs://, az:// or memory://",
        },
    )
    models_url: str | None = Field(
        default=None,
        pattern=r"^(scripted$|https?://[^\s/]+)",
        repr=False,
        description="Address of an OpenAI-compatible service that answers for every model without a provider "
        "of its own, e.g. http://127.0.0.1:11434/v1; `scripted` answers without any service.",
        json_schema_extra={"allowed": "an address that starts with http:// or https://, or scripted"},
    )
    models_key: SecretStr | None = Field(default=None, min_length=1, description="The key for that service.")
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="What the server signs links and tokens with; the same for all servers of one database.",
        json_schema_extra={
            "default": "made once, in <data>/secret",
            "allowed": "a text of 32 characters or more",
        },
    )
    server: ServerSettings = ServerSettings()
    limits: Limits = Limits()
    http: HttpSettings = HttpSettings()
    sandbox: SandboxSettings = SandboxSettings()
    archive: ArchiveSettings = ArchiveSettings()
    jobs: JobsSettings = JobsSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    providers: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        repr=False,
        description="Model services by name, one table each. A key or header may be `env:NAME`, the "
        "environment variable that holds it.",
        json_schema_extra={"default": "none", "allowed": 'tables such as [providers."openai"]'},
    )
    prices: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        description="What a model costs, one table each.",
        json_schema_extra={"default": "none", "allowed": 'tables such as [prices."openai/gpt-4o"]'},
    )
    datasets: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        repr=False,
        description="What knowledge retrieval searches, by the id that apps have for it: a `folder` of text "
        "files, a `dify` server, or an `external` knowledge service, the last two with their `api_key`, "
        "which may be `env:NAME`.",
        json_schema_extra={"default": "none", "allowed": 'tables such as [datasets."handbook"]'},
    )

    tools: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        repr=False,
        description="Tools by the name of their provider in apps: the operations of an API, by the `openapi` "
        "file that describes it, the tools of an `mcp` server, the name of an `app` served here that is a "
        "workflow, or keys for an installed provider. A key or header may be `env:NAME`.",
        json_schema_extra={"default": "none", "allowed": 'tables such as [tools."my api"]'},
    )

    sources: dict[str, dict[str, object]] = Field(
        default_factory=dict,
        repr=False,
        description="Where the archive pulls from, by name, besides what `archive.url` says: the `kind` "
        "(`folder`, `console`, `app-key` or `own-store`), its `path` or `url`, `app_id` and `api_key`, which "
        "may be `env:NAME`, and an `organization_id`.",
        json_schema_extra={"default": "none", "allowed": 'tables such as [sources."shop"]'},
    )

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def source(self, name: str) -> str:
        """Where the value of a setting came from.

        Args:
            name: Path of the setting, e.g. ``limits.max_steps``.

        Returns:
            An option (``--port``), a variable (``WEFT_PORT``), a line (``weft.toml:12``) or ``default``.
        """
        return self._sources.get(name, "default")

    def describe(self) -> list[SettingRow]:
        """Every setting in force and where it came from."""
        return [SettingRow(name, value, self.source(name)) for name, value in self._values()]

    def _values(self) -> Iterator[tuple[str, str]]:
        for name, _ in fields(Settings):
            value: object = self
            for part in name.split("."):
                value = getattr(value, part)
            if name in TABLES and isinstance(value, dict):
                for title, table in value.items():
                    for key, inner in table.items():
                        text = MASK if holds_secret((key,)) and isinstance(inner, str) else shown(inner)
                        yield dotted((name, title, key)), text
            elif name == "secret" and value is None:
                yield name, f"kept in {self.data / 'secret'}"
            else:
                yield name, shown(value)
