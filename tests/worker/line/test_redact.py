"""What is done to a fact before it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.channel import MAX_LINE, MAX_STRING, encode_line, fact
from sidecar.worker.line.redact import Redactor

SECRET = 'pa"ss\nwörd'


def clean(data: dict[str, Any], *secrets: str, type: str = "log") -> list[dict[str, Any]]:
    return [made["data"] for made in Redactor(secrets).facts(fact(type, data))]


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
