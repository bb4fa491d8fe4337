"""`weft archive pull`, `clean` and `import`: changing the archive."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from weft.cli.archive.own_store import has_database
from weft.cli.archive.place import Where, print_json, read_date, reading, size, writing
from weft.cli.archive.progress import showing
from weft.cli.failure import BadCallError
from weft.cli.memory import settle_memory
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.archive import Archive, PullReport, Query, SourceSpec
    from weft.settings import Settings

PULL = """\
Examples:

  weft archive pull                         from archive.url with archive.api_key, and every [sources.<name>];
                                            where neither is set, from this machine's own server
  weft archive pull --source shop           from one of them
  weft archive pull --folder exports/       from files in the guide's format
  DIFY_API_KEY=app-... weft archive pull --url https://api.dify.ai/v1 --app-id 0199a2b4-...
  DIFY_API_KEY=ann@example.com:password weft archive pull --url https://dify.example.com

The key of an app sees what was said through the API; the app's id stands in the address of its page. An
account that may read logs (email:password) sees all conversations of all its apps. A pull goes on where the
last one stopped; what has not changed writes nothing. Keys are taken from settings and the environment only,
so that none stands in a list of processes.

Exit codes: 0, 1 when something could not be had, 2 when the call or a setting is wrong."""
CLEAN = """\
Examples:

  weft archive clean --days 30 --dry-run
  weft archive clean --days 30 --organization-id org-1

Deleted are whole conversations, by their last activity, each read back and noted in the audit log; what is on
hold stays.

Exit codes: 0, 1 when it was refused or damaged files were left, 2 when the call is wrong."""
IMPORT = """\
Examples:

  weft archive import october.json
  weft archive import exports/ --organization-id org-1 --json

Exit codes: 0, 1 when something could not be taken in, 2 when the call is wrong."""
OWN = "own"
"""Names the records of this machine's own server, where the settings name no source."""
_NOBODY = Where()
_SHOWN = 20


