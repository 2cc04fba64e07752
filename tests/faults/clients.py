"""Readers that hop between transports and a commander that asks until it is answered.

None of the project's own client here: what keeps these whole is the protocol alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Final

import aiohttp
import orjson

from sidecar.client.sse_parser import SseParser
from tests.faults.checkers import Command, Connection, Frame, Reader, Received

__all__ = ["Commander", "Follower", "Progress", "new_session", "read_log"]

DEAD_AIR: Final = 1.5
"""Seconds without a byte after which a connection counts as dead; pings come far more often."""

_FAILURES: Final = (aiohttp.ClientError, OSError, asyncio.TimeoutError)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=DEAD_AIR, sock_read=DEAD_AIR)
_LOG_TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)
"""Of the one read that nobody harms; a busy machine may take its time for it."""
_WS_TIMEOUT: Final = aiohttp.ClientWSTimeout(ws_receive=DEAD_AIR)
_CLOSE_SECONDS: Final = 0.3
_FIRST_BACKOFF: Final = 0.02
_MAX_BACKOFF: Final = 0.3
_LIES: Final = ("junk", "-1", "zzzzzz-3", "{epoch}-999999999")


def new_session() -> aiohttp.ClientSession:
    """Each request gets a connection of its own, so that each can come to harm."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector)


class Progress:
    """How far the run has come in the eyes of whoever sees most of it."""

    def __init__(self) -> None:
        self.seq = 0
        self.ended = False
        self._moved = asyncio.Condition()

    async def saw(self, seq: int, final: bool) -> None:
        if seq > self.seq or final > self.ended:
            self.seq, self.ended = max(seq, self.seq), final or self.ended
            async with self._moved:
                self._moved.notify_all()

    async def reached(self, seq: int) -> None:
        """Return once somebody has seen that event, or the final one."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.ended or self.seq >= seq)


class Follower:
    """One reader of one run: another transport at each turn of its dice, one cursor throughout.

    `native` reads as an EventSource does: SSE only, its place in the Last-Event-ID header.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        run: str,
        *,
        name: str,
        dice: random.Random,
        progress: Progress,
        native: bool = False,
    ) -> None:
        self.reader = Reader(name)
        self._session = session
        self._url = url
        self._run = run
        self._dice = dice
        self._progress = progress
        self._native = native
        self._cursor: str | None = None

    async def follow(self) -> None:
        """Read until the run's end has been told, reconnecting for as long as that takes."""
        failures = 0
        while not self.reader.finished:
            connection = self._next()
            with contextlib.suppress(*_FAILURES):
                await self._connect(connection)
            failures = 0 if connection.received else failures + 1
            await asyncio.sleep(_backoff(self._dice, failures))

    def _next(self) -> Connection:
        transport = "sse" if self._native else self._dice.choice(["ws", "sse"])
        cursor = self._cursor
        if not self._native and cursor is not None and self._dice.random() < 0.05:
            epoch = cursor.rpartition("-")[0]
            cursor = self._dice.choice(_LIES).format(epoch=epoch)
        connection = Connection(transport, cursor)  # type: ignore[arg-type]
        self.reader.connections.append(connection)
        return connection

    async def _connect(self, connection: Connection) -> None:
        # A voluntary hop in the middle, now and then.
        hop = self._dice.randint(1, 80) if self._dice.random() < 0.3 else None
        if connection.transport == "ws":
            await self._read_ws(connection, hop)
        else:
            await self._read_sse(connection, hop)

    async def _read_ws(self, connection: Connection, hop: int | None) -> None:
        query = {"run": self._run, **_after(connection.cursor)}
        async with _ws(self._session, self._url, query) as ws:
            async for message in ws:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                await self._take(connection, message.data.encode())
                if self.reader.finished or _enough(connection, hop):
                    return

    async def _read_sse(self, connection: Connection, hop: int | None) -> None:
        query, headers = {"run": self._run, **_after(connection.cursor)}, {}
        if self._native and connection.cursor is not None:
            query, headers = {"run": self._run}, {"Last-Event-ID": connection.cursor}
        url = f"{self._url}/sse"
        async with self._session.get(url, params=query, headers=headers) as response:
            if response.status != 200:
                connection.status = response.status
                self.reader.finished = response.status == 204
                return
            parser = SseParser()
            async for chunk in response.content.iter_any():
                for block in parser.feed(chunk):
                    await self._take(connection, block.data.encode())
                    if self.reader.finished or _enough(connection, hop):
                        return

    async def _take(self, connection: Connection, text: bytes) -> None:
        received = Received(text, orjson.loads(text))
        connection.received.append(received)
        frame = received.frame
        if received.is_event:
            self._cursor = frame["id"]
            await self._progress.saw(frame["seq"], bool(frame.get("final")))
        elif frame["type"] == "stream.reset":
            self._cursor = None
        elif frame["type"] == "stream.end":
            self.reader.finished = True


