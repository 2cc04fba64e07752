"""The options of tasks. Imported only by workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from crewai import LLM, Crew
from crewai.tasks.llm_guardrail import LLMGuardrail
from crewai.utilities.converter import Converter
from pydantic import BaseModel

from tests.crews.making import agent, shout, solo, stumble, task


def in_context() -> Crew:
    writers = [agent(role) for role in ("One", "Two", "Three")]
    one, two, three = (task(f"do_{by.role}", by) for by in writers)
    three.context = [one]
    two.context = []
    return Crew(agents=list(writers), tasks=[one, two, three])


def at_once_in_context() -> Crew:
    writers = [agent(role) for role in ("Left", "Right", "Join")]
    left, right = (task(f"do_{by.role}", by, async_execution=True) for by in writers[:2])
    return Crew(agents=list(writers), tasks=[left, right, task("join", writers[2], context=[left])])


def called_back() -> Crew:
    def done(output: Any) -> None:
        print("done", output.agent, file=sys.stderr)

    return solo(what={"callback": done})


def _too_short() -> Any:
    refusals = iter([False])

    def guardrail(output):  # type: ignore[no-untyped-def]
        # Without annotations: CrewAI reads them, and here they would be text.
        return (True, output.raw) if next(refusals, True) else (False, "It is too short.")

    return guardrail


def guarded() -> Crew:
    return solo(what={"guardrail": _too_short()})


def guarded_twice() -> Crew:
    return solo(what={"guardrails": [_too_short(), _too_short()], "guardrail_max_retries": 2})


def guarded_in_words() -> Crew:
    return solo(what={"guardrail": "Be polite."})


def guarded_by_a_model() -> Crew:
    return solo(what={"guardrail": LLMGuardrail(description="Be polite.", llm=LLM(model="gpt-4o"))})


def guarded_in_vain() -> Crew:
    """Fails, as the guardrail never lets anything through."""

    def guardrail(output):  # type: ignore[no-untyped-def]
        return False, "No."

    return solo(what={"guardrail": guardrail, "guardrail_max_retries": 1})


def changed_by_its_guardrail() -> Crew:
    def guardrail(output):  # type: ignore[no-untyped-def]
        return True, output.raw.upper()

    return solo(what={"guardrail": guardrail})


def into_a_file() -> Crew:
    file = str(Path(os.environ["CREWAI_STORAGE_DIR"]).name) + "/out/tea.md"
    return solo(what={"output_file": file, "create_directory": True})


def in_markdown() -> Crew:
    return solo(what={"markdown": True})


def with_tools_of_its_own() -> Crew:
    return solo(what={"tools": [shout]})


def triggered() -> Crew:
    return solo(what={"allow_crewai_trigger_context": True})


def of_a_config() -> Crew:
    return solo(what={"config": {"markdown": True}})


def with_inputs() -> Crew:
    return solo(
        what={
            "description": "Write on {message} and {message} again",
            "expected_output": "What {message} is",
        }
    )


def called_back_badly() -> Crew:
    """Fails, as its callback raises."""

    def done(_output: Any) -> None:
        raise ValueError("no tea today")

    return solo(what={"callback": done})


def indulgent_with_tools() -> Crew:
    return solo(who={"tools": [stumble]}, what={"tool_failure_policy": "ignore"})


def of_files() -> Crew:
    file = Path(os.environ["CREWAI_STORAGE_DIR"]) / "tea.txt"
    file.write_text("Tea grows on hills.")
    return solo(what={"input_files": {"notes": str(file)}})


class _Shouting(Converter):
    def to_pydantic(self, current_attempt: int = 1) -> Any:
        return _Said(text=self.text.upper())


class _Said(BaseModel):
    text: str


def converted() -> Crew:
    return solo(what={"output_pydantic": _Said, "converter_cls": _Shouting})


def without_an_agent() -> Crew:
    """Fails, as nobody is there to do it."""
    return Crew(agents=[agent()], tasks=[task("write", None)])
