from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.channel import (
    MAX_STRING,
    LineSplitter,
    LineTooLong,
    encode_line,
    fact,
    truncate,
)


@given(st.lists(st.binary(min_size=1).filter(lambda b: b"\n" not in b)), st.data())
def test_lines_come_out_whole_however_the_bytes_were_cut(
    lines: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    splitter = LineSplitter()
    out: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += splitter.feed(stream[start:end])
    assert out == lines


def test_an_unfinished_line_has_a_bound() -> None:
    splitter = LineSplitter(limit=10)
    assert list(splitter.feed(b"0123456789")) == []
    with pytest.raises(LineTooLong):
        list(splitter.feed(b"0"))


def test_lines_before_one_that_is_too_long_come_out_though_it_ends() -> None:
    splitter = LineSplitter(limit=10)
    lines = splitter.feed(b"one\n\ntwo\n0123456789a\nafter\n")
    assert [next(lines), next(lines)] == [b"one", b"two"]
    with pytest.raises(LineTooLong):
        next(lines)


def test_how_much_is_held_is_told() -> None:
    splitter = LineSplitter()
    assert list(splitter.feed(b"whole\npart")) == [b"whole"]
    assert splitter.unfinished == len(b"part")
    assert list(splitter.feed(b"\n")) == [b"part"]
    assert splitter.unfinished == 0


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_a_model_may_say_survives_the_channel(text: str) -> None:
    line = encode_line(fact("llm.delta", {"text": text, text: 1}))
    assert line.count(b"\n") == 1
    said = orjson.loads(line)["data"]["text"]
    assert said == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_what_json_cannot_say_is_said_as_text() -> None:
    said = orjson.loads(encode_line(fact("log", {"n": 2**70, "o": {1: {2}}, "s": "\ud800"})))
    assert said["data"] == {"n": str(2**70), "o": {"1": [2]}, "s": "\ufffd"}


def test_a_fact_leaves_out_the_places_it_does_not_have() -> None:
    assert set(fact("log", {})) == {"type", "ts", "data"}
    assert fact("log", {}, task="t", agent="a", cause="c")["cause"] == "c"


@given(st.text(), st.integers(4, 64))
def test_truncating_keeps_whole_characters_within_the_bound(text: str, limit: int) -> None:
    cut, was_cut = truncate(text, limit)
    assert len(cut.encode()) <= limit
    assert text.startswith(cut)
    assert was_cut == (cut != text)


def test_strings_up_to_64_kib_are_left_alone() -> None:
    assert truncate("a" * MAX_STRING) == ("a" * MAX_STRING, False)
    assert truncate("a" * (MAX_STRING + 1)) == ("a" * MAX_STRING, True)
