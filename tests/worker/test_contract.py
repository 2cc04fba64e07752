"""Each undocumented thing that we take from CrewAI, pinned; see contracts/ for what to do when
an upgrade breaks one."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import metadata

import pytest

from sidecar.worker.engine import versions
from tests.worker.contracts import all_checks, lack_of
from tests.worker.harness import PROJECT, clean_environment

CHECKS = all_checks()


@pytest.fixture(scope="module")
def results() -> dict[str, str | None]:
    """All checks, run once in a process that may import crewai."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.worker.contracts"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", CHECKS)
def test_crewai_still_keeps_the_contract(name: str, results: dict[str, str | None]) -> None:
    why = inspect.getdoc(CHECKS[name])
    assert why, f"{name} must say what breaks and what to do"
    assert results[name] is None, f"{why}\n\n{results[name]}"


def test_we_develop_with_the_release_that_was_examined() -> None:
    """An upgrade is deliberate: change the pin and EXAMINED together, then read the failures, and
    see with `make crewai` what the wheel's range is."""
    assert metadata.version("crewai") == versions.EXAMINED
    assert f"crewai=={versions.EXAMINED}" in (PROJECT / "requirements.in").read_text()
    assert versions.trouble(versions.EXAMINED) is None
    assert versions.lacks(versions.EXAMINED) == {}


def test_what_a_release_may_lack_is_held_by_checks() -> None:
    """`make crewai` fails where a check fails that is of nothing, and where a release that lacks
    something passes all that are of it."""
    assert {lack_of(name) for name in CHECKS} - {None} == set(versions.LACKS)
