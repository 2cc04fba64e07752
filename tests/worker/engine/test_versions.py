"""Which CrewAI this works with, and what is said of any other."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sidecar.worker.engine import versions
from tests.support.releases import another_crewai
from tests.worker.harness import PROJECT, clean_environment


def test_the_wheel_asks_pip_for_the_same_releases() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (asked,) = (one for one in project["dependencies"] if one.startswith("crewai"))
    assert asked == f"crewai{versions.NEEDED}"


@pytest.mark.parametrize("version", ["1.15.3", "1.15.30", "1.15.40.dev1", "1.15.19rc2"])
def test_a_release_within_the_range_is_no_trouble(version: str) -> None:
    assert versions.trouble(version) is None


@pytest.mark.parametrize("version", ["0.203.2", "1.14.7", "1.15.2", "1.16.0", "1.16.0a1", "2.0"])
def test_any_other_is_told_with_the_way_out(version: str) -> None:
    assert versions.trouble(version) == (
        f"crewai {version} is installed; crew-sidecar needs >=1.15.3,<1.16: "
        "pip install -U 'crewai>=1.15.3,<1.16'"
    )


def test_no_crewai_is_told_with_the_python_that_lacks_it() -> None:
    why = versions.trouble(None)
    assert why is not None
    assert why.startswith(f"crewai is not installed for {sys.executable}: pip install")


def test_the_newest_release_lacks_nothing_and_an_older_one_says_what() -> None:
    assert versions.lacks("1.15.30") == {}
    assert list(versions.lacks("1.15.18")) == ["abort"]
    assert list(versions.lacks("1.15.3")) == ["abort", "failure"]


def test_a_run_without_the_gateway_refuses_it_too(tmp_path: Path) -> None:
    """Before the user's own modules are imported, which import crewai."""
    done = subprocess.run(
        [sys.executable, "-m", "crew.run", "a tea shop opens"],
        cwd=PROJECT,
        env=clean_environment(PYTHONPATH=str(another_crewai(tmp_path, "1.14.7"))),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"status": "error", "error": versions.trouble("1.14.7")}


def test_a_key_that_only_a_newer_release_knows_is_refused_and_not_ignored(tmp_path: Path) -> None:
    """CrewAI itself takes any argument and forgets it; here an Agent that has one key less."""
    (tmp_path / "agents.yaml").write_text("a: {role: A, goal: B, backstory: C, cache: false}\n")
    (tmp_path / "tasks.yaml").write_text("t: {description: D, expected_output: E, agent: a}\n")
    program = (
        "import sys; from pathlib import Path; from crewai import Agent; "
        "from sidecar.worker import config; from sidecar.worker.engine import build, models; "
        "folder = Path(sys.argv[1]); read = config.load(folder, {}); "
        "build.from_config(read, models.named('offline'), {}, folder); "
        "del Agent.model_fields['cache']; "
        "build.from_config(read, models.named('offline'), {}, folder)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=PROJECT, env=clean_environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    here = versions.installed()
    assert last.startswith("sidecar.worker.engine.build.BadCrew: agents.a: cache: crewai"), last
    assert f"crewai {here} has none; leave it out" in last
