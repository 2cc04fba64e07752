"""Merging of deltas, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.channel import MAX_STRING, Fact, fact
from sidecar.worker.line.coalesce import _MAX_CALLS, WINDOW, Coalescer


def delta(text: str, call: str = "a", kind: str = "text") -> Fact:
    return fact("llm.delta", {"call": call, "text": text, "kind": kind})


def texts(facts: list[Fact]) -> list[str]:
    return [made["data"].get("text", made["type"]) for made in facts]


def test_the_first_token_of_a_call_leaves_at_once() -> None:
    merger = Coalescer()
    assert texts(merger.add(delta("1"), 0.0)) == ["1"]
    assert texts(merger.add(delta("1", call="b"), 0.001)) == ["1"]
    assert merger.due is None


def test_tokens_within_the_window_leave_together_when_it_ends() -> None:
    merger = Coalescer()
    merger.add(delta("1"), 0.0)
    assert merger.add(delta("2"), 0.005) == []
    assert merger.add(delta("3"), 0.010) == []
    assert merger.due == WINDOW
    assert texts(merger.flush(WINDOW)) == ["23"]
    assert merger.due is None


def test_a_token_after_a_quiet_window_is_not_held() -> None:
    merger = Coalescer()
    merger.add(delta("1"), 0.0)
    assert texts(merger.add(delta("2"), WINDOW)) == ["2"]


def test_a_token_that_comes_when_the_window_is_over_takes_the_held_ones_along() -> None:
    merger = Coalescer()
    merger.add(delta("1"), 0.0)
    merger.add(delta("2"), 0.019)
    assert texts(merger.add(delta("3"), 0.021)) == ["23"]


def test_any_other_fact_is_preceded_by_what_is_held() -> None:
    merger = Coalescer()
    merger.add(delta("1"), 0.0)
    merger.add(delta("2"), 0.001)
    assert texts(merger.add(fact("log", {}), 0.002)) == ["2", "log"]


def test_calls_and_kinds_are_not_mixed() -> None:
    merger = Coalescer()
    for call in ("a", "b"):
        merger.add(delta("1", call), 0.0)
    merger.add(delta("2"), 0.001)
    assert texts(merger.add(delta("3", "b"), 0.002)) == ["2"]
    assert texts(merger.add(delta("4", "b", "tool"), 0.003)) == ["3"]


def test_a_held_delta_does_not_outgrow_a_facts_string() -> None:
    merger = Coalescer()
    merger.add(delta("1"), 0.0)
    assert merger.add(delta("x" * 1_000), 0.001) == []
    (full,) = merger.add(delta("y" * (MAX_STRING // 4)), 0.002)
    assert len(full["data"]["text"]) == MAX_STRING // 4 + 1_000


def test_of_calls_that_never_end_the_oldest_are_forgotten() -> None:
    merger = Coalescer()
    for number in range(_MAX_CALLS + 1):
        merger.add(delta("1", call=str(number)), 0.0)
    assert merger.add(delta("2", call="1"), 0.001) == []
    # As good as new: its delta leaves at once, behind what was held.
    assert texts(merger.add(delta("2", call="0"), 0.002)) == ["2", "2"]


_FACTS = st.lists(
    st.tuples(
        st.sampled_from(["delta", "log", "llm.completed", "tick"]),
        st.sampled_from("abc"),
        st.sampled_from(["text", "tool"]),
        st.floats(0, 0.05),
    ),
    max_size=60,
)


@given(_FACTS)
def test_nothing_is_lost_reordered_or_held_too_long(
    script: list[tuple[str, str, str, float]],
) -> None:
    merger, now = Coalescer(), 0.0
    said: list[tuple[str, str, str]] = []
    heard: list[tuple[str, str, str]] = []

    def hear(facts: list[Fact]) -> None:
        for made in facts:
            data = made["data"]
            kind, call = data.get("kind", ""), data.get("call", "")
            parts = data["text"].split(",")[:-1] if made["type"] == "llm.delta" else [made["type"]]
            heard.extend((part, call, kind) for part in parts)

    for number, (what, call, kind, wait) in enumerate(script):
        if merger.due is not None and now + wait >= merger.due:
            hear(merger.flush(merger.due))
        now += wait
        if what == "delta":
            said.append((str(number), call, kind))
            hear(merger.add(delta(f"{number},", call, kind), now))
        elif what != "tick":
            said.append((what, call, ""))
            hear(merger.add(fact(what, {"call": call}), now))
        assert merger.due is None or merger.due - now <= WINDOW + 1e-9
    hear(merger.flush(now))
    assert heard == said
