"""The async Python client: start a run, follow it to its end, steer it on the way.

::

    async with CrewClient() as crew:
        run = await crew.start({"message": "a tea shop opens"})
        async for event in crew.follow(run):
            print(event["type"], event["data"])

`follow` resumes by cursor through any number of lost connections, over WebSocket, or over SSE where
WebSocket can't be opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Literal, cast

import aiohttp
import orjson

from sidecar import protocol
from sidecar.errors import STATUS, Code, CommandError
from sidecar.sse import SseParser

__all__ = ["CrewClient", "Disconnected", "Frame", "backoff"]

Frame = dict[str, Any]
"""One event or control frame, as PROTOCOL.md has it."""

_OPEN_SECONDS: Final = 5.0
_ACK_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0
"""Three missed pings: the connection is dead even if nobody said so."""

_MAX_MESSAGE: Final = 16 * 1024 * 1024
_FOR_GOOD: Final = range(4500, 5000)
"""Close codes after which coming back is pointless."""


class Disconnected(Exception):
    """The sidecar could not be reached for as long as the client was willing to try."""


class _NeverOpened(Exception):
    """This transport got no connection at all; another one may."""


def backoff(failures: int, *, base: float = 0.1, most: float = 5.0) -> float:
    """Seconds to wait after `failures` in a row: full jitter, so that clients don't come in step.

    Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0.0, min(most, base * 2.0 ** min(failures, 20)))


