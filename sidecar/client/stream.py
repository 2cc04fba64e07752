"""One subscription on one connection, WebSocket or SSE: frames as they come, until it breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

import aiohttp
import orjson

from sidecar.client.reach import Frame, Kind, Reach, answer_of, refusal
from sidecar.client.sse_parser import SseParser
from sidecar.errors import CommandError

__all__ = ["Stream"]

_INBOX_BYTES: Final = 1024 * 1024
"""What may lie unread; beyond it the connection is not read on, and TCP holds the sidecar back."""

_FOR_GOOD: Final = range(4500, 5000)
"""Close codes after which coming back is pointless (P13)."""


class Stream:
    """Reads on its own, so that pings are heard and answered while the follower is busy.

    `wake` is called whenever `pop` or `over` may have changed.
    """

    def __init__(self, reach: Reach, kind: Kind, query: dict[str, str], wake: Callable[[], None]):
        self.kind: Kind = kind
        self.opened = False
        """The first frame was here: no proxy swallows the rest."""
        self.failure: Exception | None = None
        self._inbox: deque[tuple[Frame, int]] = deque()
        self._held = 0
        self._room = asyncio.Event()
        self._wake = wake
        texts = _ws_texts(reach, query) if kind == "ws" else _sse_texts(reach, query)
        self._reading = reach.tasks.spawn(self._read(texts))

    @property
    def over(self) -> bool:
        """Nothing will come any more; `failure` says why, even after an orderly close."""
        return self.failure is not None and not self._inbox

    def pop(self) -> Frame | None:
        """The next frame that has arrived, None if none has.

        Once all are taken: raises `failure`, a CommandError if coming back is pointless.
        """
        if not self._inbox:
            if self.failure is not None:
                raise self.failure
            return None
        frame, size = self._inbox.popleft()
        self._held -= size
        if self._held < _INBOX_BYTES:
            self._room.set()
        return frame

    def close(self) -> None:
        self._reading.cancel()

    async def _read(self, texts: AsyncGenerator[bytes, None]) -> None:
        try:
            async with contextlib.aclosing(texts):
                async for text in texts:
                    await self._take(text)
            self.failure = ConnectionError("the connection was closed")
        except asyncio.CancelledError:
            self.failure = ConnectionError("the connection was closed from here")
            raise
        except Exception as error:
            self.failure = error
        finally:
            self._wake()

    async def _take(self, text: bytes) -> None:
        frame = orjson.loads(text)
        if frame["type"] == "command.ack":
            # The only command was the subscription in the URL, and only a refusal is answered.
            raise _turned_away(frame["error"])
        self._inbox.append((frame, len(text)))
        self._held += len(text)
        self.opened = True
        self._wake()
        while self._held >= _INBOX_BYTES:
            self._room.clear()
            await self._room.wait()


async def _ws_texts(reach: Reach, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
    ws = await reach.open_socket(query)
    try:
        while True:
            message = await ws.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            yield message.data
    finally:
        await reach.close_socket(ws)
    if ws.close_code in _FOR_GOOD:
        raise CommandError("forbidden", f"closed for good with {ws.close_code}")


async def _sse_texts(reach: Reach, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
    async with reach.http.get(f"{reach.url}/sse", params=query) as response:
        if response.status == 204:
            # P11: the cursor is the final event's.
            yield orjson.dumps(
                {"type": "stream.end", "run": query["run"], "id": query.get("after")}
            )
            return
        if response.status != 200:
            raise _turned_away((await answer_of(response))["error"])
        parser = SseParser()
        async for chunk in response.content.iter_any():
            for block in parser.feed(chunk):
                yield block.data.encode()


def _turned_away(error: Frame) -> Exception:
    """What is refused for now only is a connection that did not come off."""
    return ConnectionError(error["message"]) if error["temporary"] else refusal(error)
