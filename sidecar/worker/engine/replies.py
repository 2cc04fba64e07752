"""The HTTP replies that a model's call has opened, so that a reply that is cut off can be closed.

Whoever is cut off in the middle of a reply leaves it to Python's collector: the OpenAI client's
`Stream` and its own generator hold each other, and so do CrewAI's retries and the error
(crewai/llms/retry.py). A collection may come while httpcore holds the lock of its pool, which is
not reentrant; the generator's `finally` closes the reply, which takes that lock, and the thread
waits for itself (httpcore/_sync/connection_pool.py: PoolByteStream.close). A reply that is closed
already takes no lock. All of CrewAI's clients but boto3's and Azure's speak through httpx; those
two have no such lock.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import httpx

__all__ = ["Replies", "install"]

_open: Final[ContextVar[Replies | None]] = ContextVar("crew_replies", default=None)


class Replies:
    """Those of one call that are being streamed."""

    def __init__(self) -> None:
        self._replies: list[httpx.Response] = []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep those that are opened in this context meanwhile."""
        token = _open.set(self)
        try:
            yield
        finally:
            _open.reset(token)

    def add(self, reply: httpx.Response) -> None:
        # A client that asks again has closed what it asked before: there is one at most, or two.
        self._replies = [one for one in self._replies if not one.is_closed] + [reply]

    def close(self) -> None:
        """Of a synchronous call. What a server does to a connection that is thrown away is nobody's
        concern."""
        for reply in self._take():
            with contextlib.suppress(httpx.HTTPError, OSError, RuntimeError):
                reply.close()

    async def aclose(self) -> None:
        for reply in self._take():
            with contextlib.suppress(httpx.HTTPError, OSError, RuntimeError):
                await reply.aclose()

    def _take(self) -> list[httpx.Response]:
        taken, self._replies = self._replies, []
        return taken


def install() -> None:
    """Notice every reply that httpx streams; once per process."""
    client: Any = httpx.Client
    asynchronous: Any = httpx.AsyncClient
    send, asend = client.send, asynchronous.send

    @functools.wraps(send)
    def send_noticed(*args: Any, **kwargs: Any) -> httpx.Response:
        reply: httpx.Response = send(*args, **kwargs)
        _notice(reply)
        return reply

    @functools.wraps(asend)
    async def asend_noticed(*args: Any, **kwargs: Any) -> httpx.Response:
        reply: httpx.Response = await asend(*args, **kwargs)
        _notice(reply)
        return reply

    client.send, asynchronous.send = send_noticed, asend_noticed


def _notice(reply: httpx.Response) -> None:
    if (replies := _open.get()) is not None and not reply.is_closed:
        replies.add(reply)
