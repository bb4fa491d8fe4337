"""Server-sent events as this contract uses them: frames with one JSON text, and pings without data.

The sending half is two lines. The receiving half takes bytes in any split and is as tolerant as the
HTML standard asks for: line ends of every kind, comments, other fields, several data lines, a byte
order mark; a frame without data is no event.
"""

from __future__ import annotations

PING = b"event: ping\n\n"
"""The frame that keeps a connection alive; it has no data line."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""What one frame may grow to before the decoder gives up."""

_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
_CR = 0x0D


def encode_frame(json_bytes: bytes) -> bytes:
    """The frame that carries one compact JSON text (one without line breaks)."""
    return b"data: %b\n\n" % json_bytes


class SseDecoder:
    """Bytes of an event stream in, data payloads out.

    Args:
        max_frame_bytes: Size of an unfinished frame that is refused.
    """

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._rest = bytearray()
        self._scanned = 0
        self._at_start = True
        self._skip_lf = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads of all frames that this chunk completes, in order; empty ones are left out.

        Raises:
            ValueError: A frame is larger than allowed.
        """
        rest = self._rest
        if not rest and not self._at_start and not self._skip_lf and _is_plain_frame(chunk):
            return [chunk[6:-2]]
        rest += self._with_line_feeds(chunk)
        if self._at_start and not self._past_start():
            return []
        frames: list[bytes] = []
        begin = 0
        end = rest.find(b"\n\n", self._scanned)
        while end >= 0:
            payload = _payload(rest[begin:end])
            if payload:
                frames.append(payload)
            begin = end + 2
            end = rest.find(b"\n\n", begin)
        if begin:
            del rest[:begin]
        if len(rest) > self._max:
            raise ValueError(f"an event of the stream is larger than {self._max} bytes")
        self._scanned = max(len(rest) - 1, 0)
        return frames

    def flush(self) -> list[bytes]:
        """The payload of a last frame whose blank line never came, if it has one."""
        payload = _payload(self._rest)
        self._rest = bytearray()
        self._scanned = 0
        return [payload] if payload else []

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == _LF:
                chunk = chunk[1:]
        if b"\r" in chunk:
            # A carriage return ends its line at once; a line feed right after it, maybe in the next
            # chunk, belongs to it.
            self._skip_lf = chunk[-1] == _CR
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _past_start(self) -> bool:
        if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
            return False
        self._at_start = False
        if self._rest.startswith(_BOM):
            del self._rest[: len(_BOM)]
        return True


def _is_plain_frame(chunk: bytes) -> bool:
    """Whether a chunk is exactly one frame with one data line, as most are while an answer streams."""
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.count(b"\n") == 2
        and b"\r" not in chunk
        and len(chunk) > 8
    )


def _payload(frame: bytearray) -> bytes:
    if frame.startswith(b"data: ") and _LF not in frame:
        return bytes(frame[6:])
    lines = []
    for line in frame.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(bytes(line) for line in lines)