class CrewClient:
    """A connection to one sidecar. `transport` is `auto` (WebSocket, else SSE), `ws` or `sse`.

    `patience` is how many seconds of nothing but failures `follow` sits through.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8770",
        *,
        transport: Literal["auto", "ws", "sse"] = "auto",
        patience: float = 60.0,
    ) -> None:
        self.url = url.rstrip("/")
        self.transport: Literal["ws", "sse"] = "sse" if transport == "sse" else "ws"
        """The one in use; `auto` turns from ws to sse when WebSocket can't be opened."""
        self._may_fall_back = transport == "auto"
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._link: _Link | None = None
        self._linking = asyncio.Lock()

    async def __aenter__(self) -> CrewClient:
        # A stream is not bounded in total, only in silence; commands have their own deadline.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._link is not None:
            await self._link.close()
        await self._http.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use it as `async with CrewClient() as crew:`")
        return self._session

    async def start(
        self,
        inputs: dict[str, Any] | None = None,
        *,
        crew: str | None = None,
        review: Sequence[str] = (),
    ) -> str:
        """Queue a run and return its id; `review` names the tasks to be asked about.

        Raises CommandError as the sidecar refuses.
        """
        fields: dict[str, Any] = {"inputs": inputs or {}}
        if crew is not None:
            fields["crew"] = crew
        if review:
            fields["review"] = list(review)
        return str((await self.command("start", **fields))["run"])

    async def cancel(self, run: str, reason: str | None = None) -> Frame:
        return await self.command("cancel", run=run, **({"reason": reason} if reason else {}))

    async def pause(self, run: str) -> Frame:
        return await self.command("pause", run=run)

    async def resume(self, run: str) -> Frame:
        return await self.command("resume", run=run)

    async def modify(self, run: str, **change: Any) -> Frame:
        """`instruction=` (and `now=True`), or `task=` and `description=`, or `inputs=`."""
        return await self.command("modify", run=run, **change)

    async def answer(self, run: str, input: str, text: str = "") -> Frame:
        """Answer the question `input`; an empty text accepts."""
        return await self.command("answer", run=run, input=input, text=text)

    async def status(self, run: str) -> Frame:
        """The run's snapshot."""
        result: Frame = (await self.command("status", run=run))["result"]
        return result

    async def runs(self, *, state: str | None = None, limit: int = 50) -> list[Frame]:
        """Snapshots, newest first."""
        fields: dict[str, Any] = {"limit": limit}
        if state is not None:
            fields["state"] = state
        result: list[Frame] = (await self.command("list", **fields))["result"]["runs"]
        return result

    async def command(self, cmd: str, *, id: str | None = None, **fields: Any) -> Frame:
        """Send one command and return its ack.

        An ack that is lost with its connection is asked for again under the same id, which has no
        second effect. Raises CommandError for a refusal, Disconnected when nobody answers.
        """
        body = {"id": id or f"py-{uuid.uuid4().hex}", "cmd": cmd, **fields}
        for failures in range(4):
            try:
                ack = await self._send(body)
                break
            except (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):
                await asyncio.sleep(backoff(failures))
        else:
            raise Disconnected(f"no answer from {self.url}; is the sidecar running? `make serve`")
        if not ack["ok"]:
            raise _refusal(ack["error"], id=body["id"])
        return ack

    async def _send(self, body: Frame) -> Frame:
        if self.transport == "ws":
            try:
                return await (await self._open_link()).ask(body)
            except _NeverOpened:
                if not self._may_fall_back:
                    raise ConnectionError("WebSocket can't be opened") from None
        timeout = aiohttp.ClientTimeout(total=_ACK_SECONDS)
        async with self._http.post(f"{self.url}/control", json=body, timeout=timeout) as response:
            answer: Frame = orjson.loads(await response.read())
            return answer if "ok" in answer else {"ok": False, **answer}

    async def _open_link(self) -> _Link:
        async with self._linking:
            if self._link is None or self._link.closed:
                if self._link is not None:
                    await self._link.close()
                self._link = _Link(await self._connect({}))
            return self._link

    async def _connect(self, query: dict[str, str]) -> aiohttp.ClientWebSocketResponse[bool]:
        try:
            return await asyncio.wait_for(self._handshake(query), _OPEN_SECONDS)
        except aiohttp.WSServerHandshakeError as error:
            if error.status == STATUS["forbidden"]:
                raise CommandError("forbidden", "the sidecar does not let this host in") from error
            raise _NeverOpened(str(error)) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise _NeverOpened(str(error)) from error

    async def _handshake(self, query: dict[str, str]) -> aiohttp.ClientWebSocketResponse[bool]:
        return await self._http.ws_connect(
            f"{self.url}/ws",
            params=query,
            protocols=(protocol.SUBPROTOCOL,),
            max_msg_size=_MAX_MESSAGE,
        )

    async def follow(
        self, run: str, *, after: str | None = None, controls: bool = False
    ) -> AsyncGenerator[Frame, None]:
        """Every event of `run` that follows the cursor `after`, once, in order, to the final one.

        With `controls` the control frames too, as they come. Raises CommandError for an unknown
        run, Disconnected when the sidecar stays away.
        """
        cursor, seq = after, 0
        failures = 0
        loop = asyncio.get_running_loop()
        lost_at = loop.time()
        while True:
            try:
                async with contextlib.aclosing(self._frames(run, cursor)) as frames:
                    async for frame in frames:
                        failures, lost_at = 0, loop.time()
                        if frame["type"].startswith("stream."):
                            if frame["type"] == "stream.reset" and frame["reason"] != "evicted":
                                # Another log, or a cursor that was never its: start over.
                                seq = 0
                            if controls:
                                yield frame
                            if frame["type"] == "stream.end":
                                return
                            continue
                        if frame["seq"] <= seq:
                            continue
                        cursor, seq = frame["id"], frame["seq"]
                        yield frame
            except _NeverOpened:
                if self._may_fall_back and self.transport == "ws":
                    self.transport = "sse"
            except CommandError as error:
                if not error.temporary:
                    raise
            except (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):
                pass
            if loop.time() - lost_at > self._patience:
                raise Disconnected(f"{self.url} was away for more than {self._patience:g} s")
            await asyncio.sleep(backoff(failures))
            failures += 1

    async def _frames(self, run: str, cursor: str | None) -> AsyncGenerator[Frame, None]:
        query = {"run": run, **({"after": cursor} if cursor else {})}
        source = self._ws_frames(query) if self.transport == "ws" else self._sse_frames(query)
        async with contextlib.aclosing(source):
            async for frame in source:
                yield frame

    async def _ws_frames(self, query: dict[str, str]) -> AsyncGenerator[Frame, None]:
        ws = await self._connect(query)
        try:
            while True:
                message = await ws.receive(timeout=_SILENCE_SECONDS)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    if ws.close_code in _FOR_GOOD:
                        raise CommandError("forbidden", f"closed for good with {ws.close_code}")
                    return
                frame: Frame = orjson.loads(message.data)
                if frame["type"] == "command.ack":
                    raise _refusal(frame["error"])
                yield frame
                if frame["type"] == "stream.end":
                    return
        finally:
            await ws.close()

    async def _sse_frames(self, query: dict[str, str]) -> AsyncGenerator[Frame, None]:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_OPEN_SECONDS, sock_read=_SILENCE_SECONDS
        )
        async with self._http.get(f"{self.url}/sse", params=query, timeout=timeout) as response:
            if response.status == 204:
                yield {"type": "stream.end", "run": query["run"], "id": query.get("after")}
                return
            if response.status != 200:
                raise _refusal(orjson.loads(await response.read())["error"])
            parser = SseParser()
            async for chunk in response.content.iter_any():
                for block in parser.feed(chunk):
                    yield orjson.loads(block.data)


def _refusal(error: dict[str, Any], *, id: str | None = None) -> CommandError:
    """A newer sidecar's codes that this client does not know read as `internal`."""
    code = next((known for known in STATUS if known == error["code"]), "internal")
    return CommandError(cast(Code, code), error["message"], id=id)


class _Link:
    """A WebSocket for commands: many may be under way, each finds its ack by its id."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._ws = ws
        self._asked: dict[str, asyncio.Future[Frame]] = {}
        self._reader = asyncio.create_task(self._read())

    @property
    def closed(self) -> bool:
        return self._reader.done()

    async def ask(self, body: Frame) -> Frame:
        """Raises ConnectionError or TimeoutError when no ack came."""
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked[body["id"]] = answer
        try:
            await self._ws.send_str(orjson.dumps(body).decode())
            return await asyncio.wait_for(answer, _ACK_SECONDS)
        finally:
            self._asked.pop(body["id"], None)

    async def close(self) -> None:
        await self._ws.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for message in self._ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    frame: Frame = orjson.loads(message.data)
                    answer = self._asked.get(str(frame.get("id")))
                    if answer is not None and not answer.done():
                        answer.set_result(frame)
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection was lost"))
