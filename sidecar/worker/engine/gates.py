"""Where a running crew can be stopped: every chunk of a model, every call of a model or a tool,
every tool's end, every step.

One `Gates` per run. The tap consults it on streamed chunks and when a tool has ended; `install`
makes CrewAI's hooks consult it everywhere else. CrewAI 1.15.30 lets only `HookAborted` through all
of its retry layers, so that is what stops a crew (crewai/hooks/dispatch.py). Before a tool it keeps
the tool from running, and the model call after it stops the crew (crewai/hooks/tool_hooks.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sidecar.channel import Fact, fact

__all__ = ["READ_AHEAD_AFTER", "Change", "Gates"]

READ_AHEAD_AFTER: Final = 10.0
"""Seconds that a pause may hold up a reply in mid-stream. A provider drops a connection that is
not read for long, so then the rest of the reply is read on, told to nobody (see outbox.py), and
the crew stands at its next gate."""
_MAX_CHANGES: Final = 1_000
"""Modifications that may wait; later ones are left out, and the gateway tells them as unapplied."""


@dataclass(frozen=True, eq=False)
class Change:
    """A modification as it was ordered."""

    body: Mapping[str, Any]
    cause: str | None
    """None when an earlier attempt has told it as applied: it is applied again, silently."""


@dataclass
class _Pause:
    cause: str | None
    since: float | None = None
    """When the crew first stood still for it; None while no gate has been reached."""


class Gates:
    """What a run has been told, seen from the crew's own threads. Thread-safe.

    `halt` says the fact run.paused and lets nothing else out until `go` is called.
    """

    def __init__(
        self,
        halt: Callable[[Fact], None] = lambda _paused: None,
        go: Callable[[], None] = lambda: None,
    ) -> None:
        self._halt = halt
        self._go = go
        self._changed = threading.Condition()
        self._cancelled = threading.Event()
        self._cause: str | None = None
        self._pause: _Pause | None = None
        self._changes: list[Change] = []
        self._question: str | None = None
        self._answer: str | None = None
        self._answered = False
        self._tools = 0

    def install(self) -> None:
        """Register with CrewAI's hooks; before kickoff, because executors copy the list."""
        from crewai.hooks import InterceptionPoint, register_hook

        for point, boundary in (
            (InterceptionPoint.PRE_STEP, "task"),
            (InterceptionPoint.PRE_MODEL_CALL, "llm"),
            (InterceptionPoint.PRE_TOOL_CALL, "tool"),
        ):
            register_hook(point, self._hook(boundary))

    # What the gateway orders.

    def cancel(self, cause: str | None) -> None:
        """From now on every gate stops the crew; who waits is woken. The first cause is kept."""
        with self._changed:
            if not self._cancelled.is_set():
                self._cause = cause
                self._cancelled.set()
                self._let_go()

    def pause(self, cause: str | None) -> None:
        """The crew stands still at the next gate that any of its threads reaches."""
        with self._changed:
            if self._pause is None and not self.cancelled:
                self._pause = _Pause(cause)

    def resume(self) -> None:
        """Let the crew go on; also takes back a pause whose gate was not reached."""
        with self._changed:
            self._let_go()

    def modify(self, body: Mapping[str, Any], cause: str | None) -> None:
        """Keep a change until the place is reached where it applies."""
        with self._changed:
            if len(self._changes) < _MAX_CHANGES:
                self._changes.append(Change(body, cause))

    def answer(self, question: str, text: str | None) -> None:
        """Answer the open question, or with None close it; any other is not waited for."""
        with self._changed:
            if question == self._question and not self._answered:
                self._answer, self._answered = text, True
                self._changed.notify_all()

    # What the crew's threads ask.

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
        with self._changed:
            self._tools = max(0, self._tools + change)

    def check(self) -> None:
        """Raise `crewai.hooks.HookAborted` when the crew must stop here."""
        if self._cancelled.is_set():
            from crewai.hooks import HookAborted

            raise HookAborted("cancelled", source="sidecar")

    def stand(self, boundary: str) -> None:
        """Stand still here while the run is paused; the first to come says so.

        At `token` no longer than until `READ_AHEAD_AFTER` into the pause.
        """
        if self._pause is None:  # without the lock: this is asked for every token
            return
        with self._changed:
            while (pause := self._pause) is not None and not self.cancelled:
                if pause.since is None:
                    pause.since = time.monotonic()
                    self._halt(fact("run.paused", {"boundary": boundary}, cause=pause.cause))
                patience = None
                if boundary == "token":
                    patience = pause.since + READ_AHEAD_AFTER - time.monotonic()
                    if patience <= 0:
                        return
                self._changed.wait(patience)

    def hold(self) -> None:
        """Return when the run is not standing still, whatever it has been told beyond that."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.cancelled or self._pause is None or self._pause.since is None
            )

    def urgent(self, wanted: Callable[[Mapping[str, Any]], bool] = lambda _body: True) -> bool:
        """Whether such an instruction waits, and is worth cutting a reply off for."""
        return any(change.body.get("now") and wanted(change.body) for change in self._changes)

    def take(self, wanted: Callable[[Mapping[str, Any]], bool]) -> list[Change]:
        """Remove the waiting changes with such a body and return them, oldest first."""
        with self._changed:
            taken = [change for change in self._changes if wanted(change.body)]
            self._changes = [change for change in self._changes if change not in taken]
            return taken

    def ask(
        self,
        question: str,
        say: Callable[[], None],
        patience: float | None = None,
        expire: Callable[[], None] = lambda: None,
    ) -> str | None:
        """Open a question, `say` it, and wait for its answer; None when nobody gave one.

        After `patience` seconds the gateway is told (`expire`) and has the last word: an answer
        that it has in its log by then is given after all. Without, it keeps the time alone. Raises
        as `check` does. One question at a time, which is the caller's to see to.
        """
        with self._changed:
            self._question, self._answer, self._answered = question, None, False
        say()
        with self._changed:
            in_time = self._changed.wait_for(self._is_settled, patience)
        if not in_time:
            expire()
        with self._changed:
            self._changed.wait_for(self._is_settled)
            self._question, answer = None, self._answer
        self.stand("task")
        self.check()
        return answer

    def _is_settled(self) -> bool:
        return self._answered or self.cancelled

    def _let_go(self) -> None:
        if self._pause is not None and self._pause.since is not None:
            self._go()
        self._pause = None
        self._changed.notify_all()

    def _hook(self, boundary: str) -> Callable[[Any], None]:
        def hook(_context: Any) -> None:
            self.stand(boundary)
            self.check()

        return hook
