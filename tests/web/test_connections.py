"""Who is connected to a stream: how many at most, their pings, their tasks, and their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from sidecar.log import Feed, Subscription
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Draft, Piece
from sidecar.web.connections import Connection, Connections
from sidecar.web.stall import STALL_SECONDS
from tests.support.clock import Clock, settle
from tests.support.served import until_still, until_stuck

PING = 10.0
MUCH = 24_000_000
"""Bytes that no socket buffer holds."""


class Visitor(Connection):
    """One that notes what it is asked for."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self.entered = asyncio.Event()
        self.visits: list[str] = []
        self.hangs_up = True
        """On a goodbye."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.enter(self)
        self.entered.set()

    def write(self, piece: Piece) -> None:
        self.send(piece.ws)

    def write_control(self, message: dict[str, object]) -> None:
        pass

    def ping(self) -> None:
        self.visits.append("ping")

    def heartbeat(self) -> None:
        self.visits.append("heartbeat")

    def too_slow(self) -> None:
        self.visits.append("too slow")
        self.abort()

    def goodbye(self) -> None:
        self.visits.append("goodbye")
        if self.hangs_up:
            self.close()


class Hall:
    """Connections, and a server whose every peer is a visitor."""

    def __init__(self, limit: int = 2) -> None:
        self.connections = Connections(limit, PING)
        self.visitors: list[Visitor] = []
        self._arrivals = asyncio.Queue[Visitor]()
        self._server: asyncio.Server
        self._peers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._visit, "127.0.0.1", 0)

    def _visit(self) -> Visitor:
        visitor = Visitor(self.connections)
        self.visitors.append(visitor)
        self._arrivals.put_nowait(visitor)
        return visitor

    async def enter(self) -> tuple[Visitor, asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address, limit=1)
        self._peers.append(writer)
        visitor = await self._arrivals.get()
        await visitor.entered.wait()
        return visitor, reader, writer

    async def close(self) -> None:
        for visitor in tuple(self.connections._open):
            visitor.abort()
        for peer in self._peers:
            peer.close()
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    made = Hall()
    await made.open()
    yield made
    await made.close()


def feed(*, sealed: bool = False, size: int = 10, count: int = 1) -> tuple[Feed, list[Draft]]:
    log = MemoryStore(retain=1_000, keep_runs=10).create("r")
    drafts = [Draft("llm.delta", 1.0, {"text": "x" * size}) for _ in range(count)]
    if sealed:
        drafts.append(Draft("run.completed", 1.0, {}, final=True))
    return Feed(log, lambda: "running"), drafts


async def test_it_is_full_at_its_limit_and_has_room_again_when_one_leaves(hall: Hall) -> None:
    first, reader, _ = await hall.enter()
    full = [hall.connections.full]
    await hall.enter()
    full.append(hall.connections.full)
    first.close()
    assert await reader.read() == b""
    assert [*full, hall.connections.full] == [False, True, False]


async def test_everybody_is_pinged_and_looked_after_until_they_leave(
    hall: Hall, clock: Clock
) -> None:
    visitor, reader, _ = await hall.enter()
    await clock.turn(7)
    await clock.turn(3)
    await clock.turn(4)
    assert visitor.visits == ["heartbeat", "ping", "heartbeat"]
    visitor.close()
    await reader.read()
    await clock.turn(100)
    assert len(visitor.visits) == 3


async def test_one_that_is_leaving_and_does_not_take_what_is_left_is_cut_off(
    hall: Hall, clock: Clock
) -> None:
    visitor, reader, _ = await hall.enter()
    # A little more than the kernel takes, and not so much that it counts as a stall.
    while not visitor._socket.get_write_buffer_size():
        while not visitor._socket.get_write_buffer_size():
            visitor.send(b"x" * 4_096)
            await settle()
        await until_still(lambda: visitor.taken)
    visitor.close()
    for _ in range(3):
        await clock.turn(7)
    assert (visitor.closing, hall.connections._open) == (True, {visitor})
    await clock.turn(7)
    assert hall.connections._open == set()
    assert visitor.visits == ["ping"] * 2
    await reader.read()


async def test_everybody_is_said_goodbye_to_and_nobody_is_waited_for_who_has_left(
    hall: Hall, clock: Clock
) -> None:
    for _ in range(2):
        await hall.enter()
    await hall.connections.close()
    assert [visitor.visits for visitor in hall.visitors] == [["goodbye"], ["goodbye"]]
    assert hall.connections.closing


async def test_one_that_does_not_listen_has_two_seconds(hall: Hall, clock: Clock) -> None:
    visitor, _, _ = await hall.enter()
    visitor.hangs_up = False
    closing = asyncio.create_task(hall.connections.close())
    await clock.turn(1.9)
    assert not closing.done()
    assert not visitor.closing
    await clock.turn(0.1)
    await closing
    assert visitor.closing


async def test_what_goes_on_for_connections_ends_with_them(hall: Hall) -> None:
    task = hall.connections.tasks.spawn(asyncio.Event().wait())
    await hall.connections.close()
    assert task.cancelled()


async def test_a_run_that_was_told_to_its_end_leaves_the_connection_as_it_is(hall: Hall) -> None:
    visitor, _, _ = await hall.enter()
    told, drafts = feed(sealed=True)
    await told.log.append(drafts)
    assert await visitor.pump(Subscription(told, visitor, None))
    assert (visitor.closing, visitor.visits) == (False, [])


async def test_a_reader_that_takes_nothing_is_too_slow(
    hall: Hall, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sidecar.web")
    visitor, _, _ = await hall.enter()
    told, drafts = feed(size=60_000, count=MUCH // 60_000)
    await told.log.append(drafts)
    pumping = asyncio.create_task(visitor.pump(Subscription(told, visitor, None)))
    await until_stuck(visitor)
    await clock.turn(STALL_SECONDS - 1)
    assert not pumping.done()
    await clock.turn(1)
    assert not await pumping
    assert visitor.visits == ["heartbeat", "ping", "too slow"]
    assert caplog.messages == ["a peer was too slow and is let go"]


async def test_a_reader_that_has_left_ends_its_subscription(hall: Hall) -> None:
    visitor, _, _ = await hall.enter()
    told, drafts = feed(size=60_000, count=MUCH // 60_000)
    await told.log.append(drafts)
    pumping = asyncio.create_task(visitor.pump(Subscription(told, visitor, None)))
    await until_stuck(visitor)
    visitor.abort()
    assert not await pumping
    assert visitor.visits == []


async def test_a_subscription_that_breaks_takes_its_connection_along_and_says_so(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    visitor, _, _ = await hall.enter()

    def state() -> str:
        raise ValueError("a bug")

    told, _ = feed()
    broken = Feed(told.log, state)
    assert not await visitor.pump(Subscription(broken, visitor, None))
    assert visitor.closing
    assert caplog.messages == ["a subscription to r broke"]


async def test_one_that_is_leaving_has_its_time_while_it_takes_what_is_left(
    hall: Hall, clock: Clock
) -> None:
    visitor, reader, _ = await hall.enter()
    visitor.send(b"x" * MUCH)
    await until_stuck(visitor)
    visitor.close()
    got = 0
    while got < MUCH:
        got += len(await reader.readexactly(MUCH // 4))
        await clock.turn(7)
    assert await reader.read() == b""
