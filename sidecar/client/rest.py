"""What is no command and no stream: threads and finished runs, by plain HTTP on either transport.

Each request may be sent twice without a second effect; one that gets no answer is sent again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal, TypedDict
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from sidecar.client.reach import (
    UNREACHED,
    Disconnected,
    Frame,
    Reach,
    Sent,
    answer_of,
    backoff,
    refusal,
)
from sidecar.errors import CommandError

__all__ = ["Noun", "Rest", "RunPage", "ThreadInfo", "ThreadPage", "ThreadRuns"]

Noun = Literal["threads", "runs"]

_TRIES: Final = 4


class _Thread(TypedDict):
    thread: str
    title: str
    created: float
    """Unix ms, as `updated` is."""
    updated: float
    state: str
    """Of its live run, else of its newest."""


class ThreadInfo(_Thread):
    """A conversation, with the number of its runs."""

    runs: int


class ThreadRuns(_Thread):
    """A conversation, with snapshots of its runs, the oldest first."""

    runs: list[Frame]


class ThreadPage(TypedDict):
    """Those updated last come first; `next` is what the page behind it has as `before`."""

    threads: list[ThreadInfo]
    next: str | None


class RunPage(TypedDict):
    """Snapshots, the newest first; `next` is what the page behind it has as `before`."""

    runs: list[Frame]
    next: str | None


class Rest:
    """Nouns of one sidecar, asked for and changed by their id."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def get(self, noun: Noun, id: str | None = None, **query: str) -> Any:
        """The answer's JSON object. Raises CommandError, or Disconnected when nobody answers."""
        return await self._ask("GET", noun, id, query=query)

    async def patch(self, noun: Noun, id: str, **fields: Any) -> Any:
        return await self._ask("PATCH", noun, id, body=fields)

    async def delete(self, noun: Noun, id: str) -> None:
        await self._ask("DELETE", noun, id)

    async def _ask(
        self,
        method: Literal["GET", "PATCH", "DELETE"],
        noun: Noun,
        id: str | None,
        *,
        query: dict[str, str] | None = None,
        body: Frame | None = None,
    ) -> Frame:
        path = noun if id is None else f"{noun}/{quote(id, safe='')}"
        url = URL(f"{self._reach.url}/{path}", encoded=True).with_query(query)
        timeout = aiohttp.ClientTimeout(total=self._reach.answer)
        sent = Sent()
        for failures in range(_TRIES):
            try:
                async with self._reach.http.request(
                    method, url, json=body, timeout=timeout, trace_request_ctx=sent
                ) as response:
                    return await _read(response)
            except CommandError as error:
                unknown = error.code in ("unknown_thread", "unknown_run")
                if method == "DELETE" and unknown and sent.times > 1:
                    return {}  # by the request before, whose answer was lost
                raise
            except UNREACHED:
                await asyncio.sleep(backoff(failures))
        raise Disconnected.at(self._reach.url)


async def _read(response: aiohttp.ClientResponse) -> Frame:
    if not response.ok:
        raise refusal((await answer_of(response))["error"])
    if response.status == 204:
        return {}
    answer: Frame = orjson.loads(await response.read())
    if not isinstance(answer, dict):
        raise ConnectionError(f"{response.url} answered with no JSON object")
    return answer
