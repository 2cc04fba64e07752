"""The faults that other tests rely on really happen: seen from both ends, on raw sockets."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from tests.faults.proxy import BLACKHOLE, STALL, Connection, End, FaultProxy, Kind, Lane, Way
from tests.support.sidecar import BOUND

HEADS: dict[Kind, bytes] = {
    "http": b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n",
    "ws": b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}
Direction = Literal["up", "down"]


class Ends:
    """Both ends of what goes through the proxy."""

    def __init__(self) -> None:
        self.proxy = FaultProxy("http://127.0.0.1:9")
        self._sockets: list[socket.socket] = []

    def keep(self, sock: socket.socket) -> socket.socket:
        sock.setblocking(False)
        self._sockets.append(sock)
        return sock

    def listen(self) -> None:
        self._listener = self.keep(socket.create_server(("127.0.0.1", 0)))
        self.proxy.target = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def connect(self, head: bytes) -> socket.socket:
        client = self.keep(socket.socket())
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", int(self.proxy.url.rsplit(":", 1)[1]))
        await asyncio.wait_for(loop.sock_connect(client, address), BOUND)
        await loop.sock_sendall(client, head)
        return client

    async def accept(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        server, _ = await asyncio.wait_for(loop.sock_accept(self._listener), BOUND)
        return self.keep(server)

    async def open(self, kind: Kind = "http") -> tuple[socket.socket, socket.socket, Connection]:
        """A client, its server, and the connection between them, past the request's head."""
        client = await self.connect(HEADS[kind])
        server = await self.accept()
        assert await exactly(server, len(HEADS[kind])) == HEADS[kind]
        return client, server, self.proxy.live()[-1]

    async def through(
        self, direction: Direction
    ) -> tuple[socket.socket, socket.socket, Connection, Lane]:
        """Sender, receiver, connection, lane."""
        client, server, connection = await self.open()
        if direction == "up":
            return client, server, connection, connection.up
        return server, client, connection, connection.down

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    both = Ends()
    both.listen()
    async with both.proxy:
        yield both
        both.close()


@pytest.fixture(params=["up", "down"])
def direction(request: pytest.FixtureRequest) -> Direction:
    way: Direction = request.param
    return way


async def send(sock: socket.socket, data: bytes) -> None:
    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(sock, data), BOUND)


async def receive(sock: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65_536), BOUND)


async def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await asyncio.wait_for(
            asyncio.get_running_loop().sock_recv(sock, count - len(data)), BOUND
        )
        assert more, f"it ended after {len(data)} of {count} bytes"
        data += more
    return data


async def to_its_end(sock: socket.socket) -> type[OSError] | None:
    try:
        while await receive(sock):
            pass
    except OSError as error:
        return type(error)
    return None


