"""What a response holds: a text, or a file."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote, urlsplit

from weft.egress import EgressConfig, EgressResponse

_SAMPLE_BYTES = 1024
_TEXT_FORMATS = ("json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql")
_CODE_MARKERS = (b"{", b"[", b"<", b"function", b"var ", b"const ", b"let ")
_FILE_TYPES = frozenset({"application", "image", "audio", "video"})
_NOT_IN_TEXTS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAX_CHARSET_CHARS = 30
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9_\-]{2,30})""")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Not ways to write a text but ways to hide one, some of them slow to undo.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


@dataclass(frozen=True, slots=True)
class FileReply:
    """A response that is a file, perhaps an empty one."""

    name: str
    """As the response or its address has it; perhaps empty."""
    mime_type: str
    data: bytes

    def as_text(self, max_bytes: int) -> str | None:
        """What it says if it is UTF-8 text of no more than so many bytes."""
        return _plain_text(self.data) if len(self.data) <= max_bytes else None


async def read_reply(response: EgressResponse, config: EgressConfig, url: str) -> str | FileReply:
    """The text of a response, or the file that it is.

    Args:
        response: To be read.
        config: How much of it.
        url: What was asked for; a file without a name is called like the end of it.

    Raises:
        ResponseTooLargeError: It is larger than such responses may be.
        EgressError: It broke off.
    """
    content_type = response.headers.get("content-type", "")
    disposition = response.headers.get("content-disposition", "")
    if not await _is_file(response, content_type, disposition):
        return decode_text(await response.read(config.max_text_bytes), content_type)
    return FileReply(
        _named(disposition) or unquote(urlsplit(url).path.rpartition("/")[2]),
        content_type.partition(";")[0].strip().lower(),
        await response.read(config.max_file_bytes),
    )


async def _is_file(response: EgressResponse, content_type: str, disposition: str) -> bool:
    """Whether a response is to be kept as a file.

    Source: Dify app DSL, node type ``http-request``, order of detection.
    """
    if _names_file(disposition):
        return True
    mime_type = content_type.partition(";")[0].strip().lower()
    main_type = mime_type.partition("/")[0]
    if main_type == "application":
        if any(name in mime_type for name in _TEXT_FORMATS):
            return False
        return not _looks_like_code(await response.peek(_SAMPLE_BYTES))
    return main_type in _FILE_TYPES


def decode_text(data: bytes, content_type: str) -> str:
    """The text that bytes stand for.

    The charset is the one that the content type, a byte order mark or the first lines of a page name, in this
    order; UTF-8 otherwise. What is none in that charset becomes a replacement character.
    """
    message = Message()
    message["Content-Type"] = " ".join(content_type.split())
    named = message.get_content_charset()
    marked = next((charset for mark, charset in _BOMS if data.startswith(mark)), None)
    found = _CHARSET.search(data[:_SAMPLE_BYTES]) if _is_markup(message) else None
    for charset in (named, marked, found and found[1].decode()):
        if charset and _is_known(charset):
            return data.decode(charset, "replace")
    return data.decode("utf-8", "replace")


def _is_markup(message: Message) -> bool:
    return message.get_content_type().endswith(("html", "xml"))


def _is_known(charset: str) -> bool:
    if len(charset) > _MAX_CHARSET_CHARS:
        return False
    try:
        found = codecs.lookup(charset)
        b"a".decode(charset, "replace")
    except (LookupError, ValueError):
        return False
    return found.name.replace("_", "-") not in _NO_CHARSETS


def _names_file(disposition: str) -> bool:
    message = _disposition(disposition)
    return message.get_content_disposition() == "attachment" or message.get_filename() is not None


def _named(disposition: str) -> str:
    return _disposition(disposition).get_filename() or ""


def _disposition(value: str) -> Message:
    message = Message()
    if value:
        message["Content-Disposition"] = " ".join(value.split())
    return message


def _looks_like_code(sample: bytes) -> bool:
    try:
        # The sample may end in the middle of a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return any(marker in sample for marker in _CODE_MARKERS)


def _plain_text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _NOT_IN_TEXTS.search(text) else text