class Commander:
    """Asks under one id, over one transport and then the other, until there is a lasting answer."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, name: str, dice: random.Random
    ) -> None:
        self.commands: list[Command] = []
        self._session = session
        self._url = url
        self._name = name
        self._dice = dice

    async def send(
        self, cmd: str, fields: dict[str, Any], *, sent: asyncio.Event | None = None
    ) -> Frame:
        """The ack. `sent` is set once the command has left for the first time."""
        command = Command(f"{self._name}-{len(self.commands) + 1}", cmd)
        self.commands.append(command)
        text = orjson.dumps({"id": command.id, "cmd": cmd, **fields}).decode()
        sent = sent or asyncio.Event()
        ack = await self._until_answered(command, text, sent)
        if self._dice.random() < 0.3:
            await self._until_answered(command, text, sent)
        return ack

    async def _until_answered(self, command: Command, text: str, sent: asyncio.Event) -> Frame:
        ways = [self._over_ws, self._over_http]
        self._dice.shuffle(ways)
        for failures in count(1):
            try:
                ack = await asyncio.wait_for(ways[0](command.id, text, sent), DEAD_AIR)
                command.acks.append(ack)
                if ack["ok"] or not ack["error"]["temporary"]:
                    return ack
            except _FAILURES:
                pass
            ways.reverse()
            await asyncio.sleep(_backoff(self._dice, failures))
        raise AssertionError("count never ends")

    async def _over_ws(self, id: str, text: str, sent: asyncio.Event) -> Frame:
        async with _ws(self._session, self._url, {}) as ws:
            await ws.send_str(text)
            sent.set()
            async for message in ws:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                frame: Frame = orjson.loads(message.data)
                if frame["type"] == "command.ack" and frame["id"] == id:
                    return frame
        raise ConnectionError("closed before the ack")

    async def _over_http(self, id: str, text: str, sent: asyncio.Event) -> Frame:
        headers = {"Content-Type": "application/json"}
        # Nobody tells when a request has left; as early as possible is as good.
        asyncio.get_running_loop().call_soon(sent.set)
        async with self._session.post(
            f"{self._url}/control", data=text, headers=headers
        ) as response:
            ack: Frame = await response.json()
        return ack


async def read_log(session: aiohttp.ClientSession, url: str, run: str) -> list[bytes]:
    """The whole log of a run that has ended, straight from the gateway."""
    log = []
    sse = f"{url}/sse"
    async with session.get(sse, params={"run": run}, timeout=_LOG_TIMEOUT) as response:
        response.raise_for_status()
        parser = SseParser()
        async for chunk in response.content.iter_any():
            log += [block.data.encode() for block in parser.feed(chunk) if block.event is None]
    return log


@contextlib.asynccontextmanager
async def _ws(
    session: aiohttp.ClientSession, url: str, query: dict[str, str]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
    ws = await session.ws_connect(
        f"{url}/ws", params=query, protocols=("crew.v1",), timeout=_WS_TIMEOUT, max_msg_size=0
    )
    try:
        yield ws
    finally:
        # aiohttp's own bound begins anew with each frame, and pings never end.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ws.close(), _CLOSE_SECONDS)


def _backoff(dice: random.Random, failures: int) -> float:
    return dice.uniform(0, min(_FIRST_BACKOFF * 2.0 ** min(failures, 10), _MAX_BACKOFF))


def _after(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"after": cursor}


def _enough(connection: Connection, hop: int | None) -> bool:
    return hop is not None and len(connection.received) >= hop