def silent(sock: socket.socket) -> bool:
    """Neither a byte nor an end has arrived."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    return False


async def test_without_a_fault_every_byte_and_every_end_passes(
    ends: Ends, direction: Direction
) -> None:
    sender, receiver, _, lane = await ends.through(direction)
    data = random.Random(1).randbytes(1_000_000)
    sending = asyncio.create_task(send(sender, data))
    assert await exactly(receiver, len(data)) == data
    await sending
    sender.shutdown(socket.SHUT_WR)
    assert await receive(receiver) == b""
    assert lane.ended
    # Half-closed only: the way back still works.
    await send(receiver, b"and back")
    assert await exactly(sender, 8) == b"and back"


async def test_a_delayed_byte_arrives_only_when_its_time_has_come(
    ends: Ends, direction: Direction
) -> None:
    sender, receiver, connection, lane = await ends.through(direction)
    connection.fault(**{direction: Way(delay=3_600)})
    await send(sender, b"later")
    await ends.proxy.until(lambda: lane.received >= 5)
    assert silent(receiver)
    connection.fault(**{direction: Way(delay=0.01)})
    assert await exactly(receiver, 5) == b"later"


async def test_split_bytes_come_whole_in_many_pieces_the_same_for_the_same_dice(
    ends: Ends, direction: Direction
) -> None:
    sender, receiver, connection, lane = await ends.through(direction)
    data = random.Random(2).randbytes(1_000)
    before = lane.pieces
    connection.fault(**{direction: Way(split=8)})
    await send(sender, data)
    assert await exactly(receiver, 1_000) == data
    assert lane.pieces - before >= 125
    drawn = [[lane._dice.random() for lane in lanes(seed)] for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


def lanes(seed: int) -> list[Lane]:
    proxy = FaultProxy("http://127.0.0.1:9", random.Random(seed))
    loop = asyncio.get_running_loop()
    assert loop.is_running()
    with socket.socket() as sock:
        connections = [Connection(proxy, sock, number) for number in (1, 2)]
    return [lane for c in connections for lane in (c.up, c.down)]


async def test_throttled_bytes_trickle(ends: Ends, direction: Direction) -> None:
    sender, receiver, connection, lane = await ends.through(direction)
    before = lane.forwarded
    # One byte, then 1,000 seconds of nothing.
    connection.fault(**{direction: Way(rate=0.001)})
    await send(sender, b"trickle")
    assert await exactly(receiver, 1) == b"t"
    assert silent(receiver)
    assert lane.forwarded - before == 1
    ends.proxy.heal()
    assert await exactly(receiver, 6) == b"rickle"


@pytest.mark.parametrize("end", ["rst", "fin", "half"])
async def test_a_connection_is_cut_after_exactly_so_many_bytes(
    ends: Ends, direction: Direction, end: End
) -> None:
    sender, receiver, connection, _ = await ends.through(direction)
    connection.fault(**{direction: Way(cut=1_000, end=end)})
    await send(sender, b"x" * 600)
    assert await exactly(receiver, 600) == b"x" * 600
    await send(sender, b"y" * 600)
    assert await exactly(receiver, 400) == b"y" * 400
    if end == "rst":
        for side in (receiver, sender):
            with pytest.raises(ConnectionResetError):
                await receive(side)
    elif end == "fin":
        assert await receive(receiver) == b""
        assert await receive(sender) == b""
    else:
        assert await receive(receiver) == b""
        await send(receiver, b"alive")
        assert await exactly(sender, 5) == b"alive"


@pytest.mark.parametrize("end", ["rst", "fin"])
async def test_open_connections_are_cut_at_once(ends: Ends, end: Literal["rst", "fin"]) -> None:
    client, server, _ = await ends.open("ws")
    other, _, spared = await ends.open("http")
    ends.proxy.cut("ws", end)
    for side in (client, server):
        if end == "rst":
            with pytest.raises(ConnectionResetError):
                await receive(side)
        else:
            assert await receive(side) == b""
    assert silent(other)
    await ends.proxy.until(lambda: not ends.proxy.live("ws") or end == "fin")
    assert spared in ends.proxy.live("http")


async def test_a_stalled_sender_is_held_up_and_loses_nothing(
    ends: Ends, direction: Direction
) -> None:
    sender, receiver, connection, lane = await ends.through(direction)
    before = lane.forwarded
    connection.fault(**{direction: STALL})
    data = random.Random(3).randbytes(16_000_000)
    sending = asyncio.create_task(send(sender, data))
    await ends.proxy.until(lambda: lane.received > before)
    assert lane.forwarded == before
    assert lane.received - before <= 65_536
    assert silent(receiver)
    assert not sending.done()
    connection.fault(**{direction: Way()})
    assert await exactly(receiver, len(data)) == data
    await sending


async def test_a_blackhole_swallows_bytes_and_ends_and_stays_open(
    ends: Ends, direction: Direction
) -> None:
    sender, receiver, connection, lane = await ends.through(direction)
    connection.fault(**{direction: BLACKHOLE})
    await send(sender, b"x" * 16_000_000)
    await ends.proxy.until(lambda: lane.swallowed == 16_000_000)
    sender.shutdown(socket.SHUT_WR)
    await ends.proxy.until(lambda: lane.ended)
    assert silent(receiver)
    assert connection in ends.proxy.live()


async def test_after_a_blackhole_an_end_is_told_and_a_hole_in_the_bytes_is_a_reset(
    ends: Ends, direction: Direction
) -> None:
    whole, at_its_end, _, lane = await ends.through(direction)
    ends.proxy.fault(way=BLACKHOLE)
    whole.shutdown(socket.SHUT_WR)
    await ends.proxy.until(lambda: lane.ended)
    assert silent(at_its_end)
    ends.proxy.heal()
    assert await receive(at_its_end) == b""

    holed, receiver, connection, lane = await ends.through(direction)
    connection.fault(**{direction: BLACKHOLE})
    await send(holed, b"lost")
    await ends.proxy.until(lambda: lane.swallowed == 4)
    connection.fault(**{direction: Way()})
    assert await to_its_end(receiver) is ConnectionResetError
    assert await to_its_end(holed) is ConnectionResetError


async def test_faults_of_websockets_leave_http_alone_and_the_other_way_round(ends: Ends) -> None:
    sockets = {kind: await ends.open(kind) for kind in HEADS}
    kinds: list[tuple[Kind, Kind]] = [("ws", "http"), ("http", "ws")]
    for faulty, sound in kinds:
        ends.proxy.fault(faulty, BLACKHOLE)
        # Also a connection that comes only now: its very head is swallowed.
        late = await ends.connect(HEADS[faulty])
        server = await ends.accept()
        client, behind, connection = sockets[faulty]
        swallowed = connection.up.swallowed
        await send(client, b"lost")
        await ends.proxy.until(lambda c=connection, n=swallowed: c.up.swallowed == n + 4)  # type: ignore[misc]
        client, beside, _ = sockets[sound]
        await send(client, b"heard")
        assert await exactly(beside, 5) == b"heard"
        assert silent(behind)
        assert silent(server)
        ends.proxy.heal(faulty)
        assert await to_its_end(late) is ConnectionResetError
        client, behind, _ = await ends.open(faulty)
        await send(client, b"again")
        assert await exactly(behind, 5) == b"again"
        sockets[faulty] = client, behind, connection
    assert ends.proxy.opened == {"ws": 3, "http": 3}


async def test_a_pooled_connection_becomes_a_websocket_when_it_is_upgraded(ends: Ends) -> None:
    client, server, connection = await ends.open("http")
    await send(client, HEADS["ws"])
    await exactly(server, len(HEADS["ws"]))
    assert ends.proxy.live("ws") == [connection]
    assert connection.request == "GET /ws"
    assert ends.proxy.opened == {"ws": 1, "http": 1}


async def test_connections_are_refused_by_kind_or_all(ends: Ends) -> None:
    ends.proxy.refuse("ws")
    client = await ends.connect(HEADS["ws"])
    with pytest.raises(ConnectionResetError):
        await receive(client)
    await ends.open("http")
    ends.proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await receive(await ends.connect(b""))
    assert ends.proxy.refused == 2
    ends.proxy.heal()
    await ends.open("ws")


async def test_a_port_that_nobody_listens_on_refuses_and_listens_again(ends: Ends) -> None:
    client, server, _ = await ends.open()
    url = ends.proxy.url
    ends.proxy.deafen()
    with pytest.raises(ConnectionRefusedError):
        await ends.connect(b"")
    await send(client, b"open ones stay")
    assert await exactly(server, 14) == b"open ones stay"
    ends.proxy.listen()
    assert ends.proxy.url == url
    await ends.open()


async def test_a_target_that_is_down_resets_the_client_and_may_move(ends: Ends) -> None:
    target, ends.proxy.target = ends.proxy.target, "http://127.0.0.1:9"
    client = await ends.connect(HEADS["http"])
    with pytest.raises(ConnectionResetError):
        await receive(client)
    assert ends.proxy.unreached == 1
    ends.proxy.target = target
    await ends.open()


async def test_a_plan_gives_each_connection_a_fault_of_its_own(ends: Ends) -> None:
    cuts = [10, 20]

    def plan(connection: Connection) -> None:
        if connection.number <= len(cuts):
            connection.fault(down=Way(cut=cuts[connection.number - 1]))

    ends.proxy.plan = plan
    for cut in cuts:
        client, server, _ = await ends.open()
        await send(server, b"x" * 100)
        assert await exactly(client, cut) == b"x" * cut
        with pytest.raises(ConnectionResetError):
            await receive(client)
    client, server, _ = await ends.open()
    await send(server, b"x" * 100)
    await exactly(client, 100)


@pytest.mark.parametrize("way", [Way(), STALL, BLACKHOLE, Way(delay=3_600), Way(rate=0.001)])
async def test_it_stops_with_nothing_left_behind(way: Way) -> None:
    before = asyncio.all_tasks()
    ends = Ends()
    ends.listen()
    async with ends.proxy:
        client, server, connection = await ends.open()
        ends.proxy.fault(None, way)
        for side in (client, server):
            await send(side, b"hello")
        await ends.proxy.until(lambda: connection.up.received >= 5 <= connection.down.received)
        await ends.connect(b"GET / HT")
        await ends.proxy.until(lambda: ends.proxy.accepted == 2)
    assert asyncio.all_tasks() == before
    assert ends.proxy.live() == []
    for side in (client, server):
        assert await to_its_end(side) is ConnectionResetError
    ends.close()
