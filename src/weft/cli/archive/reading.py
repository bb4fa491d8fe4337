"""`weft archive summary`, `search`, `show`, `export` and `stats`: looking, without changing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from weft.cli.archive.place import Selection, Where, print_json, reading, size, writing
from weft.cli.archive.progress import showing
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

if TYPE_CHECKING:
    from weft.archive import Archive, ArchiveIndex, Attachment

SUMMARY = """\
Examples:

  weft archive summary
  weft archive summary --organization-id org-1 --json

Exit codes: 0, or 2 when there is no archive."""
SEARCH = """\
Examples:

  weft archive search "late delivery"
  weft archive search refund --start 2025-10-01 --limit 5 --json

Exit codes: 0, 1 when nothing matches, 2 when the call is wrong."""
SHOW = """\
Examples:

  weft archive show conv-abc123
  weft archive show conv-abc123 --organization-id org-1 --json | jq '.messages | length'

Exit codes: 0, 1 when its file is damaged, 2 when there is none of that id."""
EXPORT = """\
Examples:

  weft archive export october.json --start 2025-10-01 --end 2025-10-31
  weft archive export - --format jsonl | wc -l

Formats: json, jsonl, csv, parquet, markdown, html, openai, sharegpt, preference. Totals stand in
<file>.totals.json, and at the end of what goes to standard output.

Exit codes: 0, 1 when files are damaged and missing from the export, 2 when the call is wrong."""
STATS = """\
Examples:

  weft archive stats
  weft archive stats --by app --start 2025-10-01 --json

Exit codes: 0, or 2 when the call is wrong."""
_NOBODY = Where()
_ALL = Selection()
By = Literal["app", "user", "model", "source", "org", "day", "week", "month"]


def summary(
    *,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Tell how many conversations there are, how large, and on which days.

    Args:
        organization_id: Only this organisation's.
    """
    with reading(where) as archive:
        found = archive.get_logs_summary(organization_id)
    if as_json:
        print_json(
            {
                "success": found.success,
                "total_files": found.total_files,
                "total_size_bytes": found.total_size_bytes,
                "directories": found.directories,
            }
        )
        return 0
    screen = Screen(sys.stdout)
    screen.line(f"{found.total_files:,} conversations, {size(found.total_size_bytes)}")
    for directory in found.directories:
        screen.line(f"  {directory}")
    return 0


