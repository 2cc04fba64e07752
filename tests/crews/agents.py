"""The options of agents. Imported only by workers."""

from __future__ import annotations

import sys
from typing import Any

from crewai import LLM, Agent, BaseLLM, Crew
from crewai.agent.planning_config import PlanningConfig
from crewai.agents.agent_executor import AgentExecutor

from tests.crews.making import agent, shout, skill_folder, solo, stumble, task, team


def folded_role() -> Crew:
    """As YAML's `>` leaves it."""
    return solo(who={"role": "Writer\n", "tools": [shout]})


def role_of_inputs() -> Crew:
    return team(who={"role": "Writer on {message}"})


def own_model() -> Crew:
    return solo(who={"llm": LLM(model="gpt-4o", temperature=0.2, max_tokens=200)})


def model_by_name() -> Crew:
    return solo(who={"llm": "openai/gpt-4o"})


def model_that_streams() -> Crew:
    return solo(who={"llm": LLM(model="gpt-4o", stream=True), "tools": [shout]})


def without_native_tools() -> Crew:
    """CrewAI asks such a model by its ReAct prompt."""
    return solo(who={"llm": LLM(model="o1"), "tools": [shout]})


def delegating() -> Crew:
    boss, helper = agent("Boss", allow_delegation=True), agent("Helper")
    return Crew(agents=[boss, helper], tasks=[task("deliver", boss)])


def impatient() -> Crew:
    return solo(who={"tools": [shout], "max_iter": 1})


def in_time() -> Crew:
    return solo(who={"max_execution_time": 60, "max_retry_limit": 1, "max_rpm": 1000})


def cached() -> Crew:
    return team(who={"tools": [shout], "cache": True})


def dated() -> Crew:
    return solo(who={"inject_date": True, "date_format": "%B %d, %Y"})


def without_system_prompt() -> Crew:
    return solo(who={"use_system_prompt": False, "tools": [shout]})


def own_templates() -> Crew:
    return solo(
        who={
            "system_template": "<s>{{ .System }}</s>",
            "prompt_template": "<u>{{ .Prompt }}</u>",
            "response_template": "<a>{{ .Response }}</a>",
        }
    )


def reasoning() -> Crew:
    return solo(who={"reasoning": True, "max_reasoning_attempts": 1})


def planning() -> Crew:
    return solo(who={"planning_config": PlanningConfig(max_attempts=1), "tools": [shout]})


def planning_hard() -> Crew:
    config = PlanningConfig(reasoning_effort="high", max_attempts=1, max_steps=2, max_replans=1)
    return solo(who={"planning_config": config, "tools": [shout]})


def reporting() -> Crew:
    def stepped(answer: Any) -> None:
        print("stepped", type(answer).__name__, file=sys.stderr)

    return solo(who={"step_callback": stepped, "tools": [shout]})


def called_back() -> Crew:
    def done(output: Any) -> None:
        print("done", type(output).__name__, file=sys.stderr)

    return solo(who={"callbacks": [done], "executor_class": AgentExecutor})


def guarded() -> Agent:
    """An agent alone, which its guardrail sends back once."""
    refusals = iter([False])

    def guardrail(output):  # type: ignore[no-untyped-def]
        # Without annotations: CrewAI reads them, and here they would be text.
        return (True, output.raw) if next(refusals, True) else (False, "It is too short.")

    return agent(guardrail=guardrail)


def careful_with_context() -> Crew:
    return solo(who={"respect_context_window": True, "llm": LLM(model="gpt-4", max_tokens=50)})


def skilled() -> Crew:
    return solo(who={"skills": [skill_folder()]})


def several_sides() -> Crew:
    return solo(who={"multimodal": True})


def of_a_config() -> Crew:
    return solo(who={"config": {"verbose": False, "max_iter": 7}})


class _Parrot(BaseLLM):
    """A model of the user's own, which says nothing to CrewAI's bus."""

    def call(self, messages: Any, *_args: Any, **_more: Any) -> str:
        return f"I have heard {len(messages)} things."


def model_of_its_own() -> Crew:
    return team(who={"llm": _Parrot(model="parrot")})


def guarded_in_a_crew() -> Crew:
    return Crew(agents=[writer := guarded()], tasks=[task("write", writer)])


def stumbling() -> Crew:
    return solo(who={"tools": [stumble], "tool_failure_policy": "warn"})


def strict() -> Crew:
    """Fails, as its tool reports a failure."""
    return solo(who={"tools": [stumble], "tool_failure_policy": "raise"})


def two_models() -> Crew:
    one, other = (agent(role, llm=LLM(model=model)) for role, model in _MODELS.items())
    return Crew(agents=[one, other], tasks=[task("plan", one), task("write", other)])


_MODELS = {"Planner": "gpt-4o", "Writer": "gpt-4.1-mini"}


def failing_model() -> Crew:
    """Fails, as nobody answers where its model is said to be."""
    llm = LLM(model="gpt-4o", base_url="http://127.0.0.1:9/v1", max_retries=0, stream=True)
    return solo(who={"llm": llm})
