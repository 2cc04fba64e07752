"""What must be equal of a crew run by CrewAI alone and by the sidecar. Pure; knows no crew."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sidecar.worker.engine.noise import NOISE
from sidecar.worker.engine.words import WORDS
from tests.crews.model import usage
from tests.crews.sides import Direct

__all__ = ["differences", "prompts", "word_of", "words"]

Fact = Mapping[str, Any]

_OURS: Final = {
    "crew_kickoff_started": "crew.started",
    "crew_kickoff_completed": "crew.completed",
    "crew_kickoff_failed": "crew.failed",
    "task_started": "task.started",
    "task_completed": "task.completed",
    "task_failed": "task.failed",
    "flow_started": "flow.started",
    "flow_finished": "flow.completed",
    "flow_failed": "flow.failed",
    "method_execution_started": "method.started",
    "method_execution_finished": "method.completed",
    "method_execution_failed": "method.failed",
    "agent_execution_started": "agent.started",
    "agent_execution_completed": "agent.completed",
    "agent_execution_error": "agent.failed",
    "lite_agent_execution_started": "agent.started",
    "lite_agent_execution_completed": "agent.completed",
    "lite_agent_execution_error": "agent.failed",
    "llm_call_started": "llm.started",
    "llm_call_completed": "llm.completed",
    "llm_call_failed": "llm.failed",
    "tool_usage_started": "tool.started",
    "tool_usage_finished": "tool.completed",
    "tool_usage_error": "tool.failed",
}
"""The words whose data is made for each; those of WORDS are said there."""
_BESIDE: Final = ("run.", "worker.", "log", "step", "llm.delta", "input.")
"""What is told of something else, or, as deltas are, merged."""
_IN_THE_TERMINAL: Final = frozenset({"human_feedback_requested", "human_feedback_received"})
"""What CrewAI emits where it asks at its own terminal and no provider does (crewai/flow/runtime);
ours does, and it is told as input.requested."""
_CALLS: Final = ("llm_call_started", "llm_call_completed", "tool_usage_started")
_UNTOLD: Final = _IN_THE_TERMINAL | NOISE.keys()
_PLACED: Final = ("task.started", "task.completed", "agent.started", "agent.completed")


def differences(direct: Direct, facts: Sequence[Fact], asked: Sequence[Any]) -> dict[str, Any]:
    """By what differs: CrewAI's side and ours. Empty where all is equal.

    `facts` are all that a worker said, its last word included; `asked` what its model was sent.
    """
    last = facts[-1]
    pairs: dict[str, tuple[Any, Any]] = {
        "ending": ("failed" if direct.error else "completed", last["type"].partition(".")[2]),
        "json": (direct.json, last["data"].get("json")),
        "prompts": (prompts(direct.asked), prompts(asked)),
        "usage": (_spent(direct.asked), _counted(facts)),
        "events": (words(direct.events, _has_own_crew(facts)), _told(facts)),
        "labels": (_labels(direct.events), _labels_told(facts)),
    }
    if direct.output is not None or direct.json is None:
        pairs["output"] = (direct.output, last["data"].get("output"))
    found = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    message = last["data"].get("error", {}).get("message", "")
    if " ".join((direct.error or "").split()) not in message:  # ours may say what it was at
        found["error"] = (direct.error, message)
    found |= _out_of_order(direct.events, facts)
    hidden = _workers(direct.events) - _workers_told(facts)
    if hidden:
        found["workers"] = (hidden, _workers_told(facts))
    strange = sorted(set(_replies(facts)) - {one["reply"] for one in direct.events})
    if strange:
        found["replies"] = ([one["reply"] for one in direct.events if one["reply"]], strange)
    unclear = [one["data"]["text"] for one in facts if _is_complaint(one)]
    return found | ({"complaints": ([], unclear)} if unclear else {})


def words(events: Iterable[Mapping[str, Any]], own_crew: bool) -> Counter[str]:
    """How often what must be told, of what the bus had; a run's `own_crew` is the run itself."""
    told: Counter[str] = Counter()
    for event in events:
        type = event["type"]
        if type not in _UNTOLD and not type.endswith("_chunk") and not _is_internal(event):
            word = word_of(type)
            if word == "tool.completed" and event.get("failed"):
                word = "tool.failed"  # it came back, with a failure
            told[word] += 1
    if own_crew:
        told -= Counter(["crew.started", "crew.failed", "crew.completed"][: 1 + _ended(told)])
    return told


