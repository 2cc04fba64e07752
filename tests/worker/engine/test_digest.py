"""An event's own fields, flat and bounded, whatever is in them."""

from __future__ import annotations

import datetime
import enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sidecar.worker.engine.digest import bounded, digest


class Colour(enum.Enum):
    RED = "red"


class Hidden:
    def __str__(self) -> str:
        return "sk-a-secret-of-the-users"

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", "text"),
        (7, 7),
        (True, True),
        (None, None),
        (0.5, 0.5),
        (Colour.RED, "red"),
        (Path("/tea"), "/tea"),
        (ValueError("no tea"), "no tea"),
        (datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC), "2026-11-24T00:00:00+00:00"),
        (["a", 1, False], ["a", 1, False]),
        ([], []),
        ({"a": 1, "b": "c"}, "a: 1, b: c"),
        ({"a": {"deep": 1}, "b": [1, 2]}, "a: 1 of dict, b: 2 of list"),
        ([{"role": "user", "content": "long"}] * 3, "3 of dict"),
        (Hidden(), "<Hidden>"),
        ([Hidden()], "1 of Hidden"),
        ({"key": Hidden()}, "key: <Hidden>"),
        (b"bytes", "b'bytes'"),
    ],
    ids=str,
)
def test_a_value_is_told_flat(value: Any, told: Any) -> None:
    assert bounded(value) == told


def test_text_and_lists_are_cut_and_say_so() -> None:
    assert bounded("x" * 2_000) == "x" * 999 + "…"
    assert bounded(list(range(50))) == [*range(20), "… 50 in all"]
    assert bounded({str(n): n for n in range(50)}).endswith("19: 19, … 50 in all")


def test_the_envelope_and_crewais_own_objects_are_left_out() -> None:
    event = SimpleNamespace(
        type="new",
        event_id="e",
        parent_event_id="p",
        agent_role="Writer",
        messages=[{"role": "user"}],
        crew=Hidden(),
        route="left",
        nothing=None,
    )
    assert digest(event) == {"route": "left"}


def test_so_many_fields_are_told_and_no_more() -> None:
    assert len(digest(SimpleNamespace(**{f"field_{n}": n for n in range(100)}))) == 32
