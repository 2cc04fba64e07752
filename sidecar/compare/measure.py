"""One measurement: a synthetic run, and both transports following it side by side."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from sidecar.client import CrewClient, Kind
from sidecar.compare.figures import Figures, Sample, figures
from sidecar.compare.subscriber import Recording, Subscriber
from sidecar.errors import CommandError
from sidecar.settings import SYNTHETIC

__all__ = ["Clock", "Measurement", "Plan", "Side", "measure"]

_DELAY_SECONDS: Final = 1.0
_DELAY_PER_CLIENT: Final = 0.02
"""A connection takes 2 to 5 ms."""

_SPARE_SECONDS: Final = 30.0
"""How long an event may take beyond the run's own length."""

_TURN_SECONDS: Final = 0.5
"""How long one connection may keep the next one waiting."""

_PINGS: Final = 15

_CUTS: Final = 3
"""How often each is cut. Each time the sidecar may serve it in another order."""

_AWAY_EVENTS: Final = 2.5
_AWAY_SECONDS: Final = (0.05, 5.0)
"""A cut lasts for so many events, that there is something to recover, within these bounds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: `rate` in events per second (0 = flat out), `clients` per transport."""

    events: int = 1_000
    rate: float = 50.0
    clients: int = 1

    @property
    def delay(self) -> float:
        """Seconds before the first event, for all to be connected by then."""
        return _DELAY_SECONDS + _DELAY_PER_CLIENT * self.clients

    @property
    def seconds(self) -> float:
        """From the start to the last event."""
        return self.delay + (self.events / self.rate if self.rate else 0.0)


