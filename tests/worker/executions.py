"""What a worker told, by the executions that it is of."""

from __future__ import annotations

from typing import Any, Final

from tests.worker.harness import Child

__all__ = ["by_tid", "outputs", "path", "well_formed"]

Fact = dict[str, Any]

_OF_THE_CREW: Final = (
    *("task.", "agent.", "llm.", "tool.", "step", "crew.", "flow.", "method.", "guardrail."),
    *("memory.", "knowledge.", "reasoning."),
)
"""Not MCP: a crew's agents connect before any of its tasks begins."""


def by_tid(worker: Child) -> dict[str, list[Fact]]:
    """The crew's facts by execution, in order."""
    found: dict[str, list[Fact]] = {}
    for fact in worker.facts:
        if fact["type"].startswith(_OF_THE_CREW) and "tid" in fact:
            found.setdefault(fact["tid"], []).append(fact)
    return found


def path(worker: Child, tid: str | None) -> list[str]:
    """The names of the executions that one is inside of, from the outermost, and its own."""
    names: list[str] = []
    told = by_tid(worker)
    while tid is not None:
        begin = told[tid][0]
        assert begin["type"].endswith(".started"), begin
        names.insert(0, begin["data"]["name"])
        tid = begin.get("in")
    return names


def outputs(worker: Child) -> list[tuple[str, str]]:
    """Of each task that was completed by one agent alone: its tid, and who. Nobody else's words are
    among its own, and these are its output."""
    found = []
    for tid, facts in by_tid(worker).items():
        ended = [fact for fact in facts if fact["type"] == "task.completed"]
        if ended:
            (end,) = ended
            assert {fact["agent"] for fact in facts} == {end["agent"]}, "another's are among them"
            text = "".join(
                fact["data"]["text"]
                for fact in facts
                if fact["type"] == "llm.delta" and fact["data"]["kind"] == "text"
            )
            assert text == end["data"]["output"], tid
            found.append((tid, end["agent"]))
    return found


def well_formed(worker: Child, *, background: bool = False) -> None:
    """Each execution begins with its first fact and ends with its last, once; what it is in began
    before; and nothing of a crew is outside of all of them. With `background`, something that an
    execution began may go on beyond its end, as a memory's saving does."""
    told = by_tid(worker)
    for tid, facts in told.items():
        noun = facts[0]["type"].partition(".")[0]
        own = [fact["type"] for fact in facts if fact["type"].startswith(f"{noun}.")]
        ending = own[-1].partition(".")[2]
        assert own == [f"{noun}.started", f"{noun}.{ending}"], (tid, own)
        assert ending in ("completed", "failed")
        assert background or facts[-1]["type"] == own[-1], [fact["type"] for fact in facts]
        (inside,) = {fact.get("in") for fact in facts}
        assert inside is None or inside in told
    placed = sum(map(len, told.values()))
    assert placed == sum(fact["type"].startswith(_OF_THE_CREW) for fact in worker.facts)
