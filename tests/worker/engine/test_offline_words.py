"""What the offline model writes, and the tools; no crewai."""

from __future__ import annotations

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
    pieces = list(compose(role, turns, tokens))
    assert len(pieces) == tokens
    assert pieces[0].startswith("[offline model]")
    assert "".join(pieces) == "".join(pieces).rstrip()


def test_the_same_prompt_gives_the_same_words() -> None:
    assert list(compose("Planner", PROMPT, 60)) == list(compose("Planner", PROMPT, 60))


def test_roles_and_briefs_make_a_difference() -> None:
    plan = "".join(compose("Content Planner", PROMPT, 60))
    assert "“Tulips for the station”" in plan
    assert plan != "".join(compose("Trend Researcher", PROMPT, 60))
    other = [("user", "<brief>Roses for the harbour</brief>")]
    assert "tulips" not in "".join(compose("Content Planner", other, 60)).lower()


def test_a_tool_result_is_mentioned() -> None:
    turns = [*PROMPT, ("tool", "4 words in 1 sentence\nand more")]
    assert "The tool says: 4 words in 1 sentence." in "".join(compose("Analyst", turns, 60))


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
