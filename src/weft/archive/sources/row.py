"""What servers say of conversations, messages and runs, in the fields of the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from weft import wire
from weft.archive.conversation import Conversation
from weft.archive.json_text import JsonObject, content_digest
from weft.archive.run_record import RunRecord
from weft.archive.source import FileOffer

_SIGNING = frozenset({"timestamp", "nonce", "sign"})
_COUNTED = ("message_count", "user_feedback_stats", "admin_feedback_stats", "status_count", "annotated")
"""What a list says of a conversation that follows from its messages."""
_NOT_KEPT = frozenset({*_COUNTED, "id", "read_at", "model_config"})
_NEVER_SENT = ("from_end_user_session_id", "from_account_name")
"""Fields of a message that only the conversation has."""


def version_of(row: Mapping[str, object]) -> str:
    """Changes with everything that a list says of a conversation, except for who has looked at it."""
    return content_digest({name: value for name, value in row.items() if name != "read_at"})[:24]


def conversation_of(
    app_id: str, row: Mapping[str, object], messages: Iterable[Mapping[str, object]]
) -> Conversation:
    """A conversation from its row in a list and the fields of its messages, oldest first.

    Raises:
        InvalidRequestError: The server left out what an archive cannot do without.
    """
    kept = {name: value for name, value in row.items() if name not in _NOT_KEPT}
    told = [message_fields(message) for message in messages]
    return Conversation.parse({"conversation_id": row["id"], "app_id": app_id, **kept, "messages": told})


def message_fields(fields: Mapping[str, object]) -> JsonObject:
    """A message without what was filled in, and without addresses that would be others the next time."""
    kept = dict(fields)
    for name in _NEVER_SENT:
        if kept.get(name) is None:
            kept.pop(name, None)
    if kept.get("message") in ("", None):
        kept.pop("message", None)
    files = kept.get("message_files")
    if isinstance(files, list):
        kept["message_files"] = [
            {**file, "url": unsigned(file.get("url"))} if isinstance(file, Mapping) else file
            for file in files
        ]
    return kept


def offers_of(
    messages: Iterable[wire.WireModel | Mapping[str, object]],
    home: str,
    *,
    is_guarded: bool = False,
    read: Callable[[str], AsyncIterator[bytes]] | None = None,
) -> list[FileOffer]:
    """Where the bytes of the files of messages are, by the links that the server gave along with them.

    Args:
        messages: As they go into the conversation.
        home: The server's address.
        is_guarded: Whether that has to be a public one.
        read: Gives an upload by its id; used in place of the link of what was uploaded.
    """
    offers = []
    for number, message in enumerate(messages):
        fields = message if isinstance(message, Mapping) else message.to_dict()
        files = fields.get("message_files")
        for index, file in enumerate(files if isinstance(files, list) else ()):
            if not isinstance(file, Mapping):
                continue
            url, upload, method = (file.get(name) for name in ("url", "upload_file_id", "transfer_method"))
            # An address that a person gave is theirs, whatever it looks like; a signed one is the server's.
            base = "" if method == "remote_url" else home
            if read is not None and method == "local_file" and isinstance(upload, str) and upload:
                offers.append(FileOffer((number, index), read=partial(read, upload)))
            elif isinstance(url, str) and url:
                offers.append(FileOffer((number, index), link=url, home=base, is_guarded=is_guarded))
    return offers


def run_of(
    app_id: str,
    detail: wire.WireModel,
    executions: Sequence[wire.WireModel],
    **known: object,
) -> RunRecord:
    """A run from its detail and node executions; the graph, which is the app's, is left out.

    Raises:
        InvalidRequestError: The server left out what an archive cannot do without.
    """
    fields = {name: value for name, value in detail.to_dict().items() if name != "graph"}
    for name, value in known.items():
        if fields.get(name) is None:
            fields[name] = value
    return RunRecord.parse(
        {**fields, "app_id": app_id, "node_executions": [execution.to_dict() for execution in executions]}
    )


def unsigned(url: object) -> object:
    """An address without its signature, which lets whoever has it read the file, and is new every time."""
    if not isinstance(url, str) or "sign=" not in url:
        return url
    parts = urlsplit(url)
    left = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _SIGNING]
    return parts._replace(query=urlencode(left)).geturl()


def seconds_of(value: object) -> int | None:
    """Unix seconds, if that is what it is."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text_of(value: object) -> str:
    """JSON text, for what an item has to remember."""
    return msgspec.json.encode(value).decode()
