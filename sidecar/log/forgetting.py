"""Runs that are too many are forgotten in SQLite: at once for everybody, and then deleted bit by
bit, so that the loop never stands still for long."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from sidecar.log.database import FORGOTTEN, places
from sidecar.log.health import Health
from sidecar.protocol import FINAL_STATES

__all__ = ["Forgetting"]

_FINAL: Final = "('" + "','".join(sorted(FINAL_STATES)) + "')"
_AT_ONCE: Final = 16
"""Runs, within a commit."""
_MOST_EVENTS: Final = 512
_MOST_BYTES: Final = 512 * 1024
"""Most that is deleted in one go, with which the loop stands still for about a millisecond; some
builds of SQLite write zeros over it (secure_delete)."""
_PAUSE_SECONDS: Final = 0.005


class _Left(NamedTuple):
    """A forgotten run, `bare` of events."""

    key: int
    run: str
    bare: bool


class Forgetting:
    """Keeps `keep` finished runs (0 = all); `told` hears of each that nothing is left of but its
    name, which goes once `told` is done."""

    def __init__(
        self,
        keep: int,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        health: Health,
        told: Callable[[str], asyncio.Future[None]],
    ) -> None:
        self._keep = keep
        self._transaction = transaction
        self._health = health
        self._told = told
        self._due = asyncio.Event()
        self._due.set()

    def forget_oldest(self, db: sqlite3.Connection) -> int:
        """Forget finished runs beyond the bound, oldest first and a few at once; how many. Their
        events go later (`_sweep`): to delete 60,000 takes 40 ms."""
        ((finished,),) = db.execute(f"SELECT count(*) FROM runs WHERE state IN {_FINAL}")
        surplus = finished - self._keep if self._keep else 0
        # By the key, which begins with the oldest; by the state, all of them would be sorted.
        return len(self._forget(db, min(surplus, _AT_ONCE), "TRUE")) if surplus > 0 else 0

    def forget(
        self, db: sqlite3.Connection, *, run: str | None = None, thread: str | None = None
    ) -> list[str]:
        """Forget that run, or the oldest of the thread, a few at once, as far as they are finished;
        which they were."""
        if run is not None:
            return self._forget(db, 1, "run = ?", run)
        of_thread = "thread = (SELECT key FROM threads WHERE thread = ?)"
        return self._forget(db, _AT_ONCE, of_thread, thread)

    def _forget(self, db: sqlite3.Connection, most: int, which: str, *values: object) -> list[str]:
        """The oldest of the finished runs that `which` chooses: `most`, and no more than have
        `_MOST_BYTES` of snapshots, unless it is one."""
        keys, runs, size = list[int](), list[str](), 0
        with contextlib.closing(
            db.execute(
                f"SELECT key, run, length(snapshot) FROM runs WHERE {which}"
                f" AND +state IN {_FINAL} ORDER BY key LIMIT ?",
                (*values, most),
            )
        ) as rows:
            for key, run, length in rows:
                size += length
                if size > _MOST_BYTES and keys:
                    break
                keys.append(key)
                runs.append(run)
        # Without the snapshot, of which rewriting the row would copy all.
        db.executemany(
            f"UPDATE runs SET state = '{FORGOTTEN}', snapshot = x'', thread = NULL WHERE key = ?",
            [(key,) for key in keys],
        )
        if keys:
            self._due.set()
        return runs

    async def carry_out(self) -> None:
        """Delete what is forgotten, without an end; also what was begun before a kill -9, and what
        a lower bound makes too much."""

        async def some() -> None:
            with self._transaction() as db:
                oldest = self._sweep(db)
                if oldest is not None or self.forget_oldest(db):
                    self._due.set()
            if oldest is None or not oldest.bare:
                return
            removal = self._told(oldest.run)
            await asyncio.wait({removal})
            if removal.cancelled():
                return
            with self._transaction() as db:
                db.execute("DELETE FROM runs WHERE key = ?", (oldest.key,))

        while True:
            await self._due.wait()
            self._due.clear()
            await self._health.persist(some, lambda: None)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _sweep(self, db: sqlite3.Connection) -> _Left | None:
        """Delete some of what is left of a forgotten run, if there is one."""
        oldest = db.execute(
            "SELECT key, run FROM runs WHERE state = ? ORDER BY key LIMIT 1", (FORGOTTEN,)
        ).fetchone()
        if oldest is None:
            return None
        key, run = oldest
        low, high = places(key)
        size = 0
        doomed = [low]
        with contextlib.closing(
            db.execute(
                "SELECT place, length(body) FROM events WHERE place BETWEEN ? AND ?"
                " ORDER BY place LIMIT ?",
                (low, high, _MOST_EVENTS),
            )
        ) as rows:
            for place, length in rows:
                doomed.append(place)
                size += length
                if size > _MOST_BYTES:
                    break
        db.execute("DELETE FROM events WHERE place BETWEEN ? AND ?", (low, doomed[-1]))
        return _Left(key, run, bare=len(doomed) == 1)
