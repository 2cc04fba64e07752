"""Contenders in alternation: every round runs each of them once, on the same load client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.contenders import Contender
from tests.bench.figures import Figure
from tests.bench.load import Load, Outcome
from tests.bench.work import Work

__all__ = ["Entry", "Series", "run_rounds"]

_SPARE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Entry:
    contender: Contender
    work: Work
    latency: bool = False


@dataclass(slots=True)
class Series:
    """What each entry came to, round by round: outcomes[entry][round]."""

    entries: Sequence[Entry]
    outcomes: list[list[Outcome]] = field(default_factory=list)

    def values(self, entry: int, of: Callable[[Outcome], float]) -> list[float]:
        return [of(outcome) for outcome in self.outcomes[entry]]

    def figure(
        self,
        entry: int,
        work: str,
        what: str,
        unit: str,
        of: Callable[[Outcome], float],
        *,
        to: int | None = None,
    ) -> Figure:
        """`of` each round's outcome, and its ratio to that of entry `to` in the same round."""
        values = self.values(entry, of)
        name = self.entries[entry].contender.name
        if to is None:
            return Figure(work, name, what, unit, values)
        base = self.values(to, of)
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        return Figure(work, name, what, unit, values, ratios, self.entries[to].contender.name)


def run_rounds(entries: Sequence[Entry], rounds: int, say: Callable[[str], None]) -> Series:
    """Raises SystemExit when a contender loses an event: a figure of lost work is none."""
    series = Series(entries, [[] for _ in entries])
    for number in range(rounds):
        for index, entry in enumerate(entries):
            outcome = _once(entry)
            series.outcomes[index].append(outcome)
            say(
                f"round {number + 1}/{rounds} {entry.contender.name}: "
                f"{outcome.server_us:.2f} µs/delivery, client {outcome.client_us:.2f} µs, "
                f"{outcome.seconds:.2f} s"
            )
    return series


def _once(entry: Entry) -> Outcome:
    work = entry.work
    expected = work.events / work.rate if work.rate else 0.0
    with entry.contender.serve(work) as served:
        everybody = [served.subscriber] * work.subscribers
        with Load(served.address, everybody, latency=entry.latency) as load:
            load.connect()
            served.go()
            outcome = load.receive(served.pid, work.events, within=expected + _SPARE_SECONDS)
        if outcome.delivered != outcome.expected:
            raise SystemExit(
                f"{entry.contender.name} delivered {outcome.delivered} of {outcome.expected}"
            )
        if served.per_append is not None:
            outcome.per_append = served.per_append()
    return outcome
