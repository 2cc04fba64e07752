"""How fast a crew that streams 20 ms tokens obeys: pause, cancel, and a worker that is killed.

python -m tests.bench.controls [--runs 20]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from sidecar.client import CrewClient
from tests.support.sidecar import Frame, Sidecar, descendants

BRIEF = {"message": "a tea shop opens"}


async def measure(sidecar: Sidecar, runs: int) -> dict[str, list[float]]:
    """Milliseconds from the client's command, or the kill, to the event it leads to."""
    took: dict[str, list[float]] = {"pause to run.paused": [], "cancel to the final event": []}
    took["SIGKILL to run.failed"] = []
    async with sidecar.client("ws") as crew:
        for _ in range(runs):
            await _pause_and_cancel(crew, took)
        for _ in range(max(3, runs // 4)):
            await _kill(crew, sidecar, took)
    return took


async def _pause_and_cancel(crew: CrewClient, took: dict[str, list[float]]) -> None:
    run = await crew.start(BRIEF)
    began = 0.0
    async for event in crew.follow(run):
        if event["type"] == "llm.delta" and not began:
            began = time.perf_counter()
            await crew.pause(run)
        elif event["type"] == "run.paused":
            took["pause to run.paused"].append((time.perf_counter() - began) * 1000)
            await crew.resume(run)
        elif event["type"] == "run.resumed":
            began = time.perf_counter()
            await crew.cancel(run)
        elif event.get("final"):
            _require(event, "run.cancelled")
            took["cancel to the final event"].append((time.perf_counter() - began) * 1000)


async def _kill(crew: CrewClient, sidecar: Sidecar, took: dict[str, list[float]]) -> None:
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
            took["SIGKILL to run.failed"].append((time.perf_counter() - began) * 1000)


def _require(event: Frame, type: str) -> None:
    if event["type"] != type:
        raise SystemExit(f"expected {type}, got {event}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pace = {"OFFLINE_TOKEN_MS": "20", "OFFLINE_TOKENS": "500"}
        sidecar = Sidecar(Path(folder) / "data", **pace).start()
        took = asyncio.run(measure(sidecar, arguments.runs))
        sidecar.stop()
    for name, times in took.items():
        print(
            f"{name:26} median {statistics.median(times):7.1f} ms"
            f"   max {max(times):7.1f} ms   n={len(times)}"
        )


if __name__ == "__main__":
    main()
