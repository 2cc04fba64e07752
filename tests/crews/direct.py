"""The other side of the comparison: a crew kicked off as its user would, by CrewAI alone.

A program: `python -m tests.crews.direct`, one JSON line per run on stdin, {target, inputs, environ,
answers, folder, file}; each runs in a fork, which writes what came of it into `file`:

    {"output", "json", "error", "events": [{"type", "source", "strand", "task", "agent", "usage",
                                            "reply", "failed", "error"}]}

`events` is every event of CrewAI's bus, in the order of emission. One line with the exit code
answers each run. Imports nothing of the sidecar's.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import threading
import traceback
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

_events: list[dict[str, Any]] = []


def listen() -> None:
    """Write down every event of this process as the bus takes it."""
    from crewai.events.event_bus import CrewAIEventsBus

    prepare = CrewAIEventsBus._prepare_event

    def prepared(self: Any, source: Any, event: Any) -> None:
        prepare(self, source, event)
        _events.append(_seen(source, event))

    CrewAIEventsBus._prepare_event = prepared  # type: ignore[method-assign]


def _seen(source: Any, event: Any) -> dict[str, Any]:
    task = source if event.type.startswith("task_") else None
    agent = getattr(task, "agent", None) or getattr(event, "agent", None)
    info = getattr(event, "agent_info", None) or {}
    usage = getattr(event, "usage", None)
    reply = getattr(event, "response", None)
    return {
        "type": event.type,
        "source": type(source).__module__,
        "strand": _strand(),
        "task": getattr(task, "name", None),
        "agent": getattr(agent, "role", None) or info.get("role") or event.agent_role,
        "method": str(event.method_name) if hasattr(event, "method_name") else None,
        "usage": usage if isinstance(usage, dict) else None,
        "reply": reply if isinstance(reply, str) else None,
        "failed": getattr(event, "failure", None) is not None,
        "error": str(event.error) if getattr(event, "error", None) else None,
    }


def _strand() -> str:
    """What does one thing after the other: a thread, or a task of its event loop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return f"{threading.get_ident()} {task.get_name() if task else ''}"


def kickoff(target: str, inputs: dict[str, Any]) -> Any:
    """What a user's own script does with what the target is."""
    module, _, name = target.partition(":")
    found: Any = getattr(importlib.import_module(module), name)
    if inspect.isclass(found):
        made = found()
        found = made.crew() if hasattr(made, "crew") else made
    elif inspect.isfunction(found):
        found = found(inputs) if inspect.signature(found).parameters else found()
        if inspect.iscoroutine(found):
            found = asyncio.run(_awaited(found))
    if hasattr(found, "role"):  # an agent, which takes a prompt and no inputs
        found = found.kickoff(inputs["message"])
    elif hasattr(found, "kickoff"):
        found = found.kickoff(inputs=inputs)
    if hasattr(type(found), "result") and hasattr(found, "__iter__"):
        # `stream=True`: it runs as one reads.
        for _ in found:
            pass
        found = found.result
    return found


async def _awaited(found: Any) -> Any:
    return await found


def told(result: Any) -> dict[str, Any]:
    """`output` as text; `json` where the result is structured."""
    if isinstance(result, list) and result and all(hasattr(one, "raw") for one in result):
        return {"output": "\n\n".join(one.raw for one in result), "json": None}
    if hasattr(result, "raw"):
        structured = getattr(result, "pydantic", None) or getattr(result, "json_dict", None)
        return {"output": result.raw, "json": _plain(structured)}
    if isinstance(result, (dict, list)) or hasattr(result, "model_dump") or is_dataclass(result):
        return {"output": None, "json": _plain(result)}
    return {"output": None if result is None else str(result), "json": None}


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return json.loads(json.dumps(value, default=str))


def run(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["folder"])
    answers = Path(order["file"]).with_suffix(".answers")
    answers.write_text("".join(f"{answer}\n" for answer in order["answers"]))
    sys.stdin = answers.open()
    log = os.open(Path(order["file"]).with_suffix(".log"), os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    listen()
    came: dict[str, Any] = {"output": None, "json": None, "error": None}
    try:
        came |= told(kickoff(order["target"], order["inputs"]))
    except BaseException as error:
        traceback.print_exc()
        came["error"] = f"{type(error).__name__}: {error}"
    from crewai.events import crewai_event_bus

    crewai_event_bus.flush()
    Path(order["file"]).write_text(json.dumps(came | {"events": _events}))


def main() -> None:
    importlib.import_module("crewai")
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            try:
                run(json.loads(line))
            finally:
                sys.stdout.flush()
                os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
