"""How a user's own crew is made and looked at."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.contracts import check, make_crew


@check
def check_placeholders_are_what_crewai_fills_in() -> None:
    """inputs.py `_PLACEHOLDER` is CrewAI's own pattern; copy it from there when it changes."""
    from crewai.utilities import string_utils

    from sidecar import inputs

    assert string_utils._VARIABLE_PATTERN.pattern == inputs._PLACEHOLDER.pattern


@check
def check_the_texts_that_are_looked_at_are_those_that_are_filled_in() -> None:
    """targets.py `_OF_TASK`, `_OF_AGENT`: a kickoff fails for a placeholder in any of them, and for
    no other. Add what CrewAI interpolates besides."""
    from sidecar.worker.engine import targets

    for names, owner in ((targets._OF_TASK, "tasks"), (targets._OF_AGENT, "agents")):
        for name in names:
            crew = make_crew()
            setattr(getattr(crew, owner)[0], name, "{nobody}")
            with pytest.raises((KeyError, ValueError), match="nobody"):
                crew._interpolate_inputs({"message": "m", "kind": "k"})


@check
def check_nothing_is_kicked_off_while_a_crew_is_looked_at() -> None:
    """targets.py `unasked`: `kickoff`, its async forms and those for each of several go through
    the methods that it replaces, and it puts them back."""
    from crewai import Agent, Crew, Flow

    from sidecar.worker.engine.targets import Unasked, unasked

    crew = make_crew()
    before = (Crew.kickoff, Flow.kickoff, Agent.kickoff)
    starts: list[Callable[[], Any]] = [
        lambda: crew.kickoff(inputs={"message": "m", "kind": "k"}),
        lambda: crew.kickoff_for_each([{"message": "m", "kind": "k"}]),
        lambda: Flow().kickoff(),
        lambda: crew.agents[0].kickoff("hello"),
    ]
    for start in starts:
        with unasked(), pytest.raises(Unasked):
            start()
    assert (Crew.kickoff, Flow.kickoff, Agent.kickoff) == before


@check
def check_a_definition_is_read_by_crewai() -> None:
    """targets.py `_defined`: `load_crew` gives a crew and its own inputs; `from_declaration` a
    flow. What `crewai run` reads them with now is in crewai_cli/run_crew.py."""
    from crewai import Crew, Flow
    from crewai.project.crew_loader import load_crew

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "agents").mkdir()
        agent = {"role": "R", "goal": "G", "backstory": "B", "llm": "openai/gpt-4o"}
        (Path(folder) / "agents" / "a.json").write_text(json.dumps(agent))
        task = {"name": "t", "description": "D {x}", "expected_output": "E", "agent": "a"}
        crew = {"name": "c", "agents": ["a"], "tasks": [task], "inputs": {"x": "y"}}
        (Path(folder) / "crew.json").write_text(json.dumps(crew))
        made, inputs = load_crew(Path(folder) / "crew.json")
        assert isinstance(made, Crew)
        assert inputs == {"x": "y"}
        (Path(folder) / "flow.yaml").write_text(
            "schema: crewai.flow/v1\nname: F\nstate: {type: dict, default: {topic: x}}\n"
            "methods: {one: {start: true, do: {call: expression, expr: state.topic}}}\n"
        )
        flow = Flow.from_declaration(path=str(Path(folder) / "flow.yaml"))
        assert flow.state["topic"] == "x"
        assert flow.kickoff() == "x"


@check
def check_what_a_crewbase_class_is_told_by() -> None:
    """targets.py `_arguments`: a class with @CrewBase is made without arguments, whatever its
    signature looks like; it has `is_crew_class`."""
    from crewai.project import CrewBase

    @CrewBase
    class Team:
        pass

    assert Team.is_crew_class  # type: ignore[attr-defined]
    assert make_crew().before_kickoff_callbacks == []
