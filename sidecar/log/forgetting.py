"""Runs that are too many are forgotten in SQLite: at once for everybody, and then deleted bit by
bit, so that the loop never stands still for long."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from sidecar.log.database import FORGOTTEN, places
from sidecar.log.health import Health
from sidecar.protocol import FINAL_STATES

__all__ = ["Forgetting"]

_AT_ONCE: Final = 16
"""Runs, within a commit."""
_MOST_EVENTS: Final = 512
_MOST_BYTES: Final = 512 * 1024
"""Most that is deleted in one go, with which the loop stands still for about a millisecond."""
_PAUSE_SECONDS: Final = 0.005


class Forgetting:
    """Keeps `keep` finished runs (0 = all); `told` hears of each that is gone."""

    def __init__(
        self,
        keep: int,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        health: Health,
        told: Callable[[str], None],
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
        marks = ",".join("?" * len(FINAL_STATES))
        ((finished,),) = db.execute(
            f"SELECT count(*) FROM runs WHERE state IN ({marks})", (*FINAL_STATES,)
        )
        surplus = finished - self._keep if self._keep else 0
        if surplus <= 0:
            return 0
        # By the key, which begins with the oldest; by the state, all of them would be sorted.
        forgotten = db.execute(
            f"UPDATE runs SET state = '{FORGOTTEN}' WHERE key IN"
            f" (SELECT key FROM runs WHERE +state IN ({marks}) ORDER BY key LIMIT ?)",
            (*FINAL_STATES, min(surplus, _AT_ONCE)),
        ).rowcount
        self._due.set()
        return forgotten

    async def carry_out(self) -> None:
        """Delete what is forgotten, without an end; also what was begun before a kill -9, and what
        a lower bound makes too much."""

        async def some() -> None:
            with self._transaction() as db:
                swept, gone = self._sweep(db)
                if swept or self.forget_oldest(db):
                    self._due.set()
            if gone is not None:
                self._told(gone)

        while True:
            await self._due.wait()
            self._due.clear()
            await self._health.persist(some, lambda: None)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _sweep(self, db: sqlite3.Connection) -> tuple[bool, str | None]:
        """Delete some of what is left of a forgotten run; whether there was one, and which it was
        if nothing of it is left."""
        oldest = db.execute(
            "SELECT key, run FROM runs WHERE state = ? ORDER BY key LIMIT 1", (FORGOTTEN,)
        ).fetchone()
        if oldest is None:
            return False, None
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
        if len(doomed) == 1:
            db.execute("DELETE FROM runs WHERE key = ?", (key,))
            return True, run
        db.execute("DELETE FROM events WHERE place BETWEEN ? AND ?", (low, doomed[-1]))
        return True, None
