"""agents.yaml and tasks.yaml, read and checked. Pure: no crewai.

Two forms are understood: top-level `agents:` / `tasks:` with `context_from`, and CrewAI's own flat
form with the names at the top and `context`. Every problem names file, line and key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

from sidecar.worker.config.tools import Toolbox
from sidecar.worker.config.yamlfile import ConfigError, Entry, YamlFile, suggest

__all__ = ["AgentConfig", "ConfigError", "CrewConfig", "TaskConfig", "load"]


@dataclass(frozen=True)
class AgentConfig:
    """One agent. `options` are further arguments of `crewai.Agent`, named as there."""

    name: str
    role: str
    goal: str
    backstory: str
    tools: tuple[str, ...] = ()
    llm: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskConfig:
    """One task. `context` None means CrewAI's default: the results of all tasks before.

    `output_file` is relative to the run's own directory.
    """

    name: str
    description: str
    expected_output: str
    agent: str
    context: tuple[str, ...] | None = None
    tools: tuple[str, ...] = ()
    output_file: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CrewConfig:
    """A whole crew; `tasks` are in the order of execution, after those that they depend on."""

    agents: Mapping[str, AgentConfig]
    tasks: tuple[TaskConfig, ...]
    toolbox: Toolbox
    """What their `tools` name."""


_REQUIRED_AGENT: Final = ("role", "goal", "backstory")
_REQUIRED_TASK: Final = ("description", "expected_output", "agent")

# Arguments of crewai.Agent and crewai.Task that make sense as data; tests hold them against
# CrewAI's own fields.
_AGENT_OPTIONS: Final[Mapping[str, type]] = {
    "allow_delegation": bool,
    "cache": bool,
    "date_format": str,
    "inject_date": bool,
    "max_execution_time": int,
    "max_iter": int,
    "max_retry_limit": int,
    "max_rpm": int,
    "max_tokens": int,
    "planning": bool,
    "prompt_template": str,
    "respect_context_window": bool,
    "response_template": str,
    "system_template": str,
    "use_system_prompt": bool,
    "verbose": bool,
}
_TASK_OPTIONS: Final[Mapping[str, type]] = {
    "async_execution": bool,
    "guardrail": str,
    "guardrail_max_retries": int,
    "human_input": bool,
    "markdown": bool,
}


def load(folder: Path, toolbox: Toolbox) -> CrewConfig:
    """The crew in `folder`, whose agents and tasks may name any of `toolbox`.

    Raises ConfigError with every problem found, not only the first.
    """
    agents_file = YamlFile.read(folder / "agents.yaml")
    tasks_file = YamlFile.read(folder / "tasks.yaml")
    agents = {
        entry.name: _agent(entry, toolbox) for entry in agents_file.entries("agents", "an agent")
    }
    found = [
        (entry, _task(entry, agents, toolbox)) for entry in tasks_file.entries("tasks", "a task")
    ]
    names = [task.name for _, task in found]
    for entry, task in found:
        _check_context(entry, task, names)
    problems = agents_file.problems + tasks_file.problems
    if not problems:
        tasks, cycle = _ordered([task for _, task in found])
        if not cycle:
            return CrewConfig(agents, tuple(tasks), toolbox)
        entry = next(entry for entry, task in found if task.name == cycle[0])
        entry.problem(
            entry.key("context_from", "context"),
            f"tasks wait for each other: {' → '.join((*cycle, cycle[0]))}",
            "context_from",
        )
        problems = tasks_file.problems
    raise ConfigError(problems)


def _agent(entry: Entry, tools: Collection[str]) -> AgentConfig:
    known = (*_REQUIRED_AGENT, "tools", "llm", *_AGENT_OPTIONS)
    entry.check_keys(known)
    role, goal, backstory = (entry.text(key) for key in _REQUIRED_AGENT)
    return AgentConfig(
        entry.name,
        role,
        goal,
        backstory,
        _names(entry, "tools", tools, "tool"),
        entry.optional("llm", str),
        _options(entry, _AGENT_OPTIONS),
    )


def _task(entry: Entry, agents: Collection[str], tools: Collection[str]) -> TaskConfig:
    known = (*_REQUIRED_TASK, "context_from", "context", "tools", "output_file", *_TASK_OPTIONS)
    entry.check_keys(known)
    description, expected_output, agent = (entry.text(key) for key in _REQUIRED_TASK)
    if agent and agent not in agents:
        hint = suggest(agent, agents) or f"agents.yaml has {_listed(agents)}"
        entry.problem("agent", f"unknown agent {agent!r}", "agent", hint)
    if entry.has("context") and entry.has("context_from"):
        entry.problem("context", "context and context_from mean the same; keep one", "context")
    key = entry.key("context_from", "context")
    return TaskConfig(
        entry.name,
        description,
        expected_output,
        agent,
        tuple(text for text, _ in entry.strings(key)) if entry.has(key) else None,
        _names(entry, "tools", tools, "tool"),
        _output_file(entry),
        _options(entry, _TASK_OPTIONS),
    )


def _options(entry: Entry, kinds: Mapping[str, type]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, kind in kinds.items():
        value = entry.optional(key, kind)
        if value is None:
            continue
        if kind is int and value < 1:
            entry.problem(key, f"must be at least 1, not {value}", key)
        found[key] = value
    return found


def _names(entry: Entry, key: str, known: Collection[str], noun: str) -> tuple[str, ...]:
    names = entry.strings(key) if entry.has(key) else []
    for name, node in names:
        if name not in known:
            hint = suggest(name, known) or f"there are {_listed(known)}"
            entry.problem(node, f"unknown {noun} {name!r}", key, hint)
    return tuple(name for name, _ in names)


def _output_file(entry: Entry) -> str | None:
    value: str | None = entry.optional("output_file", str)
    if value is None:
        return None
    posix, windows = PurePosixPath(value), PureWindowsPath(value)
    outside = (
        not value.strip()
        or posix.is_absolute()
        or windows.is_absolute()
        or bool(windows.drive)
        or ".." in posix.parts
        or ".." in windows.parts
        or value.startswith("~")
    )
    if outside:
        entry.problem(
            "output_file",
            f"{value!r} must be a path inside the run's directory",
            "output_file",
            "write it relative and without '..', for example plan.md",
        )
    return value


def _check_context(entry: Entry, task: TaskConfig, names: Collection[str]) -> None:
    key = entry.key("context_from", "context")
    for name, node in entry.strings(key) if task.context else []:
        if name == task.name:
            entry.problem(node, "a task can't wait for itself", key)
        elif name not in names:
            hint = suggest(name, names) or f"tasks.yaml has {_listed(names)}"
            entry.problem(node, f"unknown task {name!r}", key, hint)


def _ordered(tasks: list[TaskConfig]) -> tuple[list[TaskConfig], list[str]]:
    """`tasks` after those in their context, else as written; and a cycle, when there is one."""
    waiting = {task.name: task for task in tasks}
    ordered: list[TaskConfig] = []
    while waiting:
        ready = next(
            (task for task in waiting.values() if not waiting.keys() & set(task.context or ())),
            None,
        )
        if ready is None:
            return ordered, _cycle(waiting)
        ordered.append(waiting.pop(ready.name))
    return ordered, []


def _cycle(waiting: Mapping[str, TaskConfig]) -> list[str]:
    """The names along one cycle; every task in `waiting` waits for another one in it."""
    path: list[str] = []
    name = next(iter(waiting))
    while name not in path:
        path.append(name)
        name = next(before for before in waiting[name].context or () if before in waiting)
    return path[path.index(name) :]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
