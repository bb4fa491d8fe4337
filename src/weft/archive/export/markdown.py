"""Transcripts in Markdown, for people; what was said is escaped, so it can form nothing."""

from __future__ import annotations

import re

from weft.archive.attachment import attachments_of
from weft.archive.conversation import Conversation, rating_of
from weft.archive.export.attached import link_to, side_of, why
from weft.archive.export.format import Format, Stored, Totals
from weft.archive.json_text import JsonObject

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>&~$:=@^])")
_LINE = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")


class MarkdownFormat(Format):
    """A heading for each conversation, a quotation for each thing said."""

    name = "markdown"
    suffix = ".md"
    media_type = "text/markdown; charset=utf-8"
    shows_files = True

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One conversation."""
        return _render(stored.conversation, stored.folder).encode(), 1

    def end(self, totals: Totals) -> bytes:
        """The totals line."""
        return f"---\n\n{totals.conversations} conversations, {totals.messages} messages\n".encode()


def _render(conversation: Conversation, folder: str) -> str:
    fields = conversation.fields
    lines = [
        f"# {_inline(conversation.name or conversation.id)}",
        "",
        f"Conversation {_inline(conversation.id)}, app {_inline(conversation.app_id)}, "
        f"{_inline(str(fields['created_at']))} to {_inline(str(fields['updated_at']))}",
        "",
    ]
    for message in conversation.messages:
        rating = rating_of(message)
        lines += [f"**User**, {_inline(str(message['created_at']))}", "", _quoted(str(message["query"])), ""]
        lines += _files(message, "user", folder)
        lines += [
            "**Assistant**" + (f" ({rating})" if rating else ""),
            "",
            _quoted(str(message["answer"])),
            "",
        ]
        lines += _files(message, "assistant", folder)
    return "\n".join(lines) + "\n"


def _files(message: JsonObject, side: str, folder: str) -> list[str]:
    lines = []
    for one in attachments_of(message):
        if side_of(one) != side:
            continue
        name, link = _inline(one.name or "file"), link_to(one, folder)
        lines += [f"Attached: [{name}](<{link}>)" if link else f"Attached: {name}{_inline(why(one))}", ""]
    return lines


def _inline(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _LINE.sub(" ", text)).replace("\0", "")


def _quoted(text: str) -> str:
    # Leading blanks would make code of a line; a backslash at the end of a line breaks it.
    lines = [_SPECIAL.sub(r"\\\1", line).replace("\0", "") for line in _LINE.split(text)]
    return "\\\n".join(f"> {line.strip() or '&nbsp;'}" for line in lines)
