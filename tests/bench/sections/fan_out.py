"""CPU of the server per event delivered, 100 subscribers."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tests.bench.contenders import BARE, NODE_WS, PEERS, SSE_STARLETTE, node_is_missing, ours
from tests.bench.figures import Figure, Result, at_most
from tests.bench.load import Outcome
from tests.bench.rounds import Entry, Series, run_rounds
from tests.bench.sizes import Sizes
from tests.bench.work import Work

__all__ = ["measure"]

_SUBSCRIBERS = 100
_ONE_BY_ONE_RATE = 500
"""Events/s that a busy gateway takes one at a time: 50,000 deliveries/s."""

_FLAT = "flat out, one by one"
_EACH = f"one by one, {_ONE_BY_ONE_RATE}/s"
_BURSTS = "flat out, bursts of 16"


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    flat = Work(_SUBSCRIBERS, sizes.flat_events)
    each = Work(_SUBSCRIBERS, sizes.flat_events, rate=_ONE_BY_ONE_RATE)
    bursts = Work(_SUBSCRIBERS, sizes.burst_events, burst=16)
    missing = node_is_missing()
    peers = [p for p in PEERS if missing is None or not p.name.startswith("Node")]
    plan = [(_FLAT, Entry(peer, flat)) for peer in peers]
    plan += [(_EACH, Entry(peer, each)) for peer in peers if peer in (BARE, NODE_WS)]
    for transport in ("ws", "sse"):
        contender = ours(transport, f"sidecar {transport}")
        plan.append((_EACH, Entry(contender, each)))
        plan.append((_BURSTS, Entry(contender, bursts)))
        plan.append((_FLAT, Entry(contender, flat)))
    series = run_rounds([entry for _, entry in plan], sizes.rounds, say)
    table = _Table([work for work, _ in plan], series)
    result = Result(figures=table.figures(), goals=[])
    if missing is not None:
        result.notes.append(f"Peers in Node were not measured: {missing}.")
    _goals(table, result, node=missing is None)
    return result


class _Table:
    def __init__(self, works: list[str], series: Series) -> None:
        self._series = series
        self._index = {
            (work, entry.contender.name): n
            for n, (work, entry) in enumerate(zip(works, series.entries, strict=True))
        }

    def figures(self) -> list[Figure]:
        bare = self._index[_FLAT, BARE.name]
        made = []
        for (work, _), index in self._index.items():
            made.append(self._series.figure(index, work, "CPU/delivery", "µs", _server, to=bare))
            made.append(self._series.figure(index, work, "… of the load client", "µs", _client))
            if any(together := self._series.values(index, _per_append)):
                who = self._series.entries[index].contender.name
                made.append(Figure(work, who, "events per append", "", together))
        return made

    def cpu(self, work: str, who: str) -> list[float]:
        return self._series.values(self._index[work, who], _server)

    def ratio(self, one: tuple[str, str], other: tuple[str, str]) -> float:
        """Median of the ratios within each round."""
        pairs = zip(self.cpu(*one), self.cpu(*other), strict=True)
        return statistics.median(a / b for a, b in pairs)


def _goals(table: _Table, result: Result, *, node: bool) -> None:
    for transport in ("ws", "sse"):
        us = f"sidecar {transport}"
        name = transport.upper()
        bursts, each = (_BURSTS, us), (_EACH, us)
        result.goals.append(
            at_most(f"{_BURSTS}, {name}", 1.3, statistics.median(table.cpu(*bursts)), "µs")
        )
        if node:
            result.goals.append(
                at_most(
                    f"… to Node ws {_FLAT}", 1 / 7, table.ratio(bursts, (_FLAT, NODE_WS.name)), "×"
                )
            )
        result.goals.append(
            at_most(
                f"{_EACH}, {name}, to bare uvloop",
                1.15,
                table.ratio(each, (_EACH, BARE.name)),
                "×",
            )
        )
        if node:
            result.goals.append(
                at_most("… to Node ws", 1.0, table.ratio(each, (_EACH, NODE_WS.name)), "×")
            )
        result.goals.append(
            at_most(
                "… to sse-starlette", 1 / 7, table.ratio(each, (_FLAT, SSE_STARLETTE.name)), "×"
            )
        )


def _server(outcome: Outcome) -> float:
    return outcome.server_us


def _client(outcome: Outcome) -> float:
    return outcome.client_us


def _per_append(outcome: Outcome) -> float:
    return outcome.per_append
