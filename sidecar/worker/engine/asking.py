"""Every call of a model that a run makes, whoever makes it: an agent, a manager, a planner, or the
user's own code.

It streams where its class can (streaming.py): CrewAI's classes ask `_effective_stream` before each
request. It can be cut off: an exception from the stream's sink, caught around the model's `call`
before the caller sees it, which then asks again. And it is told when its client waits to try again
(retries.py).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

from crewai import BaseLLM
from crewai.hooks import HookAborted

from sidecar.worker.engine import failures, replies, retries, usage
from sidecar.worker.engine.streaming import streams

__all__ = ["Asking", "asking", "began", "install"]

StandIn = Callable[[BaseLLM], BaseLLM | None]
"""Who answers instead of a model; None if it can itself."""
Again = Callable[[Any], list[Any]]
"""The messages to ask with instead of these."""
Say = Callable[[str, dict[str, Any]], None]
"""Tell a fact, by type and data, of the calling thread's place in the crew."""

_TRACK: Final = "_track_token_usage_internal"
"""The method by which a model counts its tokens."""

_asking: Final[ContextVar[Asking | None]] = ContextVar("crew_asking", default=None)


class _CutOff(HookAborted):
    """A HookAborted: the layers between the stream and the call let nothing else through."""

    def __init__(self) -> None:
        super().__init__("cut off, to be asked again with an instruction", source="sidecar")


class Asking:
    """One call of `llm`, with tools or without; `task` is the one it is made for, or None."""

    def __init__(self, llm: BaseLLM, tools: bool, task: Any) -> None:
        self.llm = llm
        self.tools = tools
        self.task = task
        self.replies = replies.Replies()
        self.id: str | None = None
        """CrewAI's of the call; where CrewAI itself tries again, of the newest."""
        self.retries = 0
        self._again: Again | None = None

    def cut_off(self, again: Again) -> None:
        """Leave the reply that this thread is hearing; raises through the client to `install`'s
        wrapper."""
        self._again = again
        raise _CutOff

    def again(self) -> Again | None:
        """How to ask again, once; None if nobody has cut this call off. Not read from what was
        raised: LiteLLM's class takes any error in mid-stream for the end of the reply
        (crewai/llm.py), as a user's own may."""
        again, self._again = self._again, None
        return again

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        token = _asking.set(self)
        try:
            with self.replies.kept(), usage.counting():
                yield
        finally:
            _asking.reset(token)


def asking() -> Asking | None:
    """The call that this context is in."""
    return _asking.get()


def began(call_id: str) -> None:
    """The call that this context is in was told under that id."""
    if (one := _asking.get()) is not None:
        one.id = call_id


def install(stand_in: StandIn = lambda _llm: None, say: Say = lambda _type, _data: None) -> None:
    """Wrap `call` and `acall` of every class of models, now and to come; once per process. Of the
    class, so that all of its models are wrapped, whoever makes them."""
    replies.install()

    def waits(error: BaseException | None, wait: float) -> None:
        if (one := _asking.get()) is not None and one.id is not None:
            one.retries += 1
            data = {
                "call": one.id,
                "attempt": one.retries,
                "wait": round(wait, 3),
                "status": retries.status_of(error),
                "reason": retries.reason_of(error),
            }
            say("llm.retrying", data)

    def other(llm: BaseLLM) -> BaseLLM | None:
        retries.wrap(waits)
        return stand_in(llm)

    base: Any = BaseLLM
    for model in _descendants(base):
        _wrap(model, other)
    told, created = base._effective_stream, _created(base)

    @functools.wraps(told)
    def streams_here(llm: BaseLLM) -> bool | None:
        wanted: bool | None = told(llm)
        one = _asking.get()
        return wanted or (one is not None and one.llm is llm and streams(llm, one.tools))

    def created_wrapped(model: type[BaseLLM], /, **kwargs: Any) -> None:
        created(model, **kwargs)
        _wrap(model, other)

    base._effective_stream = streams_here
    base._track_token_usage_internal = _track(base._track_token_usage_internal)
    base.__init_subclass__ = classmethod(created_wrapped)


def _created(base: Any) -> Callable[..., None]:
    """What CrewAI does with each new class of models; older releases have nothing of their own."""
    own = vars(base).get("__init_subclass__")
    if own is not None:
        function: Callable[..., None] = own.__func__
        return function
    return lambda model, **kwargs: super(base, model).__init_subclass__(**kwargs)


def _descendants(model: type[BaseLLM]) -> set[type[BaseLLM]]:
    children = set(model.__subclasses__())
    return children.union(*map(_descendants, children))


def _wrap(model: type[BaseLLM], stand_in: StandIn) -> None:
    wraps: dict[str, Callable[[Any], Any]] = {
        "call": functools.partial(_call, stand_in=stand_in),
        "acall": functools.partial(_acall, stand_in=stand_in),
        _TRACK: _track,
    }
    for name, wrap in wraps.items():
        if (own := vars(model).get(name)) is not None:
            setattr(model, name, wrap(own))


def _call(call: Callable[..., Any], stand_in: StandIn) -> Callable[..., Any]:
    @functools.wraps(call)
    def asked(llm: BaseLLM, messages: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_inner(llm):
            return call(llm, messages, *args, **kwargs)
        if (other := stand_in(llm)) is not None:
            return other.call(messages, *args, **kwargs)
        one = Asking(llm, _has_tools(*args, **kwargs), kwargs.get("from_task"))
        with one.here():
            while True:
                try:
                    answer = call(llm, messages, *args, **kwargs)
                except Exception as error:
                    if (again := one.again()) is None:
                        failures.blame(error, llm)
                        raise
                else:
                    if (again := one.again()) is None:
                        return answer
                one.replies.close()
                messages = again(messages)

    return asked


def _acall(acall: Callable[..., Any], stand_in: StandIn) -> Callable[..., Any]:
    @functools.wraps(acall)
    async def asked(llm: BaseLLM, messages: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_inner(llm):
            return await acall(llm, messages, *args, **kwargs)
        if (other := stand_in(llm)) is not None:
            return await other.acall(messages, *args, **kwargs)
        one = Asking(llm, _has_tools(*args, **kwargs), kwargs.get("from_task"))
        with one.here():
            while True:
                try:
                    answer = await acall(llm, messages, *args, **kwargs)
                except Exception as error:
                    if (again := one.again()) is None:
                        failures.blame(error, llm)
                        raise
                else:
                    if (again := one.again()) is None:
                        return answer
                await one.replies.aclose()
                messages = again(messages)

    return asked


def _track(track: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(track)
    def tracked(llm: BaseLLM, taken: Any) -> None:
        if getattr(type(llm), _TRACK) is tracked:  # not a parent's, which it may call
            usage.count(taken)
        track(llm, taken)

    return tracked


def _is_inner(llm: BaseLLM) -> bool:
    """Whether this is part of a call: a class that calls its parent's, an `acall` that uses a
    thread."""
    one = _asking.get()
    return one is not None and one.llm is llm


def _has_tools(tools: Any = None, *_args: Any, **_kwargs: Any) -> bool:
    return bool(tools)
