"""A TCP proxy that does to a connection what networks do, on demand and per direction.

::

    async with FaultProxy(sidecar.url) as proxy:
        async with CrewClient(proxy.url) as crew:
            proxy.fault("ws", BLACKHOLE)          # every WebSocket, those that are open already too
            await proxy.until(lambda: proxy.opened["http"] > 0)
            proxy.heal()

Raw sockets and no transports in between, so that a stall really is one (nobody reads, at most one
chunk is in hand) and a reset really is an RST. Given its dice it splits the same way each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

__all__ = ["BLACKHOLE", "PASS", "STALL", "Connection", "End", "FaultProxy", "Kind", "Lane", "Way"]

Kind = Literal["ws", "http"]
"""By the request's head: with `Upgrade: websocket`, or anything else (SSE, POST, …)."""

End = Literal["rst", "fin", "half"]
"""`rst`: both sides are reset. `fin`: both get an orderly end. `half`: only the receiving side of
the direction that was cut gets one; the other direction lives on."""

KINDS: Final[tuple[Kind, ...]] = ("ws", "http")

_CHUNK: Final = 65_536
_BUFFER: Final = 65_536
"""SO_RCVBUF and SO_SNDBUF: a stall is felt after hundreds of KB instead of megabytes."""

_DIAL_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 5.0
_UNTIL_SECONDS: Final = 60.0
"""A bound for what is stuck, never a measure of speed."""

