"""The owner of background tasks: it tells of what broke in them, once, and sees them end."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from sidecar import tasks
from sidecar.tasks import Tasks


async def fail() -> None:
    raise ValueError("no such thing")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_failure_that_nobody_awaits_is_logged_once_with_its_name_and_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = Tasks()
    task = owner.spawn(fail(), name="the checkpoint")
    await owner.settle()
    await owner.close()
    del task
    gc.collect()
    (record,) = caplog.records
    assert record.getMessage() == "the checkpoint broke"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no such thing"


async def test_a_task_without_a_name_is_called_as_its_function(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = Tasks()
    owner.spawn(fail())
    await owner.settle()
    assert errors(caplog) == ["fail broke"]


async def test_who_awaits_a_failure_hears_of_it_and_the_log_does_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = Tasks()
    task = owner.spawn(fail(), awaited=True)
    with pytest.raises(ValueError, match="no such thing"):
        await task
    await owner.close()
    del task
    gc.collect()
    assert errors(caplog) == []


async def test_a_failure_whose_awaiter_has_left_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = Tasks()
    go = asyncio.Event()

    async def fail_later() -> None:
        await go.wait()
        await fail()

    async def ask() -> None:
        task = owner.spawn(fail_later(), name="command c-7", awaited=True)
        await asyncio.wait({task})
        task.result()

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    go.set()
    await owner.settle()
    del asking
    gc.collect()
    (said,) = errors(caplog)
    assert said.startswith("Task exception was never retrieved")
    assert "command c-7" in said


async def test_to_be_cancelled_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    owner = Tasks()
    task = owner.spawn(asyncio.Event().wait())
    never_begun = owner.spawn(asyncio.Event().wait())
    await asyncio.sleep(0)
    await owner.close()
    assert task.cancelled()
    assert never_begun.cancelled()
    assert errors(caplog) == []


async def test_what_breaks_while_it_is_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    owner = Tasks()

    async def clean_up_badly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await fail()

    owner.spawn(clean_up_badly(), name="the stream")
    await asyncio.sleep(0)
    await owner.close()
    assert errors(caplog) == ["the stream broke"]


async def test_close_waits_for_what_a_task_does_when_it_ends() -> None:
    owner = Tasks()
    done = []

    async def say_goodbye() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            done.append("goodbye")

    owner.spawn(say_goodbye())
    await asyncio.sleep(0)
    await owner.close()
    assert done == ["goodbye"]


async def test_close_ends_what_a_task_spawned_when_it_was_cancelled() -> None:
    owner = Tasks()
    last: list[asyncio.Task[bool]] = []

    async def leave_something() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            last.append(owner.spawn(asyncio.Event().wait()))

    owner.spawn(leave_something())
    await asyncio.sleep(0)
    await owner.close()
    assert last[0].cancelled()


async def test_a_cancel_that_got_lost_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_AGAIN_SECONDS", 0.01)
    owner = Tasks()
    lost = []

    async def lose_the_first() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.append(1)
        await asyncio.Event().wait()

    task = owner.spawn(lose_the_first())
    await asyncio.sleep(0)
    await owner.close()
    assert lost == [1]
    assert task.cancelled()


async def test_a_task_that_no_cancel_ends_does_not_hold_up_the_end_and_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "_AGAIN_SECONDS", 0.01)
    owner = Tasks()
    enough = asyncio.Event()

    async def deaf() -> None:
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                continue

    task = owner.spawn(deaf(), name="the deaf one")
    await asyncio.sleep(0)
    await owner.close()
    assert errors(caplog) == ["the deaf one goes on, though it was cancelled 5 times"]
    enough.set()
    await task


async def test_settle_waits_for_those_that_go_on_now_and_names_who_takes_too_long() -> None:
    owner = Tasks()
    go = asyncio.Event()
    quick, slow = owner.spawn(asyncio.sleep(0, "quick")), owner.spawn(go.wait())
    assert await owner.settle(0.01) == {slow}
    assert quick.result() == "quick"
    go.set()
    assert await owner.settle() == set()
    assert slow.result() is True


async def test_an_owner_of_nothing_has_nothing_to_wait_for() -> None:
    owner = Tasks()
    assert await owner.settle() == set()
    await owner.close()
