"""The SQLite file of the log: its tables, how it is opened, and what its errors mean."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import Any, Final, TypeGuard

import orjson

from sidecar.errors import StoreError
from sidecar.log.words import words_of

__all__ = [
    "FORGOTTEN",
    "SCHEMA_VERSION",
    "SEQ_BITS",
    "WAL_BYTES",
    "checkpoint",
    "connect",
    "in_words",
    "is_trouble",
    "places",
    "snapshot_of",
]

logger = logging.getLogger("sidecar.log")

# An event's place is its run's key and its seq in one integer, so that the table is one b-tree in
# reading order and needs no second index.
SEQ_BITS: Final = 36
_STEPS: Final = (
    """
CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    first INTEGER NOT NULL,
    state TEXT NOT NULL,
    snapshot BLOB NOT NULL
);
CREATE INDEX runs_by_state ON runs (state, key);
CREATE TABLE events (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE acks (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    body BLOB NOT NULL
);
""",
    # A thread is there for as long as a run of it is.
    """
CREATE TABLE threads (
    key INTEGER PRIMARY KEY,
    thread TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL
);
CREATE INDEX threads_by_update ON threads (updated, key);
ALTER TABLE runs ADD COLUMN thread INTEGER;
CREATE INDEX runs_by_thread ON runs (thread) WHERE thread IS NOT NULL;
CREATE TRIGGER threads_end AFTER UPDATE OF thread ON runs
WHEN OLD.thread IS NOT NULL AND NEW.thread IS NULL
BEGIN
    DELETE FROM threads WHERE key = OLD.thread
        AND NOT EXISTS (SELECT 1 FROM runs WHERE thread = OLD.thread);
END;
UPDATE runs SET snapshot = CAST(
    substr(snapshot, 1, length(snapshot) - 1) || ',"thread":null,"after":null}' AS BLOB)
WHERE length(snapshot) > 2 AND substr(snapshot, -1) = x'7d';
""",
    """
UPDATE runs SET snapshot = CAST(
    substr(snapshot, 1, length(snapshot) - 1) || ',"forked":null}' AS BLOB)
WHERE length(snapshot) > 2 AND substr(snapshot, -1) = x'7d';
""",
    # What runs are chosen by, apart from their snapshots, of which one may fill fifty pages.
    """
CREATE TABLE listed (key INTEGER PRIMARY KEY, crew TEXT NOT NULL, words TEXT NOT NULL);
INSERT INTO listed SELECT key, crew_of(snapshot), words_of(snapshot) FROM runs
    WHERE state != 'forgotten';
CREATE TRIGGER listed_end AFTER UPDATE OF state ON runs WHEN NEW.state = 'forgotten'
BEGIN
    DELETE FROM listed WHERE key = NEW.key;
END;
""",
)
"""What each version of the schema adds to the one before: a log of an older one gets what it lacks.
"""

SCHEMA_VERSION: Final = len(_STEPS)

WAL_BYTES: Final = 16 * 1024 * 1024
"""A WAL longer than this begins anew at the next checkpoint. At 5,000 events/s it is 30 MB then;
unbounded it was 850 MB after a minute, with an index of 1.6 MB in memory."""

FORGOTTEN: Final = "forgotten"
"""State of a run that is there for nobody any more, while its events are still being deleted."""

_BUSY_SECONDS: Final = 0.05
"""How long a commit may wait for somebody else's lock; the event loop waits with it."""


def places(key: int) -> tuple[int, int]:
    """Lowest (exclusive of seq 1) and highest place of a run."""
    low = key << SEQ_BITS
    return low, low + (1 << SEQ_BITS) - 1


def connect(path: Path) -> sqlite3.Connection:
    """The log at `path`, made if there is none. Raises StoreError, sqlite3.Error."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            logger.warning(
                "%s: no write-ahead log is possible there (journal_mode is %s), as on a network or "
                "a shared folder: each event waits for the disk. Choose a folder on a local disk "
                "with SIDECAR_DATA",
                path,
                mode,
            )
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if 0 <= version < SCHEMA_VERSION:
            db.create_function("crew_of", 1, lambda body: str(snapshot_of(body).get("crew", "")))
            db.create_function("words_of", 1, lambda body: words_of(snapshot_of(body)))
            steps = "".join(_STEPS[version:])
            db.executescript(f"BEGIN; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer version of the sidecar "
                f"(schema {version}, this one knows {SCHEMA_VERSION}): move it away, "
                "or choose another folder with SIDECAR_DATA"
            )
    except BaseException:
        db.close()
        raise
    return db


def snapshot_of(body: bytes) -> dict[str, Any]:
    """A run's snapshot as it was stored; {} of a damaged row, which must not hide the others."""
    with contextlib.suppress(orjson.JSONDecodeError):
        snapshot = orjson.loads(body)
        if isinstance(snapshot, dict) and "run" in snapshot:
            return snapshot
    return {}


_TROUBLE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Result codes of the storage (sqlite.org/rescode.html). All others are of what we asked for."""


def is_trouble(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Whether somebody can mend it from outside; else the same write would fail for ever."""
    code = getattr(error, "sqlite_errorcode", None)  # a closed connection's error has none
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _TROUBLE


def in_words(error: sqlite3.Error) -> str:
    """The error for a person, with what to do about it where that is known."""
    text = str(error)
    return f"{text} ({fix})" if (fix := _FIXES.get(text)) else text


_FIXES: Final = {
    "database or disk is full": "free some space, or choose another folder with SIDECAR_DATA",
    "database is locked": "another program holds it open for writing",
    "attempt to write a readonly database": "the folder or the file can only be read",
    "disk I/O error": "the disk has trouble; see the system's log",
}


def checkpoint(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