def pull(
    *,
    source: Annotated[str | None, Parameter(show_default=False)] = None,
    folder: Annotated[Path | None, Parameter(show_default=False)] = None,
    url: Annotated[str | None, Parameter(show_default=False)] = None,
    app_id: Annotated[str | None, Parameter(show_default=False)] = None,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    start: Annotated[str | None, Parameter(show_default=False)] = None,
    end: Annotated[str | None, Parameter(show_default=False)] = None,
    restart: Annotated[bool, Parameter(negative="")] = False,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Copy new and changed conversations into the archive.

    Args:
        source: A source of the settings; all of them unless given.
        folder: A file or folder of exports, instead.
        url: Address of a server, instead; DIFY_API_KEY is the key of an app there, or an account's login.
        app_id: The app there; with an account all of its apps unless given.
        organization_id: File everything under this organisation.
        start: Only conversations created on this day or later.
        end: Only conversations created on this day or earlier.
        restart: Begin at the start of the source, whatever was pulled before.
    """
    settings = where.settings
    specs = _specs(settings, source, folder, url, app_id, organization_id)
    query = _range(start, end)
    results: list[dict[str, object]] = []
    with writing(settings) as archive:
        for name, spec in specs:
            with showing(f"Pulling {name}") as say:
                results.append(
                    {
                        "source": name,
                        **_pulled(archive, spec, query, settings, restart=restart, say=say),
                    }
                )
    failed = [result for result in results if not result["success"]]
    if as_json:
        print_json({"success": not failed, "results": results})
        return 1 if failed else 0
    screen = Screen(sys.stdout)
    is_own = [name for name, _ in specs] == [OWN] and not settings.sources
    for result in results:
        label = "own (this server's own records)" if is_own else str(result["source"])
        screen.line(
            f"{label}: {result['written']} written, {result['unchanged']} unchanged, "
            f"{result['failed']} failed{_told_files(result)}"
        )
        errors = result["errors"] if isinstance(result["errors"], list) else []
        for error in errors[:_SHOWN]:
            screen.line(f"  {error}", "red")
        if len(errors) > _SHOWN:
            screen.line(f"  and {len(errors) - _SHOWN} more; --json lists them", "red")
    return 1 if failed else 0


def clean(
    *,
    days: Annotated[float | None, Parameter(show_default=False)] = None,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    max_share: float = 1.0,
    trust_clock: Annotated[bool, Parameter(negative="")] = False,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Delete conversations whose last activity is older than some days.

    Args:
        days: Days to keep; the setting archive.retention_days unless given.
        organization_id: Only this organisation's.
        dry_run: Say what would go, and delete nothing.
        max_share: Refuse when more than this share of all conversations would go, 0 to 1.
        trust_clock: Go on although the clock is more than a year ahead of everything in the archive.
    """
    settings = where.settings
    keep = settings.archive.retention_days if days is None else days
    if keep is None:
        raise BadCallError("say how many --days to keep, or set archive.retention_days")
    if dry_run:
        return _preview(where, keep, organization_id, as_json=as_json)
    with writing(settings) as archive, showing("Cleaning"):
        result = archive.clean_old_logs(keep, organization_id, max_share=max_share, trust_clock=trust_clock)
    if as_json:
        print_json(
            {
                "success": result.success,
                "message": result.message,
                "deleted_files": result.deleted_files,
                "deleted_size_bytes": result.deleted_size_bytes,
            }
        )
    else:
        Screen(sys.stdout).line(
            f"{result.message}: {result.deleted_files:,} conversations, {size(result.deleted_size_bytes)}"
        )
    return 0 if result.success else 1


def take_in(
    path: Path,
    *,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Take in conversations from files, or from another archive, byte for byte.

    Args:
        path: A file or a folder of exports, or an archive's folder.
        organization_id: File everything under this organisation.
    """
    if not path.exists():
        raise BadCallError(f"{path}: there is no such file or folder")
    with writing(where.settings) as archive, showing(f"Importing {path}"):
        done = archive.import_folder(path, organization_id)
    if as_json:
        print_json(
            {
                "success": not done.failed,
                "written": done.written,
                "unchanged": done.unchanged,
                "failed": [{"id": failure.id, "reason": failure.reason} for failure in done.failed],
            }
        )
    else:
        screen = Screen(sys.stdout)
        screen.line(f"{done.written} written, {done.unchanged} unchanged, {len(done.failed)} failed")
        for failure in done.failed[:_SHOWN]:
            screen.line(f"  {failure.id}: {failure.reason}", "red")
    return 1 if done.failed else 0


def _told_files(result: dict[str, object]) -> str:
    """What became of attached files, where there were any."""
    got, missing = result.get("files"), result.get("files_missing")
    if not got and not missing:
        return ""
    return f"; {got} files" + (f", {missing} could not be had" if missing else "")


def _specs(
    settings: Settings,
    source: str | None,
    folder: Path | None,
    url: str | None,
    app_id: str | None,
    organization_id: str | None,
) -> Sequence[tuple[str, SourceSpec]]:
    from dataclasses import replace

    from weft.archive import SourceSpec, kind_of_key

    if sum(given is not None for given in (source, folder, url)) > 1:
        raise BadCallError("give one of --source, --folder and --url")
    if folder is not None and not folder.exists():
        raise BadCallError(f"{folder}: there is no such file or folder")
    if folder is not None:
        return [(str(folder), SourceSpec(kind="folder", path=folder, organization_id=organization_id))]
    secret = settings.archive.api_key
    key = "" if secret is None else secret.get_secret_value()
    known: dict[str, SourceSpec] = {}
    address = url or settings.archive.url
    if address is not None and (url is not None or key):
        if not key:
            raise BadCallError("a server needs a key: set DIFY_API_KEY")
        wanted = app_id if url is not None else app_id or settings.archive.app_id
        if url is not None and not wanted and kind_of_key(key) == "app-key":
            raise BadCallError(
                "the key of an app does not tell its id: give --app-id; it stands in the address of the "
                "app's page, /app/ID/..."
            )
        known["default"] = SourceSpec(
            kind=kind_of_key(key),
            url=address,
            app_id=wanted or "",
            api_key=key,
            organization_id=settings.archive.organization_id,
        )
    if url is None:
        known |= {name: SourceSpec.parse(name, table) for name, table in settings.sources.items()}
    if not known and has_database(settings):
        own = SourceSpec(
            kind="own-store", app_id=app_id or "", organization_id=settings.archive.organization_id
        )
        known[OWN] = own
    names = list(known) if source is None else [source]
    if not names:
        raise BadCallError(
            "no source is set: give --folder, --url or --source, or set archive.url and its key"
        )
    if source is not None and source not in known:
        raise BadCallError(f"the settings have no source {source!r}; known: {', '.join(known) or 'none'}")
    return [
        (name, replace(known[name], organization_id=organization_id or known[name].organization_id))
        for name in names
    ]


def _range(start: str | None, end: str | None) -> Query | None:
    if start is None and end is None:
        return None
    from weft.archive import Query

    return Query(start=read_date(start, "--start"), end=read_date(end, "--end"))


def _pulled(
    archive: Archive,
    spec: SourceSpec,
    query: Query | None,
    settings: Settings,
    *,
    restart: bool,
    say: Callable[[str], None],
) -> dict[str, object]:
    from weft.errors import ArchiveError, ConfigError, WeftError

    try:
        report = asyncio.run(_pull(archive, spec, query, settings, restart=restart, say=say))
    except (ArchiveError, ConfigError):
        raise  # it is about this archive or about the call, so no other source would fare better
    except WeftError as error:
        return {"success": False, "written": 0, "unchanged": 0, "failed": 0, "errors": [str(error)]}
    errors = [f"{app.app.name or app.app.id}: {app.error}" for app in report.apps if app.error]
    errors += [f"{item.item.id}: {item.reason}" for app in report.apps for item in app.failed]
    return {
        "success": report.succeeded,
        "written": report.total("written"),
        "unchanged": report.total("unchanged"),
        "failed": sum(len(app.failed) for app in report.apps),
        "files": report.total("files"),
        "files_missing": report.total("files_missing"),
        "errors": errors,
    }


async def _pull(
    archive: Archive,
    spec: SourceSpec,
    query: Query | None,
    settings: Settings,
    *,
    restart: bool,
    say: Callable[[str], None],
) -> PullReport:
    from weft.archive import PullOptions, open_source, pull
    from weft.clock import SystemClock

    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = files = None
        if spec.kind == "own-store":
            from weft.files import open_file_store
            from weft.store import open_store

            files = await open_file_store(settings.files_url)
            stack.push_async_callback(files.close)
            store = await stack.enter_async_context(
                open_store(settings.database_url, clock=clock, search_index=settings.server.search_index)
            )
        source = await stack.enter_async_context(open_source(spec, clock=clock, store=store, files=files))
        settle_memory()
        return await pull(
            source,
            archive,
            clock=clock,
            options=PullOptions(restart=restart),
            progress=lambda now: say(f"{now.app.name or now.app.id}, {now.seen} seen, {now.written} written"),
            query=query,
            organization_id=spec.organization_id,
        )


def _preview(where: Where, keep: float, organization_id: str | None, *, as_json: bool) -> int:
    from weft.archive import RetentionRule

    rule = RetentionRule(name=f"older than {keep:g} days", keep_days=keep)
    with reading(where) as archive:
        plan = archive.preview_retention([rule], organization_id)
    if as_json:
        print_json(
            {
                "success": True,
                "dry_run": True,
                "deleted_files": len(plan.candidates),
                "deleted_size_bytes": plan.size_bytes,
                "held": plan.held,
                "total": plan.total,
                "paths": [candidate.path for candidate in plan.candidates],
            }
        )
        return 0
    screen = Screen(sys.stdout)
    screen.line(
        f"{len(plan.candidates):,} of {plan.total:,} conversations would go, {size(plan.size_bytes)}; "
        f"{plan.held:,} are on hold"
    )
    for candidate in plan.candidates[:_SHOWN]:
        screen.line(f"  {candidate.path}")
    return 0
