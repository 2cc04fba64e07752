"""The log and those who read it::

base, memory, sqlite   a run's append-only sequence, and the store that holds all of them
health                 whether the storage can be written
database, forgetting, threads   of SQLite: its file, what is forgotten in it, and conversations
words                  what a run is found by
feed                   one log's readers, each a cursor and a transport
"""

from __future__ import annotations

from sidecar.log.base import Log, LogStore, StoredAck, StoredRun, StoredThread
from sidecar.log.feed import (
    CutShort,
    Feed,
    Subscription,
    Transport,
    resolve_cursor,
)
from sidecar.log.memory import MemoryStore
from sidecar.log.sqlite import SqliteStore
from sidecar.settings import Settings

__all__ = [
    "CutShort",
    "Feed",
    "Log",
    "LogStore",
    "StoredAck",
    "StoredRun",
    "StoredThread",
    "Subscription",
    "Transport",
    "make_store",
    "resolve_cursor",
]


def make_store(settings: Settings) -> LogStore:
    """The kind that SIDECAR_LOG names."""
    if settings.log == "memory":
        return MemoryStore(retain=settings.retain, keep_runs=settings.keep_runs)
    return SqliteStore(
        settings.data / "log.sqlite3", retain=settings.retain, keep_runs=settings.keep_runs
    )
