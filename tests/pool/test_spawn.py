"""Spawned workers: a fresh process per run, warm before it is needed, and nothing left of it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.pool import KILL
from sidecar.pool.pool import WorkerLost
from sidecar.pool.spawn import SpawnPool
from sidecar.settings import Settings
from tests.pool.talk import BOUND, hear, idle_of, start
from tests.support import light
from tests.support.clock import settle
from tests.worker.harness import gone


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[SpawnPool]:
    pool = SpawnPool(settings, program="synthetic")
    pool.start()
    yield pool
    await pool.stop()


async def test_each_run_gets_a_process_of_its_own(pool: SpawnPool, tmp_path: Path) -> None:
    pids = set()
    for _ in range(3):
        worker = await asyncio.wait_for(pool.take(), BOUND)
        pids.add(worker.pid)
        assert os.getpgid(worker.pid) == worker.pid
        worker.order(start(tmp_path, events=2))
        assert (await hear(worker))[-1]["type"] == "run.completed"
        assert await worker.exit_code() == 0
        worker.close()
    assert len(pids) == 3


async def test_what_a_worker_leaves_in_its_group_goes_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sidecar.pool.spawn.command", light.command)
    pool = SpawnPool(settings, program="worker")
    pool.start()
    worker = await asyncio.wait_for(pool.take(), BOUND)
    order = start(tmp_path)
    order["spec"]["target"] = "leave"
    worker.order(order)
    child = int((await hear(worker))[0]["data"]["text"])
    assert await worker.exit_code() == 0
    assert gone(child)
    worker.close()
    await pool.stop()


async def test_when_it_stops_the_idle_workers_go_and_it_has_seen_them_go(
    settings: Settings, tmp_path: Path
) -> None:
    pool = SpawnPool(settings, program="synthetic")
    pool.start()
    running = await asyncio.wait_for(pool.take(), BOUND)
    running.signal(KILL)
    (idle,) = await idle_of(pool)
    await pool.stop()
    assert await idle.exit_code() == -KILL
    assert gone(idle.pid, patience=0)
    running.close()


async def test_what_workers_complain_of_is_kept_in_the_file_that_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complain(_program: str, *_: str) -> list[str]:
        return ["sh", "-c", "echo 'no such interpreter' >&2; exit 3"]

    monkeypatch.setattr("sidecar.pool.spawn.command", complain)
    pool = SpawnPool(settings, program="synthetic")
    with pytest.raises(WorkerLost) as lost:
        await pool._make()
    assert str(lost.value) == (
        f"worker exited before it was ready (exit code 3); see {pool.log_hint}"
    )
    assert Path(pool.log_hint).read_text() == "no such interpreter\n"
    await pool.stop()


async def test_a_spawned_worker_has_a_handle_on_nothing_of_the_gateways(pool: SpawnPool) -> None:
    worker = await asyncio.wait_for(pool.take(), BOUND)
    opened = {
        os.readlink(entry).partition(":")[0] for entry in Path(f"/proc/{worker.pid}/fd").iterdir()
    }
    assert opened == {"/dev/null", "socket", pool.log_hint}
    sockets = [
        entry
        for entry in Path(f"/proc/{worker.pid}/fd").iterdir()
        if os.readlink(entry).startswith("socket:")
    ]
    assert len(sockets) == 1
    worker.signal(signal.SIGKILL)
    worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only reaping tells of an end")
async def test_a_group_is_killed_before_its_number_can_be_another_processs(
    pool: SpawnPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number is free once its process is reaped; a zombie still holds it."""
    states: list[str] = []

    def look(pid: int) -> None:
        states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])

    monkeypatch.setattr("sidecar.pool.spawn._sweep", look)
    worker = await asyncio.wait_for(pool.take(), BOUND)
    os.kill(worker.pid, signal.SIGKILL)
    assert await asyncio.wait_for(worker.exit_code(), BOUND) == -KILL
    assert states[:1] == ["Z"]
    assert gone(worker.pid, patience=0)
    worker.close()


async def test_where_processes_have_no_descriptors_workers_come_and_go_all_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS."""
    monkeypatch.setattr("sidecar.pool.spawn._has_pidfd", lambda: False)
    pool = SpawnPool(settings, program="synthetic")
    pool.start()
    worker = await asyncio.wait_for(pool.take(), BOUND)
    worker.order(start(tmp_path, events=2))
    assert (await hear(worker))[-1]["type"] == "run.completed"
    assert await worker.exit_code() == 0
    worker.close()
    await pool.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such descriptors")
async def test_a_process_that_cannot_be_watched_is_not_left_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []

    def full(pid: int) -> int:
        opened.append(pid)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("sidecar.pool.spawn._has_pidfd", lambda: True)
    monkeypatch.setattr(os, "pidfd_open", full)
    pool = SpawnPool(settings, program="synthetic")
    with pytest.raises(OSError, match="Too many open files"):
        await pool._make()
    assert gone(opened[0], patience=0)
    await pool.stop()


async def test_spawned_workers_that_are_killed_while_they_are_idle_are_replaced(
    pool: SpawnPool,
) -> None:
    for _ in range(2):
        (idle,) = await idle_of(pool)
        idle.signal(KILL)
        await asyncio.wait_for(idle.exit_code(), BOUND)
        await settle()
    assert idle not in await idle_of(pool)
    assert pool.ready
