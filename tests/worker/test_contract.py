"""Each undocumented thing that we take from CrewAI, pinned; see contracts/ for what to do when
an upgrade breaks one."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

from tests.worker.contracts import all_checks
from tests.worker.harness import PROJECT, clean_environment

PINNED = "1.15.30"
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


def test_the_version_is_pinned_to_the_one_that_was_examined() -> None:
    """An upgrade is deliberate: change the pin and this line together, then read the failures."""
    from importlib.metadata import version

    assert version("crewai") == PINNED
    assert f"crewai=={PINNED}" in (PROJECT / "requirements.in").read_text()
