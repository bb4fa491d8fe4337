"""The house put together out of settings: store, models, sandbox, runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import msgspec

from weft.clock import Clock, SystemClock
from weft.egress import Egress, EgressConfig, open_egress
from weft.errors import ConfigError
from weft.files import FileLinks, open_file_store
from weft.ids import Ids, TimeOrderedIds
from weft.nodes import Limits, Services, build_node
from weft.providers import (
    Models,
    ModelsConfig,
    ProviderConfig,
    Timeouts,
    open_models,
    parse_models_config,
)
from weft.retrieval import open_datasets
from weft.runs.annotation_job import AnnotationJobs
from weft.runs.annotation_reply import AnnotationReplies
from weft.runs.app_version import BuildNode, Catalog
from weft.runs.direct_answer import DirectAnswers
from weft.runs.embedder import find_embedder
from weft.runs.filing import Filing
from weft.runs.importing import ServedApp, serve_file
from weft.runs.keys import admin_password, admin_salt, hash_key, operator_token
from weft.runs.lease import Lease
from weft.runs.log_index import LogIndexer
from weft.runs.password import hash_password, is_salted_with
from weft.runs.people import KnownEndUsers
from weft.runs.runner import Runner
from weft.runs.watch import Watch
from weft.runs.workflow_tools import PublishedWorkflows
from weft.sandbox import Sandbox, SandboxLimits, open_sandbox
from weft.settings import Settings, load_server_secret
from weft.store import (
    Account,
    ApiToken,
    Connection,
    ObservedStore,
    Store,
    Workspace,
    accounts,
    keys,
    listening,
    open_search_index,
    open_store,
    workspaces,
)
from weft.tools import Toolbox, parse_tools_config

WORKSPACE_ID = "00000000-0000-7000-8000-000000000001"
"""The workspace that every data directory begins with."""
ADMIN_EMAIL = "admin@weft.local"
LOOK_SECONDS = 1.0
"""How often to look for what other processes have to say."""
LOOK_RARELY_SECONDS = 5.0
"""The same where the database tells of it."""


@dataclass(slots=True)
class Runtime:
    """Everything that a process needs to run apps and to keep their records."""

    settings: Settings
    store: Store
    models: Models
    services: Services
    catalog: Catalog
    end_users: KnownEndUsers
    runner: Runner
    secret: str
    """What keys and links are made with."""
    annotation_replies: AnnotationReplies
    annotation_jobs: AnnotationJobs
    direct_answers: DirectAnswers
    files: Filing
    watch: Watch
    """Looks after paused runs, once a server lets it."""
    has_first_password: bool
    """Whether the first account's password is still the one that `admin` tells."""

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.services.clock

    @property
    def ids(self) -> Ids:
        """New identifiers."""
        return self.services.ids

    @property
    def operator_token(self) -> str:
        """The token for console and archive."""
        return operator_token(self.secret)

    @property
    def admin(self) -> tuple[str, str]:
        """E-mail address and first password of the first account."""
        return ADMIN_EMAIL, admin_password(self.secret)

    async def serve_file(self, path: Path) -> ServedApp:
        """Import a file and make its app ready to run; see `weft.runs.serve_file`."""
        served = await serve_file(
            path,
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            secret=self.secret,
            workspace_id=WORKSPACE_ID,
        )
        self.catalog.compile(served.workflow)
        return served


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    models: Models | None = None,
    sandbox: Sandbox | None = None,
    egress: Egress | None = None,
    build: BuildNode = build_node,
) -> AsyncIterator[Runtime]:
    """Open the store and whatever else runs need; leaving waits for running answers, within a bound.

    Args:
        settings: Every setting.
        clock: The time; the machine's own unless given.
        ids: New identifiers.
        models: Who answers for models; made of the settings unless given.
        sandbox: Where code nodes run; the best that this machine allows unless given.
        egress: Who sends the requests of flows; made of the settings unless given.
        build: Makes a node of its specification.

    Raises:
        ConfigError: A setting cannot be right.
        MigrationError: The data is of a newer version of Weft.
        StoreError: The database cannot be opened.
    """
    clock = clock or SystemClock()
    ids = ids or TimeOrderedIds()
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the data folder {settings.data} cannot be made: {error.strerror}; choose another with --data"
        ) from error
    secret = load_server_secret(settings)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_store(settings.database_url, clock=clock, search_index=settings.server.search_index)
        )
        store = ObservedStore(opened, clock)
        if models is None:
            models = open_models(_models_config(settings), clock=clock)
            stack.push_async_callback(models.close)
        if sandbox is None:
            packages = settings.sandbox.packages
            sandbox = open_sandbox(
                limits=_sandbox_limits(settings),
                concurrency=settings.sandbox.concurrency,
                packages=() if packages is None else (packages,),
            )
            stack.push_async_callback(sandbox.close)
        if egress is None:
            egress = open_egress(_egress_config(settings))
            stack.push_async_callback(egress.close)
        datasets = open_datasets(settings.datasets, vectors=settings.data / "vectors.db")
        stack.push_async_callback(datasets.close)
        tools = Toolbox(parse_tools_config(settings.tools))
        stack.push_async_callback(tools.close)
        content = await open_file_store(settings.files_url)
        stack.push_async_callback(content.close)
        filing = Filing(
            store,
            content,
            FileLinks(secret, clock=clock, base=_public_url(settings)),
            clock=clock,
            ids=ids,
            max_bytes=settings.limits.max_node_file_bytes,
        )
        services = Services(
            clock=clock,
            ids=ids,
            models=models,
            sandbox=sandbox,
            limits=limits_of(settings),
            egress=egress,
            datasets=datasets,
            tools=tools,
            files=filing,
        )
        is_first = await _first_rows(store, secret, clock, ids)
        local = settings.database_url.startswith("sqlite")
        lease = Lease(
            ids.new(), store=store, clock=clock, folder=settings.data / "processes" if local else None
        )
        await lease.open()
        stack.push_async_callback(lease.close)
        catalog = Catalog(build)
        runner = Runner(
            store,
            services,
            owner_id=lease.process_id,
            max_active_requests=settings.server.max_active_requests,
            filing=filing,
            catalog=catalog,
        )
        tools.workflows = PublishedWorkflows(store, catalog, runner, ids, workspace_id=WORKSPACE_ID)
        stack.push_async_callback(runner.close, settings.server.drain_seconds)
        watch = Watch(
            runner,
            store,
            clock,
            process_id=lease.process_id,
            every=LOOK_SECONDS if local else LOOK_RARELY_SECONDS,
        )
        await watch.open()
        stack.push_async_callback(watch.close)
        await stack.enter_async_context(listening(settings.database_url, watch.rouse, clock=clock))
        index = open_search_index(settings.database_url) if settings.server.search_index else None
        indexer = LogIndexer(store, index, clock)
        await indexer.open()
        stack.push_async_callback(indexer.close)
        replies = AnnotationReplies(store, partial(find_embedder, models), clock, ids)
        jobs = AnnotationJobs(replies, store, clock, ids, lease.process_id)
        await jobs.open()
        stack.push_async_callback(jobs.close)
        direct = DirectAnswers(replies, runner, store, services)
        stack.push_async_callback(direct.close)
        yield Runtime(
            settings,
            store,
            models,
            services,
            catalog,
            KnownEndUsers(),
            runner,
            secret,
            replies,
            jobs,
            direct,
            filing,
            watch,
            is_first,
        )


