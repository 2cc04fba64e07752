"""What runs are chosen by in SQLite: a row each, apart from their snapshots (database.py)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from sidecar.log.base import StoredRun
from sidecar.log.database import FORGOTTEN
from sidecar.log.words import words_of
from sidecar.protocol import LIVE_STATES

__all__ = ["chosen", "enter", "tally"]

Query = Callable[..., list[Any]]

_AT_ONCE: Final = 500
"""Rows that are looked through, in about a millisecond, until others have their turn."""

_NEWEST: Final = (1 << 63) - 1


def enter(db: sqlite3.Connection, key: int, snapshot: Mapping[str, Any]) -> None:
    """The run of that key begins; what it is chosen by doesn't change any more."""
    row = (key, snapshot.get("crew", ""), words_of(snapshot))
    db.execute("INSERT INTO listed (key, crew, words) VALUES (?, ?, ?)", row)


async def chosen(
    query: Query,
    wanted: Callable[[StoredRun], bool] | None,
    limit: int,
    states: Sequence[str] | None,
    thread: str | None,
    before: str | None,
) -> AsyncIterator[int]:
    """Keys of the runs that `LogStore.snapshots` is asked for, newest first, and `limit` at once
    where each is wanted."""
    which, values = _which(states, thread)
    last = _NEWEST if before is None else _place(query, before)
    if wanted is None:
        sql = f"SELECT key FROM runs r WHERE {which} AND key < ? ORDER BY key DESC LIMIT ?"
        while keys := query(sql, *values, last, limit):
            for (last,) in keys:
                yield last
        return
    async for key, stored in _rows(query, which, values, last):
        if wanted(stored):
            yield key


async def tally(
    query: Query, told: Callable[[StoredRun], str | None] | None = None
) -> Counter[str]:
    """As `LogStore.tally`."""
    if told is None:
        sql = "SELECT state, count(*) FROM runs WHERE state != ? GROUP BY state"
        return Counter(dict(query(sql, FORGOTTEN)))
    counted = Counter[str]()
    async for _, stored in _rows(query, *_which(None, None), _NEWEST):
        if (what := told(stored)) is not None:
            counted[what] += 1
    return counted


async def _rows(
    query: Query, which: str, values: Sequence[str], last: int
) -> AsyncIterator[tuple[int, StoredRun]]:
    # One reading after the other: one that stays open keeps the write-ahead log from beginning
    # anew.
    while True:
        rows = query(
            "SELECT r.key, r.run, r.state, l.crew, l.words, coalesce(t.title, '')"
            " FROM runs r JOIN listed l ON l.key = r.key LEFT JOIN threads t ON t.key = r.thread"
            f" WHERE {which} AND r.key < ? ORDER BY r.key DESC LIMIT ?",
            *values,
            last,
            _AT_ONCE,
        )
        for last, *stored in rows:
            yield last, StoredRun(*stored)
        if len(rows) < _AT_ONCE:
            return
        await asyncio.sleep(0)


def _which(states: Sequence[str] | None, thread: str | None) -> tuple[str, list[str]]:
    if states is None:
        which, values = "+r.state != ?", [FORGOTTEN]
    else:
        # By the state where those are few, or come in the order that is asked for; else all of
        # them would be sorted for each few.
        plus = "" if len(states) == 1 or LIVE_STATES.issuperset(states) else "+"
        which, values = f"{plus}r.state IN ({','.join('?' * len(states))})", list(states)
    if thread is not None:
        which = f"r.thread = (SELECT key FROM threads WHERE thread = ?) AND +{which}"
        values.insert(0, thread)
    return which, values


def _place(query: Query, run: str) -> int:
    """A key below which all are older than that run."""
    for (key,) in query("SELECT key FROM runs WHERE run = ?", run):
        return int(key)
    ((key,),) = query("SELECT coalesce(max(key), 0) + 1 FROM runs WHERE run < ?", run)
    return int(key)
