"""Threads in SQLite: a row each, there for as long as a run of it is (database.py, threads_end)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from sidecar.log.base import StoredThread

__all__ = ["enter", "find", "page", "touch"]

Query = Callable[..., list[Any]]

_ROWS: Final = """
SELECT t.key, t.thread, t.title, t.created, t.updated,
    (SELECT count(*) FROM runs WHERE thread = t.key), newest.run, newest.state
FROM threads t JOIN runs newest
    ON newest.key = (SELECT max(key) FROM runs WHERE thread = t.key)
"""


def enter(db: sqlite3.Connection, thread: str, title: str, at: float) -> int:
    """The key of the thread, to which a run comes `at` that time (Unix ms); made with `title` where
    there is none."""
    touch(db, thread, at)
    rows = db.execute("SELECT key FROM threads WHERE thread = ?", (thread,)).fetchall()
    for (key,) in rows:
        return int(key)
    made = db.execute(
        "INSERT INTO threads (thread, title, created, updated) VALUES (?, ?, ?, ?)",
        (thread, title, at, at),
    ).lastrowid
    assert made is not None
    return made


def touch(db: sqlite3.Connection, thread: str, at: float) -> None:
    # Clocks are set back too; the order of what was updated is not.
    db.execute("UPDATE threads SET updated = max(updated, ?) WHERE thread = ?", (at, thread))


def find(query: Query, thread: str) -> tuple[StoredThread, int] | None:
    """The thread and its key."""
    rows = query(f"{_ROWS} WHERE t.thread = ?", thread)
    return (StoredThread(*rows[0][1:]), rows[0][0]) if rows else None


def page(query: Query, limit: int, before: str | None) -> list[StoredThread] | None:
    """As `LogStore.threads`."""
    where, values = "", tuple[float, ...]()
    if before is not None:
        if (last := find(query, before)) is None:
            return None
        where, values = "WHERE (t.updated, t.key) < (?, ?)", (last[0].updated, last[1])
    rows = query(f"{_ROWS} {where} ORDER BY t.updated DESC, t.key DESC LIMIT ?", *values, limit)
    return [StoredThread(*row[1:]) for row in rows]
