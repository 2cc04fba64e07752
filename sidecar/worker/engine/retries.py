"""Told before a model's client waits to try a request again: else a rate limit looks like thinking.

None of them tells by itself, so the last function that each calls before it waits is wrapped:

- OpenAI's and Anthropic's clients, which are made by one generator: `_calculate_retry_timeout` of
  `_base_client.BaseClient`, within the `except` of what went wrong.
- CrewAI's own tries around a call (crewai/llms/retry.py, from 1.15.29 on): `_retry_after_seconds`,
  which is given the error, and then `get_retry_delay_seconds`.
- tenacity, by which Google's client and LiteLLM try again where they are told to:
  `RetryCallState.prepare_for_next_attempt`.

Not told are boto3's and Azure's own tries; CrewAI's around them are. Pinned by
tests/worker/contracts/retries.py.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["Told", "chain", "reason_of", "status_of", "wrap"]

Told = Callable[[BaseException | None, float], None]
"""What went wrong, and how many seconds its client will wait. On the thread that waits."""

_CLIENTS: Final = ("openai._base_client", "anthropic._base_client")
_REASONS: Final = {
    408: "timeout",
    409: "conflict",
    429: "rate limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_REFUSED: Final = range(400, 600)
_MAX_CHAIN: Final = 10
"""Errors that led to one another."""
_wrapped: Final[set[str]] = set()
"""Modules, by name."""
_failed: Final[ContextVar[BaseException | None]] = ContextVar("crew_failed", default=None)
"""What CrewAI will try again for."""


def wrap(told: Told) -> None:
    """Have `told` called before each wait, of the clients that are imported by now: one is imported
    with the first model that needs it. Costs 1 µs once there is nothing new."""
    for name, how in _HOW.items():
        if name not in _wrapped and (module := sys.modules.get(name)) is not None:
            _wrapped.add(name)
            how(module, told)


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of the answer that was none, as far as the error or what led to it has it."""
    for one in chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, Mapping):  # boto3's
            status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
            return status if isinstance(status, int) else None
        for place in (response, one):
            for name in ("status_code", "code"):
                status = getattr(place, name, None)
                if isinstance(status, int) and status in _REFUSED:  # a SystemExit has a code, too
                    return status
    return None


def reason_of(error: BaseException | None) -> str:
    """In a word or two, none of them the server's: an address or a key may be among those."""
    status = status_of(error)
    if status is not None:
        return _REASONS.get(status, "server error" if status >= 500 else f"HTTP {status}")
    slow = any("Timeout" in type(one).__name__ for one in chain(error))
    return "timeout" if slow else "no connection"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, `_MAX_CHAIN` of them at most."""
    for _ in range(_MAX_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _client(module: Any, told: Told) -> None:
    if (base := getattr(module, "BaseClient", None)) is None:
        return
    calculate: Callable[..., float] | None = getattr(base, "_calculate_retry_timeout", None)
    if calculate is None:
        return

    @functools.wraps(calculate)
    def calculated(*args: Any, **kwargs: Any) -> float:
        wait = calculate(*args, **kwargs)
        told(sys.exception(), wait)
        return wait

    base._calculate_retry_timeout = calculated


def _crewai(module: Any, told: Told) -> None:
    after = getattr(module, "_retry_after_seconds", None)
    delay = getattr(module, "get_retry_delay_seconds", None)
    if after is None or delay is None:
        return

    @functools.wraps(after)
    def after_noticed(error: BaseException) -> Any:
        _failed.set(error)
        return after(error)

    @functools.wraps(delay)
    def delayed(*args: Any, **kwargs: Any) -> float:
        wait: float = delay(*args, **kwargs)
        error = _failed.get()
        _failed.set(None)
        told(error, wait)
        return wait

    module._retry_after_seconds, module.get_retry_delay_seconds = after_noticed, delayed


def _tenacity(module: Any, told: Told) -> None:
    prepare = module.RetryCallState.prepare_for_next_attempt

    @functools.wraps(prepare)
    def prepared(state: Any) -> None:
        outcome = state.outcome
        if outcome is not None and outcome.failed:
            told(outcome.exception(), state.upcoming_sleep)
        prepare(state)

    module.RetryCallState.prepare_for_next_attempt = prepared


_HOW: Final[dict[str, Callable[[Any, Told], None]]] = {
    **dict.fromkeys(_CLIENTS, _client),
    "crewai.llms.retry": _crewai,
    "tenacity": _tenacity,
}
