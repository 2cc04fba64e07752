"""CrewAI's objects from a checked config, and what every crew gets before it starts."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crewai import Agent, Crew, Process, Task
from crewai.agents.agent_builder.base_agent import BaseAgent

from sidecar.inputs import fill_in, lacking, refusal, standing_in
from sidecar.worker.config import is_reserved
from sidecar.worker.engine.executions import task_names
from sidecar.worker.engine.models import OFFLINE, ModelChoice, Models, for_crew
from sidecar.worker.engine.objects import known_to, placed, resolved, tools_of
from sidecar.worker.engine.standin import hopeless

if TYPE_CHECKING:
    from sidecar.worker.config import AgentConfig, CrewConfig, TaskConfig, Team, Toolbox

__all__ = [
    "BadCrew",
    "Job",
    "agents_of",
    "attach",
    "check_review",
    "fill",
    "from_config",
    "make_agents",
    "model_of",
    "one_line",
    "review",
]

StepCallback = Callable[[Any], Any]


class BadCrew(Exception):
    """A crew that can't be built; the text says what is wrong and where, for the user."""


@dataclass(frozen=True)
class Job:
    """Something to kick off."""

    run: Callable[[dict[str, Any]], Any]
    crew: Crew | None
    """None for a Flow, which has crews only when it comes to them."""
    model: str | None
    wants: Sequence[str] = ()
    """Names of inputs that it can't do without."""
    knows: Sequence[str] = ()
    """Names of others that it would take."""

    def filled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with what can be filled in. Raises BadCrew where something is lacking then."""
        today = datetime.date.today()
        inputs = fill_in(standing_in(given, self.knows), self.wants, today)
        if inputs and (left := lacking(inputs, self.wants)):
            raise BadCrew(refusal(given, left, self.wants))
        return inputs

    @property
    def tasks(self) -> Sequence[Task]:
        """CrewAI's, as far as they are known before kickoff."""
        return () if self.crew is None else self.crew.tasks


def from_config(
    config: CrewConfig, choice: ModelChoice, inputs: Mapping[str, Any], directory: Path
) -> Job:
    """A crew whose models stream: sequential and without memory, unless crew.yaml says so.

    Tasks' `output_file`s are written under `directory`. Raises BadCrew.
    """
    try:
        models = Models(choice, os.environ)
        agents = _agents(config, models)
        tasks: dict[str, Task] = {}
        for task in config.tasks:
            tasks[task.name] = _task(task, agents, tasks, inputs, directory, config.toolbox)
        with placed("crew"):
            crew = _crew(config.team, agents, list(tasks.values()), models)
    except ValueError as error:
        raise BadCrew(" ".join(str(error).split())) from error
    first = for_crew(config, choice, os.environ)
    return Job(lambda given: crew.kickoff(inputs=given), crew, first.label)


def make_agents(config: CrewConfig, choice: ModelChoice) -> dict[str, Agent]:
    """By name. Raises ValueError for what CrewAI refuses."""
    return _agents(config, Models(choice, os.environ))


def attach(starting: Any, step: StepCallback) -> None:
    """Make a crew that is about to start report its steps; the user's own callbacks are kept and
    called as well."""
    if not isinstance(starting, Crew):
        return
    starting.step_callback = _both(step, starting.step_callback)
    for agent in agents_of(starting):
        own = getattr(agent, "step_callback", None)
        if own is not None and agent is not starting.manager_agent:
            agent.step_callback = _both(step, own)


def agents_of(starting: Any) -> list[Any]:
    """Everyone who works in a crew, each once; an agent without a crew alone."""
    if not isinstance(starting, Crew):
        return [starting]
    everyone: list[Any] = [
        *starting.agents,
        *(task.agent for task in starting.tasks),
        starting.manager_agent,
    ]
    return list({id(agent): agent for agent in everyone if agent is not None}.values())


def review(starting: Any, names: Collection[str]) -> set[str]:
    """Make a person be asked about the output of those tasks of a crew; returns those it has."""
    tasks = starting.tasks if isinstance(starting, Crew) else []
    asked = {
        name: task for name, task in zip(task_names(tasks), tasks, strict=True) if name in names
    }
    for task in asked.values():
        task.human_input = True
    return set(asked)


