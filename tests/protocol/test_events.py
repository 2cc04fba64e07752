from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from sidecar.protocol.events import Cursor, Draft, Event, encode_event, format_cursor, parse_cursor
from sidecar.protocol.framing import Piece, pieces, sse_control, sse_event, ws_text

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "sse.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda v: v["name"])
def test_frames_are_encoded_as_the_golden_vectors_have_it(vector: dict[str, Any]) -> None:
    encoded = b""
    for frame in vector["frames"]:
        data = frame["data"].encode()
        if "id" in frame:
            encoded += sse_event(frame["id"], data)
        else:
            assert frame["event"] == orjson.loads(data)["type"]
            encoded += sse_control(orjson.loads(data))
    if not vector["bytes"].startswith(":"):
        assert encoded.decode() == vector["bytes"]


def test_an_event_has_its_fields_in_the_order_of_the_protocol() -> None:
    draft = Draft("llm.delta", 1.5, {"text": "Hel"}, "plan", "Planner", "c-7")
    event = encode_event(draft, run="r_1", epoch="k3f9", seq=43, at=2.5)
    assert event.json == (
        b'{"type":"llm.delta","run":"r_1","seq":43,"id":"k3f9-43","ts":1.5,"at":2.5,'
        b'"task":"plan","agent":"Planner","cause":"c-7","data":{"text":"Hel"}}'
    )


def test_only_a_final_event_says_final() -> None:
    plain = encode_event(Draft("log", 1, {}), run="r", epoch="e", seq=1, at=1)
    last = encode_event(Draft("run.failed", 1, {}, final=True), run="r", epoch="e", seq=2, at=1)
    assert "final" not in orjson.loads(plain.json)
    assert orjson.loads(last.json)["final"] is True


def some_events(*sizes: int) -> list[Event]:
    return [
        encode_event(Draft("log", 1, {"text": "x" * size}), run="r", epoch="e", seq=seq, at=1)
        for seq, size in enumerate(sizes, 1)
    ]


def test_bytes_are_built_once_and_shared() -> None:
    piece = Piece(some_events(1, 2))
    assert piece.ws is piece.ws
    assert piece.sse is piece.sse


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 2_000))
def test_pieces_have_all_events_in_order_and_only_a_single_one_is_larger_than_allowed(
    sizes: list[int], most: int
) -> None:
    events = some_events(*sizes)
    cut = list(pieces(events, most))
    assert [event for piece in cut for event in piece.events] == events
    at = 0
    for piece in cut:
        assert (piece.before, piece.last) == (at, at + len(piece.events))
        at = piece.last
        size = sum(len(event.json) for event in piece.events)
        assert size <= most or len(piece.events) == 1


def test_a_piece_is_its_events_in_either_framing() -> None:
    events = some_events(3, 200, 70_000)
    piece = Piece(events)
    assert piece.ws == b"".join(ws_text(event.json) for event in events)
    blocks = b"".join(sse_event(event.id, event.json) for event in events)
    size, _, rest = piece.sse.partition(b"\r\n")
    assert (int(size, 16), rest) == (len(blocks), blocks + b"\r\n")


@given(st.text())
def test_no_text_breaks_out_of_its_sse_block(text: str) -> None:
    event = encode_event(Draft("llm.delta", 1, {"text": text}), run="r", epoch="e", seq=1, at=1)
    block = sse_event(event.id, event.json)
    assert block.count(b"\n") == 3
    assert b"\r" not in block
    assert orjson.loads(block.split(b"\n")[1].removeprefix(b"data: "))["data"]["text"] == text


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_frame_of_any_length_is_read_by_another_implementation(size: int) -> None:
    stream = StreamReader()
    stream.feed_data(ws_text(b"x" * size))
    parser = Frame.parse(stream.read_exact, mask=False)
    with pytest.raises(StopIteration) as parsed:
        next(parser)
    frame = parsed.value.value
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, size)


@given(st.integers(0, 10**14))
def test_a_cursor_reads_back(seq: int) -> None:
    assert parse_cursor(format_cursor("k3f9", seq)) == Cursor("k3f9", seq)


@pytest.mark.parametrize(
    "text", ["", "-1", "abc", "abc-", "-5", "abc-1x", "abc-1\n", "a b-1", "ABC-1", "abc--1", "é-1"]
)
def test_junk_is_no_cursor(text: str) -> None:
    assert parse_cursor(text) is None
