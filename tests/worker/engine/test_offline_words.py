"""What the offline model writes, and the tools; no crewai."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew.tools import content_calendar, text_statistics
from sidecar.worker.engine.prose import brief_of, compose, tokens_of

PROMPT = [("system", "You are."), ("user", "Do it.\n<brief>\nTulips for the station\n</brief>")]


@given(
    role=st.text(),
    turns=st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text()), max_size=4
    ),
    tokens=st.integers(1, 400),
)
def test_any_prompt_gives_exactly_as_many_tokens_as_asked(
    role: str, turns: list[tuple[str, str]], tokens: int
) -> None:
    pieces = compose(role, turns, tokens)
    assert len(pieces) == tokens
    assert pieces[0].startswith("[offline model]")
    assert "".join(pieces) == "".join(pieces).rstrip()


def test_the_same_prompt_gives_the_same_words() -> None:
    assert compose("Planner", PROMPT, 60) == compose("Planner", PROMPT, 60)


def test_roles_and_briefs_make_a_difference() -> None:
    plan = "".join(compose("Content Planner", PROMPT, 60))
    assert "“Tulips for the station”" in plan
    assert plan != "".join(compose("Trend Researcher", PROMPT, 60))
    other = [("user", "<brief>Roses for the harbour</brief>")]
    assert "tulips" not in "".join(compose("Content Planner", other, 60)).lower()


def test_a_reply_is_markdown_with_a_heading_a_list_and_something_bold() -> None:
    assert "".join(compose("Planner", PROMPT, 22)).splitlines()[2:5] == [
        "## Tulips",
        "",
        "- Ask who doubts **tulips** and answer them.",
    ]


@pytest.mark.parametrize("tokens", range(12, 80))
def test_a_reply_of_any_length_ends_with_a_whole_sentence(tokens: int) -> None:
    text = "".join(compose("Planner", PROMPT, tokens))
    assert text.endswith(".")
    assert ".." not in text
    last = text.splitlines()[-1]
    assert last.startswith("- ") or text.splitlines()[-2] == "", "a closing is no part of a list"


@pytest.mark.parametrize(
    ("result", "remark"),
    [
        ("4 words in 1 sentence\nand more", "The tool says: 4 words in 1 sentence.\n"),
        ("Some words.", "The tool says: Some words.\n"),
        ("Some words...", "The tool says: Some words…\n"),
        ("Is it?", "The tool says: Is it?\n"),
        ("a b c d e f g h i j k l m", "The tool says: a b c d e f g h i j k…\n"),
    ],
)
def test_a_tool_result_is_mentioned_with_one_end(result: str, remark: str) -> None:
    assert remark in "".join(compose("Analyst", [*PROMPT, ("tool", result)], 60))


def test_what_a_person_asked_for_last_is_mentioned() -> None:
    turns = [*PROMPT, ("user", "Shorter."), ("user", "User feedback: Mention the river.")]
    text = "".join(compose("Analyst", turns, 60))
    assert "You asked for: Mention the river.\n" in text
    assert "Shorter" not in text


FOLLOW_UP = """\
<history>
User: Tulips for
the station

Crew: ## Tulips

User: and you?

User: Warmer, please

Crew: [offline model] ## Tulips
</history>
<brief>
Make it shorter
</brief>
"""


def test_a_follow_up_keeps_to_the_subject_and_says_what_came_before() -> None:
    text = "".join(compose("Planner", [("system", "You are."), ("user", FOLLOW_UP)], 60))
    assert text.startswith(
        "[offline model] Planner on “Make it shorter”.\n\nYou asked before: Warmer, please.\n\n"
    )
    assert "## Tulips" in text
    first = compose("Planner", [("user", FOLLOW_UP.replace("User: ", "They: "))], 60)
    assert "You asked before" not in "".join(first)


def test_common_words_are_no_headings() -> None:
    turns = [("user", "<brief>Please write about these teas, and about harbours</brief>")]
    text = "".join(compose("Planner", turns, 200))
    headings = {line for line in text.splitlines() if line.startswith("## ")}
    assert headings == {"## Teas", "## Harbours"}


def test_a_brief_without_words_is_answered_too() -> None:
    text = "".join(compose("Planner", [("user", "<brief>!</brief>")], 40))
    assert "“!”" in text
    assert "## The subject" in text


def test_the_brief_is_found_between_its_tags_else_at_the_start_of_the_task() -> None:
    assert brief_of(PROMPT) == "Tulips for the station"
    assert brief_of([("user", "\nCurrent Task: Sell tea\n\nThis is the…")]).strip() == "Sell tea"
    assert brief_of([]) == ""


@given(st.text())
def test_tokens_join_to_their_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text.lstrip()


def test_text_statistics_measures_a_text() -> None:
    text = "Great tea. Great, simple tea! Is waiting bad?"
    assert text_statistics(text).splitlines() == [
        "8 words in 3 sentences",
        "reading time: 0 min 3 s",
        "reading level: grade 0.2 (Flesch-Kincaid)",
        "frequent words: great (2), tea (2), simple (1), waiting (1), bad (1)",
        "tone: positive (3 positive, 1 negative words)",
    ]
    assert text_statistics(" 1 2 3 ") == "The text has no words."


@given(st.text())
def test_text_statistics_takes_any_text(text: str) -> None:
    assert text_statistics(text)


def test_the_calendar_keeps_to_working_days_from_the_start() -> None:
    assert content_calendar("2026-03-05", posts=4, per_week=2).splitlines() == [
        "1. Mon 2026-03-09",
        "2. Wed 2026-03-11",
        "3. Mon 2026-03-16",
        "4. Wed 2026-03-18",
    ]


def test_the_calendar_says_what_it_needs_instead_of_failing() -> None:
    assert content_calendar("soon") == "start must be a date like 2026-03-02, not 'soon'."
    assert content_calendar("2026-03-02", posts=0) == "posts must be from 1 to 30, not 0."
    assert "per_week must be from 1 to 5" in content_calendar("2026-03-02", per_week=6)
    assert content_calendar("9999-12-31").startswith("start must be a date like")
