"""Workers: one child process per run, and the pool that has one warm before it is needed.

Both kinds speak the vocabulary of `sidecar.channel` over a socketpair and run one run each:

- fork: a zygote process imports crewai once and forks a worker on request (20-70 ms); Linux.
- spawn: each worker is a fresh process that imported crewai ahead of need (4-5 s, hidden while it
  is warm); anywhere, since fork is unsafe or missing on macOS and Windows.

The gateway itself never imports crewai; it knows `crew` only as a command line.
"""

from __future__ import annotations

from sidecar.settings import Settings
from sidecar.workers.fork import ForkPool
from sidecar.workers.pool import Pool, WorkerLost
from sidecar.workers.spawn import SpawnPool
from sidecar.workers.worker import KILL, Worker

__all__ = ["KILL", "Pool", "Worker", "WorkerLost", "make_pool", "make_synthetic_pool"]


def make_pool(settings: Settings) -> Pool:
    return ForkPool(settings) if settings.workers == "fork" else SpawnPool(settings)


def make_synthetic_pool(settings: Settings) -> Pool | None:
    """Of the crew that is for measuring (SIDECAR_SYNTHETIC); it needs no CrewAI, so that its
    workers start in a tenth of a second."""
    return SpawnPool(settings, module="crew.synthetic") if settings.synthetic else None
