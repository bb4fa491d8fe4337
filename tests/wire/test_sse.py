from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.wire import PING, SseDecoder, encode_frame

JSON_OBJECTS = st.dictionaries(st.text(max_size=3), st.text(max_size=9) | st.integers(), max_size=2).map(
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
)
NOISE = st.sampled_from([PING, b": comment\n\n", b"id: 1\nretry: 5\n\n", b"\n", b"event: x\ndata\n\n"])


def decode(stream: bytes, cuts: list[int]) -> list[bytes]:
    decoder = SseDecoder()
    found: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[begin:end])
    return found + decoder.flush()


def test_a_frame_is_one_data_line_and_a_blank_one() -> None:
    assert encode_frame(b'{"a":"\xc3\xa9"}') == b'data: {"a":"\xc3\xa9"}\n\n'


@given(st.data(), st.lists(JSON_OBJECTS | NOISE, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_split_and_any_line_end_gives_the_same_frames(
    data: st.DataObject, parts: list[bytes], line_end: bytes
) -> None:
    stream = b"".join(encode_frame(part) if part.startswith(b"{") else part for part in parts)
    stream = stream.replace(b"\n", line_end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    bom = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    expected = [part for part in parts if part.startswith(b"{")]
    assert decode(stream, cuts) == expected
    assert decode(bom + stream, [cut + len(bom) for cut in cuts]) == expected
    ends = [at + 2 * len(line_end) for at in range(len(stream)) if stream.startswith(2 * line_end, at)]
    assert decode(stream, ends) == expected


@given(st.binary(max_size=200), st.data())
def test_bytes_of_any_kind_give_the_same_frames_in_any_split(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert decode(stream, cuts) == decode(stream, []) == decode(stream, list(range(1, len(stream) + 1)))


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"event: message\nid: 7\ndata: a\nretry: 1\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b": hello\n\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: \xef\xbb\xbfa\n\n", [b"\xef\xbb\xbfa"]),
        (b"data\n\ndata:\n\ndata: \n\n", []),
        (b"datax: a\n\n", []),
        (PING + b"data: a\n\n" + PING, [b"a"]),
    ],
)
def test_frames_are_read_as_the_standard_says(stream: bytes, payloads: list[bytes]) -> None:
    assert SseDecoder().feed(stream) == payloads


def test_a_frame_is_given_out_with_the_byte_that_ends_it() -> None:
    decoder = SseDecoder()
    assert [decoder.feed(bytes([byte])) for byte in b"data: a\r\n\r\nd"][-3:] == [[b"a"], [], []]


def test_a_last_frame_without_a_blank_line_is_found_at_the_end() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\n\ndata: b\n") == [b"a"]
    assert decoder.flush() == [b"b"]
    assert decoder.flush() == []


def test_a_frame_without_end_is_given_up() -> None:
    decoder = SseDecoder(max_frame_bytes=100)
    assert decoder.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        decoder.feed(b"xxxxxxxxx")


def test_a_large_frame_is_put_together_from_small_pieces() -> None:
    decoder = SseDecoder()
    payload = b"x" * 1_000_000
    stream = encode_frame(payload)
    found: list[bytes] = []
    for begin in range(0, len(stream), 1000):
        found += decoder.feed(stream[begin : begin + 1000])
    assert found == [payload]
