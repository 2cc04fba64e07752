"""What a crew is told of the turns before its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.runs.history import HISTORY_BYTES, History, title_of


def run(
    message: str = "tea",
    output: str | None = "a plan",
    state: str = "completed",
    tasks: dict[str, str | None] | None = None,
    inputs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A snapshot, as far as it matters."""
    return {
        "inputs": {"message": message} if inputs is None else inputs,
        "output": output,
        "state": state,
        "tasks": [{"name": name, "output": said} for name, said in (tasks or {}).items()],
    }


def told(*newest_first: dict[str, Any], most: int = HISTORY_BYTES) -> str:
    history = History(most)
    for snapshot in newest_first:
        if not history.add(snapshot):
            break
    return history.text


def test_nothing_was_said_before_the_first() -> None:
    assert told() == ""


def test_turns_come_oldest_first() -> None:
    assert told(run("shorter", "tea!"), run("tea", "a plan")) == (
        "User: tea\n\nCrew: a plan\n\nUser: shorter\n\nCrew: tea!"
    )


@pytest.mark.parametrize(
    ("state", "output", "says"),
    [
        ("failed", None, "(failed)"),
        ("cancelled", None, "(stopped)"),
        ("interrupted", None, "(stopped)"),
        ("completed", None, "(no output)"),
        ("running", None, "(not finished)"),
        ("cancelled", "half of it", "half of it"),
    ],
)
def test_a_run_without_an_output_says_how_it_ended(
    state: str, output: str | None, says: str
) -> None:
    assert told(run("tea", output, state)) == f"User: tea\n\nCrew: {says}"


def test_of_several_tasks_all_outputs_are_told_since_the_last_alone_is_not_the_whole() -> None:
    tasks = {"plan": "open on Monday", "trends": "matcha", "skipped": None}
    assert told(run("tea", "matcha", tasks=tasks)) == (
        "User: tea\n\nCrew: ## plan\n\nopen on Monday\n\n## trends\n\nmatcha"
    )
    assert told(run("tea", "both", tasks=tasks)).endswith("## trends\n\nmatcha\n\nboth")
    assert told(run("tea", "matcha", tasks={"trends": "matcha"})) == "User: tea\n\nCrew: matcha"
    assert told(run("tea", None, "cancelled", {"plan": "Monday", "trends": None})) == (
        "User: tea\n\nCrew: ## plan\n\nMonday\n\n(stopped)"
    )


@pytest.mark.parametrize(
    ("inputs", "brief"),
    [
        ({"message": " tea "}, "tea"),
        ({"user_input": "tea", "language": "de"}, "tea"),
        ({"message": " ", "campaign_context": "tea"}, "tea"),
        ({"topic": "tea", "year": 2026, "history": "x"}, '{"topic":"tea","year":2026}'),
        ({"message": {"text": "tea"}}, '{"message":{"text":"tea"}}'),
        ({}, "{}"),
    ],
)
def test_a_brief_is_the_message_under_any_of_its_names_or_else_all_inputs(
    inputs: dict[str, Any], brief: str
) -> None:
    assert told(run(inputs=inputs)) == f"User: {brief}\n\nCrew: a plan"


def test_whole_oldest_turns_are_left_out_until_it_fits() -> None:
    turns = [run(str(n), "ü" * 1_000) for n in range(20)]
    text = told(*turns)
    # Each has 2,017 bytes and a blank line between: eight fit 16,384.
    assert text.count("User: ") == 8
    assert text.startswith("User: 7\n\n")
    assert text.endswith("ü")
    assert len(text.encode()) <= HISTORY_BYTES


def test_a_turn_that_is_too_long_is_told_without_its_tasks_before_it_is_left_out() -> None:
    long = run("tea", "matcha", tasks={"plan": "x" * HISTORY_BYTES, "trends": "matcha"})
    assert told(run("more"), long).startswith("User: tea\n\nCrew: matcha\n\nUser: more")


def test_of_the_newest_there_is_always_something() -> None:
    text = told(run("ä" * 20_000, "ö" * 20_000), run("older"))
    assert len(text.encode()) in range(HISTORY_BYTES - 3, HISTORY_BYTES + 1)
    assert text.startswith("User: ää")
    assert "ä…\n\nCrew: öö" in text
    assert text.endswith("ö…")
    assert text.count("ö") > text.count("ä") > 1_000


turn = st.builds(
    run,
    st.text(max_size=80),
    st.none() | st.text(max_size=80),
    st.sampled_from(["completed", "failed", "running"]),
    st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=40), max_size=4),
)


@given(st.lists(turn, max_size=8), st.integers(64, 400))
def test_it_never_has_more_than_its_bound_nor_nothing_of_what_there_is(
    turns: list[dict[str, Any]], most: int
) -> None:
    text = told(*turns, most=most)
    assert len(text.encode()) <= most
    assert bool(text) == bool(turns)
    assert text.startswith("User: ") or not turns


@pytest.mark.parametrize(
    ("inputs", "title"),
    [
        ({"message": "A tea shop\n opens"}, "A tea shop opens"),
        ({"user_input": "tea " * 30}, " ".join(["tea"] * 15) + "…"),
        ({"message": "x" * 80}, "x" * 59 + "…"),
        ({"year": 2026, "blank": " ", "locale": "de", "topic": "tea", "z": "dry"}, "tea"),
        ({"message": {"text": "tea"}, "topic": "tea"}, "tea"),
        ({"year": 2026}, "default"),
        ({}, "default"),
    ],
)
def test_a_thread_is_called_by_the_first_words_of_its_first_run(
    inputs: dict[str, Any], title: str
) -> None:
    assert title_of(inputs, "default") == title
    assert len(title) <= 60
