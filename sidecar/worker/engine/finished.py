"""What an earlier attempt at a run got done, where there is no plan to carry on by: in a flow, in
crews that are made on the way, and between a question and its answer.

Known again by what was asked for, not by where: a crew by the texts and agents of its tasks with
the inputs filled in, a question by its text and what it was about, and each by how often it has
come up so far. So a flow that goes another way this time, or whose crew was edited, finds nothing
and begins that anew. What a method does beside its crews is done again in any case.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from crewai import Crew

from sidecar.worker.engine.build import fill
from sidecar.worker.engine.executions import task_names
from sidecar.worker.engine.kept import put_back, take_back
from sidecar.worker.journal import Journal

__all__ = ["Finished"]

_MAX_TASKS: Final = 10_000
"""Tasks at work whose crew is remembered; a flow that loops has more with each round."""


class Finished:
    """One run's, of its earlier attempts and for its later ones. Thread-safe."""

    def __init__(self, journal: Journal, attempt: int) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()
        self._at: dict[str, tuple[str, int]] = {}
        """Where a task stands: its crew and its place in it, by CrewAI's id."""
        self._outputs: dict[tuple[str, int], str] = {}
        self._answers: dict[str, str] = {}
        if attempt > 1:
            for note in journal.notes():
                if "crew" in note:
                    self._outputs[note["crew"], note["task"]] = note["output"]
                elif "question" in note:
                    self._answers[note["question"]] = note["answer"]

    def begins(self, crew: Any, inputs: Mapping[str, Any]) -> None:
        """A crew that is not the run's own is about to start: have it not do again what it did."""
        if not isinstance(crew, Crew):
            return
        with self._lock:
            key = self._nth(_crew_key(crew, inputs))
            kept: dict[str, str] = {}
            for index, name in enumerate(task_names(crew.tasks)):
                output = self._outputs.get((key, index))
                if output is None:
                    break
                kept[name] = output
            for index, task in enumerate(crew.tasks):
                self._at.pop(str(task.id), None)
                self._at[str(task.id)] = (key, index)
            while len(self._at) > _MAX_TASKS:
                self._at.pop(next(iter(self._at)))
        if kept:
            for task in crew.tasks:
                task.output = None  # of the time before
            put_back(crew, kept, inputs)

    def ended(self, what: Any, event: Any) -> None:
        """A task has its output, or a crew is done. Raises OSError, as for a full disk: then a
        later attempt does it again."""
        if isinstance(what, Crew):
            take_back(what)
        elif event.type == "task_completed":
            with self._lock:
                at = self._at.get(str(what.id))
            if at is not None:
                self._journal.note({"crew": at[0], "task": at[1], "output": event.output.raw})

    def question(self, *asked: str) -> str:
        """The key of a question that is asked now."""
        with self._lock:
            return self._nth(_digest(asked))

    def answer_to(self, question: str) -> str | None:
        """What a person said to it in an earlier attempt."""
        return self._answers.get(question)

    def answered(self, question: str, text: str) -> None:
        """Raises OSError: then it is asked again."""
        self._journal.note({"question": question, "answer": text})

    def _nth(self, key: str) -> str:
        self._times[key] += 1
        return f"{key}.{self._times[key]}"


def _crew_key(crew: Crew, inputs: Mapping[str, Any]) -> str:
    texts = (
        text
        for task in crew.tasks
        for text in (task.description, task.expected_output, getattr(task.agent, "role", None))
    )
    filled = [None if text is None else fill(text, inputs) for text in texts]
    return _digest([str(crew.process), filled])


def _digest(asked: object) -> str:
    # Of the attempts at one run alone: short is enough.
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:20]
