"""What a gateway and the crew `synthetic` say to each other, as far as the pool is concerned."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sidecar.channel import Order
from sidecar.pool import Pool, Worker
from tests.worker.harness import spec_for

__all__ = ["BOUND", "hear", "idle_of", "start"]

BOUND = 30.0
"""Seconds before a test gives up: a bound, never a wait."""


def start(folder: Path, **inputs: Any) -> Order:
    return {"order": "start", "spec": spec_for(folder, inputs={"delay": 0, **inputs})}


async def idle_of(pool: Pool) -> list[Worker]:
    """The idle workers, once there are any."""
    async with asyncio.timeout(BOUND):
        while not pool._idle:
            makers = set(pool._makers._running)
            await (asyncio.wait(makers) if makers else asyncio.sleep(0.01))
    return list(pool._idle)


async def hear(worker: Worker) -> list[dict[str, Any]]:
    """All that a worker says until it has closed its channel."""
    said: list[dict[str, Any]] = []
    while lines := await worker.facts():
        said += [json.loads(line) for line in lines]
    return said
