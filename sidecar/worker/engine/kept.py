"""Finished tasks of an earlier attempt, put back into a crew so that it goes on after them.

A crew that is told of a checkpoint starts at its first task without an output and gives later
tasks the outputs before it as context (`Crew._get_execution_start_index`, undocumented). CrewAI's
own checkpoints are no substitute: they write API keys in plain text, fail on `@tool`, and can't
restore a model of one's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from crewai import Crew, Task
from crewai.tasks.output_format import OutputFormat
from crewai.tasks.task_output import TaskOutput
from crewai.utilities.constants import NOT_SPECIFIED
from pydantic import BaseModel

from sidecar.worker.engine.build import fill
from sidecar.worker.engine.executions import task_names

__all__ = ["put_back", "take_back"]

_MARK: Final = "kept"
"""Any; that there is one is what counts."""


def put_back(crew: Crew, kept: Mapping[str, str], inputs: Mapping[str, Any]) -> None:
    """Have `crew`, before its kickoff, not do its first tasks: `kept` has their outputs by name.

    If these are all, its kickoff completes with the last one's, without any model call.
    """
    if not kept:
        return
    for name, task in zip(task_names(crew.tasks), crew.tasks, strict=True):
        if name in kept:
            task.output = _output(crew, task, kept[name], inputs)
        elif task.async_execution and task.context is NOT_SPECIFIED:
            # CrewAI gives it what came before only when it skips that (crews/utils.py,
            # prepare_task_execution): its prompt would not be that of the first attempt.
            task.context = None
    crew.checkpoint_kickoff_event_id = _MARK
    if len(kept) == len(crew.tasks):
        crew.planning = False  # it would ask a model for a plan of nothing


def take_back(crew: Crew) -> None:
    """Its kickoff is over, and the next one of the same crew is not to skip anything."""
    if crew.checkpoint_kickoff_event_id == _MARK:
        crew.checkpoint_kickoff_event_id = None


def _output(crew: Crew, task: Task, raw: str, inputs: Mapping[str, Any]) -> TaskOutput:
    description = fill(task.description, inputs)
    # In a hierarchical crew a task may have no agent of its own; the manager does it.
    role = getattr(task.agent or crew.manager_agent, "role", "")
    output = TaskOutput(
        name=task.name or description,
        description=description,
        expected_output=fill(task.expected_output, inputs),
        raw=raw,
        agent=fill(role, inputs),
    )
    if task.output_json:
        output.output_format = OutputFormat.JSON
        parsed = _parsed(raw, task.output_json)
        output.json_dict = None if parsed is None else parsed.model_dump()
    elif task.output_pydantic:
        output.output_format = OutputFormat.PYDANTIC
        output.pydantic = _parsed(raw, task.output_pydantic)
    return output


def _parsed(raw: str, model: type[BaseModel]) -> BaseModel | None:
    """What CrewAI read from `raw`, as far as no model has to be asked for it.

    As in crewai/utilities/converter.py: the whole text, else from its first brace to its last.
    """
    for text in (raw, raw[raw.find("{") : raw.rfind("}") + 1]):
        try:
            return model.model_validate_json(json.dumps(json.loads(text, strict=False)))
        except Exception:  # a user's validator may raise anything
            continue
    return None
