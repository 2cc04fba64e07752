"""The write-ahead log of SQLite stays short, however steadily it is written to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sidecar.log import database, sqlite
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft

MEGABYTE = 1 << 20


async def test_a_writer_that_never_rests_does_not_make_it_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_CHECKPOINT_SECONDS", 0.01)
    for module in (sqlite, database):
        monkeypatch.setattr(module, "WAL_BYTES", MEGABYTE)
    store = SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=1)
    await store.open()
    log = store.create("r_1")
    await log.append([Draft("run.started", 1.0, {})], snapshot={"run": "r_1", "state": "running"})
    written = 0
    while written < 64 * MEGABYTE:
        await log.append([Draft("llm.delta", 1.0, {"text": "x" * 20_000})] * 4)
        written += 80_000
        await asyncio.sleep(0)
    wal = (tmp_path / "log.sqlite3-wal").stat().st_size
    events = await log.read(log.head - 4, 10)
    await store.close()
    assert wal < 32 * MEGABYTE
    assert [event.seq for event in events] == list(range(log.head - 3, log.head + 1))
