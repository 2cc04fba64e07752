"""The log in SQLite: one file, survives kill -9, needs no service.

WAL with synchronous=NORMAL does not fsync at a commit: 30 us alone, 4 us per event in a batch.
That survives the death of the process (the page cache is the kernel's), not of the machine.
Commits run on the event loop, since they cost less than a thread hop; checkpoints, which do fsync,
run on a thread with a connection of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from sidecar.clock import now_ms
from sidecar.errors import StoreError
from sidecar.log import threads
from sidecar.log.base import (
    Log,
    LogStore,
    StoredAck,
    StoredRun,
    StoredThread,
    fitting,
    new_epoch,
)
from sidecar.log.database import (
    FORGOTTEN,
    SCHEMA_VERSION,
    SEQ_BITS,
    WAL_BYTES,
    checkpoint,
    connect,
    in_words,
    is_trouble,
    places,
    snapshot_of,
)
from sidecar.log.forgetting import Forgetting
from sidecar.log.health import AGAIN_SECONDS, Health
from sidecar.log.listed import chosen, enter, tally
from sidecar.protocol import FINAL_STATES, Event, format_cursor
from sidecar.tasks import Tasks

__all__ = ["SqliteStore"]

logger = logging.getLogger("sidecar.log")

_CHECKPOINT_SECONDS: Final = 2.0
_TURN_BYTES: Final = 512 * 1024
"""Of snapshots that are read, about a millisecond, until others have their turn."""


class SqliteStore(LogStore):
    """Keeps `retain` events of each run, `keep_runs` finished runs (0 = all), `keep_acks` acks that
    came with an event and `keep_refusals` that did not."""

    def __init__(
        self,
        path: Path,
        *,
        retain: int,
        keep_runs: int,
        keep_acks: int = 100_000,
        keep_refusals: int = 10_000,
    ) -> None:
        self.path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self.retain = retain
        self._keep_acks = keep_acks
        self._keep_refusals = keep_refusals
        self.health = Health(str(path))
        self._chores = Tasks()
        self._dirty = False
        self.forgetting = Forgetting(
            keep_runs, self.transaction, self.health, lambda run: self.forgotten([run])
        )

    async def open(self) -> None:
        try:
            self._db = connect(self.path)
        except sqlite3.Error as error:
            raise StoreError(f"cannot use the log {self.path}: {in_words(error)}") from error
        self._chores.spawn(self._keep_checkpointing())
        self._chores.spawn(self._keep_probing())
        self._chores.spawn(self.forgetting.carry_out())

    async def close(self) -> None:
        await self._chores.close()
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One commit, all or nothing; raises StoreError when the storage is in trouble, and
        sqlite3.Error for a bug of ours, which no waiting mends."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            # A full disk rolls back by itself; a rollback on top of that would raise again.
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            if is_trouble(error):
                words = in_words(error)
                self.health.failed(f"the log can't be written: {words}")
                raise StoreError(f"cannot write the log {self.path}: {words}") from error
            raise
        self.health.worked()
        self._dirty = True

    def query(self, sql: str, *values: Any) -> list[Any]:
        return list(self.rows(sql, *values))

    def rows(self, sql: str, *values: Any) -> Iterator[Any]:
        """As far as they are asked for. An iterator that is let go ends the reading, which would
        otherwise keep the write-ahead log from beginning anew. Raises StoreError."""
        try:
            with contextlib.closing(self._db.execute(sql, values)) as cursor:
                yield from cursor
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the log {self.path}: {in_words(error)}") from error

    def create(self, run: str, title: str = "") -> Log:
        return _SqliteLog(self, run, new_epoch(), key=None, title=title)

    async def find(self, run: str) -> Log | None:
        rows = self.query("SELECT key, epoch, first, state FROM runs WHERE run = ?", run)
        if not rows or rows[0][-1] == FORGOTTEN:
            return None
        key, epoch, first, state = rows[0]
        low, high = places(key)
        ((last,),) = self.query(
            "SELECT max(place) FROM events WHERE place BETWEEN ? AND ?", low, high
        )
        head = first - 1 if last is None else last - low
        log = _SqliteLog(self, run, epoch, key=key, first=first, head=head)
        log.sealed = state in FINAL_STATES
        return log

    async def snapshot(self, run: str) -> dict[str, Any] | None:
        rows = self.query("SELECT snapshot FROM runs WHERE run = ? AND state != ?", run, FORGOTTEN)
        if not rows:
            return None
        if not (snapshot := snapshot_of(rows[0][0])):
            raise StoreError(f"cannot read the log {self.path}: snapshot of {run} is damaged")
        return snapshot

    async def snapshots(
        self,
        *,
        states: Sequence[str] | None = None,
        thread: str | None = None,
        before: str | None = None,
        wanted: Callable[[StoredRun], bool] | None = None,
        limit: int,
    ) -> AsyncIterator[dict[str, Any]]:
        damaged, size, left = list[str](), 0, limit
        async for key in chosen(self.query, wanted, limit, states, thread, before):
            # One by one: a thousand may have 200 MB together.
            for run, body in self.query(
                "SELECT run, snapshot FROM runs WHERE key = ? AND state != ?", key, FORGOTTEN
            ):
                if not (snapshot := snapshot_of(body)):
                    damaged.append(run)
                    continue
                yield snapshot
                size += len(body)
                left -= 1
            if left == 0:
                break
            if size > _TURN_BYTES:
                size = 0
                await asyncio.sleep(0)
        if damaged:
            logger.error("%s: damaged snapshots, left out: %s", self.path, ", ".join(damaged[:10]))

    async def tally(self, told: Callable[[StoredRun], str | None] | None = None) -> Counter[str]:
        return await tally(self.query, told)

    async def thread(self, thread: str) -> StoredThread | None:
        found = threads.find(self.query, thread)
        return None if found is None else found[0]

    async def threads(self, *, limit: int, before: str | None = None) -> list[StoredThread] | None:
        return threads.page(self.query, limit, before)

    async def rename(self, thread: str, title: str) -> None:
        with self.transaction() as db:
            db.execute("UPDATE threads SET title = ? WHERE thread = ?", (title, thread))

    async def forget(self, *, run: str | None = None, thread: str | None = None) -> list[str]:
        forgotten = list[str]()
        while True:
            with self.transaction() as db:
                some = self.forgetting.forget(db, run=run, thread=thread)
            if not some:
                return forgotten
            forgotten += some
            await asyncio.sleep(0)

    async def ack(self, id: str) -> StoredAck | None:
        rows = self.query("SELECT id, digest, body FROM acks WHERE id = ?", id)
        return StoredAck(*rows[0]) if rows else None

    async def record(self, ack: StoredAck) -> None:
        with self.transaction() as db:
            # Numbered down from -1, which needs no other schema than older versions have.
            rows = db.execute("SELECT number FROM acks ORDER BY number LIMIT 1").fetchall()
            number = min(0, *(least for (least,) in rows), 0) - 1
            self._insert(db, number, ack)
            if number % 256 == 0:
                oldest = number + self._keep_refusals
                db.execute("DELETE FROM acks WHERE number BETWEEN ? AND -1", (oldest,))

    def insert_ack(self, db: sqlite3.Connection, ack: StoredAck) -> None:
        rows = db.execute("SELECT number FROM acks ORDER BY number DESC LIMIT 1").fetchall()
        number = max(0, *(newest for (newest,) in rows), 0) + 1
        self._insert(db, number, ack)
        if number % 256 == 0:
            oldest = number - self._keep_acks
            db.execute("DELETE FROM acks WHERE number BETWEEN 1 AND ?", (oldest,))

    def _insert(self, db: sqlite3.Connection, number: int, ack: StoredAck) -> None:
        db.execute(
            "INSERT INTO acks (number, id, digest, body) VALUES (?, ?, ?, ?)",
            (number, ack.id, ack.digest, ack.body),
        )

    async def _keep_checkpointing(self) -> None:
        while True:
            await asyncio.sleep(_CHECKPOINT_SECONDS)
            if self._dirty:
                self._dirty = False
                # A busy or failing checkpoint costs only a longer WAL; the next one has it.
                with contextlib.suppress(sqlite3.Error, OSError):
                    await asyncio.to_thread(checkpoint, self.path)
                    if self._wal.stat().st_size > WAL_BYTES:
                        # What was written meanwhile: the file begins anew only when nothing is
                        # left in it, which a thread does not come to beside a steady writer.
                        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    async def _keep_probing(self) -> None:
        """See by writing whether the log can be written again, when nothing else would tell."""
        while True:
            await self.health.ailing()
            await asyncio.sleep(AGAIN_SECONDS)
            if self.health.watched:
                continue
            with contextlib.suppress(StoreError), self.transaction() as db:
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class _SqliteLog(Log):
    def __init__(
        self,
        store: SqliteStore,
        run: str,
        epoch: str,
        *,
        key: int | None,
        first: int = 1,
        head: int = 0,
        title: str = "",
    ) -> None:
        super().__init__(run, epoch, first=first, head=head, health=store.health)
        self._owner = store
        self._key = key
        self._title = title
        self._over: Event | None = None
        """Read and not given, as it was one too many for its reader, who comes for it next: with
        events of 60 KB each would else be read twice."""

    async def _store(
        self, events: list[Event], snapshot: dict[str, Any] | None, ack: StoredAck | None
    ) -> None:
        first, key = self.first, self._key
        with self._owner.transaction() as db:
            if snapshot is not None:
                key = self._store_snapshot(db, key, snapshot)
            if key is None:
                raise RuntimeError("the first append of a log brings the run's snapshot")
            base = key << SEQ_BITS
            db.executemany(
                "INSERT INTO events (place, body) VALUES (?, ?)",
                [(base + event.seq, event.json) for event in events],
            )
            if ack is not None:
                self._owner.insert_ack(db, ack)
            first = self._evict(db, key, events)
            if snapshot is not None and snapshot["state"] in FINAL_STATES:
                self._owner.forgetting.forget_oldest(db)
        self.first, self._key = first, key

    def _store_snapshot(
        self, db: sqlite3.Connection, key: int | None, snapshot: dict[str, Any]
    ) -> int:
        state, body = snapshot["state"], orjson.dumps(snapshot)
        thread: str | None = snapshot.get("thread")
        if key is not None:
            db.execute("UPDATE runs SET state = ?, snapshot = ? WHERE key = ?", (state, body, key))
            if thread is not None and state in FINAL_STATES:
                threads.touch(db, thread, now_ms())
            return key
        belongs = None if thread is None else threads.enter(db, thread, self._title, now_ms())
        new = db.execute(
            "INSERT INTO runs (run, epoch, first, state, snapshot, thread)"
            " VALUES (?, ?, 1, ?, ?, ?)",
            (self.run, self.epoch, state, body, belongs),
        ).lastrowid
        assert new is not None
        enter(db, new, snapshot)
        return new

    def _evict(self, db: sqlite3.Connection, key: int, events: list[Event]) -> int:
        """Cut back to the bound once a tenth over it, which makes eviction O(1) per event."""
        retain = self._owner.retain
        head = events[-1].seq if events else self.head
        if head - self.first + 1 <= retain + retain // 10:
            return self.first
        first = head - retain + 1
        base = key << SEQ_BITS
        db.execute(
            "DELETE FROM events WHERE place BETWEEN ? AND ?", (base + self.first, base + first - 1)
        )
        db.execute("UPDATE runs SET first = ? WHERE key = ?", (first, key))
        return first

    async def _load(self, after: int, limit: int, most: int) -> list[Event]:
        events = fitting(self._rows(after, limit), most)
        last = self._over
        if last is not None and events and events[-1].seq == last.seq:
            self._over = None
        return events

    def _rows(self, after: int, limit: int) -> Iterator[Event]:
        """One by one, so that no more are read than are wanted."""
        if self._key is None:
            return
        if self._over is not None and self._over.seq == after + 1:
            yield self._over
            after, limit = after + 1, limit - 1
        low, high = places(self._key)
        for place, body in self._owner.rows(
            "SELECT place, body FROM events WHERE place > ? AND place <= ? ORDER BY place LIMIT ?",
            low + after,
            high,
            limit,
        ):
            seq = place - low
            id = format_cursor(self.epoch, seq)
            self._over = Event(seq, id, body, self.sealed and seq == self.head)
            yield self._over