_REQUEST: Final = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n")
_UPGRADE: Final = re.compile(rb"\r\nupgrade:\s*websocket\s*\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Way:
    """What happens to the bytes of one direction. By default they pass; faults may be combined.

    `cut` counts from where the connection begins, or from when it came under this very `Way`.
    """

    delay: float = 0.0
    """Seconds that each piece is held back."""
    split: int = 0
    """Pieces of random sizes from 1 to this; 0 = as they came."""
    rate: float = 0.0
    """Bytes a second; 0 = no bound."""
    cut: int | None = None
    """The connection ends after this many bytes, in the manner of `end`."""
    end: End = "rst"
    hold: Literal["stall", "blackhole"] | None = None
    """`stall`: nobody reads, so the sender is held up. `blackhole`: everything is swallowed. With
    either an end or a reset isn't told either, until it is over. TCP has no holes: a connection
    that lost bytes is reset as soon as the blackhole is over."""


PASS: Final = Way()
STALL: Final = Way(hold="stall")
BLACKHOLE: Final = Way(hold="blackhole")


class _Signal:
    """Wakes all who wait. Not by wait_for, which can lose a cancel (gh-86296)."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[bool]] = set()

    def fire(self) -> None:
        for waiter in self._waiting:
            _settle(waiter, True)

    async def wait(self, seconds: float | None = None) -> bool:
        """False when nothing came for so long."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, _settle, waiter, False)
        self._waiting.add(waiter)
        try:
            return await waiter
        finally:
            self._waiting.discard(waiter)
            if timer is not None:
                timer.cancel()


def _settle(waiter: asyncio.Future[bool], fired: bool) -> None:
    if not waiter.done():
        waiter.set_result(fired)


class FaultProxy:
    """Stands in front of `target` (a URL, settable) at `url`, on one port for its whole life."""

    def __init__(self, target: str, dice: random.Random | None = None, port: int = 0) -> None:
        self.target = target
        self.opened: Counter[Kind] = Counter()
        """Connections by kind, ever. One that is used for a POST and then upgraded is both."""
        self.accepted = 0
        self.refused = 0
        self.unreached = 0
        """Connections that were reset because the target didn't take them."""
        self.plan: Callable[[Connection], None] | None = None
        """Called with each new connection, its kind known and nothing passed on yet."""
        self._dice = dice or random.Random(0)
        self._ways: dict[tuple[Kind, bool], Way] = {}
        self._refusing: set[Kind] = set()
        self._switch = _Signal()
        self._news = _Signal()
        self._serving: dict[asyncio.Task[None], Connection] = {}
        self._broken: list[BaseException] = []
        self._port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> FaultProxy:
        self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Who fails while it is deaf is to hear of that.
        if self._listener.fileno() >= 0:
            self.deafen()
        while self._serving:
            for task in self._serving:
                task.cancel()
            await asyncio.wait(list(self._serving))
        if self._broken:
            raise self._broken[0]

    def listen(self) -> None:
        """Take connections, again after `deafen`."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _tune(listener)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(128)
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def deafen(self) -> None:
        """Close the port: the kernel refuses who comes. Open connections stay."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def fault(
        self,
        kind: Kind | None = None,
        way: Way | None = None,
        *,
        up: Way | None = None,
        down: Way | None = None,
    ) -> None:
        """From now on, for open connections too. `way` is both directions; None changes none."""
        for each in _kinds(kind):
            for is_up, new in ((True, up or way), (False, down or way)):
                if new is not None:
                    self._ways[each, is_up] = new
        self._switched()

    def refuse(self, kind: Kind | None = None) -> None:
        """Reset new connections: at once, or as soon as their kind is known."""
        self._refusing |= set(_kinds(kind))

    def cut(self, kind: Kind | None = None, end: Literal["rst", "fin"] = "rst") -> None:
        """End the open connections now."""
        for connection in self.live(kind):
            connection.cut(end)

    def heal(self, kind: Kind | None = None) -> None:
        """Everything passes again, also where a connection had faults of its own."""
        for each in _kinds(kind):
            self._refusing.discard(each)
            self._ways.pop((each, True), None)
            self._ways.pop((each, False), None)
        for connection in self.live(kind):
            connection.up.own = connection.down.own = None
        self._switched()

    def live(self, kind: Kind | None = None) -> list[Connection]:
        """Open connections whose kind is known, oldest first."""
        return [c for c in self._serving.values() if c.kind in _kinds(kind)]

    async def until(self, true: Callable[[], bool]) -> None:
        """Return once it is true of the counters here, on connections and on their lanes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _UNTIL_SECONDS
        while not true():
            if not await self._news.wait(deadline - loop.time()):
                raise AssertionError(f"it never came to that: {self!r}")

    def __repr__(self) -> str:
        return (
            f"<proxy accepted={self.accepted} opened={dict(self.opened)} refused={self.refused} "
            f"unreached={self.unreached} live={list(self._serving.values())}>"
        )

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has left already
        client.setblocking(False)
        self.accepted += 1
        connection = Connection(self, client, self.accepted)
        if self._refusing.issuperset(KINDS):
            self.refused += 1
            _close(client, reset=True)
        else:
            task = asyncio.create_task(connection._serve())
            self._serving[task] = connection
            task.add_done_callback(self._served)
        self._news.fire()

    def _served(self, task: asyncio.Task[None]) -> None:
        del self._serving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken.append(error)
        self._news.fire()

    def _switched(self) -> None:
        for connection in self.live():
            if connection.up._has_hole or connection.down._has_hole:
                connection.cut("rst")
        self._switch.fire()

    def _way(self, kind: Kind | None, is_up: bool) -> Way:
        return self._ways.get((kind, is_up), PASS) if kind else PASS


class Connection:
    """One client's connection through the proxy."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, number: int) -> None:
        self._proxy = proxy
        self.number = number
        """Counted from 1, in the order they came."""
        self.kind: Kind | None = None
        self.request = ""
        """The latest request line that began a chunk."""
        self.up = Lane(self, is_up=True)
        """From the client to the target."""
        self.down = Lane(self, is_up=False)
        self._client = client
        self._upstream: socket.socket | None = None
        self._cut: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<{self.number} {self.kind} {self.request!r} up={self.up} down={self.down}>"

    def fault(
        self, way: Way | None = None, *, up: Way | None = None, down: Way | None = None
    ) -> None:
        """As the proxy's, for this one alone; beats the proxy's."""
        self.up.own, self.down.own = up or way or self.up.own, down or way or self.down.own
        self._proxy._switched()

    def cut(self, end: Literal["rst", "fin"] = "rst") -> None:
        if not self._cut.done():
            self._cut.set_result(end)

    async def _serve(self) -> None:
        end: End = "rst"
        try:
            end = await self._through()
        finally:
            _close(self._client, reset=end == "rst")
            if self._upstream is not None:
                _close(self._upstream, reset=end == "rst")

    async def _through(self) -> End:
        """Pass on until both sides have ended, or it is cut; in the latter case, say how."""
        head = await self._head()
        if not head:
            return "fin"
        self._classify(head)
        if self._proxy.plan is not None:
            self._proxy.plan(self)
        if self._cut.done():
            return "rst"
        try:
            self._upstream = await self._dial()
        except (TimeoutError, OSError):
            self._proxy.unreached += 1
            return "rst"
        lanes = [
            asyncio.create_task(self.up._run(self._client, self._upstream, head)),
            asyncio.create_task(self.down._run(self._upstream, self._client)),
        ]
        both = asyncio.gather(*lanes)
        ways_out: list[asyncio.Future[Any]] = [both, self._cut]
        try:
            await asyncio.wait(ways_out, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, both, return_exceptions=True)
        if not self._cut.done():
            both.result()
            return "fin"
        if self._cut.result() == "fin":
            await self._goodbye(self._client, self._upstream)
        return self._cut.result()

    async def _goodbye(self, *sides: socket.socket) -> None:
        """A FIN for each; closing with something unread would be an RST (RFC 1122, 4.2.2.13)."""
        for side in sides:
            _shut(side)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*map(_drain, sides)), _LINGER_SECONDS)

    async def _head(self) -> bytes:
        loop = asyncio.get_running_loop()
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _CHUNK:
            try:
                data = await loop.sock_recv(self._client, _CHUNK)
            except OSError:
                data = b""
            if not data:
                return b""
            head += data
        return head

    async def _dial(self) -> socket.socket:
        address = urlsplit(self._proxy.target)
        upstream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        _tune(upstream)
        upstream.setblocking(False)
        try:
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_connect(
                    upstream, (address.hostname or "127.0.0.1", address.port or 80)
                ),
                _DIAL_SECONDS,
            )
        except BaseException:
            upstream.close()
            raise
        return upstream

    def _classify(self, data: bytes) -> None:
        """A pooled connection may be upgraded in a later request than its first."""
        line = _REQUEST.match(data)
        if line is None or self.kind == "ws":
            return
        self.request = line[0].decode("latin-1").rsplit(" ", 1)[0]
        kind: Kind = "ws" if _UPGRADE.search(data.partition(b"\r\n\r\n")[0] + b"\r\n") else "http"
        if kind != self.kind:
            self.kind = kind
            self._proxy.opened[kind] += 1
            if kind in self._proxy._refusing:
                self._proxy.refused += 1
                self.cut("rst")
            self._proxy._news.fire()


