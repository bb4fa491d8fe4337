"""`weft archive tail`: against a server or on the archive's own files; and how a server is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from weft.cli.archive.place import Selection, Where, folder_of, read_date
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen
from weft.errors import RemoteError, TransportError

if TYPE_CHECKING:
    import httpx2

    from weft.settings import Settings

TAIL = """\
Examples:

  weft archive tail
  weft archive tail --server http://127.0.0.1:8600 --organization-id org-1
  weft archive tail --since 2025-10-15 --json

The token for a server is WEFT_TOKEN; on the server's own machine it follows from the data folder.

Exit codes: 0 the server ended, 1 it failed, 2 the call is wrong, 130 interrupted."""
_NOBODY = Where()
_ALL = Selection()
PATH = "/api/conversation-logs"
ServerOption = Annotated[str | None, Parameter("--server", help="Address of a server.", show_default=False)]


def tail(
    *,
    server: ServerOption = None,
    since: Annotated[str | None, Parameter(show_default=False)] = None,
    count: Annotated[int | None, Parameter(show_default=False)] = None,
    selection: Selection = _ALL,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Show conversations as they are archived, until interrupted.

    Args:
        since: Begin with what was archived then or later, e.g. 2025-10-15.
        count: End after that many.
    """
    settings = where.settings
    if server is None:
        seen = _tail_files(settings, selection, since)
    else:
        seen = _tail_server(settings, server, selection, since)
    screen = Screen(sys.stdout)
    for number, found in enumerate(seen, 1):
        if as_json:
            screen.write(json.dumps(found, ensure_ascii=False) + "\n")
        else:
            screen.line(
                f"{found['logged_at']}  {found['conversation_id']}  {found['app_id']}  "
                f"{found['dialogue_count']} messages"
            )
        if number == count:
            break
    return 0


def _tail_files(settings: Settings, selection: Selection, since: str | None) -> Iterator[dict[str, object]]:
    from time import sleep

    from weft.archive import Archive
    from weft.clock import SystemClock
    from weft.server import ArchiveTail, tail_view

    folder = folder_of(settings)
    if not (folder / "logs").is_dir():
        raise BadCallError(f"{folder}: there is no archive; name one with --archive, or pull into it first")
    begin = read_date(since, "--since") or SystemClock().now()
    follower = ArchiveTail(selection.query(), (begin.isoformat().replace("+00:00", "") + "Z", ""))
    with Archive.open(folder, read_only=True) as archive:
        while True:
            for day, entry in follower.look(archive):
                yield tail_view(day, entry)
            sleep(1.0)


def _tail_server(
    settings: Settings, server: str, selection: Selection, since: str | None
) -> Iterator[dict[str, object]]:
    import httpx2

    wanted = {
        "organization_id": selection.organization_id,
        "app_id": selection.app_id,
        "from_source": selection.from_source,
        "since": since,
    }
    params = {name: value for name, value in wanted.items() if value is not None}
    with open_client(settings, server) as client:
        try:
            with client.stream(
                "GET", f"{PATH}/tail", params=params, timeout=httpx2.Timeout(30.0, read=None)
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    answer_of(answer)
                yield from _events(answer.iter_lines())
        except httpx2.HTTPError as error:
            raise unreachable(server, error) from error


def _events(lines: Iterator[str]) -> Iterator[dict[str, object]]:
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            if event == "error":
                raise RemoteError(str(data["message"]))
            if event == "conversation":
                yield data
        elif not line:
            event = ""


def open_client(settings: Settings, server: str) -> httpx2.Client:
    """A client of a server's archive, with the token.

    Raises:
        BadCallError: The address is none, or there is no token.
    """
    import httpx2

    if not server.startswith(("http://", "https://")):
        raise BadCallError(f"--server {server!r} is not an address that starts with http:// or https://")
    token = os.environ.get("WEFT_TOKEN") or _own_token(settings)
    if token is None:
        raise BadCallError("the server needs a token: set WEFT_TOKEN to the operator's token")
    return httpx2.Client(base_url=server.rstrip("/"), headers={"authorization": f"Bearer {token}"})


def _own_token(settings: Settings) -> str | None:
    """The operator's token, where this is the server's own machine."""
    if settings.secret is None and not (settings.data / "secret").is_file():
        return None
    from weft.runs import operator_token
    from weft.settings import load_server_secret

    return operator_token(load_server_secret(settings))


def answer_of(answer: httpx2.Response) -> dict[str, Any]:
    """What a server said.

    Raises:
        RemoteError: It refused.
    """
    try:
        content = answer.json()
    except ValueError:
        content = {}
    if answer.status_code >= 400 or not isinstance(content, dict):
        told = content.get("message") if isinstance(content, dict) else None
        raise RemoteError(
            f"the server answered with status {answer.status_code}: {told or answer.text[:200]}"
        )
    return content


def unreachable(server: str, error: Exception) -> RemoteError:
    """That there was no answer."""
    return TransportError(f"{server} cannot be reached: {str(error) or type(error).__name__}")
