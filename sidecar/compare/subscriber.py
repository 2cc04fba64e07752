"""One reader of one run over one transport, cut off on the way. The stopwatch, not a client.

It reads less than `sidecar.client` does and stamps what arrives before it looks at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

import aiohttp
import orjson

from sidecar import protocol
from sidecar.client import Kind, SseParser

__all__ = ["Recording", "Subscriber"]

_HANDSHAKE_SECONDS: Final = 5.0
_MAX_MESSAGE: Final = 16 * 1024 * 1024

_Arrival = tuple[int, Sequence[bytes | str]]
"""CLOCK_MONOTONIC nanoseconds, and the JSON of the frames that came together."""


class Recording:
    """What one reader saw. Arrays run in parallel, one entry per event told live."""

    def __init__(self) -> None:
        self.seqs = array("q")
        self.births = array("q")
        """`data.t` where the event has it, else 0: CLOCK_MONOTONIC nanoseconds of the worker."""
        self.stamps = array("d")
        """`ts`: Unix ms of the worker."""
        self.arrivals = array("q")
        """CLOCK_MONOTONIC nanoseconds here."""
        self.connects: list[float] = []
        """ms from opening a connection to its `stream.hello`."""
        self.recoveries: list[float] = []
        """ms from reconnecting to the first event missed."""
        self.bytes = 0
        self.events = 0
        self.lost = 0
        self.duplicates = 0
        self.failure: str | None = None


class Subscriber:
    """Follows `run` at `url`, and is cut off after so many events as `cuts` says, rising, each time
    for `away` seconds.

    `recording` is complete once `follow` has returned; `connected` is set at the first hello, or
    when there will be none. `on_event` hears the number of each event. Nothing for `patience`
    seconds is a failure; it is to be longer than the run, since a proxy may hold back everything.
    """

    def __init__(
        self,
        kind: Kind,
        url: str,
        run: str,
        *,
        cuts: Sequence[int],
        away: float,
        patience: float,
        on_event: Callable[[int], None],
    ) -> None:
        self.kind: Kind = kind
        self.recording = Recording()
        self.connected = asyncio.Event()
        self._url = url
        self._run = run
        self._cuts = deque(cuts)
        self._away = away
        self._patience = patience
        self._on_event = on_event
        self._seq = 0
        self._cursor: str | None = None
        self._live = False
        self._missed = False
        self._opened_at = 0

    async def follow(self) -> None:
        """Return after the run's final event; whatever goes wrong is the recording's `failure`."""
        try:
            while True:
                if await self._connection():
                    return
                await asyncio.sleep(self._away)
        except TimeoutError:
            self.recording.failure = "nothing came any more"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.recording.failure = _reason(error)
        finally:
            self.connected.set()

    async def _connection(self) -> bool:
        """Read one connection: True at the end of the run, False when it was cut.

        Raises ConnectionError when it broke off by itself.
        """
        self._live = False
        self._missed = bool(self.recording.connects)
        self._opened_at = time.monotonic_ns()
        query = {"run": self._run, **({"after": self._cursor} if self._cursor else {})}
        arrivals = self._ws(query) if self.kind == "ws" else self._sse(query)
        async with contextlib.aclosing(arrivals):
            async for arrived, texts in arrivals:
                for text in texts:
                    frame = orjson.loads(text)
                    if frame["type"] == "stream.end":
                        return True
                    if "seq" in frame and "id" in frame:
                        self._note_event(frame, arrived)
                    else:
                        self._note_control(frame, arrived)
                if self._cuts and self._cuts[0] <= len(self.recording.seqs):
                    self._cuts.popleft()
                    return False
        raise ConnectionError("the stream broke off before the run had ended")

    def _note_event(self, event: dict[str, Any], arrived: int) -> None:
        recording, seq = self.recording, event["seq"]
        recording.events += 1
        if seq <= self._seq:
            recording.duplicates += 1
            return
        recording.lost += seq - self._seq - 1
        self._seq, self._cursor = seq, event["id"]
        self._on_event(seq)
        if not self._live:
            if self._missed:
                self._missed = False
                recording.recoveries.append((arrived - self._opened_at) / 1e6)
        elif event["type"] == "llm.delta":
            recording.seqs.append(seq)
            recording.births.append(event["data"].get("t", 0))
            recording.stamps.append(event["ts"])
            recording.arrivals.append(arrived)

    def _note_control(self, frame: dict[str, Any], arrived: int) -> None:
        if frame["type"] == "stream.hello":
            self.recording.connects.append((arrived - self._opened_at) / 1e6)
            self.connected.set()
        elif frame["type"] == "stream.live":
            self._live = True
        elif frame["type"] == "command.ack":
            raise ConnectionError(frame["error"]["message"])

    async def _ws(self, query: dict[str, str]) -> AsyncGenerator[_Arrival, None]:
        async with contextlib.AsyncExitStack() as stack:
            session = self._session()
            stack.push_async_callback(session.close)
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                ws = await session.ws_connect(
                    f"{self._url}/ws",
                    params=query,
                    protocols=(protocol.SUBPROTOCOL,),
                    max_msg_size=_MAX_MESSAGE,
                    decode_text=False,
                )
            # On a connection that is gone by then: a cut says no goodbye.
            stack.push_async_callback(ws.close)
            stack.push_async_callback(session.close)
            while True:
                message = await ws.receive(timeout=self._patience)
                arrived = time.monotonic_ns()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                self.recording.bytes += _frame_size(len(message.data))
                yield arrived, (message.data,)

    async def _sse(self, query: dict[str, str]) -> AsyncGenerator[_Arrival, None]:
        async with contextlib.AsyncExitStack() as stack:
            session = self._session()
            stack.push_async_callback(session.close)
            response = await session.get(f"{self._url}/sse", params=query)
            stack.callback(response.close)
            if response.status != 200:
                raise ConnectionError(f"GET /sse answered {response.status}")
            parser = SseParser()
            chunk = 0
            async for data, complete in response.content.iter_chunks():
                arrived = time.monotonic_ns()
                chunk += len(data)
                if complete:
                    self.recording.bytes += _chunk_size(chunk)
                    chunk = 0
                yield arrived, [block.data for block in parser.feed(data)]

    def _session(self) -> aiohttp.ClientSession:
        """For one connection; to close it is to drop that."""
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_read=self._patience),
            connector=aiohttp.TCPConnector(limit=1),
        )


def _frame_size(payload: int) -> int:
    """Bytes of an unmasked, uncompressed WebSocket frame (RFC 6455 section 5.2)."""
    return payload + (2 if payload < 126 else 4 if payload < 65_536 else 10)


def _chunk_size(data: int) -> int:
    """Bytes of a chunk of HTTP/1.1: its length in hex, and two line ends (RFC 9112 section 7.1)."""
    return data + len(f"{data:x}") + 4


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"the handshake was answered with {error.status}"
    return str(error) or type(error).__name__
