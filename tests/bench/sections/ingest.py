"""How much the gateway takes in: through the channel, into the log, and shown to one subscriber.

And whether that stays so: far from a log's beginning, and for a minute on end.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from tests.bench.contenders import gateway
from tests.bench.figures import Figure, Result, at_least, at_most
from tests.bench.load import Load, Mark, Outcome
from tests.bench.meters import rss_kb
from tests.bench.sizes import Sizes
from tests.bench.work import Work

__all__ = ["far", "ingest", "soak"]

_FAR_RATE: Final = 25_000
"""Events/s. Flat out the gateway takes in more than it has shown, and CPU up to a delivery would
be that of later events too."""


def ingest(sizes: Sizes, say: Callable[[str], None]) -> Result:
    result = Result()
    for workers, burst, wanted in ((1, 1, 10_000), (1, 16, 10_000), (4, 16, 30_000)):
        work = Work(1, sizes.ingest, burst=burst)
        who = f"{workers} worker{'s' * (workers > 1)}, burst {burst}"
        outcomes = []
        for number in range(sizes.rounds):
            outcomes.append(_taken_in(work, workers))
            say(f"round {number + 1}: ingest, {who}: {_rate(outcomes[-1]):,.0f} events/s")
        rate = Figure("ingest", who, "committed and shown", "events/s", [*map(_rate, outcomes)])
        cpu = Figure("ingest", who, "CPU/event", "µs", [o.server_us for o in outcomes])
        result.figures += [rate, cpu]
        result.goals.append(at_least(f"ingest, {who}", wanted, rate.median, "events/s"))
    return result


def _taken_in(work: Work, workers: int) -> Outcome:
    """Each of `workers` runs has a subscriber of its own."""
    with gateway(SIDECAR_MAX_RUNS=str(workers)) as up:
        runs = [up.start_paused(work) for _ in range(workers)]
        with Load(up.address, [up.subscriber("ws", run) for run in runs]) as load:
            load.connect()
            for run in runs:
                up.command("resume", run)
            return load.receive(up.pid, work.events, within=120)


def _rate(outcome: Outcome) -> float:
    return outcome.delivered / outcome.seconds


def far(sizes: Sizes, say: Callable[[str], None]) -> Result:
    """CPU per event, append and delivery, near the beginning and at `sizes.far`."""
    near = [1_000 + n * sizes.window for n in range(sizes.rounds + 1)]
    distant = [sizes.far + n * sizes.window for n in range(sizes.rounds + 1)]
    work = Work(1, distant[-1], rate=_FAR_RATE, burst=16)
    with gateway() as up:
        run = up.start_paused(work)
        with Load(up.address, [up.subscriber("ws", run)]) as load:
            load.connect()
            up.command("resume", run)
            outcome = load.receive(
                up.pid, work.events, within=work.events / _FAR_RATE + 120, marks=[*near, *distant]
            )
    first = _each(outcome.marks[: len(near)])
    second = _each(outcome.marks[len(near) :])
    name = "append and deliver"
    say(f"{name}: {statistics.median(first):.1f} µs, far out {statistics.median(second):.1f} µs")
    ratio = statistics.median(second) / statistics.median(first)
    return Result(
        [
            Figure(name, "seq 1,000 on", "CPU/event", "µs", first),
            Figure(name, f"seq {sizes.far:,} on", "CPU/event", "µs", second),
        ],
        [at_most(f"{name} at seq {sizes.far:,} to seq 1,000", 1.2, ratio, "×")],
    )


def _each(marks: Sequence[Mark]) -> list[float]:
    """CPU µs per event between one mark and the next."""
    return [(b.cpu_ns - a.cpu_ns) / 1000 / (b.delivered - a.delivered) for a, b in pairwise(marks)]


def soak(sizes: Sizes, say: Callable[[str], None]) -> Result:
    work = Work(50, 5_000 * sizes.soak_seconds, rate=5_000)
    name = f"{sizes.soak_seconds} s of 5,000 events/s × {work.subscribers}"
    seen: list[float] = []
    with gateway() as up:
        run = up.start_paused(work)
        everybody = [up.subscriber("ws", run), up.subscriber("sse", run)] * (work.subscribers // 2)
        with Load(up.address, everybody) as load:
            load.connect()
            up.command("resume", run)
            outcome = load.receive(
                up.pid,
                work.events,
                within=sizes.soak_seconds + 60,
                tick=lambda: seen.append(rss_kb(up.pid) / 1024),
            )
    settled = seen[len(seen) // 6 :]
    fifth = max(1, len(settled) // 5)
    begin, end = statistics.median(settled[:fifth]), statistics.median(settled[-fifth:])
    say(f"{name}: {begin:.1f} MB, then {end:.1f} MB; {outcome.server_us:.2f} µs/delivery")
    who = "sidecar, half ws, half sse"
    complete = outcome.complete / work.subscribers * 100
    return Result(
        [
            Figure(name, who, "RSS after a sixth of it", "MB", [begin]),
            Figure(name, who, "RSS at the end", "MB", [end]),
            Figure(name, who, "CPU/delivery", "µs", [outcome.server_us]),
            Figure(name, who, "subscribers with every event", "%", [complete]),
        ],
        [
            at_most(f"{name}, RSS that it grew by", 2, (end / begin - 1) * 100, "%"),
            at_least(f"{name}, all delivered", 100, complete, "%"),
        ],
    )
