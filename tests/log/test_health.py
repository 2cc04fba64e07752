"""Whether a storage can be written: who asks is told, who waits is woken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import pytest

from sidecar.log.health import Health
from tests.support.clock import settle


async def waiting(what: Awaitable[None]) -> asyncio.Task[None]:
    async def wait() -> None:
        await what

    task = asyncio.create_task(wait())
    await settle()
    return task


async def test_it_is_well_until_something_failed() -> None:
    health = Health()
    health.worked()
    assert health.trouble is None
    await health.recovered()
    ailing = await waiting(health.ailing())
    assert not ailing.done()
    health.failed("disk is full")
    await ailing


async def test_who_waits_for_its_recovery_is_woken_by_what_worked() -> None:
    health = Health()
    health.failed("disk is full")
    await health.ailing()
    recovered = await waiting(health.recovered())
    health.failed("read-only")
    assert health.trouble == "read-only"
    await settle()
    assert not recovered.done()
    health.worked()
    await recovered
    ailing = await waiting(health.ailing())
    assert not ailing.done()
    ailing.cancel()


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
