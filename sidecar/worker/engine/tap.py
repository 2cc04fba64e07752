"""The ordered tap: every event of a crew, on the thread that emits it, in the order of emission.

It stands where the event bus publishes each event to the sinks of its context (undocumented; what
CrewAI's own `stream_events` is built on). A sink of ours would be one of a context variable, which
a thread of the user's does not have; and a worker is one run, so that whatever any thread says is
of it. The bus's handlers are no substitute: they run on a pool of ten threads and arrive out of
order.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from sidecar.channel import Fact, fact
from sidecar.worker.engine.gates import Gates
from sidecar.worker.engine.mapping import Mapper

__all__ = ["Tap"]

_CHUNKS: Final = frozenset({"llm_stream_chunk", "llm_thinking_chunk"})
_STARTS: Final = frozenset({"crew_kickoff_started", "lite_agent_execution_started"})
_ENDS: Final = frozenset({"task_completed", "crew_kickoff_completed", "crew_kickoff_failed"})
_TOOL_ENDS: Final = frozenset({"tool_usage_finished", "tool_usage_error"})
_MAX_COMPLAINTS: Final = 20


class Tap:
    """Turns one run's events into facts and gives them to `emit`, one at a time, in order.

    `fatal` is called with a MemoryError that CrewAI would swallow: whatever is left of a process
    at its memory limit can't be trusted.
    """

    def __init__(
        self,
        emit: Callable[[Fact], None],
        gates: Gates,
        fatal: Callable[[BaseException], None],
        attempt: int = 1,
    ) -> None:
        self.mapper = Mapper(attempt, _innermost)
        self._emit = emit
        self._gates = gates
        self._fatal = fatal
        self._lock = threading.RLock()
        self._complaints = 0
        self._prepare: Callable[[Any, Any], None] = lambda _source, _event: None
        self._interrupt: Callable[[], None] = lambda: None
        self._ended: Callable[[Any, Any], None] = lambda _source, _event: None
        self._asked: Callable[[str], None] = lambda _call: None

    def install(
        self,
        prepare: Callable[[Any, Any], None],
        interrupt: Callable[[], None] = lambda: None,
        ended: Callable[[Any, Any], None] = lambda _source, _event: None,
        asked: Callable[[str], None] = lambda _call: None,
    ) -> None:
        """Listen to this process, and trim what CrewAI does for every chunk of a model.

        Call it once. `prepare` is given each crew, and each agent that works without one, with its
        event just before it starts; `ended` each task and crew that has ended, before that is told;
        `asked` the id of each call of a model that begins. `interrupt` is called at each chunk that
        has passed its gate, on the model's thread, and may raise HookAborted.
        """
        self._prepare, self._interrupt, self._ended = prepare, interrupt, ended
        self._asked = asked
        _listen(self._sink)
        self._gates.install()
        _trim_chunk_handling()
        _draw_no_panels()
        for logger in ("crewai.llms.base_llm", None):  # None is the root
            logging.getLogger(logger).addFilter(_is_news)

    def step(self, answer: Any) -> None:
        """The crew's step_callback."""
        with self._lock:
            self._guard(lambda: self._tell(self.mapper.step(answer)))

    def say(self, type: str, data: dict[str, Any], cause: str | None = None) -> None:
        """Tell a fact of our own, at the calling thread's place in the crew."""
        with self._lock:
            self._emit(self.mapper.said(type, data, cause))

    def _sink(self, source: Any, event: Any) -> None:
        """Raises only what a gate raises; everything else would be retried by CrewAI or lost."""
        type = event.type
        if type in _CHUNKS:
            self._gates.stand("token")
            self._gates.check()
            self._interrupt()
        elif type == "llm_call_started":
            self._asked(event.call_id)
        elif type == "tool_usage_started":
            self._gates.tool(+1)
        elif type in _TOOL_ENDS:
            self._gates.tool(-1)
        elif type in _STARTS:
            self._guard(lambda: self._prepare(source, event))
        elif type in _ENDS:
            self._guard(lambda: self._ended(source, event))
        if isinstance(getattr(event, "error", None), MemoryError):
            self._fatal(event.error)
        with self._lock:
            self._guard(lambda: self._tell(self.mapper.facts(source, event)))
        if type in _TOOL_ENDS:
            self._gates.stand("tool")

    def _tell(self, facts: list[Fact]) -> None:
        for said in facts:
            self._emit(said)

    def _guard(self, work: Callable[[], None]) -> None:
        """A mistake of ours must not break the crew, and must not go unseen."""
        try:
            work()
        except MemoryError as error:
            self._fatal(error)
        except Exception as error:
            self._complaints += 1
            if self._complaints <= _MAX_COMPLAINTS:
                text = f"an event was not understood: {_class_name(error)}: {error}"
                self._emit(fact("log", {"stream": "sidecar", "text": text}))


def _is_news(record: logging.LogRecord) -> bool:
    """Not CrewAI's warnings that it estimates the size of a hosted model's prompt, at each call,
    and that a call was denied, which is how it tells a cancelled or cut-off reply."""
    text = str(record.msg)
    return not (
        "approximate input token count" in text
        or text.startswith("LLM call denied by sidecar")  # the `source` of our HookAborted
    )


def _class_name(value: object) -> str:
    return type(value).__name__


def _innermost() -> str | None:
    """The id of the event that began the innermost thing of this context (undocumented)."""
    from crewai.events.event_context import get_current_parent_id

    return get_current_parent_id()


def _listen(sink: Callable[[Any, Any], None]) -> None:
    """Have `sink` hear every event of this process, on the thread that emits it."""
    from crewai.events import event_bus

    names = vars(event_bus)
    publish = names["publish_stream_event"]

    def heard(source: Any, event: Any) -> None:
        sink(source, event)
        publish(source, event)

    names["publish_stream_event"] = heard


def _trim_chunk_handling() -> None:
    """Drop two costs per chunk that grow with a reply.

    The console's handler re-reads the whole reply at each chunk, and the event record keeps
    2.7 KB per chunk until the process ends (crewai/events/event_listener.py, event_bus.py).
    """
    from crewai.events.event_bus import crewai_event_bus as bus
    from crewai.events.types.llm_events import LLMStreamChunkEvent

    for handler in tuple(bus._sync_handlers.get(LLMStreamChunkEvent, ())):
        if getattr(handler, "__module__", "") == "crewai.events.event_listener":
            bus.off(LLMStreamChunkEvent, handler)
    record = bus._record_event

    def record_all_but_chunks(event: Any) -> None:
        if event.type not in _CHUNKS:
            record(event)

    bus._record_event = record_all_but_chunks  # type: ignore[method-assign]


def _draw_no_panels() -> None:
    """Leave out the boxes that CrewAI draws around every event of a verbose crew, and of any flow:
    each says what is told already (crewai/events/utils/console_formatter.py)."""
    from crewai.events.utils.console_formatter import ConsoleFormatter

    ConsoleFormatter.print = _nothing  # type: ignore[method-assign]


def _nothing(*_args: object, **_named: object) -> None:
    pass
