from __future__ import annotations

import asyncio
import gc

import pytest

from sidecar.deadline import Deadline, Every, within


async def test_a_deadline_expires_once_it_was_let_go_for_long_enough() -> None:
    expired = asyncio.Event()
    deadline = Deadline(0.01, expired.set)
    deadline.go()
    deadline.go()
    await asyncio.wait_for(expired.wait(), 30)


async def test_time_on_hold_does_not_count() -> None:
    loop = asyncio.get_running_loop()
    expired = asyncio.Event()
    deadline = Deadline(0.1, expired.set)
    deadline.go()
    deadline.hold()
    deadline.hold()
    held = asyncio.Event()
    loop.call_later(0.3, held.set)
    await held.wait()
    assert not expired.is_set()
    deadline.go()
    await asyncio.wait_for(expired.wait(), 30)


async def test_a_wait_gives_the_result_or_times_out_and_cancels_what_it_waited_for() -> None:
    assert await within(30, asyncio.sleep(0, "done")) == "done"
    forever = asyncio.ensure_future(asyncio.Event().wait())
    with pytest.raises(asyncio.TimeoutError):
        await within(0.01, forever)
    assert forever.cancelled()


async def test_a_cancellation_in_the_moment_of_the_result_is_not_swallowed() -> None:
    result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(within(30, result))
    await asyncio.sleep(0)
    result.set_result("just now")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_error_in_the_moment_of_a_cancellation_is_seen() -> None:
    """filterwarnings makes an error of what nobody retrieves."""
    result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(within(30, result))
    await asyncio.sleep(0)
    result.set_exception(ConnectionResetError())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    del result, waiting
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_what_is_done_every_so_often_is_done_until_it_is_stopped() -> None:
    ticks = 0
    enough = asyncio.Event()

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            every.stop()
            enough.set()

    every = Every(0.01, tick)
    await asyncio.wait_for(enough.wait(), 30)
    await asyncio.sleep(0.05)
    assert ticks == 3
