"""`python -m tests.faults`: many schedules, or exactly one again.

::

    python -m tests.faults --schedules 1000 --kills 300 [--seed S]
    python -m tests.faults --only killing --seed 123
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from tests.faults.harness import Tally, play_all, play_kills
from tests.faults.schedule import Schedule, killing, killing_a_crew, killings, network

_KINDS: dict[str, Callable[[int], Schedule]] = {
    "network": network,
    "network-crew": lambda seed: network(seed, "default"),
    "killing": killing,
    "killing-crew": killing_a_crew,
}


def main() -> int:
    arguments = _parser().parse_args()
    tally = Tally()
    asyncio.run(_play(arguments, tally))
    for violation in tally.violations:
        print(violation)
    print(tally)
    return 1 if tally.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--schedules", type=int, default=200, help="of network faults (200)")
    parser.add_argument(
        "--kills",
        type=int,
        default=100,
        help="kill points (100), and a tenth of that in real crews",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule (0)")
    parser.add_argument("--only", choices=_KINDS, help="that one schedule, of --seed")
    parser.add_argument("--at-once", type=int, default=8, help="schedules side by side (8)")
    return parser


async def _play(arguments: argparse.Namespace, tally: Tally) -> None:
    told, seed = _Progress(tally), arguments.seed
    if arguments.only is not None:
        schedule = _KINDS[arguments.only](seed)
        play = play_kills if schedule.kill_points else play_all
        await play([schedule], tally, told=told)
        return
    schedules = [network(seed + n) for n in range(arguments.schedules)]
    await play_all(schedules, tally, at_once=arguments.at_once, told=told)
    kills = killings(seed, arguments.kills)
    kills += killings(seed, arguments.kills // 10, killing_a_crew)
    await play_kills(kills, tally, at_once=arguments.at_once, told=told)


class _Progress:
    """A line per fifty schedules, and each violation as soon as it is found."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._done = 0
        self._shown = 0

    def __call__(self, schedule: Schedule) -> None:
        self._done += 1
        for violation in self._tally.violations[self._shown :]:
            print(violation, flush=True)
        self._shown = len(self._tally.violations)
        if self._done % 50 == 0:
            print(
                f"{self._done}: {schedule.name} --seed {schedule.seed}; {self._tally}", flush=True
            )


if __name__ == "__main__":
    sys.exit(main())
