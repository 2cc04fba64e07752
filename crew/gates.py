"""Where a running crew can be stopped: every chunk of a model, every call of a model or a tool,
every step.

One `Gates` per run. The tap consults it on streamed chunks; `install` makes CrewAI's hooks consult
it everywhere else. CrewAI 1.15.30 lets only `HookAborted` through all of its retry layers, so that
is what stops a crew (crewai/hooks/dispatch.py). Before a tool it keeps the tool from running, and
the model call after it stops the crew (crewai/hooks/tool_hooks.py).
"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Gates"]


class Gates:
    """What a run has been told, seen from the crew's own threads. Thread-safe."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._cause: str | None = None
        self._lock = threading.Lock()
        self._tools = 0

    def install(self) -> None:
        """Register with CrewAI's hooks; before kickoff, because executors copy the list."""
        from crewai.hooks import InterceptionPoint, register_hook

        for point in (
            InterceptionPoint.PRE_STEP,
            InterceptionPoint.PRE_MODEL_CALL,
            InterceptionPoint.PRE_TOOL_CALL,
        ):
            register_hook(point, self._hook)

    def cancel(self, cause: str | None) -> None:
        """From now on every gate stops the crew. The first cause is kept."""
        with self._lock:
            if not self._cancelled.is_set():
                self._cause = cause
                self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def cause(self) -> str | None:
        """The command that cancelled the run."""
        return self._cause

    @property
    def in_tool(self) -> bool:
        """Whether a tool is at work: it can't be interrupted, only waited for or killed."""
        return self._tools > 0

    def tool(self, change: int) -> None:
        """A tool has started (+1) or ended (-1)."""
        with self._lock:
            self._tools = max(0, self._tools + change)

    def check(self) -> None:
        """Raise `crewai.hooks.HookAborted` when the crew must stop here."""
        if self._cancelled.is_set():
            from crewai.hooks import HookAborted

            raise HookAborted("cancelled", source="sidecar")

    def _hook(self, _context: Any) -> None:
        self.check()
