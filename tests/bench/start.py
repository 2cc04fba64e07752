"""How long from a `start`'s ack to the crew's first event, against a fresh `python -m crew.run`.

    python -m tests.bench.start [--runs 20] [--fresh 5]

Both take the same brief with the offline model at no delay, in alternation, on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.sidecar import ROOT, Sidecar, clean_environment

BRIEF = {"message": "a tea shop opens"}
FIRST = {"sidecar": ("run.started", "task.started", "llm.delta")}


async def one_run(sidecar: Sidecar) -> dict[str, float]:
    """Milliseconds from the ack to the first event of each kind, seen by a WebSocket client."""
    marks: dict[str, float] = {}
    async with sidecar.client("ws") as crew:
        await crew.runs(limit=1)
        run = await crew.start(BRIEF)
        acked = time.perf_counter()
        async for event in crew.follow(run):
            if event["type"] in FIRST["sidecar"] and event["type"] not in marks:
                marks[event["type"]] = (time.perf_counter() - acked) * 1000
    return marks


def one_fresh(environ: dict[str, str]) -> float:
    """Milliseconds from spawning `python -m crew.run` to its first line of progress."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "crew.run", BRIEF["message"]],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b'"progress"' in line:
                break
        elapsed = (time.perf_counter() - began) * 1000
        process.kill()
    return elapsed


def launch(data: Path) -> tuple[Sidecar, float]:
    began = time.perf_counter()
    sidecar = Sidecar(data, OFFLINE_TOKEN_MS="0").start(until_ready=False)
    return sidecar, (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--fresh", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        launches = []
        for n in range(5):
            sidecar, took = launch(Path(folder) / f"launch{n}")
            launches.append(took)
            sidecar.stop()
        sidecar, took = launch(Path(folder) / "data")
        launches.append(took)
        sidecar.wait_until_ready()
        warm: list[dict[str, float]] = []
        fresh: list[float] = []
        environ = clean_environment(OFFLINE_TOKEN_MS="0")
        for n in range(arguments.runs):
            warm.append(asyncio.run(one_run(sidecar)))
            if n % max(1, arguments.runs // arguments.fresh) == 0:
                fresh.append(one_fresh(environ))
        sidecar.stop()
    print(f"launch to ready line       median {statistics.median(launches):8.1f} ms")
    for name in FIRST["sidecar"]:
        told = [marks[name] for marks in warm]
        print(
            f"ack to {name:19} median {statistics.median(told):8.1f} ms"
            f"   max {max(told):8.1f} ms   n={len(told)}"
        )
    median = statistics.median(fresh)
    first = statistics.median([marks["run.started"] for marks in warm])
    task = statistics.median([marks["task.started"] for marks in warm])
    print(f"fresh python -m crew.run   median {median:8.1f} ms   n={len(fresh)}")
    print(
        f"warm is {median / first:.0f} x faster to run.started, {median / task:.0f} x to the task"
    )


if __name__ == "__main__":
    main()
