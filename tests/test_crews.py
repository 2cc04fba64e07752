"""`GET /crews` and what a start is told of it: a real gateway in somebody's folder."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.sidecar import BOUND, ROOT, Sidecar

TEAM = """
    {first}
    from crewai import Agent, Crew, Flow, Task
    from crewai.flow.flow import start

    def crew():
        writer = Agent(role="Writer", goal="G", backstory="B")
        task = Task(
            name="{name}", description="On {{topic}} in {{city}}", expected_output="T", agent=writer
        )
        return Crew(agents=[writer], tasks=[task])

    class Story(Flow[dict]):
        _skip_auto_memory: bool = True

        @start()
        def tell(self):
            return "told"
"""


def write(folder: Path, first: str = "", name: str = "write") -> None:
    (folder / "team.py").write_text(textwrap.dedent(TEAM.format(first=first, name=name)))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Sidecar]]:
    """A sidecar whose working folder is the test's own."""
    running: list[Sidecar] = []

    def serve(**environ: str) -> Sidecar:
        sidecar = Sidecar(tmp_path / "data", PYTHONPATH=str(ROOT), **environ)
        sidecar.folder = tmp_path
        running.append(sidecar)
        return sidecar.start()

    yield serve
    for sidecar in running:
        assert sidecar.stop() == 0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def crews(http: aiohttp.ClientSession, sidecar: Sidecar) -> dict[str, Any]:
    async with http.get(f"{sidecar.url}/crews") as response:
        assert response.status == 200
        return {crew["name"]: crew for crew in (await response.json())["crews"]}


async def start(
    http: aiohttp.ClientSession, sidecar: Sidecar, id: str, **fields: Any
) -> tuple[int, dict[str, Any]]:
    async with http.post(f"{sidecar.url}/runs", json={"id": id, **fields}) as response:
        return response.status, await response.json()


async def test_several_crews_are_told_with_their_tasks_and_inputs(
    serve: Callable[..., Sidecar], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    write(tmp_path)
    sidecar = serve(SIDECAR_CREW="plan=team:crew,story=team:Story")
    found = await crews(http, sidecar)
    assert list(found) == ["plan", "story"]
    assert found["plan"] == {
        "name": "plan",
        "kind": "crew",
        "tasks": [{"name": "write", "agent": "Writer"}],
        "inputs": ["topic", "city"],
        "model": "offline",
        "key": None,
        "found": "team:crew",
    }
    assert (found["story"]["kind"], found["story"]["tasks"]) == ("flow", [])
    assert "crew plan (team:crew) is a crew with the tasks write (Writer)" in sidecar.stderr

    status, ack = await start(http, sidecar, "s-1", crew="poem")
    assert (status, ack["error"]["code"]) == (404, "unknown_crew")
    assert "there are plan, story" in ack["error"]["message"]
    status, ack = await start(http, sidecar, "s-2", inputs={"message": "tea"})
    assert (status, ack["error"]["code"]) == (400, "bad_request")
    assert ack["error"]["message"] == "this crew wants {topic}, {city}; you sent {message}"
    inputs = {"message": "tea", "city": "Ulm"}
    assert (await start(http, sidecar, "s-3", inputs=inputs))[0] == 201
    assert (await start(http, sidecar, "s-4", crew="story"))[0] == 201


async def test_a_mistake_is_told_at_the_start_once_and_mended_without_a_restart(
    serve: Callable[..., Sidecar], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    write(tmp_path, first="import nothing_like_it")
    sidecar = serve(SIDECAR_CREW="team:crew")
    for _ in range(2):
        error = (await crews(http, sidecar))["default"]["error"]
        assert error == (
            "importing 'team' failed: ModuleNotFoundError: No module named 'nothing_like_it' "
            "(team.py, line 2)"
        )
    told = [json.loads(line) for line in sidecar.stderr.splitlines() if "can't be built" in line]
    assert [line["level"] for line in told] == ["error"]
    write(tmp_path, name="draft")
    mended = (await crews(http, sidecar))["default"]
    assert "error" not in mended
    assert mended["tasks"] == [{"name": "draft", "agent": "Writer"}]


async def test_an_import_that_ends_its_process_ends_no_worker_again_and_again(
    serve: Callable[..., Sidecar], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "tries").touch()
    write(tmp_path, first="import os; os.system('echo once >> tries'); os._exit(7)")
    sidecar = serve(SIDECAR_CREW="team:crew")
    error = (await crews(http, sidecar))["default"]["error"]
    assert error == "the process that imported it ended with exit code 7"
    # Ready again: by a worker that was not asked to import it.
    sidecar.wait_until_ready()
    assert len((tmp_path / "tries").read_text().split()) <= 2
    assert (await start(http, sidecar, "s-1", inputs={"message": "tea"}))[0] == 201


def until_imported(tally: Path, times: int) -> None:
    """Look at the file that a module adds a line to, as another process leaves no other trace."""
    deadline = time.monotonic() + BOUND
    while len(tally.read_text().splitlines()) < times:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_run_finds_its_modules_imported_before_it_was_asked_for(
    serve: Callable[..., Sidecar], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    write(tmp_path, first="import os, time; os.system('echo once >> done'); print(time.time())")
    sidecar = serve(SIDECAR_CREW="team:crew")
    await crews(http, sidecar)
    # By the one that looked, and by the one that is kept ready.
    until_imported(tmp_path / "done", 2)
    asked = time.time()
    async with sidecar.client() as client:
        run = await client.start({"topic": "tea", "city": "Ulm"})
        events = [event async for event in client.follow(run)]
    assert events[-1]["type"] == "run.completed"
    (said,) = [e["data"]["text"] for e in events if e["type"] == "log" and "." in e["data"]["text"]]
    assert float(said) < asked