@dataclass(frozen=True, slots=True)
class Clock:
    """How births and arrivals came onto one clock.

    `monotonic`: both are readings of one machine's CLOCK_MONOTONIC, which is exact. `ping`: the
    server's clock is `offset` ms ahead of ours, give or take `error` ms (half of the fastest ping).
    """

    source: Literal["monotonic", "ping"]
    offset: float = 0.0
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """One transport. `latencies` has (number of the event, ms) per client."""

    figures: Figures
    latencies: list[list[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class Measurement:
    plan: Plan
    clock: Clock
    ws: Side
    sse: Side


async def measure(
    crew: CrewClient, plan: Plan, on_event: Callable[[int], None] = lambda seq: None
) -> Measurement:
    """Start the run and follow it to its end. `on_event` hears the number of each event.

    Raises CommandError when the run can't be started, Disconnected when nobody answers.
    """
    pinged = await _ping(crew)
    # Taken once: a clock that is set in mid-run moves nothing.
    wall = time.time() * 1e3 - time.monotonic() * 1e3
    run = await _start(crew, plan)
    began = time.monotonic()
    subscribers = _subscribers(crew.url, run, plan, on_event)
    try:
        await _follow(subscribers)
    except BaseException:
        with contextlib.suppress(Exception):
            await crew.cancel(run, "the comparison was stopped")
        raise
    some = [one.recording for one in subscribers]
    exact = _is_loopback(crew.url) and _one_clock(some, time.monotonic() - began)
    clock = Clock("monotonic") if exact else pinged
    ws, sse = some[::2], some[1::2]
    common = [_common(*pair) for pair in zip(ws, sse, strict=True)]
    return Measurement(plan, clock, _side(ws, common, clock, wall), _side(sse, common, clock, wall))


async def _start(crew: CrewClient, plan: Plan) -> str:
    inputs = {"events": plan.events, "rate": plan.rate, "delay": plan.delay}
    try:
        return await crew.start(inputs, crew=SYNTHETIC)
    except CommandError as error:
        if error.code != "unknown_crew":
            raise
        raise CommandError(
            "unknown_crew",
            f"the sidecar at {crew.url} has no crew {SYNTHETIC!r} to measure with; start it with "
            "SIDECAR_SYNTHETIC=1, or leave --url out: compare then starts one of its own",
        ) from None


async def _ping(crew: CrewClient) -> Clock:
    """The server's clock by the ping with the shortest round trip: the least room for error.

    Source: Cristian, "Probabilistic clock synchronization", 1989.
    """
    best = Clock("ping", error=float("inf"))
    for _ in range(_PINGS):
        sent = time.time() * 1e3
        began = time.monotonic()
        ack = await crew.command("ping")
        trip = (time.monotonic() - began) * 1e3
        if trip / 2 < best.error:
            best = Clock("ping", ack["result"]["server_time"] - (sent + trip / 2), trip / 2)
    return best


def _subscribers(
    url: str, run: str, plan: Plan, on_event: Callable[[int], None]
) -> list[Subscriber]:
    """In turns, ws, sse, ws, …; each is cut at other times, so that it has the wire to itself."""
    count = 2 * plan.clients
    every = plan.events // (count * _CUTS + 1)
    low, high = _AWAY_SECONDS
    away = min(max(_AWAY_EVENTS / plan.rate, low), high) if plan.rate else low
    kinds: tuple[Kind, Kind] = ("ws", "sse")
    return [
        Subscriber(
            kinds[number % 2],
            url,
            run,
            cuts=[every * (turn * count + number + 1) for turn in range(_CUTS if every else 0)],
            away=away,
            patience=plan.seconds + _SPARE_SECONDS,
            on_event=on_event,
        )
        for number in range(count)
    ]


async def _follow(subscribers: list[Subscriber]) -> None:
    following: list[asyncio.Task[None]] = []
    try:
        for subscriber in subscribers:
            following.append(asyncio.create_task(subscriber.follow()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TURN_SECONDS):
                    await subscriber.connected.wait()
        await asyncio.gather(*following)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_clock(recordings: list[Recording], seconds: float) -> bool:
    """Whether births can be of this machine's clock: a tunnel's far end is loopback here too."""
    return all(
        0 < born <= arrived and arrived - born < seconds * 1e9
        for recording in recordings
        for born, arrived in zip(recording.births, recording.arrivals, strict=True)
    )


def _common(ws: Recording, sse: Recording) -> set[int]:
    """Numbers of the events that a pair of readers is compared by: those that both had live."""
    if ws.failure is not None or sse.failure is not None:
        return {*ws.seqs, *sse.seqs}
    return set(ws.seqs) & set(sse.seqs)


def _side(recordings: list[Recording], common: list[set[int]], clock: Clock, wall: float) -> Side:
    clients = [
        [(seq, sample) for seq, sample in _samples(recording, clock, wall) if seq in both]
        for recording, both in zip(recordings, common, strict=True)
    ]
    events = sum(recording.events for recording in recordings)
    failures = [recording.failure for recording in recordings if recording.failure is not None]
    return Side(
        figures(
            [[sample for _, sample in client] for client in clients],
            bytes_per_event=sum(r.bytes for r in recordings) / events if events else None,
            connects=[ms for recording in recordings for ms in recording.connects],
            recoveries=[ms for recording in recordings for ms in recording.recoveries],
            lost=sum(recording.lost for recording in recordings),
            duplicates=sum(recording.duplicates for recording in recordings),
            failure=failures[0] if failures else None,
        ),
        [[(seq, arrived - born) for seq, (born, arrived) in client] for client in clients],
    )


def _samples(recording: Recording, clock: Clock, wall: float) -> Iterator[tuple[int, Sample]]:
    """`wall` is what Unix ms were ahead of CLOCK_MONOTONIC's ms, here."""
    births: Iterable[float]
    if clock.source == "monotonic":
        births, shift = (born / 1e6 for born in recording.births), 0.0
    else:
        births, shift = recording.stamps, wall + clock.offset
    for seq, born, arrived in zip(recording.seqs, births, recording.arrivals, strict=True):
        yield seq, (born, arrived / 1e6 + shift)
