"""What a user's crew gave back, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from sidecar.worker.outputs import MAX_JSON, output_of, text_of


class Post(BaseModel):
    title: str
    tags: list[str] = []


@dataclass
class Verdict:
    good: bool
    post: Post


def crew_output(raw: str, **structure: Any) -> SimpleNamespace:
    """As CrewAI's outputs are, which tests/worker/contracts pins."""
    return SimpleNamespace(raw=raw, **structure)


@pytest.mark.parametrize(
    ("result", "text", "structure"),
    [
        ("done", "done", None),
        ("", "", None),
        (None, None, None),
        (3, "3", None),
        (True, "True", None),
        (crew_output("raw"), "raw", None),
        (crew_output("raw", pydantic=Post(title="é")), "raw", {"title": "é", "tags": []}),
        (crew_output("raw", json_dict={"a": 1}), "raw", {"a": 1}),
        (Post(title="ü"), '{"title": "ü", "tags": []}', {"title": "ü", "tags": []}),
        ({"a": (1, 2)}, '{"a": [1, 2]}', {"a": [1, 2]}),
        ([1, "b"], '[1, "b"]', [1, "b"]),
        (
            Verdict(True, Post(title="t")),
            '{"good": true, "post": {"title": "t", "tags": []}}',
            {"good": True, "post": {"title": "t", "tags": []}},
        ),
        ([crew_output("one"), crew_output("two")], "one\n\ntwo", None),
        (
            [crew_output("one", json_dict={"n": 1}), crew_output("two")],
            "one\n\ntwo",
            [{"n": 1}, None],
        ),
    ],
)
def test_a_result_is_text_and_where_it_has_a_structure_json(
    result: Any, text: str | None, structure: Any
) -> None:
    assert output_of(result) == (text, structure)


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    class Thing:
        def __str__(self) -> str:
            return "a thing"

    assert text_of(Thing()) == "a thing"
    assert text_of(None) == ""
    assert output_of({1: Thing()}).json == {"1": "a thing"}


def test_a_structure_that_holds_itself_ends_somewhere() -> None:
    knot: dict[str, Any] = {}
    knot["self"] = knot
    output = output_of(knot)
    assert output.text is not None
    assert json.loads(output.text) == output.json


def test_a_structure_that_is_too_large_is_left_out_and_its_text_is_not() -> None:
    output = output_of({"long": "x" * MAX_JSON})
    assert output.json is None
    assert output.text is not None
    assert len(output.text) > MAX_JSON
