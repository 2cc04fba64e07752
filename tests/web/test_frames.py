"""What a client may send on a WebSocket, and what one that breaks the rules is told (RFC 6455)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.web.frames import BINARY, CLOSE, PING, PONG, TEXT, BadFrame, FrameReader, Message
from tests.support.long import examples

LARGEST = 70_000
MASK = b"\x01\x80\x00\xff"
CONTINUATION = 0


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = MASK) -> bytes:
    """A client's frame, masked byte by byte: not the way the reader does it."""
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


def refusal(*data: bytes) -> int:
    reader = FrameReader(LARGEST)
    *first, last = data
    for piece in first:
        reader.feed(piece)
    with pytest.raises(BadFrame) as caught:
        reader.feed(last)
    assert 0 < len(caught.value.reason.encode()) <= 123
    return caught.value.code


def data_message(opcode: int, payload: bytes, cuts: list[int]) -> bytes:
    """In fragments, with a ping between any two."""
    ends = sorted({min(cut, len(payload)) for cut in cuts} | {len(payload)})
    starts = [0, *ends[:-1]]
    return frame(PING, b"?").join(
        frame(CONTINUATION if n else opcode, payload[start:end], fin=end == ends[-1])
        for n, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


messages = st.lists(
    st.one_of(
        st.builds(Message, st.just(TEXT), st.text(max_size=300).map(str.encode), st.just(0)),
        st.builds(Message, st.just(BINARY), st.binary(max_size=300), st.just(0)),
        st.builds(Message, st.sampled_from([PING, PONG]), st.binary(max_size=125), st.just(0)),
        st.just(Message(CLOSE, struct.pack("!H", 1001) + "tschüss".encode())),
    ),
    max_size=6,
)


@examples(100, 5_000)
@given(messages, st.lists(st.integers(0, 300), max_size=4), st.lists(st.integers(1, 40)))
def test_however_it_is_fragmented_and_arrives_the_same_messages_are_read(
    sent: list[Message], cuts: list[int], sizes: list[int]
) -> None:
    stream = b"".join(
        data_message(message.opcode, message.payload, cuts)
        if message.opcode in (TEXT, BINARY)
        else frame(message.opcode, message.payload)
        for message in sent
    )
    reader = FrameReader(LARGEST)
    read: list[Message] = []
    for size in sizes:
        read += reader.feed(stream[:size])
        stream = stream[size:]
    read += reader.feed(stream)
    between = Message(PING, b"?")
    assert [m for m in read if m != between] == [m for m in sent if m != between]


@examples(100, 5_000)
@given(messages, st.integers(1, 5), st.integers(1, 80), st.integers(1, 400))
def test_in_however_small_turns_it_is_read_the_same_messages_are_read(
    sent: list[Message], frames: int, size: int, piece: int
) -> None:
    stream = b"".join(frame(message.opcode, message.payload) for message in sent)
    reader = FrameReader(LARGEST)
    read: list[Message] = []
    while stream or reader.more:
        turn = reader.feed(b"" if reader.more else stream[:piece], frames, size)
        if not reader.more:
            stream = stream[piece:]
        read += turn
        assert len(turn) <= frames
        assert sum(len(message.payload) for message in turn[1:]) <= size
    assert read == sent
    assert not reader.unfinished


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, LARGEST])
def test_every_way_of_telling_the_length_is_understood(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    assert FrameReader(LARGEST).feed(frame(BINARY, payload)) == [Message(BINARY, payload)]


@examples(100, 5_000)
@given(st.binary(max_size=200))
def test_junk_is_refused_or_waited_on_and_nothing_else(junk: bytes) -> None:
    code = None
    try:
        FrameReader(LARGEST).feed(junk)
    except BadFrame as error:
        code = error.code
    assert code in (None, 1002, 1007, 1009)


def test_what_is_too_large_is_refused_before_it_arrives() -> None:
    announced = frame(TEXT, b"x" * (LARGEST + 1))[:14]
    assert refusal(announced) == 1009


def test_fragments_together_are_no_larger_than_one_frame() -> None:
    half = b"x" * (LARGEST // 2)
    assert (
        refusal(
            frame(TEXT, half, fin=False),
            frame(CONTINUATION, half, fin=False),
            frame(CONTINUATION, b"x", fin=False),
        )
        == 1009
    )


@pytest.mark.parametrize(
    ("broken", "data"),
    [
        ("unmasked", b"\x81\x02hi"),
        ("a reserved bit", b"\xc1" + frame(TEXT, b"hi")[1:]),
        ("an opcode of the future", frame(3, b"hi")),
        ("a long ping", frame(PING, b"x" * 126)),
        ("a ping in fragments", frame(PING, b"x", fin=False)),
        ("a continuation of nothing", frame(CONTINUATION, b"x")),
        ("a message within a message", frame(TEXT, b"x", fin=False) + frame(TEXT, b"y")),
        ("half a close code", frame(CLOSE, b"\x03")),
        ("a close code that no one may send", frame(CLOSE, struct.pack("!H", 1006))),
        ("a close code that there is not", frame(CLOSE, struct.pack("!H", 1016))),
        ("a close code of the future", frame(CLOSE, struct.pack("!H", 2999))),
        ("a length of one byte told in two", b"\x81\xfe\x00\x7d" + MASK + bytes(125)),
        ("a length of two bytes told in eight", b"\x81\xff" + bytes(6) + b"\xff\xff" + MASK),
        ("a length below zero", b"\x81\xff" + b"\xff" * 8 + MASK),
    ],
)
def test_who_breaks_the_protocol_is_told_so(broken: str, data: bytes) -> None:
    assert refusal(data) == 1002, broken


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_a_close_code_that_there_is_is_taken(code: int) -> None:
    payload = struct.pack("!H", code)
    assert FrameReader(LARGEST).feed(frame(CLOSE, payload)) == [Message(CLOSE, payload)]


def test_what_came_whole_before_a_bad_frame_counts() -> None:
    with pytest.raises(BadFrame) as caught:
        FrameReader(LARGEST).feed(frame(TEXT, b"hi") + frame(PING) + frame(3) + frame(TEXT, b"no"))
    assert caught.value.before == [Message(TEXT, b"hi"), Message(PING, b"")]


def held(reader: FrameReader) -> int:
    """Bytes that wait in it for the rest of a message."""
    return sum(
        len(part) for name in reader.__slots__ if isinstance(part := getattr(reader, name), BYTES)
    )


BYTES = (bytes, bytearray)


def test_of_a_message_that_is_too_long_to_keep_only_the_length_is_kept() -> None:
    reader = FrameReader(LARGEST, keeps=1_000)
    whole = frame(TEXT, b"x" * 1_001) + frame(TEXT, b"y" * 1_000)
    for place in range(len(whole) - 1):
        read = reader.feed(whole[place : place + 1])
        assert read in ([], [Message(TEXT, b"", 1_001)])
        assert held(reader) <= 1_014
    assert reader.feed(whole[-1:]) == [Message(TEXT, b"y" * 1_000)]


def test_fragments_that_are_too_long_together_are_dropped_and_counted() -> None:
    reader = FrameReader(LARGEST, keeps=1_000)
    reader.feed(frame(BINARY, b"x" * 900, fin=False))
    assert held(reader) == 900
    reader.feed(frame(CONTINUATION, b"x" * 101, fin=False) + frame(PING))
    assert held(reader) == 0
    assert reader.feed(frame(CONTINUATION, b"x" * 9)) == [Message(BINARY, b"", 1_010)]


@pytest.mark.parametrize(
    "begun",
    [frame(TEXT)[:1], frame(TEXT, b"hi")[:-1], frame(TEXT, fin=False), frame(PING, b"hi")[:7]],
)
def test_it_tells_whether_something_has_begun_that_is_not_whole(begun: bytes) -> None:
    reader = FrameReader(LARGEST)
    assert not reader.unfinished
    reader.feed(begun)
    assert reader.unfinished


def test_what_is_whole_leaves_nothing_begun() -> None:
    reader = FrameReader(LARGEST)
    reader.feed(frame(TEXT, b"h", fin=False) + frame(PING, b"?") + frame(CONTINUATION, b"i"))
    assert not reader.unfinished


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, "é".encode()[:1], fin=False) + frame(CONTINUATION, b"x"),
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(data: bytes) -> None:
    assert refusal(data) == 1007


def test_a_character_may_be_cut_in_two_by_fragments() -> None:
    whole = "é".encode()
    data = frame(TEXT, whole[:1], fin=False) + frame(CONTINUATION, whole[1:])
    assert FrameReader(LARGEST).feed(data) == [Message(TEXT, whole)]
