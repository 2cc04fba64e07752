from __future__ import annotations

from sidecar.runs.deadline import Deadline
from tests.support.clock import Clock


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


async def test_a_deadline_expires_once_it_was_let_go_for_long_enough(clock: Clock) -> None:
    bell = Bell()
    deadline = Deadline(10, bell.ring)
    deadline.go()
    await clock.turn(9)
    deadline.go()
    assert bell.rung == 0
    await clock.turn(1)
    assert bell.rung == 1
    await clock.turn(100)
    assert bell.rung == 1


async def test_a_deadline_that_was_never_let_go_does_not_count(clock: Clock) -> None:
    bell = Bell()
    deadline = Deadline(10, bell.ring)
    deadline.hold()
    await clock.turn(100)
    assert bell.rung == 0


async def test_time_on_hold_does_not_count(clock: Clock) -> None:
    bell = Bell()
    deadline = Deadline(10, bell.ring)
    deadline.go()
    await clock.turn(7)
    deadline.hold()
    deadline.hold()
    await clock.turn(100)
    assert bell.rung == 0
    deadline.go()
    await clock.turn(2)
    assert bell.rung == 0
    await clock.turn(1)
    assert bell.rung == 1
