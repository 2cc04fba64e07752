"""agents.yaml, tasks.yaml and, where there is one, crew.yaml, read and checked. Pure: no crewai.

Two forms are understood: top-level `agents:` / `tasks:` with `context_from`, and CrewAI's own flat
form with the names at the top and `context`. CrewAI has no file for the crew as a whole, whose
process and manager are Python there: crew.yaml has their names. Every problem names file, line and
key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.worker.config.problems import ConfigError, suggest
from sidecar.worker.config.tools import Toolbox
from sidecar.worker.config.yamlfile import Place, YamlFile, described

if TYPE_CHECKING:
    from sidecar.worker.config.keys import AgentConfig, TaskConfig, Team

__all__ = ["CrewConfig", "load"]


@dataclass(frozen=True)
class CrewConfig:
    """A whole crew; `tasks` are in the order of execution, after those that they depend on."""

    team: Team
    agents: Mapping[str, AgentConfig]
    tasks: tuple[TaskConfig, ...]
    toolbox: Toolbox
    """What their `tools` name."""

    def role_of(self, task: TaskConfig) -> str | None:
        """Of the agent who does `task`; None where a manager decides."""
        return None if task.agent is None else self.agents[task.agent].role

    @property
    def texts(self) -> Iterator[str | None]:
        """What inputs are filled into."""
        for agent in self.agents.values():
            yield from (agent.role, agent.goal, agent.backstory)
        for task in self.tasks:
            yield from (task.description, task.expected_output, task.output_file)


def load(folder: Path, toolbox: Toolbox) -> CrewConfig:
    """The crew in `folder`, whose agents and tasks may name any of `toolbox`.

    Raises ConfigError with every problem found, not only the first.
    """
    # Here, since it takes pydantic with it: who loads nothing needs none of that.
    from sidecar.worker.config.keys import AgentConfig, TaskConfig, Team, check

    agents_file, tasks_file = YamlFile(folder / "agents.yaml"), YamlFile(folder / "tasks.yaml")
    files = [agents_file, tasks_file]
    agents_at, written_agents = _entries(agents_file, "agents", "an agent")
    tasks_at, written_tasks = _entries(tasks_file, "tasks", "a task")
    known = {"agent": written_agents, "task": written_tasks, "tool": toolbox}
    team: Team | None = Team()
    if (folder / "crew.yaml").is_file():
        files.append(YamlFile(folder / "crew.yaml"))
        team = _team(files[-1], known)
    managed = team is not None and team.process == "hierarchical"
    agents = [
        check(agents_file, (*agents_at, name), keys, AgentConfig, known)
        for name, keys in written_agents.items()
    ]
    tasks = [
        check(
            *(tasks_file, (*tasks_at, name)),
            {"name": name, **_done_by(keys, written_agents, managed)},
            *(TaskConfig, known),
        )
        for name, keys in written_tasks.items()
    ]
    if team is not None and not any(file.problems for file in files):
        try:
            ordered = _ordered({task.name: task for task in tasks if task})
            return CrewConfig(team, {one.name: one for one in agents if one}, ordered, toolbox)
        except CycleError as error:
            # Its tasks are each before the next one; a wait is told the other way round.
            way = error.args[1][::-1]
            key = "context" if "context" in written_tasks[way[0]] else "context_from"
            at = (*tasks_at, way[0], key)
            message = f"tasks wait for each other: {' → '.join(way)}"
            tasks_file.add(tasks_file.node(at), at, message)
    raise ConfigError([one for file in files for one in file.problems])


def _team(file: YamlFile, known: Mapping[str, Collection[str]]) -> Team | None:
    from sidecar.worker.config.keys import Team, check

    if not isinstance(file.data, dict):
        file.add(file.node(()), (), f"expected the keys of a crew, not {described(file.node(()))}")
        return None
    team = check(file, (), file.data, Team, known)
    if team and team.process == "hierarchical" and not (team.manager_llm or team.manager_agent):
        hint = "add manager_llm: with a model, or manager_agent: with a name of agents.yaml"
        file.add(file.node(("process",)), ("process",), "needs a manager", hint)
    return team


def _done_by(keys: Mapping[str, Any], agents: Collection[str], managed: bool) -> Mapping[str, Any]:
    """A task's keys with what it means to say nothing of an agent.

    Where a manager decides, that; else the only agent, as CrewAI has it; of several none.
    """
    if keys.get("agent") is not None:
        return keys
    rest = {name: value for name, value in keys.items() if name != "agent"}
    if managed:
        return {"agent": None, **rest}
    return {"agent": next(iter(agents)), **rest} if len(agents) == 1 else rest


def _entries(file: YamlFile, section: str, noun: str) -> tuple[Place, Mapping[str, Any]]:
    """Where the names are, under `section` or at the top without it, and the keys of each."""
    at: Place = ()
    found, wanted = file.data, f"{section}: with a name for each"
    if isinstance(found, dict) and section in found:
        for other in [name for name in found if name != section][: file.room]:
            beside = file.node((other,), name=True)
            hint = suggest(other, [section])
            file.add(beside, (other,), f"unknown key beside {section!r}", hint)
        at, found, wanted = (section,), found[section], f"a name for each of the {section}"
    if not isinstance(found, dict):
        file.add(file.node(at), at, f"expected {wanted}, not {described(file.node(at))}")
        return at, {}
    if not found:
        file.add(file.node(at, name=True), at, f"needs at least {noun}")
    for name in [name for name, keys in found.items() if not isinstance(keys, dict)][: file.room]:
        node = file.node((*at, name))
        file.add(node, (*at, name), f"expected the keys of {noun}, not {described(node)}")
    return at, {name: keys for name, keys in found.items() if isinstance(keys, dict)}


def _ordered(tasks: Mapping[str, TaskConfig]) -> tuple[TaskConfig, ...]:
    """`tasks` after those in their context, else as written. Raises CycleError."""
    TopologicalSorter({name: task.context or () for name, task in tasks.items()}).prepare()
    waiting = dict(tasks)
    ordered = []
    while waiting:
        ready = (one for one in waiting.values() if not waiting.keys() & set(one.context or ()))
        ordered.append(waiting.pop(next(ready).name))
    return tuple(ordered)
