"""Workers: one child process per run, and the pool that has one warm before it is needed.

Both kinds speak the vocabulary of `sidecar.channel` over a socketpair and run one run each:

- fork: a zygote process imports crewai once and forks a worker on request (20-70 ms); Linux.
- spawn: each worker is a fresh process that imported crewai ahead of need (4-5 s, hidden while it
  is warm); anywhere, since fork is unsafe or missing on macOS and Windows.

The gateway itself never imports crewai; it knows the worker only as a command line.
"""

from __future__ import annotations

from sidecar.pool.child import KILL, Worker
from sidecar.pool.fork import ForkPool
from sidecar.pool.pool import CannotImport, Pool, WorkerLost, command
from sidecar.pool.spawn import SpawnPool
from sidecar.settings import Settings

__all__ = [
    "KILL",
    "CannotImport",
    "Pool",
    "Worker",
    "WorkerLost",
    "command",
    "make_pool",
    "make_synthetic_pool",
]


def make_pool(settings: Settings) -> Pool:
    return ForkPool(settings) if settings.workers == "fork" else SpawnPool(settings)


def make_synthetic_pool(settings: Settings) -> Pool | None:
    """Of the crew that is for measuring (SIDECAR_SYNTHETIC); it needs no CrewAI, so that its
    workers start in a tenth of a second."""
    return SpawnPool(settings, program="synthetic") if settings.synthetic else None
