"""Anyone's crew gives by the sidecar what it gives by CrewAI alone: output, usage, prompts, every
event, each with its task and agent, in its order. No crew is told what to expect."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.crews.compare import differences
from tests.crews.registry import CREWS, FAILING
from tests.crews.sides import Answers, Sides

_SAMPLE: Final = (
    *("processes.hierarchical", "processes.at_once", "agents.skilled", "tasks.guarded"),
    *("outputs.of_pydantic", "flows.Joined", "people.reviewed", "threads.Pooled"),
)
"""Those of `make test`; `make test-long` has them all."""


@pytest.mark.parametrize(
    "crew",
    [name if name in _SAMPLE else pytest.param(name, marks=pytest.mark.long) for name in CREWS],
)
def test_a_crew_gives_what_crewai_gives(sides: Sides, tmp_path: Path, crew: str) -> None:
    direct = sides.directly(CREWS[crew], tmp_path)
    assert (direct.error is not None) == (crew in FAILING), direct.error
    worker = sides.worker("sidecar", tmp_path)
    try:
        worker.start(sides.spec(CREWS[crew], "sidecar", tmp_path))
        Answers(worker).rest()
    finally:
        worker.kill()
    assert differences(direct, worker.facts, sides.model.asked("sidecar")) == {}
