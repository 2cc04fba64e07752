"""Whatever happens to connections, gateways and workers, nobody misses or misreads a thing.

A violation names its schedule and its seed; `python -m tests.faults --only NAME --seed N` plays
exactly that one again.
"""

from __future__ import annotations

import pytest

from tests.faults.harness import Tally, play_all, play_kills
from tests.faults.schedule import killing, killing_a_crew, killings, network


def hold(tally: Tally) -> None:
    assert not tally.violations, "\n".join([*tally.violations, str(tally)])


@pytest.mark.parametrize("first", range(0, 200, 50))
async def test_twenty_readers_on_a_bad_network_see_one_log(first: int) -> None:
    tally = Tally()
    await play_all([network(seed) for seed in range(first, first + 50)], tally, at_once=10)
    hold(tally)
    assert tally.schedules == 50
    assert tally.connections > 1.5 * tally.clients, f"nothing came to harm: {tally}"


async def test_readers_of_a_real_crew_on_a_bad_network_see_one_log() -> None:
    tally = Tally()
    await play_all([network(seed, "default") for seed in range(10)], tally, at_once=5)
    hold(tally)
    assert tally.schedules == 10


@pytest.mark.parametrize("first", [0, 100, 200, 300])
async def test_what_was_seen_or_acknowledged_survives_kill_9(first: int) -> None:
    tally = Tally()
    await play_kills(killings(first, 25, killing), tally, at_once=5)
    hold(tally)
    assert sum(tally.kills.values()) >= 20, tally


async def test_a_crew_whose_gateway_is_killed_does_no_finished_task_again() -> None:
    tally = Tally()
    await play_kills(killings(0, 9, killing_a_crew), tally, at_once=3)
    hold(tally)
    assert tally.kills["gateway"] == 9
