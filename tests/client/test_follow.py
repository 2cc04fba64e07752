"""Dead air, and the ways around it: what the Python client does when a connection stops speaking.

Every test compares what was followed with the log, read past the proxy that does the harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import count

import aiohttp
import pytest

from sidecar.client.client import CrewClient
from sidecar.client.reach import Frame
from sidecar.errors import CommandError
from tests.conftest import StartSidecar
from tests.faults.proxy import BLACKHOLE, PASS, STALL, Connection, FaultProxy, Kind
from tests.support.sidecar import BOUND, Raw, Sidecar, TransportName, assert_whole

KINDS: dict[TransportName, Kind] = {"ws": "ws", "sse": "http"}
SYNTHETIC = {"SIDECAR_SYNTHETIC": "1", "SIDECAR_WARM": "0"}
"""Starts at once: no worker imports CrewAI."""

ENDLESS = {"events": 1_000_000, "rate": 50, "delay": 0}
"""A run that takes longer than any test."""

_ids = count(1)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """One that pings five times a second."""
    running = Sidecar(
        tmp_path_factory.mktemp("endless") / "data",
        SIDECAR_PING="0.2",
        SIDECAR_MAX_RUNS="20",
        **SYNTHETIC,
    ).start()
    yield running
    assert running.stop() == 0


@pytest.fixture
async def proxy(endless: Sidecar) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(endless.url) as between:
        yield between


class Reader:
    """Follows one run beside its test."""

    def __init__(self, crew: CrewClient, run: str) -> None:
        self.events: list[Frame] = []
        self._arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._follow(crew, run))

    async def _follow(self, crew: CrewClient, run: str) -> None:
        async for event in crew.follow(run):
            self.events.append(event)
            self._arrived.set_result(None)
            self._arrived = asyncio.get_running_loop().create_future()

    async def more(self, number: int = 5) -> None:
        goal = len(self.events) + number
        await self.until(lambda: len(self.events) >= goal)

    async def until(self, true: Callable[[], bool]) -> None:
        """Return at the first event with which it is true."""
        while not true():
            await asyncio.wait(
                [self._arrived, self._task], timeout=BOUND, return_when=asyncio.FIRST_COMPLETED
            )
            if self._task.done():
                self._task.result()
            assert true() or not self._task.done(), "the run ended before"

    async def end(self) -> list[Frame]:
        async with asyncio.timeout(BOUND):
            await self._task
        return self.events


async def start(
    session: aiohttp.ClientSession, sidecar: Sidecar, inputs: Mapping[str, float] = ENDLESS
) -> str:
    """A run that the client has not seen, so that its connections are only what it follows by."""
    body = {"id": f"follow-{next(_ids)}", "cmd": "start", "crew": "synthetic", "inputs": inputs}
    return str((await Raw(session, sidecar.url, "sse").command(body))["run"])


async def log_of(session: aiohttp.ClientSession, sidecar: Sidecar, run: str) -> list[Frame]:
    return [event for _, event in await Raw(session, sidecar.url, "sse").events(run)]


async def cancel_and_compare(
    session: aiohttp.ClientSession, sidecar: Sidecar, run: str, reader: Reader
) -> None:
    body = {"id": f"follow-{next(_ids)}", "cmd": "cancel", "run": run}
    assert (await Raw(session, sidecar.url, "sse").command(body))["ok"]
    events = await reader.end()
    assert_whole(events)
    assert events == await log_of(session, sidecar, run)


def followed_by(proxy: FaultProxy, transport: TransportName) -> list[Connection]:
    return [
        c
        for c in proxy.live(KINDS[transport])
        if c.request.startswith(f"GET /{transport}?") and not c.up.ended
    ]


async def test_a_dead_websocket_is_left_for_sse_and_gone_back_to_once_it_works_again(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    async with CrewClient(proxy.url, silence=1.0, probe=0.1) as crew:
        run = await crew.start(ENDLESS, crew="synthetic")
        reader = Reader(crew, run)
        await reader.more()
        assert crew.transport == "ws"
        proxy.fault("ws", BLACKHOLE)
        await reader.until(lambda: crew.transport == "sse")
        await reader.more()
        proxy.heal()
        await reader.until(lambda: crew.transport == "ws")
        await reader.more()
        await proxy.until(lambda: not followed_by(proxy, "sse"))
        await cancel_and_compare(session, endless, run, reader)


async def test_a_connection_that_speaks_again_before_its_rival_is_stayed_with(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    async with CrewClient(proxy.url, silence=2.0) as crew:
        reader = Reader(crew, run)
        await reader.more()
        proxy.fault("ws", down=STALL)
        # The rival gets its connection, and no frame on it.
        proxy.fault("http", down=STALL)
        await proxy.until(lambda: followed_by(proxy, "sse") != [])
        (rival,) = followed_by(proxy, "sse")
        proxy.heal("ws")
        await reader.more()
        # Too late for the rival's first frame.
        proxy.heal("http")
        await proxy.until(lambda: rival.up.ended)
        await reader.more()
        assert crew.transport == "ws"
        assert proxy.opened["ws"] == 1
        await cancel_and_compare(session, endless, run, reader)


async def test_a_fixed_transport_gets_a_fresh_connection_before_it_leaves_the_silent_one(
    endless: Sidecar,
    proxy: FaultProxy,
    session: aiohttp.ClientSession,
    transport: TransportName,
) -> None:
    run = await start(session, endless)
    fresh: list[Connection] = []

    def hold(connection: Connection) -> None:
        connection.fault(down=STALL)
        fresh.append(connection)

    async with CrewClient(proxy.url, transport=transport, silence=2.0) as crew:
        reader = Reader(crew, run)
        await reader.more()
        (silent,) = followed_by(proxy, transport)
        proxy.plan = hold
        silent.fault(down=BLACKHOLE)
        await proxy.until(lambda: fresh != [] and fresh[0].up.forwarded > 0)
        assert not silent.up.ended
        fresh[0].fault(down=PASS)
        await proxy.until(lambda: silent.up.ended)
        assert fresh[0].down.forwarded > 0
        await reader.more()
        assert crew.transport == transport
        assert len(fresh) == 1
        await cancel_and_compare(session, endless, run, reader)


async def test_when_nothing_answers_at_all_it_tries_until_something_does(
    endless: Sidecar,
    proxy: FaultProxy,
    session: aiohttp.ClientSession,
    transport: TransportName,
) -> None:
    run = await start(session, endless)
    async with CrewClient(proxy.url, transport=transport, silence=0.5) as crew:
        reader = Reader(crew, run)
        await reader.more()
        (silent,) = followed_by(proxy, transport)
        silent.fault(down=BLACKHOLE)
        proxy.refuse()
        await proxy.until(lambda: silent.up.ended and proxy.refused >= 3)
        proxy.heal()
        await reader.more()
        proxy.fault(way=BLACKHOLE)
        tried = proxy.accepted
        await proxy.until(lambda: proxy.accepted >= tried + 3)
        proxy.heal()
        await reader.more()
        await cancel_and_compare(session, endless, run, reader)


async def test_probes_that_fail_do_not_disturb_what_is_followed(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    proxy.refuse("ws")
    async with CrewClient(proxy.url, probe=0.05) as crew:
        reader = Reader(crew, run)
        await proxy.until(lambda: proxy.refused >= 4)
        await reader.more()
        assert crew.transport == "sse"
        assert proxy.opened["http"] == 1
        await cancel_and_compare(session, endless, run, reader)


async def test_what_both_connections_tell_while_one_takes_over_is_told_once(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    proxy.refuse("ws")
    async with CrewClient(proxy.url, probe=0.05) as crew:
        reader = Reader(crew, run)
        await reader.more()
        proxy.heal()
        # The WebSocket has its place from here on, its first frame only later.
        proxy.fault("ws", down=STALL)
        await proxy.until(lambda: [c for c in followed_by(proxy, "ws") if c.up.forwarded] != [])
        await reader.more(20)
        assert crew.transport == "sse"
        proxy.heal()
        await reader.until(lambda: crew.transport == "ws")
        await reader.more()
        await cancel_and_compare(session, endless, run, reader)


async def test_a_caller_that_blocks_the_loop_does_not_take_it_for_dead_air(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    run = await start(session, endless)
    async with (
        CrewClient(proxy.url, transport=transport, silence=1.0) as crew,
        contextlib.aclosing(crew.follow(run)) as events,
    ):
        seqs = [(await anext(events))["seq"] for _ in range(10)]
        time.sleep(1.1)  # noqa: ASYNC251
        seqs += [(await anext(events))["seq"] for _ in range(10)]
        assert seqs == list(range(1, 21))
        assert proxy.accepted == 1


async def test_whoever_takes_their_time_over_an_event_does_not_take_it_for_dead_air(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    run = await start(session, endless)
    async with (
        CrewClient(proxy.url, transport=transport, silence=1.0) as crew,
        contextlib.aclosing(crew.follow(run)) as events,
    ):
        seqs = [(await anext(events))["seq"]]
        (connection,) = followed_by(proxy, transport)
        # At 20 ms an event that is more than the silence allowed.
        goal = connection.down.pieces + 150
        await proxy.until(lambda: connection.down.pieces >= goal)
        seqs += [(await anext(events))["seq"] for _ in range(200)]
        assert seqs == list(range(1, 202))
        assert proxy.accepted == 1


async def test_who_does_not_read_on_holds_the_sidecar_back_and_still_gets_it_all(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    inputs = {"events": 20_000, "size": 1_000, "burst": 100, "delay": 0}
    run = await start(session, endless, inputs)
    async with (
        CrewClient(proxy.url, transport=transport) as crew,
        contextlib.aclosing(crew.follow(run)) as events,
    ):
        told = [await anext(events)]
        (connection,) = followed_by(proxy, transport)
        log = await log_of(session, endless, run)
        assert connection.down.forwarded < 6_000_000
        told += [event async for event in events]
    assert told == log


async def test_a_gateway_that_was_killed_and_is_back_within_patience_is_a_longer_gap(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar(**SYNTHETIC)
    async with (
        FaultProxy(first.url) as proxy,
        CrewClient(proxy.url, transport=transport) as crew,
    ):
        run = await crew.start({"events": 100, "rate": 100}, crew="synthetic")
        reader = Reader(crew, run)
        await reader.until(lambda: [e["type"] for e in reader.events].count("llm.delta") >= 5)
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        await proxy.until(lambda: proxy.unreached >= 2)
        second = start_sidecar(until_ready=False, **SYNTHETIC)
        proxy.target = second.url
        events = await reader.end()
        assert_whole(events)
        assert events == await log_of(session, second, run)


async def test_a_command_whose_ack_is_lost_on_a_dead_websocket_is_acked_by_post_with_one_effect(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    async with CrewClient(proxy.url, silence=1.0, probe=0.1) as crew:
        reader = Reader(crew, run)
        await reader.more()
        link = await commands_by_websocket(crew, proxy)
        # The command still arrives; its ack does not.
        proxy.fault("ws", down=BLACKHOLE)
        ack = await crew.pause(run)
        assert ack["duplicate"]
        await reader.until(lambda: reader.events[-1]["type"] == "run.paused")
        effects = [e for e in reader.events if e.get("cause") == ack["id"]]
        assert [e["type"] for e in effects] == ["run.pausing", "run.paused"]
        await proxy.until(lambda: link.up.ended)

        proxy.heal()
        assert await commands_by_websocket(crew, proxy) is not link
        await crew.resume(run)
        await cancel_and_compare(session, endless, run, reader)


async def test_an_idle_websocket_that_falls_silent_is_closed_and_a_command_waits_for_nothing(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    async with CrewClient(proxy.url, silence=1.0) as crew:
        link = await commands_by_websocket(crew, proxy)
        proxy.fault("ws", down=BLACKHOLE)
        await proxy.until(lambda: link.up.ended)
        assert "duplicate" not in await crew.cancel(run)


async def commands_by_websocket(crew: CrewClient, proxy: FaultProxy) -> Connection:
    """Ask for nothing in particular until it is asked over a WebSocket."""
    while True:
        asked = {c: c.up.received for c in proxy.live("ws") if c.request == "GET /ws"}
        await crew.command("ping")
        for link, received in asked.items():
            if link.up.received > received and not link.up.ended:
                return link


async def test_a_command_whose_ack_is_lost_on_a_post_is_acked_by_websocket_with_one_effect(
    endless: Sidecar, proxy: FaultProxy, session: aiohttp.ClientSession
) -> None:
    run = await start(session, endless)
    proxy.fault("http", down=BLACKHOLE)
    async with CrewClient(proxy.url, silence=1.0) as crew:
        ack = await crew.cancel(run)
        assert ack["duplicate"]
    log = await log_of(session, endless, run)
    assert [e["cause"] for e in log if e["type"] == "run.cancelling"] == [ack["id"]]


async def test_a_sidecar_that_is_full_for_good_is_not_tried_again(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    full = start_sidecar(SIDECAR_MAX_CONNECTIONS="1", **SYNTHETIC)
    run = await start(session, full)
    async with session.ws_connect(f"{full.url}/ws"), full.client("ws") as crew:
        with pytest.raises(CommandError, match="4503"):
            await anext(crew.follow(run))
