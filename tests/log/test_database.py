"""The file of the log: where it is slow, it says so."""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path

import pytest

from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft

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
