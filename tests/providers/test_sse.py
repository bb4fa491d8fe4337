from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.errors import BadReplyError
from weft.providers.sse import EventSplitter


def _all(*pieces: bytes) -> list[bytes]:
    splitter = EventSplitter()
    found = [event for piece in pieces for event in splitter.feed(piece)]
    return found + splitter.finish()


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b'data: {"a":1}\n\n', [b'{"a":1}']),
        (b'data:{"a":1}\n\ndata: [DONE]\n\n', [b'{"a":1}', b"[DONE]"]),
        (b'data: {"a":1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a":1}', b"[DONE]"]),
        (b'data: {"a":1}\r\rdata: [DONE]\r\r', [b'{"a":1}', b"[DONE]"]),
        (b': keep-alive\n\ndata: {"a":1}\n\n: OPENROUTER PROCESSING\n\n', [b'{"a":1}']),
        (b'event: message\nid: 7\nretry: 10\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'data: {"a":1}\ndata: {"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'data: {"a":\ndata: 1}\n\n', [b'{"a":\n1}']),
        (b'data: {"a":1}', [b'{"a":1}']),
        (b"data\n\ndata:\n\n", []),
        (b"data: plain words\n\n", [b"plain words"]),
        (b'data: {"a":1}\n\n{"error":"x"}\n', [b'{"a":1}', b'{"error":"x"}']),
    ],
)
def test_events_are_found_in_every_dialect(stream: bytes, events: list[bytes]) -> None:
    assert _all(stream) == events


@given(st.lists(st.integers(0, 200)))
def test_it_does_not_matter_where_reads_cut_the_stream(cuts: list[int]) -> None:
    stream = 'data: {"t":"héllo 世界 🎉"}\r\n\r\n: hi\ndata: {"t":\ndata: 2}\n\ndata: [DONE]\n\n'.encode()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[left:right] for left, right in pairwise(edges)]
    assert _all(*pieces) == ['{"t":"héllo 世界 🎉"}'.encode(), b'{"t":\n2}', b"[DONE]"]


def test_a_whole_object_is_given_out_before_its_blank_line_comes() -> None:
    assert EventSplitter().feed(b'data: {"a":1}\n') == [b'{"a":1}']


def test_an_endless_line_is_refused() -> None:
    splitter = EventSplitter(max_bytes=100)
    with pytest.raises(BadReplyError, match="larger than 100 bytes"):
        splitter.feed(b"data: " + b"x" * 200)
