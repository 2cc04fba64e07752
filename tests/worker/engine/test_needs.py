"""The list of undocumented things: whole, and told by name when one is gone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from sidecar.worker.engine import needs
from sidecar.worker.engine.needs import NEEDS
from tests.worker.harness import PROJECT

DOCUMENTED: Final = frozenset(
    {
        *(f"crewai:{name}" for name in ("Agent", "BaseLLM", "Crew", "Flow", "LLM", "Process")),
        *("crewai:Task", "crewai.tools:BaseTool", "crewai.tools:tool"),
        # Types, which docs.crewai.com has for custom agents and models.
        "crewai.agents.agent_builder.base_agent:BaseAgent",
        *("crewai.task:Task", "crewai.utilities.types:LLMMessage"),
    }
)
ENGINE: Final = sorted((PROJECT / "sidecar" / "worker" / "engine").glob("*.py"))


def imported(file: Path) -> set[str]:
    """`module:name` of all that it imports from CrewAI."""
    return {
        f"{node.module}:{alias.name}"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] in ("crewai", "crewai_core")
        for alias in node.names
    }


@pytest.mark.parametrize("file", ENGINE, ids=lambda file: file.stem)
def test_what_is_imported_from_crewai_is_documented_or_needed_by_name(file: Path) -> None:
    """A new one goes into needs.py, with what breaks without it."""
    places = [one for need in NEEDS.values() for some in need.places for one in some.split("|")]
    unnamed = {
        one
        for one in imported(file) - DOCUMENTED
        if not any(
            place == one or place.startswith((f"{one}.", f"{one.replace(':', '.')}:"))
            for place in places
        )
    }
    assert unnamed == set()


def test_what_is_gone_is_told_with_its_place_and_what_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need = needs.Need("nothing works", ("json:loads", "json:gone|json:dumps", "json:gone", "no:x"))
    monkeypatch.setattr(needs, "NEEDS", {"all": need, "none": needs.Need("", ("json:loads",))})
    assert needs.missing() == {"all": needs.Need("nothing works", ("json:gone", "no:x"))}