def search(
    text: str,
    *,
    selection: Selection = _ALL,
    limit: int = 20,
    order: Literal["newest", "relevance"] = "newest",
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Find messages by what was said in them.

    Args:
        text: Words, "phrases in quotes", -not these; and app:, user:, org:, from:, to:, rating:, error:.
        limit: Messages to show, 1 to 200.
        order: The newest first, or the best of the newest first.
    """
    with reading(where) as archive, open_index(archive, where) as index:
        page = index.search(text, selection.query(), order=order, limit=limit)
    if as_json:
        print_json(page.to_dict())
        return 0 if page.hits else 1
    screen = Screen(sys.stdout)
    for hit in page.hits:
        of = "" if hit.organization_id is None else f"  {hit.organization_id}"
        screen.line(f"{hit.created_at:%Y-%m-%d %H:%M}  {hit.conversation_id}  {hit.app_id}{of}", "bold")
        if hit.snippet is not None:
            screen.line(f"  {hit.snippet.text}")
    if not page.hits:
        screen.line("nothing matches")
    elif page.cursor is not None:
        screen.line("there are more; raise --limit", "dim")
    return 0 if page.hits else 1


def show(
    conversation_id: str,
    *,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Show one conversation with all its messages.

    Args:
        conversation_id: Its id.
        organization_id: The organisation that it is filed under; looked for unless given.
    """
    from weft.archive import attachments_of

    with reading(where) as archive:
        if organization_id is None and archive.find(conversation_id) is None:
            organization_id = _organization_of(archive, conversation_id)
        found = archive.get(conversation_id, organization_id)
    if as_json:
        print_json(found.fields)
        return 0
    screen = Screen(sys.stdout)
    screen.line(found.name or found.id, "bold")
    screen.facts(
        [
            ("id", found.id),
            ("app", found.app_id),
            ("from", found.from_source),
            ("created", f"{found.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        ]
    )
    for message in found.messages:
        screen.line()
        screen.line(f"> {message['query']}", "bold")
        screen.line(str(message["answer"]))
        for one in attachments_of(message):
            screen.line(f"  {_file_line(one, found.organization_id)}", "dim")
    return 0


def _organization_of(archive: Archive, conversation_id: str) -> str | None:
    """The organisation under which a conversation is filed, if there is just one.

    Raises:
        BadCallError: There are several of that id.
    """
    from weft.archive import Query

    query = Query(conversation_ids=frozenset({conversation_id}))
    found = sorted({day.organization_id or "" for day, _ in archive.iter_entries(query)})
    if len(found) > 1:
        raise BadCallError(
            f"{len(found)} organisations have a conversation {conversation_id!r}: {', '.join(found)}; "
            "choose one with --organization-id"
        )
    return found[0] if found else None


def _file_line(one: Attachment, organization_id: str | None) -> str:
    """An attached file: where its bytes lie, or why they do not."""
    from weft.archive import file_path

    name = one.name or "file"
    if one.ref is not None:
        return f"{name}, {size(one.ref.size)}: {file_path(one.ref, organization_id)}"
    reason = (one.note or {}).get("reason")
    return f"{name}: not kept" + (f" ({reason})" if reason else "")


def export(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    format: str = "json",
    selection: Selection = _ALL,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Write everything that matches into a file, whole and never cut.

    Args:
        file: Where to; `-` for standard output.
        format: One of the formats below.
    """
    with reading(where) as archive:
        if file == "-":
            stream = archive.export(format, selection.query())
            for piece in stream:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return 1 if stream.totals.damaged else 0
        path = Path(file)
        with showing(f"Exporting to {path}"):
            totals = archive.export_to_file(format, path, selection.query())
    if as_json:
        print_json(
            {
                "file": file,
                "conversations": totals.conversations,
                "messages": totals.messages,
                "rows": totals.rows,
                "skipped": totals.skipped,
                "damaged": totals.damaged,
                "complete": totals.complete,
            }
        )
    else:
        screen = Screen(sys.stdout)
        screen.line(f"{totals.conversations:,} conversations with {totals.messages:,} messages in {file}")
        for damaged in totals.damaged:
            screen.line(f"damaged, and missing from it: {damaged}", "red")
    return 1 if totals.damaged else 0


def stats(
    *,
    by: Annotated[By | None, Parameter(show_default=False)] = None,
    timezone: str = "UTC",
    selection: Selection = _ALL,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Count messages, people, tokens, costs and ratings.

    Args:
        by: Figures for each of these as well.
        timezone: Where days, weeks and months begin.
    """
    with reading(where) as archive, open_index(archive, where) as index:
        found = index.statistics(selection.query(), by=by, zone=timezone)
    if as_json:
        print_json(found.to_dict())
        return 0
    rows = [("all", found.totals), *((str(group.key) or "-", group.figures) for group in found.groups)]
    currencies = list(found.totals.cost)
    # By model, currencies come from runs as well.
    currencies += sorted({name for _, one in rows for name in one.cost} - found.totals.cost.keys())
    counts = ("messages", "conversations", "users", "tokens", "likes", "dislikes", "errors")
    columns = (*counts, *(f"cost {currency}" for currency in currencies))
    Screen(sys.stdout).table(
        (by or "", *columns),
        [
            (
                name,
                *(f"{getattr(one, count):,}" for count in counts),
                *(f"{one.cost[money]:,f}" if money in one.cost else "-" for money in currencies),
            )
            for name, one in rows
        ],
        right=columns,
    )
    return 0


@contextmanager
def open_index(archive: Archive, where: Where) -> Iterator[ArchiveIndex]:
    """The search index of an archive; made first when there is none, which only a writer may do."""
    from weft.archive import ArchiveIndex

    index = ArchiveIndex(archive.vault)
    if not index.path.exists():
        with showing("Making the search index"), writing(where.settings):
            pass
    try:
        yield index
    finally:
        index.close()
