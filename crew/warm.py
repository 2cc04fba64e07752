"""Pay ahead of need for what the first run of a process would otherwise wait for.

Nothing here starts a thread or kicks off a crew: the zygote forks afterwards.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["up"]

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


def up() -> None:
    """Import crewai and everything a run imports lazily, and build one crew to throw away."""
    folder = Path(tempfile.mkdtemp(prefix="crew-warm-"))
    before = os.environ.get("CREWAI_STORAGE_DIR")
    os.environ["CREWAI_STORAGE_DIR"] = str(folder)
    try:
        # Inside: importing crewai makes a directory for its storage.
        _import()
        _build(folder)
    finally:
        if before is None:
            del os.environ["CREWAI_STORAGE_DIR"]
        else:
            os.environ["CREWAI_STORAGE_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
    gc.collect()


def _import() -> None:
    # An upgrade may move any of these; then the first run is slower, not broken.
    for name in _LAZY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for module, name in _DEFERRED:
        with contextlib.suppress(ImportError, AttributeError):
            getattr(importlib.import_module(module), name).model_rebuild()


def _build(folder: Path) -> None:
    from crew import build, config, kept, models, questions, steering, tap  # noqa: F401
    from crew.tools import TOOLS

    # A hosted model's client as well, for what making one imports; it connects to nothing.
    models.create(models.choose({"OPENAI_API_KEY": "only-to-warm-up"}))
    _write_config(folder)
    crew = config.load(folder, TOOLS)
    build.from_config(crew, models.named(models.OFFLINE), {"message": "warm"}, folder)


def _write_config(folder: Path) -> None:
    (folder / "agents.yaml").write_text(
        "a: {role: A, goal: B, backstory: C, tools: [text_statistics]}\n", encoding="utf-8"
    )
    (folder / "tasks.yaml").write_text(
        "t: {description: '{message}', expected_output: E, agent: a}\n", encoding="utf-8"
    )