def prompts(bodies: Iterable[Any]) -> Counter[str]:
    """What a model was sent, without its order: of parallel tasks that is anyone's."""
    return Counter(json.dumps(body, sort_keys=True) for body in bodies)


def _ended(told: Counter[str]) -> int:
    return 1 if told["crew.failed"] else 2


def _is_internal(event: Mapping[str, Any]) -> bool:
    """Of a part of CrewAI that is built as a flow; a user's YAML makes one of `crewai.flow`."""
    own = event["source"].startswith("crewai.") and not event["source"].startswith("crewai.flow.")
    return own and event["type"].startswith(("flow_", "method_execution_"))


def _told(facts: Iterable[Fact]) -> Counter[str]:
    return Counter(
        f"event {fact['data']['kind']}" if fact["type"] == "event" else fact["type"]
        for fact in facts
        if not fact["type"].startswith(_BESIDE)
    )


def _has_own_crew(facts: Iterable[Fact]) -> bool:
    return any(fact["type"] == "run.started" and bool(fact["data"]["tasks"]) for fact in facts)


def _spent(bodies: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """What the model's own count says."""
    total: Counter[str] = Counter()
    for body in bodies:
        total.update(usage(body))
    return total


def _counted(facts: Iterable[Fact]) -> Counter[str]:
    total: Counter[str] = Counter()
    for fact in facts:
        if fact["type"] == "llm.completed":
            total.update(fact["data"]["usage"])
    return total


def _replies(facts: Iterable[Fact]) -> Iterator[str]:
    """What the deltas of each call make together."""
    texts: dict[str, str] = defaultdict(str)
    for fact in facts:
        if fact["type"] == "llm.delta" and fact["data"]["kind"] == "text":
            texts[fact["data"]["call"]] += fact["data"]["text"]
    yield from texts.values()


def _labels(events: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str | None, str | None]]:
    """(what, task, agent) of each beginning and end of tasks and agents."""
    found: Counter[tuple[str, str | None, str | None]] = Counter()
    for event in events:
        word = _OURS.get(event["type"], "")
        if word in _PLACED:
            found[_label(word, event["task"], event["agent"])] += 1
    return found


def _labels_told(facts: Iterable[Fact]) -> Counter[tuple[str, str | None, str | None]]:
    return Counter(_label_told(fact) for fact in facts if fact["type"] in _PLACED)


def word_of(type: str) -> str:
    """What an event of that type is told as, where it is no noise; `event TYPE` without a word."""
    return _OURS.get(type) or (WORDS[type].type if type in WORDS else f"event {type}")


def _workers(events: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """(what, agent) of each call of a model or a tool, as far as CrewAI says whose it is."""
    return Counter(
        (_OURS[event["type"]], event["agent"].strip())
        for event in events
        if event["type"] in _CALLS and event["agent"]
    )


def _workers_told(facts: Iterable[Fact]) -> Counter[tuple[str, str]]:
    words = {_OURS[type] for type in _CALLS}
    return Counter((fact["type"], fact.get("agent", "")) for fact in facts if fact["type"] in words)


def _label(word: str, task: str | None, agent: str | None) -> tuple[str, str | None, str | None]:
    role = agent.strip() if agent else None
    return (word, _bare(task) if word.startswith("task.") else None, role)


def _label_told(fact: Fact) -> tuple[str, str | None, str | None]:
    return _label(fact["type"], fact.get("task"), fact.get("agent"))


def _bare(task: str | None) -> str | None:
    """A task's name without what tells it from a namesake; None for one that its user gave none."""
    name = re.sub(r"_\d+$", "", task or "")
    return None if name in ("", "task", "planning") else name


def _out_of_order(events: Sequence[Mapping[str, Any]], facts: Sequence[Fact]) -> dict[str, Any]:
    """What a strand did one after the other that is told another way round."""
    told = [_label_told(fact) for fact in facts if fact["type"] in _PLACED]
    strands: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        word = _OURS.get(event["type"], "")
        if word in _PLACED:
            strands[event["strand"]].append(_label(word, event["task"], event["agent"]))
    wrong = {strand: done for strand, done in strands.items() if not _in_order(done, told)}
    return {"order": (wrong, told)} if wrong else {}


def _in_order(some: Iterable[Any], among: Iterable[Any]) -> bool:
    rest = iter(among)
    return all(one in rest for one in some)


def _is_complaint(fact: Fact) -> bool:
    return fact["type"] == "log" and bool(fact["data"]["stream"] == "sidecar")
