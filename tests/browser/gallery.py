"""Crews for a picture of every state: one whose models are real clients of servers on loopback.

Where those are, the environment says; `REPORT` is what one of them writes.
"""

from __future__ import annotations

import os
from typing import Final

from crewai import LLM, Agent, Crew, Task

from sidecar.worker.engine.offline import OfflineLLM

__all__ = ["REPORT", "SERVERS", "limited", "plan", "rejected", "report", "slow"]

SERVERS: Final = ("report", "slow", "rejected", "limited")
"""Each has its address in GALLERY_<NAME>, in capitals."""

REPORT: Final = """\
# Launch plan

A short plan for **a small coffee roaster in Lisbon**, with what it costs[^1] and *who does it*.

| Week | What | Who | Cost |
| ---: | :--- | :-- | ---: |
| 1 | Name, sign and opening hours, told to the whole street | Ana | 120 € |
| 2 | Tasting for neighbours, twenty places, three roasts | Rui | 340 € |
| 3 | ~~Radio~~ A poster in each café within a walk | Ana | 90 € |

## To do

- [x] Ask the neighbours
- [ ] Print the posters
  1. Portuguese
  2. English

### By machine

```python
def price(cups: int, each: float = 1.2) -> float:
    \"\"\"What a morning brings, in euros.\"\"\"
    return cups * each
```

> Nobody queues for coffee that they can't smell.

مرحبا بكم في لشبونة، القهوة جاهزة.

See https://example.org/a/very/long/address/that/has/no/space/in/it/at/all/and/goes/on/for/quite/a/while.html
or run `make coffee`.

[^1]: In euros, without tax.
"""


def plan() -> Crew:
    """Three agents, three tasks, no network."""
    llm = OfflineLLM(model="offline")
    names = {
        "plan": ("Content Planner", "A plan for {message}."),
        "feel": ("Sentiment Analyst", "What people feel about {message}."),
        "trends": ("Trend Researcher", "What is new about {message}."),
    }
    tasks = [
        Task(
            name=name,
            description=what,
            expected_output="A page.",
            agent=Agent(role=role, goal=what, backstory="Works.", llm=llm),
        )
        for name, (role, what) in names.items()
    ]
    return Crew(agents=[task.agent for task in tasks if task.agent], tasks=tasks)


def report() -> Crew:
    """Writes REPORT, all of Markdown that people see."""
    return _at("report")


def slow() -> Crew:
    """Writes for longer than anybody looks."""
    return _at("slow")


def rejected() -> Crew:
    """Has a key that the model's provider does not know."""
    return _at("rejected")


def limited() -> Crew:
    """Is asked to wait before it may try again."""
    return _at("limited")


def _at(server: str) -> Crew:
    llm = LLM(
        model="openai/gpt-4o-mini",
        base_url=os.environ[f"GALLERY_{server.upper()}"],
        api_key="sk-of-nobody",
    )
    agent = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
    task = Task(name="write", description="Write on {message}.", expected_output="", agent=agent)
    return Crew(agents=[agent], tasks=[task])
