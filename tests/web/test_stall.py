"""A socket that takes nothing of what it is given is let go when it has done so for long."""

from __future__ import annotations

from sidecar.web.stall import STALL_SECONDS, Stall
from tests.support.clock import Clock


class Socket:
    def __init__(self) -> None:
        self.taken = 0
        self.let_go = 0
        self.stall = Stall(lambda: self.taken, self.go)

    def go(self) -> None:
        self.let_go += 1


async def test_one_that_takes_nothing_is_let_go_once(clock: Clock) -> None:
    socket = Socket()
    await clock.turn(STALL_SECONDS - 1)
    assert socket.let_go == 0
    await clock.turn(1)
    await clock.turn(100)
    assert socket.let_go == 1


async def test_one_that_takes_a_little_stays(clock: Clock) -> None:
    socket = Socket()
    for _ in range(20):
        await clock.turn(STALL_SECONDS - 4)
        socket.taken += 1
        await clock.turn(3)
    assert socket.let_go == 0
    await clock.turn(STALL_SECONDS)
    assert socket.let_go == 1


async def test_one_that_takes_all_again_is_left_alone(clock: Clock) -> None:
    socket = Socket()
    await clock.turn(STALL_SECONDS - 1)
    socket.stall.cancel()
    await clock.turn(100)
    assert socket.let_go == 0
