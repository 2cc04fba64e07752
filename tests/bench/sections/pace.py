"""Latency from an event's birth to a subscriber's having it, at the pace of a real crew."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tests.bench.contenders import BARE, ours
from tests.bench.figures import Result, at_most
from tests.bench.load import Outcome
from tests.bench.rounds import Entry, Series, run_rounds
from tests.bench.sizes import Sizes
from tests.bench.work import Work

__all__ = ["measure"]

_PERCENTS = (50, 90, 99, 100)


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    result = Result()
    for subscribers, rate, slower, p99 in (
        (1, 50, 2.0, 0),
        (100, 50, 1.3, 10),
        (1000, 20, 1.3, 60),
    ):
        work = Work(subscribers, int(rate * sizes.paced_seconds), rate=rate)
        name = f"{rate} events/s × {subscribers:,}"
        entries = [
            Entry(contender, work, latency=True)
            for contender in (BARE, ours("ws", "sidecar ws"), ours("sse", "sidecar sse"))
        ]
        series = run_rounds(entries, sizes.rounds, say)
        _figures(name, series, result)
        _goals(name, series, slower, p99, result)
    return result


def _figures(name: str, series: Series, result: Result) -> None:
    for entry in range(len(series.entries)):
        for percent in _PERCENTS:
            what = "latency max" if percent == 100 else f"latency p{percent}"
            of = _percentile(percent)
            result.figures.append(series.figure(entry, name, what, "ms", of, to=0))
        result.figures.append(series.figure(entry, name, "CPU/delivery", "µs", _server, to=0))


def _goals(name: str, series: Series, slower: float, p99: float, result: Result) -> None:
    medians = [series.values(entry, _percentile(50)) for entry in range(len(series.entries))]
    bare, *sidecar = medians
    for label, values in zip(("WS", "SSE"), sidecar, strict=True):
        ratio = statistics.median(ours / base for ours, base in zip(values, bare, strict=True))
        result.goals.append(at_most(f"{name}, {label}, p50 to bare uvloop", slower, ratio, "×"))
    ws, sse = (statistics.median(values) for values in sidecar)
    apart = max(ws, sse) / min(ws, sse) - 1
    if not p99:
        result.goals.append(at_most(f"{name}, p50 of WS and SSE apart", 10, apart * 100, "%"))
    for label, entry in (("WS", 1), ("SSE", 2)) if p99 else ():
        worst = statistics.median(series.values(entry, _percentile(99)))
        result.goals.append(at_most(f"{name}, {label}, p99", p99, worst, "ms"))


def _percentile(percent: float) -> Callable[[Outcome], float]:
    return lambda outcome: outcome.percentile(percent)


def _server(outcome: Outcome) -> float:
    return outcome.server_us
