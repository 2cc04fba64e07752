"""Memory, knowledge and state that outlives a run. Imported only by workers."""

from __future__ import annotations

from typing import Any

from crewai import Crew, Flow
from crewai.flow.flow import start
from crewai.flow.persistence import persist
from crewai.knowledge.knowledge_config import KnowledgeConfig
from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource
from crewai.memory.unified_memory import Memory
from pydantic import BaseModel

from tests.crews.making import Plain, solo, team

_TEXT = "Tea grows on hills. It wants rain and a cool morning."


def crew_with_memory() -> Crew:
    return team(memory=True)


def agent_with_memory() -> Crew:
    return solo(who={"memory": True})


def own_memory() -> Crew:
    return solo(memory=Memory(llm="gpt-4o"))


def crew_with_knowledge() -> Crew:
    return solo(knowledge_sources=[StringKnowledgeSource(content=_TEXT)])


def agent_with_knowledge() -> Crew:
    return team(who={"knowledge_sources": [StringKnowledgeSource(content=_TEXT)]})


def agent_with_little_knowledge() -> Crew:
    return solo(
        who={
            "knowledge_sources": [StringKnowledgeSource(content=_TEXT)],
            "knowledge_config": KnowledgeConfig(results_limit=1, score_threshold=0.1),
        }
    )


class _Counted(BaseModel):
    id: str = "the-counter"
    count: int = 0


@persist()
class Persisted(Flow[_Counted]):
    _skip_auto_memory: bool = True

    @start()
    def count(self) -> str:
        self.state.count += 1
        text = solo().kickoff(inputs={"message": f"cup {self.state.count}"})
        return f"{self.state.count}: {text}"


class PersistedByMethod(Plain):
    @start()
    @persist()
    def count(self) -> str:
        self.state["count"] = self.state.get("count", 0) + 1
        return f"{self.state['count']} cups"


class RemembersByItself(Flow[dict[str, Any]]):
    @start()
    def write(self) -> str:
        self.remember("Tea grows on hills.", scope="/tea")
        found = self.recall("Where does tea grow?", scope="/tea", depth="shallow")
        return f"{len(found)} found"
