"""How long from a `start`'s ack to the crew's first event, against a fresh `python -m crew.run`.

Both take the same brief with the offline model at no delay, in alternation.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure, Result, at_least, at_most
from tests.bench.sizes import Sizes
from tests.support.sidecar import ROOT, Sidecar, clean_environment

__all__ = ["measure"]

BRIEF = {"message": "a tea shop opens"}
FIRST = ("run.started", "task.started", "llm.delta")


async def _one_run(sidecar: Sidecar) -> dict[str, float]:
    """Milliseconds from the ack to the first event of each kind, seen by a WebSocket client."""
    marks: dict[str, float] = {}
    async with sidecar.client("ws") as crew:
        await crew.command("ping")
        run = await crew.start(BRIEF)
        acked = time.perf_counter()
        async for event in crew.follow(run):
            if event["type"] in FIRST and event["type"] not in marks:
                marks[event["type"]] = (time.perf_counter() - acked) * 1000
    return marks


def _one_fresh(environ: dict[str, str]) -> float:
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


def _launch(data: Path) -> float:
    """Milliseconds from spawning `python -m sidecar` to its ready line."""
    began = time.perf_counter()
    sidecar = Sidecar(data).start(until_ready=False)
    elapsed = (time.perf_counter() - began) * 1000
    sidecar.stop()
    return elapsed


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        launches = [_launch(Path(folder) / f"launch{n}") for n in range(sizes.rounds)]
        warm: list[dict[str, float]] = []
        fresh: list[float] = []
        sidecar = Sidecar(Path(folder) / "data", OFFLINE_TOKEN_MS="0")
        try:
            sidecar.start()
            for n in range(sizes.starts):
                warm.append(asyncio.run(_one_run(sidecar)))
                if n % (sizes.starts // sizes.fresh) == 0:
                    fresh.append(_one_fresh(clean_environment(OFFLINE_TOKEN_MS="0")))
        finally:
            sidecar.stop()
    figures = [Figure("start", "sidecar", "launch to ready line", "ms", launches)]
    figures += [
        Figure("start", "sidecar, warm", f"ack to {name}", "ms", [marks[name] for marks in warm])
        for name in FIRST
    ]
    alone = Figure("start", "fresh crew.run", "to its first progress", "ms", fresh)
    task = figures[1 + FIRST.index("task.started")]
    say(f"start: {task.median:.1f} ms warm, {alone.median:.0f} ms fresh")
    return Result(
        [*figures, alone],
        [
            at_most("start to the crew's first event, warm", 40, task.median, "ms"),
            at_least("… times faster than a fresh process", 80, alone.median / task.median, "×"),
        ],
    )
