"""How fast a crew obeys: pause and cancel while a model streams, cancel in a tool, a killed worker.

The offline model and a model server on loopback HTTP both give a token every 20 ms.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecar.client.client import CrewClient
from tests.bench.figures import Figure, Result
from tests.bench.sizes import Sizes
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Frame, Sidecar, descendants

__all__ = ["measure"]

BRIEF = {"message": "a tea shop opens"}
PACE = {"OFFLINE_TOKEN_MS": "20", "OFFLINE_TOKENS": "500"}
Times = dict[str, list[float]]


async def streaming(crew: CrewClient, model: str, runs: int) -> Times:
    """Milliseconds from a client's command to the event that says it has happened."""
    paused: list[float] = []
    cancelled: list[float] = []
    for _ in range(runs):
        run = await crew.start(BRIEF)
        began = 0.0
        async for event in crew.follow(run):
            if event["type"] == "llm.delta" and not began:
                began = time.perf_counter()
                await crew.pause(run)
            elif event["type"] == "run.paused":
                paused.append((time.perf_counter() - began) * 1000)
                await crew.resume(run)
            elif event["type"] == "run.resumed":
                began = time.perf_counter()
                await crew.cancel(run)
            elif event.get("final"):
                _require(event, "run.cancelled")
                cancelled.append((time.perf_counter() - began) * 1000)
    return {f"pause to run.paused, {model}": paused, f"cancel to the end, {model}": cancelled}


async def in_tool(crew: CrewClient, tool: str, runs: int) -> Times:
    took = []
    for _ in range(runs):
        run = await crew.start(BRIEF)
        began = 0.0
        async for event in crew.follow(run):
            if event["type"] == "log" and not began:
                began = time.perf_counter()
                await crew.cancel(run)
            elif event.get("final"):
                _require(event, "run.cancelled")
                took.append((time.perf_counter() - began) * 1000)
    return {f"cancel to the end, {tool} tool": took}


async def killed(crew: CrewClient, sidecar: Sidecar, runs: int) -> Times:
    took = []
    for _ in range(runs):
        await asyncio.to_thread(sidecar.wait_until_ready)
        warm = {pid for pid in descendants(sidecar.pid) if not descendants(pid)}
        run = await crew.start(BRIEF)
        began = 0.0
        async for event in crew.follow(run):
            if event["type"] == "llm.delta" and not began:
                began = time.perf_counter()
                for pid in warm:
                    os.kill(pid, signal.SIGKILL)
            elif event.get("final"):
                _require(event, "run.failed")
                took.append((time.perf_counter() - began) * 1000)
    return {"SIGKILL to run.failed": took}


def _require(event: Frame, type: str) -> None:
    if event["type"] != type:
        raise SystemExit(f"expected {type}, got {event}")


@contextmanager
def _sidecar(**environ: str) -> Iterator[Sidecar]:
    with tempfile.TemporaryDirectory() as folder:
        sidecar = Sidecar(Path(folder) / "data", **environ).start()
        try:
            yield sidecar
        finally:
            sidecar.stop()


async def _measure(runs: int) -> Times:
    times: Times = {}
    few = max(3, runs // 4)
    with _sidecar(**PACE) as sidecar:
        async with sidecar.client("ws") as crew:
            times |= await streaming(crew, "offline model", runs)
            times |= await killed(crew, sidecar, few)
    script = Script(tokens=tuple(f"word{n} " for n in range(500)), delay=0.02)
    with OpenAIServer(script) as server:
        key = {"CREW_MODEL": "", "OPENAI_API_KEY": "sk-bench-0123456789"}
        with _sidecar(**key, OPENAI_BASE_URL=server.base_url) as sidecar:
            async with sidecar.client("ws") as crew:
                times |= await streaming(crew, "HTTP model", runs)
    for tool in ("stubborn", "spinner"):
        with _sidecar(SIDECAR_CREW=f"tests.support.crews:{tool}") as sidecar:
            async with sidecar.client("ws") as crew:
                times |= await in_tool(crew, tool, few)
    return times


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    times = asyncio.run(_measure(sizes.controls))
    figures = [Figure("controls", "sidecar", what, "ms", took) for what, took in times.items()]
    for figure in figures:
        say(f"{figure.what}: {figure.median:.1f} ms")
    return Result(figures)
