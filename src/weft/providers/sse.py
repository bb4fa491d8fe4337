"""Server-sent events as bytes come in, without waiting line by line.

Model services bend the format: some leave out blank lines, some send bare JSON in the middle of a
stream, some close without a last newline. What can only have been meant one way is read that way.

Source: WHATWG HTML, section 9.2.6; only the `data` field matters to us.
"""

from __future__ import annotations

from weft.errors import BadReplyError

_DATA = b"data:"


class EventSplitter:
    """Cuts a byte stream into the data of its events; a piece may end anywhere, even inside a character.

    Args:
        max_bytes: How large one event may be.
    """

    def __init__(self, *, max_bytes: int = 16 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._rest = b""
        self._open: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The data of all events that end in this piece, without surrounding blanks.

        Raises:
            BadReplyError: An event is larger than allowed.
        """
        if self._rest:
            data = self._rest + data
        elif data.find(b"\n") == len(data) - 2 and not self._open and _is_one_event(data):
            return [data[5:-2].strip()]
        if b"\r" in data:
            data = _only_newlines(data)
        lines = data.split(b"\n")
        self._rest = lines.pop()
        found: list[bytes] = []
        for line in lines:
            if line.startswith(_DATA):
                value = line[5:].strip()
                # A whole JSON object is not made wait for the blank line, which some never send.
                if not self._open and (value.endswith(b"}") or value == b"[DONE]"):
                    found.append(value)
                else:
                    self._open.append(value)
            elif not line:
                self._close_event(found)
            elif line.startswith(b"{"):
                self._open.append(line)
        if len(self._rest) > self._max_bytes:
            raise BadReplyError(f"an event of the stream is larger than {self._max_bytes} bytes")
        return found

    def finish(self) -> list[bytes]:
        """The data of what the stream's end left open."""
        return self.feed(b"\n\n") if self._rest or self._open else []

    def _close_event(self, found: list[bytes]) -> None:
        if self._open:
            value = b"\n".join(self._open)
            self._open.clear()
            if value:
                found.append(value)


def _is_one_event(data: bytes) -> bool:
    """What a read brings nearly always while a model is talking."""
    return data.startswith(b"data: {") and data.endswith(b"}\n\n") and b"\r" not in data


def _only_newlines(data: bytes) -> bytes:
    # A lone CR ends a line too; at the very end it may be the first half of CR LF.
    held = b""
    if data.endswith(b"\r"):
        data, held = data[:-1], b"\r"
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
