from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.faults.gateway import Gateway

StartGateway = Callable[..., Awaitable[Gateway]]

_ids = count(1)


@pytest.fixture
async def start_gateway(tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Gateways with the synthetic crew and no CrewAI: `await start_gateway(SIDECAR_PING="1")`."""
    gateways: list[Gateway] = []

    async def start(data: Path | None = None, **environ: str) -> Gateway:
        settings = {"SIDECAR_SYNTHETIC": "1", "SIDECAR_WARM": "0", **environ}
        gateway = Gateway(data or tmp_path / "data", **settings)
        gateways.append(gateway)
        await gateway.start()
        return gateway

    yield start
    for gateway in gateways:
        await gateway.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """No limit to connections, none kept open, and no limit to what a read may take."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        yield http


async def begin(session: aiohttp.ClientSession, gateway: Gateway, **inputs: float) -> str:
    """Start a synthetic run; its id."""
    body = {"id": f"begin-{next(_ids)}", "crew": "synthetic", "inputs": inputs}
    async with session.post(f"{gateway.url}/runs", json=body) as response:
        ack = await response.json()
    assert ack["ok"], ack
    run: str = ack["run"]
    return run
