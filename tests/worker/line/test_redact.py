"""What is done to a fact before it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.channel import MAX_LINE, MAX_STRING, Fact, encode_line, fact
from sidecar.worker.line.redact import _MAX_CALLS, Redactor

SECRET = 'pa"ss\nwörd'


def clean(data: dict[str, Any], *secrets: str, type: str = "log") -> list[dict[str, Any]]:
    return [made["data"] for made in Redactor(secrets).facts(fact(type, data))]


KEY = "sk-proj-CANARYopenai"


def delta(text: str, call: str = "c", kind: str = "text") -> Fact:
    return fact("llm.delta", {"call": call, "text": text, "kind": kind}, task="t", agent="a")


def said(redactor: Redactor, *facts: Fact) -> list[Any]:
    """Type and text of what comes out, joined where it is of one call and kind."""
    out: list[Any] = []
    for one in [made for given in facts for made in redactor.facts(given)]:
        mark = [one["type"], *(one["data"].get(name) for name in ("call", "kind"))]
        if out and one["type"] == "llm.delta" and out[-1][:3] == mark:
            out[-1][3] += one["data"]["text"]
        else:
            out.append([*mark, one["data"].get("text")])
    return out


@pytest.mark.parametrize("kind", ["text", "thinking", "tool"])
@pytest.mark.parametrize("size", [1, 4, 5, 19, 100])
def test_a_secret_in_the_tokens_of_a_call_is_masked(kind: str, size: int) -> None:
    text = f'{{"key": "{KEY}"}}'
    pieces = [delta(text[n : n + size], kind=kind) for n in range(0, len(text), size)]
    (one,) = said(Redactor((KEY,)), *pieces)
    assert one == ["llm.delta", "c", kind, '{"key": "***"}']


@pytest.mark.parametrize("end", ["llm.completed", "llm.failed", "run.completed", "run.failed"])
def test_what_was_held_back_is_said_before_the_end_and_as_a_delta_of_its_call(end: str) -> None:
    redactor = Redactor((KEY,))
    assert redactor.facts(delta("sk-pr")) == []
    other = redactor.facts(fact("llm.completed", {"call": "another"}))
    assert [one["type"] for one in other] == ["llm.completed"]
    rest, last = redactor.facts(fact(end, {"call": "c"}))
    assert (rest["data"], rest["task"], rest["agent"]) == (delta("sk-pr")["data"], "t", "a")
    assert last["type"] == end
    assert len(redactor.facts(fact(end, {"call": "c"}))) == 1


def test_calls_and_kinds_that_take_turns_are_texts_of_their_own() -> None:
    redactor = Redactor((KEY,))
    halves = KEY[:10], KEY[10:]
    texts = [
        delta(half, call, kind)
        for half in halves
        for call in ("c", "d")
        for kind in ("text", "tool")
    ]
    assert [one[3] for one in said(redactor, *texts)] == ["***"] * 4


def test_a_delta_without_text_stays_one() -> None:
    assert len(Redactor((KEY,)).facts(delta(""))) == 1


def test_of_calls_that_never_end_so_many_are_remembered_and_no_text_is_lost() -> None:
    redactor = Redactor((KEY,))
    out = said(redactor, *(delta("sk-", f"c{n}") for n in range(_MAX_CALLS + 10)))
    assert out == [["llm.delta", f"c{n}", "text", "sk-"] for n in range(10)]


@pytest.mark.parametrize(
    "text",
    [SECRET, f"x{SECRET}y{SECRET}", json.dumps(SECRET), json.dumps(SECRET, ensure_ascii=False)],
)
def test_a_secret_is_masked_in_any_form(text: str) -> None:
    (data,) = clean({"text": text, "deep": [{"k": text, text: 1}]}, SECRET)
    assert "ss" not in repr(data)
    assert "***" in data["text"]


def test_the_vocabulary_is_safe_from_a_secret_that_looks_like_it() -> None:
    (made,) = Redactor(("run.started",)).facts(fact("run.started", {"x": "run.started"}))
    assert made["type"] == "run.started"
    assert made["data"] == {"x": "***"}


def test_numbers_and_flags_keep_their_types() -> None:
    data = {"a": 1, "b": 1.5, "c": True, "d": None, "e": [2, {"f": False}]}
    assert clean(data, "12345678") == [data]


def test_a_long_string_is_cut_and_says_so() -> None:
    (data,) = clean({"text": "é" * MAX_STRING})
    assert len(data["text"].encode()) == MAX_STRING
    assert data["truncated"] is True
    assert clean({"text": "x" * MAX_STRING}) == [{"text": "x" * MAX_STRING}]


def test_a_long_delta_is_spread_and_not_cut() -> None:
    text = "a€" * MAX_STRING
    pieces = clean({"call": "c", "text": text, "kind": "text"}, type="llm.delta")
    assert "".join(piece["text"] for piece in pieces) == text
    assert all(len(piece["text"].encode()) <= MAX_STRING for piece in pieces)
    assert all(piece["call"] == "c" and "truncated" not in piece for piece in pieces)


def test_lone_surrogates_do_not_stop_a_long_delta() -> None:
    text = "\ud83d" * MAX_STRING
    pieces = clean({"call": "c", "text": text, "kind": "text"}, type="llm.delta")
    assert "".join(piece["text"] for piece in pieces) == text


def test_what_is_not_json_becomes_its_text() -> None:
    class Awkward:
        def __str__(self) -> str:
            raise RuntimeError

    (data,) = clean({"a": ValueError("no"), "b": Awkward(), "c": {1}})
    assert data == {"a": "no", "b": "<Awkward>", "c": [1]}


def test_a_monster_fits_in_a_line_of_the_channel() -> None:
    loop: list[Any] = []
    loop.append(loop)
    monster = {"wide": list(range(5_000)), "deep": loop, "long": ["x" * 60_000] * 900}
    (made,) = Redactor(()).facts(fact("tool.started", monster))
    assert made["data"]["truncated"] is True
    assert len(encode_line(made)) < MAX_LINE / 8
