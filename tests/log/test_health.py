"""Whether a storage can be written: who asks is told, who waits is woken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import pytest

from sidecar.errors import StoreError
from sidecar.log.health import AGAIN_SECONDS, Health
from tests.support.clock import Clock, clock, settle

__all__ = ["clock"]


async def waiting(what: Awaitable[None]) -> asyncio.Task[None]:
    async def wait() -> None:
        await what

    task = asyncio.create_task(wait())
    await settle()
    return task


async def test_it_is_well_until_something_failed() -> None:
    health = Health()
    health.worked()
    ailing = await waiting(health.ailing())
    assert not ailing.done()
    health.failed("disk is full")
    await ailing
    health.failed("read-only")
    assert health.trouble == "read-only"
    health.worked()
    ailing = await waiting(health.ailing())
    assert not ailing.done()
    ailing.cancel()


class Writes:
    """To a storage that has no room for this one until it is `roomy`."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.roomy = False
        self.tried = 0
        self.told: list[str | None] = []

    async def write(self) -> None:
        self.tried += 1
        if not self.roomy:
            self.health.failed("disk is full")
            raise StoreError
        self.health.worked()

    def tell(self) -> None:
        self.told.append(self.health.trouble)

    def start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.health.persist(self.write, self.tell))


async def test_the_write_that_failed_tells_that_the_trouble_is_over_and_no_smaller_one(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    big = Writes(health := Health())
    persisting = big.start()
    for _ in range(8):
        await clock.turn(AGAIN_SECONDS)
        health.worked()  # a small one
    assert (health.trouble, health.watched, big.tried) == ("disk is full", True, 9)
    assert big.told == ["disk is full"]
    big.roomy = True
    await clock.turn(AGAIN_SECONDS)
    await persisting
    assert (health.trouble, health.watched) == (None, False)
    assert big.told == ["disk is full", None]
    assert len(caplog.records) == 2


async def test_of_many_writes_that_failed_one_at_a_time_is_tried_and_the_last_tells(
    clock: Clock,
) -> None:
    health = Health()
    several = [Writes(health) for _ in range(50)]
    tasks = [one.start() for one in several]
    await clock.turn(AGAIN_SECONDS)
    assert sum(one.tried for one in several) == 51
    for one in several[:-1]:
        one.roomy = True
    for _ in range(50):
        await clock.turn(AGAIN_SECONDS)
    assert [task.done() for task in tasks] == [True] * 49 + [False]
    assert health.trouble == "disk is full"
    tasks[-1].cancel()
    await asyncio.gather(tasks[-1], return_exceptions=True)
    assert not health.watched
    health.worked()
    assert health.trouble is None


async def test_each_change_is_said_once_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    health = Health("log.sqlite3")
    for _ in range(3):
        health.failed("disk is full")
    for _ in range(3):
        health.worked()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "log.sqlite3: disk is full; runs stand still until it can be"),
        (logging.WARNING, "log.sqlite3: the log can be written again"),
    ]
