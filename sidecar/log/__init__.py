"""Log kinds: memory and sqlite, behind one interface. `make_store` picks by SIDECAR_LOG."""

from __future__ import annotations

from sidecar.log.base import Log, LogStore, StoredAck
from sidecar.log.memory import MemoryStore
from sidecar.log.sqlite import SqliteStore
from sidecar.settings import Settings

__all__ = ["Log", "LogStore", "StoredAck", "make_store"]


def make_store(settings: Settings) -> LogStore:
    if settings.log == "memory":
        return MemoryStore(retain=settings.retain, keep_runs=settings.keep_runs)
    return SqliteStore(
        settings.data / "log.sqlite3", retain=settings.retain, keep_runs=settings.keep_runs
    )
