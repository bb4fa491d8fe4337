"""`weft archive restore`: giving archived conversations to a server's archive, or back to its database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from weft.cli.archive.copying import restore_from
from weft.cli.archive.own_store import put_back
from weft.cli.archive.place import Selection, Where, print_json, reading
from weft.cli.archive.progress import showing
from weft.cli.archive.remote import PATH, ServerOption, answer_of, open_client, unreachable
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.settings import Settings

RESTORE = """\
Examples:

  weft archive restore --into-store
  weft archive restore --into-store --app-id 0199a2b4-... --start 2025-10-01 --server http://127.0.0.1:8600
  weft archive restore --server http://127.0.0.1:8600
  WEFT_TOKEN=... weft archive restore october.jsonl --server https://weft.example.com
  weft archive restore --from s3://backups/weft --start 2025-10-01

With --into-store, conversations go from a server's archive back into its own database, under their old ids;
what is there already stays as it is. That is done directly when no server runs, else by the server that
--server names. With --from, the copy in a bucket comes into the archive here, every byte proven. Otherwise a
file, or the archive here, is given to another server's archive.

The token is WEFT_TOKEN; on the server's own machine it follows from the data folder.

Exit codes: 0, 1 when something could not be taken in or put back or the server failed, 2 when the call is
wrong."""
_NOBODY = Where()
_ALL = Selection()


def restore(
    file: Path | None = None,
    *,
    server: ServerOption = None,
    bucket: Annotated[str | None, Parameter("--from", show_default=False)] = None,
    into_store: Annotated[bool, Parameter(negative="")] = False,
    to_app: Annotated[str | None, Parameter("--to-app", show_default=False)] = None,
    selection: Selection = _ALL,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Give archived conversations to a server's archive, or put them back into its database.

    What is there already stays: in an archive if it is a later version, in a database as it is.

    Args:
        file: An export (JSON or JSON lines); the archive itself unless given.
        bucket: Take the copy at this address, such as s3://backups/weft, into the archive here, instead.
        into_store: Put them back into the server's own database.
        to_app: The app that gets them, with --into-store; each goes to its own unless given.
    """
    settings = where.settings
    if bucket is not None:
        if file is not None or server is not None or into_store or to_app is not None:
            raise BadCallError("--from takes a copy into the archive here; it goes with no other place")
        return restore_from(settings, bucket, selection, as_json=as_json)
    if into_store:
        if file is not None:
            raise BadCallError(f"--into-store takes from the archive: first weft archive import {file}")
        return put_back(settings, server, to_app, selection, as_json=as_json)
    if server is None:
        raise BadCallError("say where to: --server ADDRESS, or --into-store for the server's own database")
    if to_app is not None:
        raise BadCallError("--to-app needs --into-store")
    return _give(settings, file, server, selection, where, as_json=as_json)


def _give(
    settings: Settings, file: Path | None, server: str, selection: Selection, where: Where, *, as_json: bool
) -> int:
    import httpx2

    if file is not None and not file.is_file():
        raise BadCallError(f"{file}: there is no such file")
    name = "archive.jsonl" if file is None else file.name
    params = {"name": name}
    if selection.organization_id is not None:
        params["organization_id"] = selection.organization_id
    with showing(f"Restoring to {server}"), open_client(settings, server) as client:
        try:
            answer = client.post(
                f"{PATH}/import",
                params=params,
                content=_lines(where, selection) if file is None else _pieces(file),
                headers={"content-type": "application/octet-stream"},
                timeout=httpx2.Timeout(30.0, read=None),
            )
        except httpx2.HTTPError as error:
            raise unreachable(server, error) from error
    done = answer_of(answer)
    if as_json:
        print_json(done)
    else:
        screen = Screen(sys.stdout)
        screen.line(
            f"{done['written']} written, {done['unchanged']} unchanged, {done['failed_count']} failed"
        )
        for failure in done["failed"]:
            screen.line(f"  {failure['id']}: {failure['reason']}", "red")
    return 0 if done["success"] else 1


def _lines(where: Where, selection: Selection) -> Iterator[bytes]:
    with reading(where) as archive:
        yield from archive.export("jsonl", selection.query())


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(256 * 1024):
            yield piece