def limits_of(settings: Settings) -> Limits:
    """The limits of runs; those that are settings have the same names there."""
    known = type(settings.limits).model_fields
    names = (field.name for field in fields(Limits) if field.name in known)
    return Limits(**{name: getattr(settings.limits, name) for name in names})


def _public_url(settings: Settings) -> str:
    """What links begin with, before it is known which port was taken where the settings say any."""
    return (settings.server.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")


def _models_config(settings: Settings) -> ModelsConfig:
    """The model services of the settings; a table's own timeouts count before the general ones."""
    key, limits = settings.models_key, settings.limits
    config = parse_models_config(
        providers=settings.providers,
        prices=settings.prices,
        url=settings.models_url or "",
        api_key="" if key is None else key.get_secret_value(),
    )
    timeouts = Timeouts(
        connect=limits.model_connect_seconds,
        first_byte=limits.model_first_byte_seconds,
        between_chunks=limits.model_between_chunks_seconds,
    )

    def timed(provider: ProviderConfig) -> ProviderConfig:
        unset = provider.timeouts == Timeouts()
        return msgspec.structs.replace(provider, timeouts=timeouts) if unset else provider

    return msgspec.structs.replace(
        config,
        providers={name: timed(provider) for name, provider in config.providers.items()},
        default=None if config.default is None else timed(config.default),
    )


def _egress_config(settings: Settings) -> EgressConfig:
    http = settings.http
    return EgressConfig(
        allow_private_addresses=http.allow_private_addresses,
        connect_seconds=http.connect_seconds,
        read_seconds=http.read_seconds,
        write_seconds=http.write_seconds,
        max_text_bytes=http.max_text_bytes,
        max_file_bytes=http.max_file_bytes,
    )


def _sandbox_limits(settings: Settings) -> SandboxLimits:
    sandbox = settings.sandbox
    return SandboxLimits(
        cpu_seconds=sandbox.cpu_seconds,
        wall_seconds=sandbox.wall_seconds,
        memory_bytes=sandbox.memory_mb * 1024 * 1024,
    )


async def _first_rows(store: Store, secret: str, clock: Clock, ids: Ids) -> bool:
    """The workspace, its first account and the operator's token, made by whoever opens the data first.

    Returns:
        Whether the account still has its first password.
    """
    now, token, account_id, token_id = clock.now(), operator_token(secret), ids.new(), ids.new()
    known = await store.read_quick(lambda connection: accounts.find_by_email(connection, ADMIN_EMAIL))
    password = (
        "" if known else await asyncio.to_thread(hash_password, admin_password(secret), admin_salt(secret))
    )

    def write(connection: Connection) -> None:
        workspaces.find_or_create(connection, Workspace(WORKSPACE_ID, "Weft", now))
        if accounts.find_by_email(connection, ADMIN_EMAIL) is None:
            accounts.create(
                connection,
                Account(
                    id=account_id,
                    email=ADMIN_EMAIL,
                    name="Admin",
                    created_at=now,
                    updated_at=now,
                    workspace_id=WORKSPACE_ID,
                    role="owner",
                    password_hash=password,
                ),
            )
        if keys.find_by_hash(connection, hash_key(token)) is None:
            keys.create(
                connection,
                ApiToken(
                    id=token_id,
                    kind="operator",
                    token_hash=hash_key(token),
                    hint=token[-4:],
                    created_at=now,
                    workspace_id=WORKSPACE_ID,
                ),
            )

    await store.write(write)
    return known is None or is_salted_with(known.password_hash or "", admin_salt(secret))
