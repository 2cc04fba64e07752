"""What workers leave in the system's temp folder: nothing, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.harness import PROJECT, Zygote, clean_environment, spec_for


@pytest.fixture(scope="module")
def temp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temp")


@pytest.fixture(scope="module")
def zygote(temp: Path) -> Iterator[Zygote]:
    offline = {"CREW_MODEL": "offline", "OFFLINE_TOKEN_MS": "1"}
    with Zygote(clean_environment(TMPDIR=str(temp), **offline)) as zygote:
        assert zygote.ready.get("ready"), zygote.ready
        yield zygote


def left_in(temp: Path) -> list[str]:
    return [path.name for path in temp.iterdir()]


def test_a_zygote_that_is_ready_has_left_nothing(zygote: Zygote, temp: Path) -> None:
    assert left_in(temp) == []


@pytest.mark.parametrize("target", [None, "tests.worker.targets:a_function"])
def test_a_run_leaves_nothing(
    zygote: Zygote, temp: Path, tmp_path: Path, target: str | None
) -> None:
    worker = zygote.make()
    try:
        assert worker.run(spec_for(tmp_path, target=target))["type"] == "run.completed"
    finally:
        worker.kill()
    assert left_in(temp) == []
    assert list((tmp_path / "run" / "crewai").glob("*.lock"))


def test_a_run_that_is_killed_leaves_nothing(zygote: Zygote, temp: Path, tmp_path: Path) -> None:
    worker = zygote.make()
    try:
        worker.start(spec_for(tmp_path))
        worker.until("llm.delta")
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.kill()
    assert left_in(temp) == []


def test_a_run_without_the_gateway_leaves_nothing(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    subprocess.run(
        [sys.executable, "-m", "crew.run", "tea"],
        cwd=PROJECT,
        env=clean_environment(TMPDIR=str(temp), CREW_MODEL="offline", OFFLINE_TOKEN_MS="0"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert left_in(temp) == []


def test_a_zygote_that_is_killed_while_it_imports_leaves_nothing(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    script = (
        "import sys; from sidecar.worker.engine import warm\n"
        "def imported(): print('imported', flush=True); sys.stdin.read()\n"
        "warm._import = imported; warm.up()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env=clean_environment(TMPDIR=str(temp)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"imported\n"
        process.kill()
    assert left_in(temp) == []


def test_what_one_left_that_was_killed_later_is_removed_by_the_next(tmp_path: Path) -> None:
    old, young = tmp_path / "crew-warm-old", tmp_path / "crew-warm-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "agents.yaml").touch()
    os.utime(old, (0, 0))
    subprocess.run(
        [sys.executable, "-c", "from sidecar.worker.engine import warm; warm._sweep()"],
        cwd=PROJECT,
        env=clean_environment(TMPDIR=str(tmp_path)),
        timeout=60,
        check=True,
    )
    assert left_in(tmp_path) == ["crew-warm-young"]
