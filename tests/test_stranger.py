"""A folder that is not ours, with a `crew/` of its own and a venv that has the wheel and nothing of
this checkout: the product as somebody else has it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from email.parser import HeaderParser
from pathlib import Path

import pytest

from scripts.wheel import make_wheel
from sidecar.client import CrewClient
from sidecar.worker.engine.versions import NEEDED
from tests.support.sidecar import ROOT, assert_whole, clean_environment
from tests.support.stranger import OWN, App, move_in, serving


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def app(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> App:
    return move_in(wheel, tmp_path_factory.mktemp("bakery"))


@pytest.fixture
def served(app: App, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    flags, environ = request.param
    with serving(app, tmp_path / "data", *flags, **environ) as found:
        yield found


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        names = set(archive.namelist())
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sidecar"}
    tracked = subprocess.run(
        ["git", "ls-files", "sidecar"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in tracked if (ROOT / name).is_file()} <= names


def test_the_wheel_takes_the_crewai_that_is_there(wheel: Path) -> None:
    """Whatever release that is, within what has been tried."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = HeaderParser().parsestr(archive.read(name).decode())
    (asked,) = (one for one in said.get_all("Requires-Dist", []) if one.startswith("crewai"))
    assert sorted(asked.removeprefix("crewai").split(",")) == sorted(NEEDED.split(","))


@pytest.mark.parametrize(
    "served",
    [
        pytest.param((OWN, {"SIDECAR_WORKERS": "fork"}), id="fork"),
        pytest.param((OWN, {"SIDECAR_WORKERS": "spawn"}), id="spawn"),
        pytest.param((OWN, {"PYTHONPATH": "."}), id="PYTHONPATH"),
    ],
    indirect=True,
)
async def test_their_crew_is_served(served: tuple[str, Path]) -> None:
    url, stderr = served
    async with CrewClient(url) as crew:
        run = await crew.start({"message": "two loaves"})
        events = [event async for event in crew.follow(run)]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed", (events[-1], stderr.read_text())
    assert [task["name"] for task in events[-1]["data"]["tasks"]] == ["bake"]
    (used,) = (event for event in events if event["type"] == "tool.completed")
    assert "counted by their own tool" in used["data"]["output"]


def test_their_program_stays_theirs(app: App) -> None:
    assert json.loads(app.python("-m", "crew.run")) == {"whose": "theirs"}


def test_nothing_of_the_product_lies_about_in_their_folder(app: App) -> None:
    """But the data folder, which this app has elsewhere."""
    ours = {"crew", "config", "tools", "sidecar.txt", ".venv"}
    assert set(os.listdir(app.folder)) - ours <= {".sidecar"}


@pytest.mark.parametrize("served", [pytest.param(((), {}), id="config")], indirect=True)
async def test_a_folder_without_a_crew_is_told_what_is_missing(served: tuple[str, Path]) -> None:
    """Their `config/` has no agents.yaml: the run says so, with the file's name."""
    async with CrewClient(served[0]) as crew:
        run = await crew.start({"message": "two loaves"})
        last = [event async for event in crew.follow(run)][-1]
    assert last["type"] == "run.failed"
    assert last["data"]["error"]["code"] == "bad_crew"
    assert "agents.yaml" in last["data"]["error"]["message"]


@pytest.mark.parametrize(
    ("words", "tasks", "output"),
    [
        (["crew", "team"], ["research_task"], "current AI trends"),
        (["crew", "team", "--classic"], ["research_task", "reporting_task"], "tulips"),
        (["flow", "story"], ["planning_task", "writing_task", "editing_task"], "AI Agents"),
        (["flow", "story", "--declarative"], [], "AI agents"),
    ],
    ids=" ".join,
)
async def test_a_project_as_crewai_makes_it_runs_without_any_setting(
    app: App, tmp_path: Path, words: list[str], tasks: list[str], output: str
) -> None:
    """`crewai create …`, then `crew-sidecar` in the folder that it made. No key, no network."""
    crewai = Path(sysconfig.get_path("scripts"), "crewai")
    # Without DMN (nobody at a terminal) it asks what the crew is to be.
    environ = clean_environment(CREWAI_DMN="true", CREWAI_DISABLE_TELEMETRY="true")
    subprocess.run(
        [crewai, "create", *words],
        cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=True,
    )  # fmt: skip
    theirs = replace(app, folder=tmp_path / words[1])
    with serving(theirs, tmp_path / "data", CREW_MODEL="") as (url, stderr):
        async with CrewClient(url) as crew:
            run = await crew.start({"message": "tulips"})
            events = [event async for event in crew.follow(run)]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed", (events[-1], stderr.read_text())
    done = [event["task"] for event in events if event["type"] == "task.completed"]
    assert done == tasks
    said = [str(event["data"]["output"]) for event in events if event["type"] == "task.completed"]
    assert output in " ".join([*said, str(events[-1]["data"]["output"])])