class Lane:
    """One direction of one connection, in bytes."""

    def __init__(self, connection: Connection, *, is_up: bool) -> None:
        self.received = 0
        self.forwarded = 0
        self.pieces = 0
        """How many sends `forwarded` took."""
        self.swallowed = 0
        self.ended = False
        """The sender has closed or reset its side."""
        self.own: Way | None = None
        self._connection = connection
        self._proxy = connection._proxy
        self._is_up = is_up
        self._dice = random.Random(self._proxy._dice.getrandbits(64))
        self._counted: Way | None = None
        self._passed = 0
        self._mute = False

    def __repr__(self) -> str:
        return f"{self.received}→{self.forwarded}{'.' if self.ended else ''}"

    @property
    def way(self) -> Way:
        return self.own or self._proxy._way(self._connection.kind, self._is_up)

    @property
    def _has_hole(self) -> bool:
        return self.swallowed > 0 and not self._mute and self.way.hold != "blackhole"

    async def _run(
        self, source: socket.socket, target: socket.socket, data: bytes | None = None
    ) -> None:
        try:
            while data != b"":
                if data:
                    await self._carry(memoryview(data), target)
                data = await self._receive(source)
            await self._while_held()
            _shut(target)
        except OSError:
            self._connection.cut("rst")

    async def _receive(self, source: socket.socket) -> bytes:
        """The next chunk, b"" at the end. An OSError is held back for as long as an end is."""
        while self.way.hold == "stall":
            await self._proxy._switch.wait()
        try:
            data = await asyncio.get_running_loop().sock_recv(source, _CHUNK)
        except OSError:
            self._over()
            await self._while_held()
            raise
        if not data:
            self._over()
        elif self._is_up:
            self._connection._classify(data)
        return data

    async def _while_held(self) -> None:
        while self.way.hold:
            await self._proxy._switch.wait()

    def _over(self) -> None:
        self.ended = True
        self._proxy._news.fire()

    async def _carry(self, rest: memoryview, target: socket.socket) -> None:
        self.received += len(rest)
        self._proxy._news.fire()
        while rest:
            way = self.way
            if way is not self._counted:
                self._counted, self._passed = way, 0
            if way.hold == "blackhole" or self._mute:
                self.swallowed += len(rest)
                break
            if self._has_hole:
                # Healed in this very tick: not a byte may come behind the hole.
                raise ConnectionResetError
            if way.hold == "stall":
                await self._proxy._switch.wait()
                continue
            if way.cut is not None and self._passed >= way.cut:
                await self._end(way.end, target)
                continue
            piece = rest[: self._size(way)]
            if way.delay:
                await self._proxy._switch.wait(way.delay)
                if self.way is not way:
                    continue
            await asyncio.get_running_loop().sock_sendall(target, piece)
            self.forwarded += len(piece)
            self.pieces += 1
            self._passed += len(piece)
            rest = rest[len(piece) :]
            if way.cut is not None and self._passed >= way.cut:
                await self._end(way.end, target)
            elif way.rate:
                await self._proxy._switch.wait(len(piece) / way.rate)
            elif way.split:
                # The receiver gets its turn, or the kernel joins the pieces again.
                await asyncio.sleep(0)
        self._proxy._news.fire()

    def _size(self, way: Way) -> int:
        sizes = [_CHUNK]
        if way.split:
            sizes.append(self._dice.randint(1, way.split))
        if way.rate:
            # A twentieth of a second at a time: slow is not the same as in bursts.
            sizes.append(max(1, int(way.rate / 20)))
        if way.cut is not None:
            sizes.append(way.cut - self._passed)
        return min(sizes)

    async def _end(self, end: End, target: socket.socket) -> None:
        if end == "half":
            self._mute = True
            _shut(target)
        else:
            self._connection.cut(end)
            # Whoever serves the connection takes it from here.
            await asyncio.get_running_loop().create_future()


def _kinds(kind: Kind | None) -> tuple[Kind, ...]:
    return KINDS if kind is None else (kind,)


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


async def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(sock, _CHUNK):
            pass


def _close(sock: socket.socket, *, reset: bool) -> None:
    if reset:
        with contextlib.suppress(OSError):
            # Linger for zero seconds: close sends an RST (socket(7), SO_LINGER).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
