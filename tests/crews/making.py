"""What the crews of this folder are made of. Agents name no model: it is the environment's, as in
most crews there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from crewai import Agent, Crew, Flow, Task
from crewai.tools import tool
from crewai.tools.tool_failure import ToolFailure

__all__ = ["Plain", "agent", "shout", "skill_folder", "solo", "stumble", "task", "team"]

Options = dict[str, Any] | None


def agent(role: str = "Writer", **options: Any) -> Agent:
    return Agent(role=role, goal=f"Be a good {role}", backstory="Has done it for years.", **options)


def task(name: str | None, by: Agent | None, **options: Any) -> Task:
    texts = {"description": f"Do {name} on {{message}}", "expected_output": "A sentence"}
    return Task(**{"name": name, "agent": by, **texts, **options})


def solo(who: Options = None, what: Options = None, **options: Any) -> Crew:
    """One agent, one task, and options of each and of the crew."""
    writer = agent(**(who or {}))
    return Crew(agents=[writer], tasks=[_task("write", writer, what)], **options)


def team(who: Options = None, what: Options = None, **options: Any) -> Crew:
    """Two agents whose tasks follow each other; the options are of both."""
    agents = [agent(**{"role": role, **(who or {})}) for role in ("Planner", "Writer")]
    names = ("plan", "write")
    tasks = [_task(name, by, what) for name, by in zip(names, agents, strict=True)]
    return Crew(agents=list(agents), tasks=tasks, **options)


def _task(name: str, by: Agent, what: Options) -> Task:
    return task(**{"name": name, "by": by, **(what or {})})


@tool("shout")
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


class Plain(Flow[dict[str, Any]]):
    """Without the memory that CrewAI makes for every flow, whose database takes 1.6 s to import."""

    _skip_auto_memory: bool = True


@tool("stumble")
def stumble(text: str) -> Any:
    """Reports that it could not do it."""
    return ToolFailure(message=f"could not do {text}")


def skill_folder() -> Path:
    """With one skill in it, in the folder of CrewAI's own files."""
    folder = Path(os.environ["CREWAI_STORAGE_DIR"]) / "skills"
    (folder / "tea").mkdir(parents=True, exist_ok=True)
    text = "---\nname: tea\ndescription: How tea is poured.\n---\nPour slowly.\n"
    (folder / "tea" / "SKILL.md").write_text(text)
    return folder
