"""The catalogue of crews: looked up by a worker, kept until a file changes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import CommandError
from sidecar.pool import KILL, Worker
from sidecar.protocol import Start
from sidecar.runs.crews import Crews, said
from sidecar.settings import Settings
from tests.support.commands import command
from tests.support.scripted import ScriptedPool, ScriptedWorker

TEAM: dict[str, Any] = {
    "name": "default",
    "kind": "crew",
    "tasks": [{"name": "write", "agent": "Writer"}],
    "inputs": ["topic", "city"],
    "model": "offline",
    "key": None,
    "found": "team:Team in team.py",
    "needs": ["topic", "city"],
    "lenient": False,
}


class LookingPool(ScriptedPool):
    """Its extra workers answer with `found`, and leave without a word where that is None."""

    def __init__(self, found: list[dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.found = found
        self.files: dict[str, int | None] = {}
        self.looked: list[ScriptedWorker] = []

    async def make(self) -> Worker:
        worker = ScriptedWorker()
        self.looked.append(worker)
        if self.found is None:
            worker.leave(7)
        else:
            worker.say("worker.described", {"crews": self.found, "files": self.files})
        return worker


def crews(pool: ScriptedPool, **chosen: Any) -> Crews:
    return Crews(Settings(warm=0, **chosen), pool)


def refusal(catalogue: Crews, inputs: dict[str, Any]) -> str | None:
    """What a start with these inputs is told; None when it is let through."""
    try:
        catalogue.check(command(Start, "s", inputs=inputs), "default")
    except CommandError as error:
        return f"{error.code}: {error.message}"
    return None


async def test_a_throwaway_worker_says_what_there_is_and_is_ended() -> None:
    pool = LookingPool([TEAM])
    catalogue = crews(pool, crew="team:Team")
    (told,) = await catalogue.all()
    assert told == {k: v for k, v in TEAM.items() if k not in ("needs", "lenient")}
    (worker,) = pool.looked
    (order,) = worker.orders
    assert order["order"] == "describe"
    assert order["look"]["folder"] == os.getcwd()
    assert [named["target"] for named in order["look"]["crews"]] == ["team:Team"]
    assert (worker.signals, worker.closed) == ([KILL], True)
    assert pool.taken == []


async def test_it_is_looked_up_again_only_when_a_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "team.py"
    file.write_text("one")
    pool = LookingPool([TEAM])
    pool.files = {str(file): os.stat(file).st_mtime_ns, str(tmp_path / "none"): None}
    catalogue = crews(pool)
    await catalogue.all()
    await asyncio.gather(catalogue.all(), catalogue.settled())
    assert len(pool.looked) == 1
    os.utime(file, ns=(1, 1))
    pool.files = {}
    await asyncio.gather(catalogue.all(), catalogue.settled())
    assert len(pool.looked) == 2
    await catalogue.settled()
    assert len(pool.looked) == 2


async def test_a_crew_whose_import_ends_the_process_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool = LookingPool(None)
    catalogue = crews(pool, crew="team:Team")
    for _ in range(2):
        (told,) = await catalogue.all()
    assert told["error"] == "the process that imported it ended with exit code 7"
    assert len(pool.looked) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert refusal(catalogue, {}) is None


async def test_without_workers_a_crew_is_unknown_and_nothing_is_refused() -> None:
    catalogue = crews(ScriptedPool(), crew="team:Team")
    (told,) = await catalogue.all()
    assert "could not be looked at" in told["error"]
    assert refusal(catalogue, {}) is None


async def test_inputs_that_a_crew_wants_and_nobody_gave_are_refused_by_name() -> None:
    catalogue = crews(LookingPool([TEAM]))
    assert refusal(catalogue, {}) is None
    await catalogue.settled()
    assert refusal(catalogue, {"message": "tea"}) == (
        "bad_request: this crew wants {topic}, {city}; you sent {message}"
    )
    assert refusal(catalogue, {"city": "Ulm"}) == (
        "bad_request: this crew wants {topic}, {city}; you sent {city}; missing: {topic}"
    )
    assert refusal(catalogue, {}) == "bad_request: this crew wants {topic}, {city}; you sent none"
    assert refusal(catalogue, {"city": "Ulm", "message": "tea"}) is None
    assert refusal(catalogue, {"city": "Ulm", "topic": "tea"}) is None


async def test_a_crew_of_files_runs_without_any_inputs_as_it_stands() -> None:
    catalogue = crews(LookingPool([TEAM | {"lenient": True}]))
    await catalogue.settled()
    assert refusal(catalogue, {}) is None
    assert refusal(catalogue, {"city": "Ulm"}) is not None


async def test_a_crew_that_cannot_be_built_is_left_to_its_run() -> None:
    catalogue = crews(LookingPool([TEAM | {"error": "team.py, line 3"}]))
    await catalogue.settled()
    assert refusal(catalogue, {}) is None
    assert (await catalogue.all())[0]["error"] == "team.py, line 3"


async def test_a_name_that_is_not_known_is_refused_with_those_that_are() -> None:
    catalogue = crews(ScriptedPool(), crew="blog=a:B,story=a:S")
    assert (catalogue.name("story"), catalogue.name("default")) == ("story", "blog")
    assert (catalogue.target("blog"), catalogue.target("story")) == ("a:B", "a:S")
    with pytest.raises(CommandError, match="no crew 'poem'; there are blog, story") as refused:
        catalogue.name("poem")
    assert refused.value.code == "unknown_crew"


async def test_the_synthetic_crew_needs_no_look() -> None:
    told = await crews(LookingPool([TEAM]), synthetic=True).all()
    assert [crew["name"] for crew in told] == ["default", "synthetic"]


def test_a_description_is_said_in_words() -> None:
    assert said(TEAM | {"key": "OPENAI_API_KEY of .env"}) == (
        "crew default (team:Team in team.py) is a crew with the tasks write (Writer); inputs "
        "{topic}, {city}; model offline, its key from OPENAI_API_KEY of .env"
    )
    assert said(TEAM | {"error": "no"}) == "crew default (team:Team in team.py) can't be built: no"
