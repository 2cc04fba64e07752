"""The file of the log: where it is slow, it says so, and one of an older version goes on.

`schema_1.sql` is what `iterdump` gives of a log that the last sidecar without threads wrote: four
runs, of which the oldest is forgotten and the newest was under way when the sidecar died."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from pathlib import Path

import orjson
import pytest

from sidecar.datafolder import DataFolder
from sidecar.errors import StoreError
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from tests.support.scripted import ScriptedPool

FINAL = Draft("run.completed", 1.0, {}, final=True)


def at(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "log.sqlite3", retain=1_000, keep_runs=1)


async def test_a_folder_without_a_write_ahead_log_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As a network file system has it: no memory that programs share.
    path = f"file:{tmp_path}/log.sqlite3?vfs=unix-dotfile"
    real = functools.partial(sqlite3.connect, uri=True)
    monkeypatch.setattr(sqlite3, "connect", lambda _, **options: real(path, **options))
    store = at(tmp_path)
    await store.open()
    await store.create("r_1").append([FINAL], snapshot={"run": "r_1", "state": "completed"})
    await store.close()
    [said] = caplog.messages
    assert "journal_mode is delete" in said
    assert "SIDECAR_DATA" in said


async def test_a_folder_with_one_is_not_spoken_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = at(tmp_path)
    await store.open()
    await store.close()
    assert caplog.messages == []


RUNS = [f"r_01m87132{rest}" for rest in ("9pgvkapx6nzs2ys6pc", "9ttxb81epbj94nhxm7")]
LIVE = "r_01m87132a1mf7xmh3ee2xepbkd"


def older(folder: Path) -> Path:
    path = folder / "log.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / "schema_1.sql").read_text())
    return path


async def test_a_log_of_the_version_before_goes_on_with_all_it_has(tmp_path: Path) -> None:
    path = older(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        events = db.execute("SELECT body FROM events ORDER BY place").fetchall()
        before = {
            run: orjson.loads(body) for run, body in db.execute("SELECT run, snapshot FROM runs")
        }
        db.execute("UPDATE runs SET snapshot = x'7b00' WHERE run = ?", (RUNS[0],))  # damaged
        db.commit()
    for _ in range(2):
        store = SqliteStore(path, retain=1_000, keep_runs=100)
        await store.open()
        found = [one async for one in store.snapshots(limit=9)]
        assert [one["run"] for one in found] == [LIVE, RUNS[1]]
        for one in found:
            assert one == {**before[one["run"]], "thread": None, "after": None, "forked": None}
        assert store.query("SELECT body FROM events ORDER BY place") == events
        assert await store.ack("auto-4") is not None
        assert await store.threads(limit=9) == []
        assert await store.tally(lambda run: f"{run.crew} {run.words}") == {
            "default live": 1,
            "default brief 2 süss": 1,
            " ": 1,
        }
        log = await store.find(RUNS[1])
        assert log is not None
        assert (log.head, log.sealed) == (5, True)
        await store.close()
    store = SqliteStore(path, retain=1_000, keep_runs=100)
    await store.open()
    told = {"run": "r_new", "state": "completed", "thread": "t"}
    await store.create("r_new", "New").append([FINAL], snapshot=told)
    assert await store.forget(run=RUNS[1]) == [RUNS[1]]
    found = [one async for one in store.snapshots(limit=9)]
    assert [one["run"] for one in found] == ["r_new", LIVE]
    assert [one.title for one in await store.threads(limit=9) or ()] == ["New"]
    await store.close()


async def test_a_run_that_an_older_sidecar_left_under_way_is_carried_on(tmp_path: Path) -> None:
    store = SqliteStore(older(tmp_path), retain=1_000, keep_runs=100)
    pool = ScriptedPool()
    supervisor = Supervisor(Settings(), store, pool, DataFolder(tmp_path))
    await supervisor.open()
    spec = (await pool.worker.told("start"))["spec"]
    assert (spec["run"], spec["attempt"], spec["inputs"]) == (LIVE, 2, {"message": "live"})
    await supervisor.end_runs()
    assert (await supervisor.snapshot(LIVE))["state"] == "interrupted"
    await supervisor.close()


async def test_a_log_that_could_not_be_brought_up_is_as_it_was(tmp_path: Path) -> None:
    path = older(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE threads (another)")
        before = list(db.iterdump())
    with pytest.raises(StoreError, match="cannot use the log"):
        await SqliteStore(path, retain=1_000, keep_runs=100).open()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
