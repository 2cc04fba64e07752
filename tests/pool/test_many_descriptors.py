"""Workers of a gateway with more than a thousand streams: what they inherit has high numbers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.pool.fork import ForkPool
from sidecar.pool.spawn import SpawnPool
from sidecar.settings import Settings
from tests.pool.talk import BOUND, hear, start
from tests.support import light

if sys.platform == "win32":
    pytest.skip("Windows inherits no descriptors", allow_module_level=True)

import resource

FD_SETSIZE = 1024
"""What select(2) can take."""


@pytest.fixture
def crowded() -> Iterator[None]:
    """This process has so many files open that the next one is beyond select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * FD_SETSIZE:
        pytest.skip(f"no more than {hard} files can be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * FD_SETSIZE), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] <= FD_SETSIZE:
        opened.append(os.dup(opened[0]))
    yield
    for one in opened:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", ["fork", "spawn"])
@pytest.mark.usefixtures("crowded")
async def test_workers_of_a_gateway_with_a_thousand_streams_do_their_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    if kind == "fork" and sys.platform != "linux":
        pytest.skip("fork is for Linux")
    monkeypatch.setattr("sidecar.pool.fork.command", light.command)
    pool = ForkPool(settings) if kind == "fork" else SpawnPool(settings, program="synthetic")
    pool.start()
    for number in range(2):
        worker = await asyncio.wait_for(pool.take(), BOUND)
        worker.order(start(tmp_path / str(number), events=2))
        assert (await asyncio.wait_for(hear(worker), BOUND))[-1]["type"] == "run.completed"
        worker.close()
    await pool.stop()