def check_review(names: Sequence[str], known: Sequence[str | None]) -> None:
    """Raise BadCrew when a task to be reviewed is not among the known ones."""
    unknown = [name for name in names if name not in known]
    if unknown:
        listed = ", ".join(map(str, known))
        raise BadCrew(f"review: there is no task {unknown[0]!r}; there are {listed}")


def fill(text: str, inputs: Mapping[str, Any]) -> str:
    """`text` with each {name} of `inputs` filled in, as CrewAI does at kickoff."""
    return re.sub(r"\{([A-Za-z_][\w-]*)\}", lambda match: str(inputs.get(match[1], match[0])), text)


def _agents(config: CrewConfig, models: Models) -> dict[str, Agent]:
    return {name: _agent(agent, models, config.toolbox) for name, agent in config.agents.items()}


def _crew(team: Team, agents: Mapping[str, Agent], tasks: list[Task], models: Models) -> Crew:
    options = known_to(Crew, resolved(team.options))
    options |= {name: models.of(llm) for name, llm in team.llms.items()}
    if team.planning:
        # CrewAI's default is an OpenAI model, for which there may be no key.
        options.setdefault("planning_llm", models.of(None))
    manager = team.manager_agent
    # All of them, as the agents of a @CrewBase class: one may delegate to one without a task.
    workers: list[BaseAgent] = [agent for name, agent in agents.items() if name != manager]
    return Crew(
        agents=workers,
        tasks=tasks,
        process=Process(team.process),
        manager_agent=agents[manager] if manager else None,
        **{"memory": False, "verbose": False, **options},
    )


def _agent(config: AgentConfig, models: Models, toolbox: Toolbox) -> Agent:
    with placed(f"agents.{config.name}"):
        options = known_to(Agent, resolved(config.options))
        if config.function_calling_llm is not None:
            options["function_calling_llm"] = models.of(config.function_calling_llm)
        return Agent(
            role=config.role,
            goal=config.goal,
            backstory=config.backstory,
            llm=models.of(config.llm),
            tools=tools_of(config.tools, toolbox),
            **options,
        )


def _task(
    config: TaskConfig,
    agents: Mapping[str, Agent],
    before: Mapping[str, Task],
    inputs: Mapping[str, Any],
    directory: Path,
    toolbox: Toolbox,
) -> Task:
    with placed(f"tasks.{config.name}"):
        options = known_to(Task, resolved(config.options))
        if config.context is not None:
            options["context"] = [before[name] for name in config.context]
        if config.callback is not None:
            options["callback"] = config.callback.resolve()
        if config.output_file is not None:
            # Written by us: CrewAI fills {inputs} into the path after it has checked it.
            write = _writer(directory, fill(config.output_file, inputs))
            options["callback"] = _both(write, options.get("callback"))
        return Task(
            name=config.name,
            description=config.description,
            expected_output=config.expected_output,
            agent=agents[config.agent] if config.agent else None,
            tools=tools_of(config.tools, toolbox),
            **options,
        )


def _writer(directory: Path, path: str) -> Callable[[Any], None]:
    def write(output: Any) -> None:
        root = directory.resolve()
        file = (root / path).resolve()
        if root not in file.parents:
            raise ValueError(f"output_file {path!r} leads out of the run's directory")
        if is_reserved(str(file.relative_to(root))):
            raise ValueError(f"output_file {path!r} is a file of the run's own")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(output.raw), encoding="utf-8", errors="replace")

    return write


def model_of(crew: Crew, choice: ModelChoice) -> str | None:
    """What the first agent's model will be, in the manner of `ModelChoice.label`."""
    llms = [getattr(agent, "llm", None) for agent in crew.agents]
    llm: Any = next((llm for llm in llms if llm is not None), None)
    if llm is None or isinstance(llm, str):
        return llm
    if hopeless(llm, choice):
        return OFFLINE
    provider = getattr(llm, "provider", None)
    model = str(getattr(llm, "model", "") or "")
    bare = not provider or provider == model or model.startswith(f"{provider}/")
    return model if bare else f"{provider}/{model}"


def _both(first: StepCallback, second: StepCallback | None) -> StepCallback:
    if second is None:
        return first

    def both(answer: Any) -> Any:
        first(answer)
        # CrewAI awaits what an asynchronous callback returns.
        return second(answer)

    return both


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
