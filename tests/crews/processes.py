"""How a crew goes about its tasks, and the options of crews. Imported only by workers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import crewai
from crewai import LLM, Crew, Process
from crewai.security import Fingerprint, SecurityConfig
from crewai.tasks.conditional_task import ConditionalTask

from tests.crews.making import agent, shout, skill_folder, solo, stumble, task, team


def sequential() -> Crew:
    return team(process=Process.sequential)


def unnamed() -> Crew:
    return team(what={"name": None})


def namesakes() -> Crew:
    return team(what={"name": "work"})


def hierarchical() -> Crew:
    helper = agent("Helper")
    return Crew(
        agents=[helper],
        tasks=[task("deliver", None)],
        process=Process.hierarchical,
        manager_llm="gpt-4o",
    )


def hierarchical_model() -> Crew:
    helpers = [agent("Helper"), agent("Critic")]
    return Crew(
        agents=list(helpers),
        tasks=[task("deliver", helpers[0]), task("judge", helpers[1])],
        process=Process.hierarchical,
        manager_llm=LLM(model="gpt-4o", temperature=0.1),
    )


def hierarchical_agent() -> Crew:
    helper = agent("Helper")
    return Crew(
        agents=[helper],
        tasks=[task("deliver", None)],
        process=Process.hierarchical,
        manager_agent=agent("Boss", allow_delegation=True),
    )


def planned() -> Crew:
    return team(planning=True)


def planned_by() -> Crew:
    return team(planning=True, planning_llm=LLM(model="gpt-4o"))


def at_once() -> Crew:
    """Two tasks at the same time, and one that waits for both."""
    writers = [agent(f"Writer {name}") for name in "ABC"]
    names = ("left", "right", "join")
    tasks = [
        task(name, by, async_execution=name != "join")
        for name, by in zip(names, writers, strict=True)
    ]
    return Crew(agents=list(writers), tasks=tasks)


def last_at_once() -> Crew:
    writers = [agent(f"Writer {name}") for name in "AB"]
    first, last = (task(f"task {by.role}", by) for by in writers)
    last.async_execution = True
    return Crew(agents=list(writers), tasks=[first, last])


def _conditional(wanted: bool) -> Crew:
    writer = agent()
    tasks = [
        task("first", writer),
        ConditionalTask(
            name="more",
            description="More",
            expected_output="A sentence",
            agent=writer,
            condition=lambda _output: wanted,
        ),
        task("last", writer),
    ]
    return Crew(agents=[writer], tasks=tasks)


def condition_met() -> Crew:
    return _conditional(True)


def condition_not_met() -> Crew:
    return _conditional(False)


def named() -> Crew:
    return solo(name="The tea crew")


def verbose() -> Crew:
    return solo(verbose=True, who={"verbose": True, "tools": [shout]})


def streamed() -> Crew:
    return team(stream=True)


def uncached() -> Crew:
    return solo(cache=False, who={"tools": [shout]})


def slow_lane() -> Crew:
    return team(max_rpm=1000)


def logged() -> Crew:
    return solo(output_log_file="tea.json")


def own_prompts() -> Crew:
    prompts = json.loads((Path(crewai.__file__).parent / "translations/en.json").read_text())
    prompts["slices"]["role_playing"] = "In a house of its own, {role}.\n{backstory}\n{goal}"
    file = Path(os.environ["CREWAI_STORAGE_DIR"]) / "prompts.json"
    file.write_text(json.dumps(prompts))
    return solo(prompt_file=str(file))


def watched() -> Crew:
    """With every callback that a crew may have."""

    def seen(answer: Any) -> None:
        print("saw", type(answer).__name__, file=sys.stderr)

    def before(inputs: Any) -> Any:
        return {**inputs, "message": f"{inputs['message']}, twice"}

    def after(output: Any) -> Any:
        output.raw = f"{output.raw} (checked)"
        return output

    return team(
        who={"tools": [shout], "step_callback": seen},
        step_callback=seen,
        task_callback=seen,
        before_kickoff_callbacks=[before],
        after_kickoff_callbacks=[after],
    )


def other_model_for_tools() -> Crew:
    return solo(who={"tools": [shout]}, function_calling_llm="gpt-4o")


def checkpointed() -> Crew:
    return team(checkpoint=True)


def skilled() -> Crew:
    return solo(skills=[skill_folder()])


def embedded() -> Crew:
    embedder = {"provider": "openai", "config": {"model_name": "text-embedding-3-small"}}
    return solo(memory=True, embedder=embedder)


def strict_with_tools() -> Crew:
    """Fails, as its tool reports a failure."""
    return solo(who={"tools": [stumble]}, tool_failure_policy="raise")


def fingerprinted() -> Crew:
    security = SecurityConfig(fingerprint=Fingerprint.generate(seed="tea"))
    return team(
        security_config=security,
        who={"security_config": security},
        what={"security_config": security},
    )


def asked_by_chat() -> Crew:
    return solo(chat_llm="gpt-4o", tracing=False, share_crew=False)


def hierarchical_planned() -> Crew:
    helper = agent("Helper")
    return Crew(
        agents=[helper],
        tasks=[task("deliver", None), task("deliver", helper)],
        process=Process.hierarchical,
        manager_llm="gpt-4o",
        planning=True,
    )
