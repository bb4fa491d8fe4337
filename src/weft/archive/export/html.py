"""Transcripts as one HTML page, for people; everything is escaped and nothing is loaded from anywhere."""

from __future__ import annotations

from html import escape

from weft.archive.attachment import attachments_of
from weft.archive.conversation import Conversation, rating_of
from weft.archive.export.attached import link_to, side_of, why
from weft.archive.export.format import Format, Stored, Totals
from weft.archive.json_text import JsonObject

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Conversations</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
article { border-top: 1px solid #888; margin-top: 2rem }
p.user, p.assistant { white-space: pre-wrap; overflow-wrap: anywhere; padding: .5rem 1rem }
p.user { background: #8882; margin-left: 3rem }
p.assistant { border: 1px solid #8884; margin-right: 3rem }
p.file::before { content: "\\1F4CE " }
small { color: #777 }
</style>
</head>
<body>
"""


class HtmlFormat(Format):
    """A page with an article for each conversation."""

    name = "html"
    suffix = ".html"
    media_type = "text/html; charset=utf-8"
    shows_files = True

    def begin(self) -> bytes:
        """The head of the page."""
        return _HEAD.encode()

    def add(self, stored: Stored, is_first: bool) -> tuple[bytes, int]:
        """One article."""
        return _render(stored.conversation, stored.folder).encode(), 1

    def end(self, totals: Totals) -> bytes:
        """The totals line and the end of the page."""
        line = f"<footer>{totals.conversations} conversations, {totals.messages} messages</footer>"
        return f"{line}\n</body>\n</html>\n".encode()


def _render(conversation: Conversation, folder: str) -> str:
    fields = conversation.fields
    parts = [
        "<article>",
        f"<h2>{_text(conversation.name or conversation.id)}</h2>",
        f"<p><small>Conversation {_text(conversation.id)}, app {_text(conversation.app_id)}, "
        f"{_text(fields['created_at'])} to {_text(fields['updated_at'])}</small></p>",
    ]
    for message in conversation.messages:
        rating = rating_of(message)
        parts += [
            f"<p class=user>{_text(message['query'])}</p>",
            *_files(message, "user", folder),
            f"<p class=assistant>{_text(message['answer'])}</p>",
            *_files(message, "assistant", folder),
            f"<small>{_text(message['created_at'])}{f', {rating}' if rating else ''}</small>",
        ]
    return "\n".join([*parts, "</article>\n"])


def _files(message: JsonObject, side: str, folder: str) -> list[str]:
    lines = []
    for one in attachments_of(message):
        if side_of(one) == side:
            name, link = _text(one.name or "file"), link_to(one, folder)
            shown = f'<a href="{_text(link)}" download>{name}</a>' if link else f"{name}{_text(why(one))}"
            lines.append(f"<p class=file>{shown}</p>")
    return lines


def _text(value: object) -> str:
    return escape(str(value)).replace("\0", "")
