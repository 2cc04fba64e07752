"""Plays schedules against a real gateway, and gives each run's history to the checkers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from tests.faults.checkers import History, violations
from tests.faults.clients import Commander, Follower, Progress, new_session, read_log
from tests.faults.gateway import Gateway, send
from tests.faults.proxy import BLACKHOLE, STALL, Connection, FaultProxy
from tests.faults.schedule import Act, Freeze, Kill, Schedule, Send, Window

__all__ = ["Tally", "play_all", "play_kills", "play_on"]

_BOUND: Final = 90.0
"""Seconds that a schedule may take before it counts as stuck; they take one to ten."""

ENVIRON: Final = {
    "SIDECAR_SYNTHETIC": "1",
    "SIDECAR_WARM": "0",
    "SIDECAR_PING": "0.2",
    "SIDECAR_MAX_RUNS": "16",
    "SIDECAR_QUEUE": "1000",
}
"""No worker imports CrewAI unless a run needs it, and dead air is told from silence soon."""


@dataclass
class Tally:
    """What was done and found, over all schedules."""

    schedules: int = 0
    clients: int = 0
    connections: int = 0
    events: int = 0
    commands: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def take(self, schedule: Schedule, history: History, found: list[str]) -> None:
        connections = [c for reader in history.readers for c in reader.connections]
        self.schedules += 1
        self.clients += len(history.readers)
        self.connections += len(connections)
        self.events += sum(r.is_event for c in connections for r in c.received)
        self.commands += len(history.commands)
        self.violations += [f"{schedule.name} --seed {schedule.seed}: {what}" for what in found]

    def __str__(self) -> str:
        def told(counter: Counter[str]) -> str:
            return " ".join(f"{name}={count}" for name, count in sorted(counter.items())) or "none"

        return (
            f"schedules {self.schedules}, clients {self.clients}, "
            f"reconnects {self.connections - self.clients}, commands {self.commands}, "
            f"faults {sum(self.faults.values())} ({told(self.faults)}), "
            f"kills {sum(self.kills.values())} ({told(self.kills)}), "
            f"events checked {self.events}, violations {len(self.violations)}, "
            f"{time.monotonic() - self.began:.0f} s"
        )


class _Play:
    """One schedule under way: its proxy, its readers, its commander."""

    def __init__(
        self, schedule: Schedule, gateway: Gateway, proxy: FaultProxy, tally: Tally
    ) -> None:
        self._schedule = schedule
        self._gateway = gateway
        self._proxy = proxy
        self._tally = tally
        self._progress = Progress()
        self._session = new_session()
        name = f"{schedule.name}-{schedule.seed}"
        self._commander = Commander(
            self._session, proxy.url, name=name, dice=schedule.dice("commander")
        )
        self._run = ""
        self._followers: list[Follower] = []
        proxy.plan = self._harm

    async def perform(self) -> History:
        """Raises asyncio.TimeoutError when it is stuck, AssertionError when it can't begin, and
        aiohttp.ClientError when the log of what was acknowledged can't be read."""
        async with self._session:
            await asyncio.wait_for(self._perform(), _BOUND)
            log = await asyncio.wait_for(
                read_log(self._session, self._gateway.url, self._run), _BOUND
            )
        readers = [follower.reader for follower in self._followers]
        return History(self._run, readers, self._commander.commands, log)

    def state(self) -> str:
        """For whoever wonders why it is stuck."""
        waiting = [f.reader.name for f in self._followers if not f.reader.finished]
        return f"run {self._run} at {self._progress.seq}, {waiting} not done, {self._proxy}"

    async def _perform(self) -> None:
        schedule = self._schedule
        fields = {"crew": schedule.crew, "inputs": schedule.inputs}
        ack = await self._commander.send("start", fields)
        assert ack["ok"], ack
        self._run = ack["run"]
        self._followers = [self._follower(number) for number in range(schedule.clients)]
        await _all_of(
            [self._in_order(schedule.acts, self._act), self._in_order(schedule.windows, self._open)]
            + [follower.follow() for follower in self._followers]
        )

    def _follower(self, number: int) -> Follower:
        return Follower(
            self._session,
            self._proxy.url,
            self._run,
            name=f"reader {number}",
            dice=self._schedule.dice("reader", number),
            progress=self._progress,
            native=number == 0,
        )

    def _harm(self, connection: Connection) -> None:
        harm = self._schedule.harm(connection.number)
        if harm is not None:
            self._tally.faults[harm.kind] += 1
            connection.fault(up=harm.up, down=harm.down)

    async def _in_order(
        self, acts: Iterable[Any], do: Callable[[Any], Coroutine[Any, Any, None]]
    ) -> None:
        for act in acts:
            await self._progress.reached(act.at)
            await do(act)

    async def _open(self, window: Window) -> None:
        proxy = self._proxy
        self._tally.faults[window.fault] += 1
        if window.fault == "cut":
            proxy.cut(window.kind, "rst")
            return
        if window.fault == "refuse":
            proxy.refuse(window.kind)
        else:
            proxy.fault(window.kind, STALL if window.fault == "stall" else BLACKHOLE)
        await asyncio.sleep(window.seconds)
        proxy.heal(window.kind)

    async def _act(self, act: Act) -> None:
        if isinstance(act, Send):
            await self._send(act)
        elif isinstance(act, Kill):
            await self._kill(act)
        else:
            await self._freeze(act)

    async def _send(self, act: Send) -> None:
        await asyncio.sleep(act.wait)
        fields = {"run": self._run, **act.fields}
        if act.kill_after is None:
            await self._commander.send(act.cmd, fields)
            return
        sent = asyncio.Event()
        sending = asyncio.create_task(self._commander.send(act.cmd, fields, sent=sent))
        try:
            await sent.wait()
            await asyncio.sleep(act.kill_after)
            self._tally.kills["gateway, command under way"] += 1
            await self._restart()
        finally:
            await sending

    async def _kill(self, act: Kill) -> None:
        if act.target == "worker":
            self._tally.kills["worker"] += 1
            for pid in self._gateway.workers():
                send(pid, signal.SIGKILL)
            return
        self._tally.kills["gateway" if act.startup is None else "gateway, twice"] += 1
        await self._restart(act.startup)

    async def _restart(self, startup: float | None = None) -> None:
        await self._gateway.kill()
        if startup is not None:
            await self._gateway.launch()
            await asyncio.sleep(startup)
            await self._gateway.kill()
        await self._gateway.start()
        self._proxy.target = self._gateway.url

    async def _freeze(self, act: Freeze) -> None:
        self._tally.kills[f"{act.target} stopped"] += 1
        pids = [self._gateway.pid] if act.target == "gateway" else self._gateway.workers()
        for pid in pids:
            send(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(act.seconds)
        finally:
            for pid in pids:
                send(pid, signal.SIGCONT)


async def play_on(gateway: Gateway, schedule: Schedule, tally: Tally) -> None:
    """One schedule on a gateway that is up; what is found goes to `tally`."""
    async with FaultProxy(gateway.url, schedule.dice("proxy")) as proxy:
        play = _Play(schedule, gateway, proxy, tally)
        try:
            history = await play.perform()
        except (TimeoutError, AssertionError, aiohttp.ClientError) as error:
            tally.violations.append(
                f"{schedule.name} --seed {schedule.seed}: {error!r}: {play.state()}"
            )
            return
    tally.take(schedule, history, violations(history))


async def play_all(
    schedules: Iterable[Schedule], tally: Tally, *, at_once: int = 6, told: Told = lambda _: None
) -> None:
    """All of them on one gateway, some at a time."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        async with _gateway(Path(folder) / "data", **ENVIRON) as gateway:

            async def one(schedule: Schedule) -> None:
                await play_on(gateway, schedule, tally)
                told(schedule)

            await _some_at_a_time(schedules, one, at_once)
            tally.violations += _complaints(gateway)


async def play_kills(
    schedules: Iterable[Schedule], tally: Tally, *, at_once: int = 4, told: Told = lambda _: None
) -> None:
    """Each on a gateway of its own, since it won't live long."""

    async def one(schedule: Schedule) -> None:
        environ = {**ENVIRON, "SIDECAR_RETRIES": str(schedule.retries)}
        if schedule.crew != "synthetic":
            environ["OFFLINE_TOKEN_MS"] = "10"
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            async with _gateway(Path(folder) / "data", **environ) as gateway:
                await play_on(gateway, schedule, tally)
                found = _complaints(gateway)
                await gateway.kill()
                found += [f"process {pid} was left" for pid in await gateway.leftovers()]
                where = f"{schedule.name} --seed {schedule.seed}"
                tally.violations += [f"{where}: {what}" for what in found]
        told(schedule)

    await _some_at_a_time(schedules, one, at_once)


Told = Callable[[Schedule], None]


@contextlib.asynccontextmanager
async def _gateway(data: Path, **environ: str) -> AsyncIterator[Gateway]:
    gateway = Gateway(data, **environ)
    try:
        await gateway.start()
        yield gateway
    finally:
        await gateway.close()


def _complaints(gateway: Gateway) -> list[str]:
    """What a gateway's own log has that it never should, whatever is done to it, each kind once."""
    kinds: Counter[str] = Counter()
    for line in gateway.stderr.splitlines():
        if "Traceback" in line or "cannot happen to" in line:
            kinds[_gist(line)] += 1
    return [f"its log has {count} times: {gist}" for gist, count in kinds.items()]


def _gist(line: str) -> str:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    trace = str(told.get("traceback") or "").strip().splitlines()
    frames = [line.strip() for line in trace if "/sidecar/" in line]
    said = " ".join(re.sub("Task-[0-9]+", "Task", told["message"]).split())
    return " / ".join([said, *frames[-1:], *trace[-1:]])


async def _some_at_a_time(
    schedules: Iterable[Schedule], do: Callable[[Schedule], Coroutine[Any, Any, None]], limit: int
) -> None:
    slots = asyncio.Semaphore(limit)

    async def one(schedule: Schedule) -> None:
        async with slots:
            await do(schedule)

    await _all_of([one(schedule) for schedule in schedules])


async def _all_of(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all; the first failure, or a cancellation, ends the others too."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
