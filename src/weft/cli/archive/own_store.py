"""`weft archive thin`, and putting back: a database by way of its server or, if none runs, directly."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from weft.cli.archive.place import Selection, Where, folder_of, print_json, size
from weft.cli.archive.progress import showing
from weft.cli.archive.remote import PATH, ServerOption, answer_of, open_client, unreachable
from weft.cli.failure import FAILED, BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen
from weft.errors import RemoteError

if TYPE_CHECKING:
    from weft.clock import Clock
    from weft.server import ArchiveDesk, RestoreArgs, ThinArgs
    from weft.settings import Settings

THIN = """\
Examples:

  weft archive thin --older-than 90 --dry-run
  weft archive thin --older-than 90
  weft archive thin --older-than 90 --app 0199a2b4-... --server http://127.0.0.1:8600 --json

Only what was read back from the archive and is the same to the last field goes; `weft archive restore
--into-store` puts it back. What is not archived yet stays: `weft archive pull` archives it. Attached files go
if the archive has their bytes.

While a server runs, name it with --server (the token is WEFT_TOKEN; on the server's own machine it follows
from the data folder). Without one the database's file is written anew, so that nothing of what was deleted is
left in it; so no `weft worker` may run on it either. Done again, it goes on where it was broken off.

Exit codes: 0, 1 when it was refused or an app could not be done, 2 when the call is wrong or a server or
worker runs that was not named."""
LOOK_SECONDS = 0.3
SILENT_SECONDS = 20.0
"""A server that shares its database with other machines and was not heard of for so long is gone."""
WAITING = "waiting for a server or worker that has time for it"
_NOBODY = Where()
_SHOWN = 20
Json = dict[str, Any]


def thin(
    *,
    older_than: Annotated[float | None, Parameter("--older-than", show_default=False)] = None,
    app: Annotated[list[str] | None, Parameter(("--app", "--app-id"), show_default=False)] = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    max_share: float = 1.0,
    keep_annotated: Annotated[bool, Parameter(negative="")] = False,
    keep_files: Annotated[bool, Parameter(negative="")] = False,
    server: ServerOption = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Delete old conversations from a server's own database that the archive has.

    Args:
        older_than: Days since the last activity; the setting archive.store_days unless given.
        app: Only this app's; may be given several times.
        dry_run: Say what would go and what would stay, and delete nothing.
        max_share: Refuse when more than this share of the conversations would go, 0 to 1.
        keep_annotated: Keep conversations with an answer that somebody has annotated.
        keep_files: Leave attached files on the server.
    """
    settings = where.settings
    fields: Json = {
        "older_than_days": older_than,
        "app_ids": app,
        "dry_run": dry_run,
        "max_share": max_share,
        "keep_annotated": keep_annotated,
        "keep_files": keep_files,
    }
    with showing("Looking" if dry_run else "Thinning") as say:
        if server is not None:
            view = _by_server(settings, server, "/thin", {**_given(fields), "background": True}, say)
        else:
            from weft.server import ThinArgs

            args = ThinArgs(**_given(fields)).check(settings.archive.store_days)
            view = asyncio.run(_directly(settings, say, lambda desk, work: _thin(desk, work, args)))
    if as_json:
        print_json(view)
    else:
        _show_thinned(Screen(sys.stdout), view)
    return 0 if view["success"] else FAILED


def put_back(
    settings: Settings, server: str | None, to_app: str | None, selection: Selection, *, as_json: bool
) -> int:
    """Put conversations of an archive back into the database of the server that it belongs to.

    Args:
        settings: Of the server, when it is this machine's.
        server: Its address; without one, no server may run.
        to_app: The app that gets them; each its own unless given.
        selection: Which.
        as_json: Print JSON.
    """
    fields = {
        "app_id": to_app,
        "from_app_ids": None if selection.app_id is None else [selection.app_id],
        "organization_id": selection.organization_id,
        "from_source": selection.from_source,
        "start_date": selection.start,
        "end_date": selection.end,
    }
    with showing("Restoring") as say:
        if server is not None:
            view = _by_server(settings, server, "/restore", _given(fields), say)
        else:
            from weft.server import RestoreArgs

            args = RestoreArgs(**_given(fields))
            args.query()
            view = asyncio.run(_directly(settings, say, lambda desk, work: _restore(desk, work, args)))
    if as_json:
        print_json(view)
        return 0 if view["success"] else FAILED
    screen = Screen(sys.stdout)
    screen.line(
        f"{view['conversations']:,} conversations with {view['messages']:,} messages and {view['runs']:,} "
        f"runs put back, {view['present']:,} are there already, {view['failed_count']:,} failed"
    )
    for failure in view["failed"][:_SHOWN]:
        screen.line(f"  {failure['id']}: {failure['reason']}", "red")
    for left in view["apps_left"][:_SHOWN]:
        screen.line(f"  app {left['app_id']}: {left['why']}", "red")
    return 0 if view["success"] else FAILED


