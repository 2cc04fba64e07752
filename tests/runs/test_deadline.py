from __future__ import annotations

import asyncio

from sidecar.runs.deadline import Deadline


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
