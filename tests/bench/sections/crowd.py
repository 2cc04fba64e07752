"""Ten thousand subscribers at once, and what one that only listens costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench.contenders import Gateway, Transport, gateway
from tests.bench.figures import Figure, Result, at_least, at_most
from tests.bench.load import Load, Outcome, Subscriber
from tests.bench.meters import peak_rss_kb, raise_open_files, rss_kb
from tests.bench.sizes import Sizes
from tests.bench.work import Work

__all__ = ["measure"]

_SOURCES: Final = 100
"""Loopback addresses that the subscribers come from, 127.0.0.2 on."""
_SPARE_FILES: Final = 200
_SETTLE_SECONDS: Final = 1.0


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    result = _idle(sizes, say)
    result.add(_crowd(sizes, say))
    return result


def _crowd(sizes: Sizes, say: Callable[[str], None]) -> Result:
    work = Work(sizes.crowd, sizes.crowd_seconds, rate=1)
    name = f"{work.subscribers:,} subscribers × 1 event/s"
    if not raise_open_files(work.subscribers + _SPARE_FILES):
        return Result(notes=[f"{name} was not measured: the system allows too few open files."])
    outcomes: list[Outcome] = []
    peaks: list[float] = []
    for number in range(sizes.crowd_rounds):
        with gateway(SIDECAR_MAX_CONNECTIONS=str(work.subscribers + 1)) as up:
            run = up.start_paused(work)
            half = work.subscribers // 2
            everybody = _from_all_over(up, "ws", run, half)
            everybody += _from_all_over(up, "sse", run, work.subscribers - half)
            with Load(up.address, everybody, latency=True) as load:
                load.connect()
                up.command("resume", run)
                outcome = load.receive(up.pid, work.events, within=work.events + 30)
            outcomes.append(outcome)
            peaks.append(peak_rss_kb(up.pid) / 1024)
        say(f"round {number + 1}: {name}: p99 {outcome.percentile(99):.0f} ms, {peaks[-1]:.0f} MB")
    who = "sidecar, half ws, half sse"
    figures = [
        Figure(name, who, f"latency p{percent}", "ms", [o.percentile(percent) for o in outcomes])
        for percent in (50, 99)
    ]
    complete = [o.complete / work.subscribers * 100 for o in outcomes]
    figures += [
        Figure(name, who, "CPU/delivery", "µs", [o.server_us for o in outcomes]),
        Figure(name, who, "… of the load client", "µs", [o.client_us for o in outcomes]),
        Figure(name, who, "subscribers with every event", "%", complete),
        Figure(name, who, "peak RSS", "MB", peaks),
    ]
    goals = [
        at_least(f"{name}, all delivered", 100, min(complete), "%"),
        at_most(f"{name}, p99", 600, figures[1].median, "ms"),
        at_most(f"{name}, peak RSS", 150, figures[-1].median, "MB"),
    ]
    return Result(figures, goals)


def _from_all_over(up: Gateway, transport: Transport, run: str, count: int) -> list[Subscriber]:
    return [up.subscriber(transport, run, f"127.0.0.{2 + n % _SOURCES}") for n in range(count)]


def _idle(sizes: Sizes, say: Callable[[str], None]) -> Result:
    result = Result()
    transports: Sequence[Transport] = ("ws", "sse")
    for transport in transports:
        each: list[float] = []
        for _ in range(sizes.rounds):
            with gateway() as up:
                run = up.start_paused(Work(sizes.idle, 1))
                # The first few pay for what all share.
                with Load(up.address, [up.subscriber(transport, run)] * 20) as few:
                    few.connect()
                    before = rss_kb(up.pid)
                    with Load(up.address, [up.subscriber(transport, run)] * sizes.idle) as load:
                        load.connect()
                        time.sleep(_SETTLE_SECONDS)
                        each.append((rss_kb(up.pid) - before) / sizes.idle)
        say(f"idle {transport}: {statistics.median(each):.1f} KB")
        name = f"{sizes.idle:,} idle subscribers"
        figure = Figure(name, f"sidecar {transport}", "RSS each", "KB", each)
        result.figures.append(figure)
        result.goals.append(
            at_most(f"idle subscriber, {transport.upper()}, RSS", 10, figure.median, "KB")
        )
    return result
