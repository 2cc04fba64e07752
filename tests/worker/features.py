"""Crews and flows with one of CrewAI's features each; imported only by workers.

Each writes what CrewAI's bus emits in its process, in order, into `bus` in the run's folder.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
from crewai import Agent, Crew, Flow, Task
from crewai.agent.planning_config import PlanningConfig
from crewai.events import event_bus
from crewai.flow.flow import listen, start
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource
from crewai.mcp import MCPServerStdio
from crewai.memory.unified_memory import Memory
from crewai.rag.embeddings.providers.custom import CustomProvider
from crewai.rag.embeddings.providers.custom.embedding_callable import CustomEmbeddingFunction
from crewai.tasks.llm_guardrail import LLMGuardrail
from crewai.tools import tool

from sidecar.worker.engine.models import choose, create
from sidecar.worker.engine.offline import OfflineLLM
from tests.worker import nested, targets
from tests.worker.nested import Forgetful

_names = vars(event_bus)
_publish = _names["publish_stream_event"]


def _write_down(source: Any, event: Any) -> None:
    own = type(source).__module__.startswith("crewai.") and "flow" in event.type.partition("_")[0]
    with (Path(os.environ["BUS"]) / "bus").open("a") as file:
        file.write(f"{'internal ' if own else ''}{event.type}\n")
    _publish(source, event)


_names["publish_stream_event"] = _write_down


def _llm() -> Any:
    return create(choose(os.environ))


def _crew(
    agent: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **options: Any
) -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=_llm(), **(agent or {}))
    only = Task(
        name="only", description="On {message}", expected_output="T", agent=writer, **(task or {})
    )
    return Crew(agents=[writer], tasks=[only], **options)


def _embed(texts: list[str]) -> list[list[float]]:
    return [[float(len(text) % 7), 1.0, 0.5, 0.25] for text in texts]


def guarded() -> Crew:
    refusals = iter([False])

    def guardrail(output):  # type: ignore[no-untyped-def]
        # Without annotations: CrewAI reads them, and here they would be text.
        return (True, output.raw) if next(refusals, True) else (False, "It is too short.")

    return _crew(task={"guardrail": guardrail})


def judged() -> Crew:
    return _crew(task={"guardrail": LLMGuardrail(description="Be polite.", llm=_llm())})


def thinking() -> Crew:
    return _crew(agent={"planning_config": PlanningConfig(max_attempts=1)})


def remembering() -> Crew:
    storage = str(Path(os.environ["BUS"]) / "memory")
    return _crew(memory=Memory(llm=_llm(), embedder=_embed, storage=storage))


def knowing() -> Crew:
    class Embedding(CustomEmbeddingFunction):
        def __call__(self, input: Any) -> Any:
            return [numpy.array(vector) for vector in _embed(input)]

        @staticmethod
        def name() -> str:
            return "by-length"

        def get_config(self) -> dict[str, Any]:
            return {}

    source = StringKnowledgeSource(content="Tea grows on hills.")
    embedder = CustomProvider(embedding_callable=Embedding)
    return _crew(agent={"knowledge_sources": [source], "embedder": embedder})


def failing_tool() -> Crew:
    @tool("failing")
    def failing(text: str) -> str:
        """Raises."""
        raise RuntimeError("the tool broke")

    return _crew(agent={"tools": [failing]})


_SHOUTER = Path(__file__).parents[1] / "support" / "shouter.py"


def over_mcp() -> Crew:
    server = MCPServerStdio(command=sys.executable, args=[str(_SHOUTER)])
    return _crew(agent={"mcps": [server]})


def alone() -> Any:
    class Alone(Flow[dict[str, Any]]):
        _skip_auto_memory: bool = True

        @start()
        def write(self) -> str:
            lone = Agent(role="Loner\n", goal="Write", backstory="Writes.", llm=_llm())
            return str(lone.kickoff("Write about tea"))

        @listen(write)
        def broken(self, _text: str) -> dict[str, Any]:
            return {"a": Path("/tea"), "b": [1, 2]}

    return Alone()


def streaming() -> Any:
    """A crew that gives its chunks to the flow that kicks it off."""

    class Streaming(Forgetful):
        @start()
        def write(self) -> str:
            made = _crew(stream=True)
            chunks: Any = made.kickoff(inputs={"message": "tea"})
            return str(len(list(chunks)))

    return Streaming()


def each_at_once() -> Any:
    class EachAtOnce(Forgetful):
        @start()
        async def write(self) -> str:
            made = _crew()
            items = [{"message": f"item {number}"} for number in range(3)]
            outputs: Any = await made.kickoff_for_each_async(items)
            return str(len(outputs))

    return EachAtOnce()


def checked_agent() -> Any:
    refusals = iter([False])

    def guardrail(output):  # type: ignore[no-untyped-def]
        return (True, output.raw) if next(refusals, True) else (False, "It is too short.")

    class Checked(Forgetful):
        @start()
        def write(self) -> str:
            lone = Agent(
                role="Loner", goal="Write", backstory="W.", llm=_llm(), guardrail=guardrail
            )
            return str(lone.kickoff("Write about tea"))

    return Checked()


def repeated() -> Any:
    """One crew object, kicked off again and again, and at last by two threads at the same time."""

    class Repeated(Forgetful):
        @start()
        def write(self) -> str:
            made = _crew()
            outputs = [made.kickoff(inputs={"message": "tea"}) for _ in range(2)]
            with ThreadPoolExecutor(2) as pool:
                outputs += pool.map(lambda _: made.kickoff(inputs={"message": "tea"}), range(2))
            return str(len(outputs))

    return Repeated()


def fails() -> Crew:
    """Its model breaks in the middle of the second task."""

    class Breaking(OfflineLLM):
        def _stream_text(self, words: Any, task: Any, agent: Any) -> int:
            if task is not None and task.name == "second":
                raise RuntimeError("the model broke")
            return super()._stream_text(words, task, agent)

    llm = Breaking(model="offline")
    writer = Agent(role="Writer", goal="W", backstory="W.", llm=llm, max_retry_limit=0)
    tasks = [
        Task(name=name, description="On {message}", expected_output="T", agent=writer)
        for name in ("first", "second")
    ]
    return Crew(agents=[writer], tasks=list(tasks))


Branches, Parallel, ForEach, Threads, Outer, Broken = (
    nested.Branches,
    nested.Parallel,
    nested.ForEach,
    nested.Threads,
    nested.Outer,
    nested.Broken,
)
asks_a_critic, plans, folded_role = nested.asks_a_critic, nested.plans, nested.folded_role
managed, delegates, asks_in_a_thread = nested.managed, nested.delegates, nested.asks_in_a_thread
parallel, conditional, talks_react = targets.parallel, targets.conditional, targets.talks_react
Remembering = targets.Remembering
