"""Which source is meant: from what a person, a settings file or a request says to an open `Source`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from weft.archive.folder_source import FolderSource
from weft.archive.source import Source
from weft.clock import Clock
from weft.errors import ConfigError

if TYPE_CHECKING:
    from weft.files import FileStore
    from weft.store import Store

SourceKind = Literal["folder", "console", "app-key", "own-store"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)
TRIES = 3
"""Of single requests; what fails even so the pull tries again, after a pause for everybody."""
_FIELDS = ("kind", "url", "app_id", "api_key", "organization_id", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Where conversations are to be pulled from."""

    kind: SourceKind
    """``folder``: files; ``console``: all of a server's apps; ``app-key``: what the key of an app can see;
    ``own-store``: this server's own records."""
    url: str = ""
    """Address of the server's API."""
    app_id: str = ""
    """None means every app that can be read."""
    api_key: str = field(default="", repr=False)
    """The key of an app, or ``email:password`` of a console's account; used and forgotten."""
    organization_id: str | None = None
    path: Path | None = None
    """Of a folder or a file."""
    is_guarded: bool = False
    """Whether the server has to be at a public address, as somebody from outside has named it."""

    @classmethod
    def parse(cls, name: str, table: Mapping[str, object]) -> SourceSpec:
        """A source as the settings describe it.

        Args:
            name: Of the source, for messages.
            table: Its fields; all but the kind may be absent.

        Raises:
            ConfigError: A field is unknown, missing or of the wrong type.
        """
        unknown = sorted(set(table) - set(_FIELDS))
        if unknown:
            raise ConfigError(f"source {name!r}: unknown field {unknown[0]!r}; known: {', '.join(_FIELDS)}")
        wrong = [key for key, value in table.items() if not isinstance(value, str) or not value]
        if wrong:
            raise ConfigError(f"source {name!r}: {wrong[0]} has to be a text that is not empty")
        fields = cast("Mapping[str, str]", table)
        kind: str = fields.get("kind") or kind_of_key(fields.get("api_key", ""))
        if kind not in SOURCE_KINDS:
            raise ConfigError(f"source {name!r}: kind {kind!r} is unknown; known: {', '.join(SOURCE_KINDS)}")
        needed = {"folder": ("path",), "console": ("url", "api_key"), "app-key": ("url", "api_key")}
        for key in needed.get(kind, ()):
            if key not in fields:
                raise ConfigError(f"source {name!r}: a source of the kind {kind!r} needs {key!r}")
        return cls(
            kind=kind,
            url=fields.get("url", ""),
            app_id=fields.get("app_id", ""),
            api_key=fields.get("api_key", ""),
            organization_id=fields.get("organization_id"),
            path=Path(fields["path"]) if "path" in fields else None,
        )


def kind_of_key(key: str) -> SourceKind:
    """What a key opens: keys of apps begin with ``app-``, everything else is a login of the console."""
    return "app-key" if key.startswith("app-") else "console"


@asynccontextmanager
async def open_source(
    spec: SourceSpec,
    *,
    clock: Clock,
    store: Store | None = None,
    files: FileStore | None = None,
    concurrency: int = 8,
    requests_per_second: float | None = None,
    with_runs: bool = True,
    users: Sequence[str] = (),
) -> AsyncIterator[Source]:
    """The source that is meant, for as long as the context is open.

    Args:
        spec: What is meant.
        clock: Tells the time, and waits.
        store: This server's records, for the kind ``own-store``.
        files: The bytes of this server's files, for the same kind; none leaves them out.
        concurrency: Requests to a server at the same time, 1 to 50.
        requests_per_second: At most; none does not limit them.
        with_runs: Whether runs are fetched from servers as well.
        users: People whose conversations an app key is to ask for, besides those that it finds.

    Raises:
        ConfigError: Something that this kind of source needs is missing or cannot be right.
    """
    if spec.kind == "folder":
        if spec.path is None:
            raise ConfigError("a source of the kind 'folder' needs a path")
        yield FolderSource(spec.path, spec.organization_id)
        return
    # Servers need an HTTP library and the store a database, which take long to import.
    from weft.archive import sources
    from weft.client import AsyncClient, AsyncConsoleClient, RetryPolicy

    retry = RetryPolicy(tries=TRIES)
    transport = sources.GuardedTransport() if spec.is_guarded else sources.AiohttpTransport()
    app_ids = [spec.app_id] if spec.app_id else None
    if spec.kind == "own-store":
        if store is None:
            raise ConfigError(
                "a source of the kind 'own-store' can be read by a server only, not from outside"
            )
        yield sources.StoreSource(
            store, clock=clock, app_ids=app_ids, organization_id=spec.organization_id, files=files
        )
    elif spec.kind == "app-key":
        async with AsyncClient(
            spec.url,
            spec.api_key,
            retry=retry,
            transport=transport,
            sleep=clock.sleep,
            now=clock.now,
        ) as client:
            yield sources.AppKeySource(
                client,
                clock=clock,
                app_id=spec.app_id,
                users=users,
                organization_id=spec.organization_id,
                with_runs=with_runs,
                concurrency=concurrency,
                requests_per_second=requests_per_second,
                is_guarded=spec.is_guarded,
            )
    else:
        email, found, password = spec.api_key.partition(":")
        if not found or not email or not password:
            raise ConfigError("the key of a console has to be 'email:password' of an account")
        async with AsyncConsoleClient(
            spec.url,
            email,
            password,
            retry=retry,
            transport=transport,
            sleep=clock.sleep,
            now=clock.now,
        ) as console:
            yield sources.ConsoleSource(
                console,
                clock=clock,
                app_ids=app_ids,
                organization_id=spec.organization_id,
                with_runs=with_runs,
                concurrency=concurrency,
                requests_per_second=requests_per_second,
                is_guarded=spec.is_guarded,
            )
