"""Whatever happens to connections, gateways and workers, nobody misses or misreads a thing.

A violation names its schedule and its seed; `python -m tests.faults --only NAME --seed N` plays
exactly that one again. Here the seeds are the same each time; `make test-long` takes fresh ones.
"""

from __future__ import annotations

from tests.faults.harness import Tally, play_all, play_kills
from tests.faults.schedule import killing, killing_a_crew, killings, network


def hold(tally: Tally) -> None:
    assert not tally.violations, "\n".join([*tally.violations, str(tally)])


async def test_twenty_readers_on_a_bad_network_see_one_log() -> None:
    tally = Tally()
    await play_all([network(seed) for seed in range(20)], tally, at_once=10)
    hold(tally)
    assert tally.schedules == 20
    assert tally.connections > 1.5 * tally.clients, f"nothing came to harm: {tally}"


async def test_readers_of_a_real_crew_on_a_bad_network_see_one_log() -> None:
    tally = Tally()
    await play_all([network(seed, "default") for seed in range(3)], tally, at_once=3)
    hold(tally)
    assert tally.schedules == 3


async def test_what_was_seen_or_acknowledged_survives_kill_9() -> None:
    tally = Tally()
    await play_kills(killings(0, 12, killing), tally, at_once=5)
    hold(tally)
    assert sum(tally.kills.values()) >= 10, tally


async def test_a_crew_whose_gateway_is_killed_does_no_finished_task_again() -> None:
    tally = Tally()
    await play_kills(killings(0, 3, killing_a_crew), tally, at_once=3)
    hold(tally)
    assert tally.kills["gateway"] == 3
