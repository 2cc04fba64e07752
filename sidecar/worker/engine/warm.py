"""Pay ahead of need for what the first run of a process would otherwise wait for.

Nothing here starts a thread or kicks off a crew: the zygote forks after `up`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidecar.worker.engine import versions

if TYPE_CHECKING:
    from sidecar.worker.config import CrewConfig

__all__ = ["executor_class", "rehearse", "up"]

_LAZY: Final = (
    # What CrewAI and the OpenAI client import during their first call, found by comparing
    # sys.modules before and after a run.
    "crewai.events.event_listener",
    "crewai.hooks.contexts",
    "crewai.llms.cache",
    "crewai.llms.providers.openai.completion",
    "crewai.llms.providers.openai_compatible.completion",
    "crewai.skills.tool",
    "openai.resources.chat",
)
_DEFERRED: Final = (
    # Pydantic models whose schema is built at first use; 15 ms together.
    ("crewai.events.types.agent_events", "AgentExecutionStartedEvent"),
    ("crewai.events.types.agent_events", "AgentExecutionCompletedEvent"),
    ("openai.types.chat", "ChatCompletionChunk"),
)

_PREFIX: Final = "crew-warm-"
_STALE_SECONDS: Final = 600.0
"""Far more than `up` is given (READY_SECONDS of the pool, 120)."""

_spare: CrewConfig | None = None
"""Of a crew that nobody asked for."""


def up() -> None:
    """Import crewai and everything a run imports lazily, and build one crew to throw away.

    Raises Unsupported before it imports a release that this does not work with.
    """
    global _spare
    versions.require()
    before = os.environ.get("CREWAI_STORAGE_DIR")
    # Importing crewai makes the directory for its storage; one that is there needs no removing,
    # and this takes seconds, in any of which this process may be killed.
    os.environ["CREWAI_STORAGE_DIR"] = tempfile.gettempdir()
    folder: Path | None = None
    try:
        _import()
        _sweep()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        os.environ["CREWAI_STORAGE_DIR"] = str(folder)
        _spare = _build(folder)
    finally:
        if before is None:
            del os.environ["CREWAI_STORAGE_DIR"]
        else:
            os.environ["CREWAI_STORAGE_DIR"] = before
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(ImportError, AttributeError):
        _make_executor_state()
    gc.collect()


def _sweep() -> None:
    """Remove what others left here that were killed while they made theirs."""
    longest_ago = time.time() - _STALE_SECONDS
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, or gone already
            if folder.lstat().st_mtime < longest_ago:
                shutil.rmtree(folder)


def rehearse() -> None:
    """Make its agents once more in a fork: what that writes to is the fork's own then.

    A worker has the time while nobody needs it, and is that much faster to its first task. Not the
    whole crew: CrewAI would make a database for it, and an idle worker may be killed at any time.
    """
    from sidecar.worker.engine import build, models

    if _spare is not None:
        for agent in build.make_agents(_spare, models.named(models.OFFLINE)).values():
            agent.create_agent_executor()


def _make_executor_state() -> None:
    """Make once the class that CrewAI makes of an executor's state for every agent of every run.

    `Flow._create_initial_state` (crewai/flow/runtime) takes a state type that is a FlowState as it
    is, and derives a class for any other, 8 ms each time: half of the time from a start to its
    first task, for a state that the executor drops at once. tests/worker/contracts pins it.
    """
    from crewai.flow.runtime import FlowState

    executor = executor_class()
    executor.flow_definition()  # kept by CrewAI, with the name of the type as it was
    plain = executor._initial_state_t
    if issubclass(plain, FlowState):
        return

    class ExecutorState(FlowState, plain):  # type: ignore[misc, valid-type]
        pass

    executor._initial_state_t = ExecutorState


def executor_class() -> Any:
    """What runs an agent's task; it moved out of `experimental` in 1.15.29."""
    try:
        from crewai.agents.agent_executor import AgentExecutor
    except ImportError:
        module: Any = importlib.import_module("crewai.experimental.agent_executor")
        return module.AgentExecutor
    return AgentExecutor


def _import() -> None:
    # An upgrade may move any of these; then the first run is slower, not broken.
    for name in _LAZY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for module, name in _DEFERRED:
        with contextlib.suppress(ImportError, AttributeError):
            getattr(importlib.import_module(module), name).model_rebuild()


def _build(folder: Path) -> CrewConfig:
    """A crew from files, as any other; gives what stood in them."""
    from sidecar.worker import config
    from sidecar.worker.engine import (
        build,
        locks,
        models,
        tap,  # noqa: F401
    )

    locks.keep_in(folder)

    # A hosted model's client as well, for what making one imports; it connects to nothing.
    models.create(models.choose({"OPENAI_API_KEY": "only-to-warm-up"}))
    (folder / "agents.yaml").write_text(
        "a: {role: A, goal: B, backstory: C, tools: [repeat]}\n", encoding="utf-8"
    )
    (folder / "tasks.yaml").write_text(
        "t: {description: '{message}', expected_output: E, agent: a}\n", encoding="utf-8"
    )
    spare = config.load(folder, {"repeat": _repeat})
    build.from_config(spare, models.named(models.OFFLINE), {"message": "warm"}, folder)
    return spare


def _repeat(text: str) -> str:
    """Say it again."""
    return text
