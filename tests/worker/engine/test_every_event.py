"""What CrewAI's bus emits is what is told, one for one, on real crews; nothing is left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from sidecar.worker.engine.noise import NOISE
from tests.crews.compare import word_of
from tests.worker.executions import well_formed
from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.features"

FAILING: Final = ("Broken", "fails")
BESIDE: Final = ("run.", "worker.", "log", "step", "llm.delta", "input.")
"""What is told of something else, or, as deltas are, merged."""


def expected(bus: Path, own_crew: bool) -> Counter[str]:
    """What the bus has emitted, in our words."""
    told: Counter[str] = Counter()
    for line in bus.read_text().splitlines():
        if line.startswith("internal ") or line in NOISE or line.endswith("_chunk"):
            continue
        told[word_of(line)] += 1
    if own_crew:
        told -= Counter(
            ["crew.started", "crew.completed" if told["crew.completed"] else "crew.failed"]
        )
    return told


def told(worker: Child) -> Counter[str]:
    facts = [fact for fact in worker.facts if not fact["type"].startswith(BESIDE)]
    return Counter(
        f"event {fact['data']['kind']}" if fact["type"] == "event" else fact["type"]
        for fact in facts
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("Branches", {"flow", "method", "crew"}),
        ("Parallel", {"crew"}),
        ("ForEach", {"crew"}),
        ("Threads", {"crew"}),
        ("Outer", {"flow"}),
        ("Broken", {"flow", "method"}),
        ("asks_a_critic", {"crew", "tool"}),
        ("plans", {"task"}),
        ("folded_role", {"tool"}),
        ("guarded", {"guardrail"}),
        ("judged", {"guardrail"}),
        ("thinking", {"reasoning"}),
        ("remembering", {"memory"}),
        ("knowing", {"knowledge"}),
        ("failing_tool", {"tool"}),
        ("over_mcp", {"mcp"}),
        ("alone", {"agent", "method"}),
        ("streaming", {"crew"}),
        ("each_at_once", {"crew"}),
        ("checked_agent", {"guardrail"}),
        ("repeated", {"crew"}),
        ("fails", {"task"}),
        ("managed", {"tool"}),
        ("delegates", {"tool"}),
        ("asks_in_a_thread", {"crew"}),
        ("parallel", {"task"}),
        ("conditional", {"task"}),
        ("talks_react", {"tool"}),
        ("Remembering", {"flow"}),
    ],
)
def test_each_event_of_the_bus_is_told_once_and_in_its_place(
    worker: Child, tmp_path: Path, target: str, words: set[str]
) -> None:
    worker._environment = {**worker._environment, "BUS": str(tmp_path)}
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:{target}"))
    assert last["type"] == ("run.failed" if target in FAILING else "run.completed"), last
    own_crew = bool(worker.of("run.started")[0]["data"]["tasks"])
    assert told(worker) == expected(tmp_path / "bus", own_crew)
    well_formed(worker, background=target == "remembering")
    assert words <= {fact["type"].partition(".")[0] for fact in worker.facts}
    assert [fact for fact in worker.of("log") if fact["data"]["stream"] == "sidecar"] == []
