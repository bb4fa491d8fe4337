"""Files that this server keeps, as a model is sent them: their bytes inside the request.

Nobody outside can be asked to fetch them, and a link would have to outlive a queue of unknown length.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from base64 import b64encode
from collections.abc import Sequence

import msgspec

from weft.errors import NodeFailedError
from weft.nodes.context import Context
from weft.nodes.kept_file import FileContent, KeptFileError
from weft.nodes.vision import KEPT
from weft.providers import AudioPart, ImagePart, Message, Part, TextPart, VideoPart
from weft.variables import File

_KINDS: dict[type[Part], str] = {ImagePart: "image", AudioPart: "audio", VideoPart: "video"}
_MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


async def with_bytes(messages: Sequence[Message], context: Context) -> list[Message]:
    """The messages with the bytes of kept files in the place of what stands for them.

    Raises:
        NodeFailedError: A file is gone, or all of them together are more than `limits.max_shown_bytes`.
    """
    if not any(_has_kept(message) for message in messages):
        return list(messages)
    shown: dict[str, FileContent] = {}
    room = context.services.limits.max_shown_bytes
    filled = []
    for message in messages:
        parts: list[Part] = []
        for part in message.content if not isinstance(message.content, str) else ():
            if isinstance(part, TextPart) or not part.url.startswith(KEPT):
                parts.append(part)
                continue
            file_id = part.url.removeprefix(KEPT)
            if file_id not in shown:
                shown[file_id] = await _read(context, file_id, room)
            # Counted each time that it is sent.
            room -= len(shown[file_id].data)
            if room < 0:
                raise _too_large(context)
            url = await asyncio.to_thread(_data_url, shown[file_id], type(part))
            parts.append(msgspec.structs.replace(part, url=url))
        filled.append(message if not parts else msgspec.structs.replace(message, content=parts))
    return filled


async def _read(context: Context, file_id: str, room: int) -> FileContent:
    file = File(related_id=file_id, transfer_method="local_file")
    try:
        return await context.services.files.read(file, context.run, max_bytes=room)
    except KeptFileError as error:
        raise NodeFailedError(
            f"a file cannot be shown to the model: {error}", error_type="FileFetchError"
        ) from error


def _data_url(content: FileContent, part: type[Part]) -> str:
    mime_type, kind = content.mime_type.partition(";")[0].strip().lower(), _KINDS.get(part, "")
    if _MIME_TYPE.fullmatch(mime_type) is None or not mime_type.startswith(kind):
        mime_type = mimetypes.guess_type(content.name)[0] or "application/octet-stream"
    return f"data:{mime_type};base64,{b64encode(content.data).decode()}"


def _has_kept(message: Message) -> bool:
    return not isinstance(message.content, str) and any(
        not isinstance(part, TextPart) and part.url.startswith(KEPT) for part in message.content
    )


def _too_large(context: Context) -> NodeFailedError:
    limit = context.services.limits.max_shown_bytes
    return NodeFailedError(
        f"the files that the model shall see have more than {limit} bytes together; show it fewer, "
        "or raise the setting limits.max_shown_bytes",
        error_type="FileFetchError",
    )
