"""Where locks lie; tests/worker/test_traces.py has whole runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crewai_core import lock_store

from sidecar.worker.engine import locks


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The system's temp folder; afterwards CrewAI locks as it does by itself."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    lock_store.set_lock_backend(None)


def test_what_is_the_runs_own_is_locked_there(temp: Path, tmp_path: Path) -> None:
    storage = tmp_path / "run" / "crewai"
    locks.keep_in(storage)
    with lock_store.lock(f"sqlite:{storage}/a.db"), lock_store.lock(f"chromadb:{storage}"):
        assert len(list(storage.glob("crewai:*.lock"))) == 2
    assert list(temp.iterdir()) == []


@pytest.mark.parametrize("name", ["sqlite:/home/me/flows.db", "sqlite:{}x/a.db", "user_data"])
def test_what_others_use_too_is_locked_where_they_look(
    temp: Path, tmp_path: Path, name: str
) -> None:
    name = name.format(tmp_path / "crewai")
    with lock_store.lock(name):
        (theirs,) = temp.iterdir()
    locks.keep_in(tmp_path / "crewai")
    with lock_store.lock(name):
        assert list(temp.iterdir()) == [theirs]
    with lock_store.lock(name, timeout=1):
        pass


def test_over_the_network_crewai_locks_as_it_does_by_itself(
    temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks.keep_in(tmp_path)
    monkeypatch.setattr(lock_store, "_redis_available", lambda: True)
    locks.keep_in(tmp_path)
    assert lock_store._backend is None
