"""A finished run, told from its beginning by a gateway that has just been started."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.contenders import Transport, gateway
from tests.bench.figures import Figure, Result, at_most
from tests.bench.load import Load, Outcome
from tests.bench.sizes import Sizes
from tests.bench.work import Work

__all__ = ["measure"]


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    work = Work(1, sizes.replay)
    name = f"replay of {work.events:,} events from SQLite"
    told: dict[Transport, list[Outcome]] = {"ws": [], "sse": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = Path(folder) / "data"
        with gateway(data) as up:
            run = up.start(work)
            up.until_ended(run)
        for number in range(sizes.rounds):
            for transport, outcomes in told.items():
                with gateway(data) as up, Load(up.address, [up.subscriber(transport, run)]) as load:
                    load.connect()
                    outcomes.append(load.receive(up.pid, work.events, within=60))
                say(f"round {number + 1}: {name}, {transport}: {_seconds(outcomes[-1]):.3f} s")
    result = Result()
    for transport, outcomes in told.items():
        who = f"sidecar {transport}"
        seconds = Figure(name, who, "request to last event", "s", [*map(_seconds, outcomes)])
        rate = [work.events / _seconds(outcome) for outcome in outcomes]
        result.figures += [seconds, Figure(name, who, "rate", "events/s", rate)]
        result.figures.append(
            Figure(name, who, "CPU/delivery", "µs", [o.server_us for o in outcomes])
        )
        limit = 0.4 * work.events / 100_000
        result.goals.append(at_most(f"{name}, {transport.upper()}", limit, seconds.median, "s"))
        if any(outcome.delivered != work.events for outcome in outcomes):
            raise SystemExit(f"{name} by {transport} was not whole")
    return result


def _seconds(outcome: Outcome) -> float:
    return (outcome.last_ns - outcome.asked_ns) / 1e9
