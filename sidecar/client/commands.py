"""Commands and their acks, over whichever way answers: a WebSocket for many, or a POST for each.

An ack may get lost on its way; the same command is then sent again by the other way, under the same
id, which has no second effect (P16).
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
import orjson

from sidecar.client.reach import UNREACHED, Disconnected, Frame, Reach, Socket, answer_of, backoff

__all__ = ["Commands"]

_TRIES: Final = 4


class Commands:
    """The commands of one client. In `auto` nobody waits for a WebSocket while POST will do."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None
        self._not_before = 0.0

    async def ask(self, body: Frame) -> Frame:
        """The ack, good or bad, of the command `body`. Raises Disconnected when nobody answers."""
        mode = self._reach.mode
        by_link = mode == "ws"
        if mode == "auto":
            by_link = self._link is not None and self._link.up
            if not by_link and asyncio.get_running_loop().time() >= self._not_before:
                self._open_link()
        for failures in range(_TRIES):
            try:
                return await (self._ask_link(body) if by_link else self._post(body))
            except UNREACHED:
                by_link = mode == "ws" or (mode == "auto" and not by_link)
                await asyncio.sleep(backoff(failures))
        raise Disconnected.at(self._reach.url)

    async def _ask_link(self, body: Frame) -> Frame:
        link = self._link
        if link is None or not link.up:
            link = await asyncio.shield(self._open_link())
        try:
            async with asyncio.timeout(self._patience(body)):
                return await link.ask(body)
        except TimeoutError:
            link.close()
            raise

    async def _post(self, body: Frame) -> Frame:
        timeout = aiohttp.ClientTimeout(total=self._patience(body))
        async with self._reach.http.post(
            f"{self._reach.url}/control", json=body, timeout=timeout
        ) as response:
            answer = await answer_of(response)
            return answer if "ok" in answer else {"ok": False, **answer}

    def _patience(self, body: Frame) -> float:
        return self._reach.start if body["cmd"] == "start" else self._reach.answer

    def _open_link(self) -> asyncio.Task[_Link]:
        if self._opening is None or self._opening.done():
            self._opening = self._reach.tasks.spawn(self._open(), awaited=True)
            # If nobody waits for it, a failure is no news.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._opening

    async def _open(self) -> _Link:
        try:
            async with asyncio.timeout(self._reach.answer):
                ws = await self._reach.open_socket({})
        except Exception:
            self._not_before = asyncio.get_running_loop().time() + self._reach.probe
            raise
        self._link = _Link(self._reach, ws)
        return self._link


class _Link:
    """A WebSocket for commands: many may be under way, each finds its ack by its id."""

    def __init__(self, reach: Reach, ws: Socket) -> None:
        self._reach = reach
        self._ws = ws
        self._asked: dict[str, asyncio.Future[Frame]] = {}
        self._reading = reach.tasks.spawn(self._read())

    @property
    def up(self) -> bool:
        return not self._reading.done()

    def close(self) -> None:
        self._reading.cancel()

    async def ask(self, body: Frame) -> Frame:
        """Raises ConnectionError when the connection is lost first."""
        if not self.up:
            raise ConnectionError("the connection was lost")
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked[body["id"]] = answer
        try:
            await self._ws.send_str(orjson.dumps(body).decode())
            return await answer
        finally:
            self._asked.pop(body["id"], None)

    async def _read(self) -> None:
        try:
            while True:
                # The sidecar pings every socket: one that is silent is dead.
                message = await self._ws.receive(timeout=self._reach.silence)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                frame: Frame = orjson.loads(message.data)
                answer = self._asked.get(str(frame.get("id")))
                if answer is not None and not answer.done():
                    answer.set_result(frame)
        except UNREACHED:
            pass
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection was lost"))
            await self._reach.close_socket(self._ws)