class _Work:
    """Work that is done here and now, and shown while it is done."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: Json = {}

    async def step(self, name: str, run: Callable[[], Awaitable[object]]) -> object:
        """Do it."""
        return await run()

    def tell(self, **progress: object) -> None:
        """Show how far it is."""
        self._told |= progress
        self._say(_far(self._told))

    def advance(self) -> None:
        """Nobody asks."""


async def _thin(desk: ArchiveDesk, work: _Work, args: ThinArgs) -> Json:
    from weft.server import thin_store

    return await thin_store(desk, work, args, alone=True)


async def _restore(desk: ArchiveDesk, work: _Work, args: RestoreArgs) -> Json:
    from weft.server import restore_to_store

    return await restore_to_store(desk, work, args)


async def _directly(
    settings: Settings, say: Callable[[str], None], do: Callable[[ArchiveDesk, _Work], Awaitable[Json]]
) -> Json:
    """Do something with the database itself.

    Raises:
        BadCallError: There is no archive or no database, or a server or worker uses it.
    """
    from weft.clock import SystemClock
    from weft.ids import TimeOrderedIds
    from weft.server import make_desk
    from weft.store import open_store

    folder = folder_of(settings)
    if not (folder / "logs").is_dir():
        raise BadCallError(f"{folder}: there is no archive; pull into it first: weft archive pull")
    if not has_database(settings):
        raise BadCallError(f"{settings.data}: no server has kept anything here; name its folder with --data")
    _refuse_beside_others(settings)
    clock = SystemClock()
    async with open_store(
        settings.database_url, clock=clock, search_index=settings.server.search_index
    ) as store:
        await _refuse_beside_other_machines(store, settings)
        desk = make_desk(settings, store, clock=clock, ids=TimeOrderedIds())
        return await do(desk, _Work(say))


def has_database(settings: Settings) -> bool:
    """Whether a server has kept anything under these settings."""
    url = settings.database_url
    return not url.startswith("sqlite") or Path(url.removeprefix("sqlite:///")).is_file()


def _refuse_beside_others(settings: Settings) -> None:
    """Nobody else may use a file that is to be written anew."""
    from weft.cli.living import list_living  # no such locks everywhere

    if not settings.database_url.startswith("sqlite"):
        return
    others = list_living(settings)
    if "server" in others:
        raise _beside(f"a server runs on {settings.data}")
    if others:
        raise BadCallError(
            f"a worker runs on {settings.data}; stop it first, or start the server too and name that with "
            "--server http://HOST:PORT, so that the worker does it"
        )


async def _refuse_beside_other_machines(store: Any, settings: Settings) -> None:
    from datetime import timedelta

    from weft.clock import SystemClock
    from weft.store import processes

    if settings.database_url.startswith("sqlite"):
        return
    since = SystemClock().now() - timedelta(seconds=SILENT_SECONDS)
    if await store.read(lambda connection: processes.list_alive(connection, since)):
        raise _beside("a server uses this database")


def _beside(what: str) -> BadCallError:
    return BadCallError(f"{what}; ask it with --server http://HOST:PORT, or stop it first")


def _by_server(
    settings: Settings, server: str, path: str, body: Mapping[str, object], say: Callable[[str], None]
) -> Json:
    """Have a server do it, and wait until it has.

    Raises:
        RemoteError: It cannot be reached, or refused or failed.
    """
    import httpx2

    from weft.clock import SystemClock

    with open_client(settings, server) as client:

        def ask(method: str, path: str, content: Mapping[str, object] | None = None) -> Json:
            return answer_of(client.request(method, PATH + path, json=content))

        try:
            job: Json = ask("POST", path, dict(body))["job"]
            job = asyncio.run(ended(job, lambda id: ask("GET", f"/jobs/{id}"), say, SystemClock()))
        except httpx2.HTTPError as error:
            raise unreachable(server, error) from error
    if not isinstance(job["result"], dict):
        raise RemoteError(f"the server's job ended as {job['status']}: {job['error']}")
    return job["result"]


async def ended(job: Json, ask: Callable[[str], Json], say: Callable[[str], None], clock: Clock) -> Json:
    """A server's job when it has ended.

    Args:
        job: As the server told it.
        ask: Gives the job of an id as it is now; may wait for the server.
        say: Told how far it is.
        clock: For the time between two looks.
    """
    while job["status"] in ("queued", "running"):
        is_waiting = job["status"] == "queued" and not job["progress"]
        say(WAITING if is_waiting else _far(job["progress"]))
        await clock.sleep(LOOK_SECONDS)
        job = await asyncio.to_thread(ask, job["id"])
    return job


def _far(told: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())


def _given(fields: Mapping[str, object]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _show_thinned(screen: Screen, view: Json) -> None:
    went = "would go" if view["dry_run"] else "deleted"
    count = view["candidates"] if view["dry_run"] else view["deleted"]
    screen.line(
        f"{count:,} of {view['conversations']:,} conversations {went}: {view['messages']:,} messages, "
        f"{view['runs']:,} runs, {size(view['size_bytes'])} of text"
    )
    for why, number in sorted(view["kept"].items()):
        hint = "; `weft archive pull` archives them" if why in ("not archived", "archive is behind") else ""
        screen.line(f"  {number:,} old ones stay: {why}{hint}")
    if view.get("files"):
        screen.line(f"  {view['files']:,} attached files deleted, which the archive has")
    disk = view.get("disk") or {}
    if disk.get("before"):
        screen.line(f"  the database took {size(disk['before'])} and takes {size(disk['after'])} now")
    if disk.get("advice"):
        screen.line(f"  {disk['advice']}", "yellow")
    for error in (view["error"], disk.get("error")):
        if error:
            screen.line(f"  {error}", "red")
