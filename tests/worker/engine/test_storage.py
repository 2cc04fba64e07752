"""What a run leaves where, by real workers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.worker.harness import Child, Zygote, clean_environment, spec_for

TARGETS = "tests.worker.targets"


def run(zygote: Zygote, directory: Path, target: str, storage: Path, **inputs: str) -> str:
    """One run's output, of a user who keeps CrewAI's things in `storage`."""
    environment = clean_environment(CREW_MODEL="offline", OFFLINE_TOKEN_MS="1")
    child = zygote.make(environment | {"CREWAI_STORAGE_DIR": str(storage)})
    try:
        spec = spec_for(directory, target=f"{TARGETS}:{target}")
        spec["inputs"] |= inputs
        last = child.run(spec)
    finally:
        child.kill()
    assert last["type"] == "run.completed", last
    output: str = last["data"]["output"]
    return output


def test_what_a_flow_persists_is_there_in_the_next_run(zygote: Zygote, tmp_path: Path) -> None:
    storage = tmp_path / "users"
    outputs = [
        run(zygote, tmp_path / str(number), "Counting", storage, id="the-counter")
        for number in range(3)
    ]
    assert outputs == ["1", "2", "3"]
    assert (storage / "flow_states.db").is_file()


def test_knowledge_lies_in_the_users_storage(zygote: Zygote, tmp_path: Path) -> None:
    storage = tmp_path / "users"
    assert run(zygote, tmp_path, "WhereKnowledgeLies", storage) == str(storage)


@pytest.mark.parametrize("target", ["a_function", "a_crew"])
def test_outputs_of_tasks_are_kept_with_the_run_alone(
    zygote: Zygote, tmp_path: Path, target: str
) -> None:
    run(zygote, tmp_path, target, tmp_path / "users")
    database = tmp_path / "run" / "crewai" / "latest_kickoff_task_outputs.db"
    with sqlite3.connect(database) as rows:
        assert rows.execute("select count(*) from latest_kickoff_task_outputs").fetchone() == (1,)


def test_a_tool_learns_where_its_run_has_its_files(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.rest()
    assert (tmp_path / "run" / "tool-finished").is_file()
