"""`weft archive reveal`: what redaction masked, for whoever has the key."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from weft.cli.archive.place import Where, print_json, writing
from weft.cli.failure import BadCallError
from weft.cli.options import JsonOption
from weft.cli.screen import Screen

REVEAL = """\
Examples:

  weft archive reveal "[EMAIL:abcdefghijklmnopabcd]" --reason "case 4711"
  weft archive reveal conv-abc123 --organization-id org-1 --reason "complaint of the customer" --json

The key is the setting archive.redact_key, best from the environment: WEFT_ARCHIVE_REDACT_KEY. The archive's
audit log keeps what was revealed, when and why.

Exit codes: 0, 1 when the key is another one or something is damaged, 2 when the call is wrong."""
_NOBODY = Where()


def reveal(
    what: str,
    *,
    reason: str,
    organization_id: Annotated[str | None, Parameter(show_default=False)] = None,
    where: Where = _NOBODY,
    as_json: JsonOption = False,
) -> int:
    """Show what a token stands for, or a conversation as it was said.

    Args:
        what: A token in brackets, or the id of a conversation.
        reason: Why; the audit log keeps it.
        organization_id: The organisation that the conversation is filed under, if any.
    """
    settings = where.settings
    if settings.archive.redact_key is None:
        raise BadCallError("nothing can be revealed without the key: set WEFT_ARCHIVE_REDACT_KEY")
    with writing(settings) as archive:
        found = archive.reveal(what, organization_id, reason=reason)
    conversation = found.conversation
    if as_json:
        print_json(
            {
                "id": found.id,
                "organization_id": found.organization_id,
                "texts": dict(found.texts),
                "hidden": list(found.hidden),
                "conversation": None if conversation is None else conversation.fields,
            }
        )
        return 0
    screen = Screen(sys.stdout)
    if conversation is None:
        for text in found.texts.values():
            screen.line(text)
        return 0
    screen.line(conversation.name or conversation.id, "bold")
    for message in conversation.messages:
        screen.line()
        screen.line(f"> {message['query']}", "bold")
        screen.line(str(message["answer"]))
    if found.hidden:
        screen.line(
            f"{len(found.hidden)} texts are not kept here: they were masked without a key, or did not come "
            "along with the copy that this archive was restored from",
            "red",
        )
    return 0
