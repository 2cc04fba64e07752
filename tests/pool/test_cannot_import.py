"""An installation without a crewai that can be imported, or that is supported, ends the start with
its own words, once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.worker.engine.versions import NEEDED
from tests.support.releases import another_crewai
from tests.support.sidecar import ROOT, clean_environment
from tests.worker.test_zygote import BROKEN_INSTALL


@pytest.mark.parametrize(("workers", "log"), [("fork", "zygote.log"), ("spawn", "workers.log")])
def test_a_sidecar_that_cannot_import_crewai_says_so_once_and_exits(
    tmp_path: Path, workers: str, log: str
) -> None:
    broken, data = tmp_path / "broken", tmp_path / "data"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(BROKEN_INSTALL)
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "--port", "0", "--data", str(data)],
        cwd=ROOT,
        env=clean_environment(PYTHONPATH=str(broken), SIDECAR_WORKERS=workers, SIDECAR_ZYGOTE=""),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("sidecar ready http://127.0.0.1:")
    assert done.stdout.count("\n") == 1
    assert done.stderr.count("ImportError: broken install") == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("sidecar: no worker can be started: ImportError: broken install")
    assert str(data / log) in last
    # For who needs more than the one line.
    assert "Traceback" in (data / log).read_text()
    for line in done.stderr.splitlines()[:-1]:
        assert json.loads(line)["level"] == "info"


@pytest.mark.parametrize("workers", ["fork", "spawn"])
def test_a_crewai_that_is_too_old_or_too_new_is_told_once_with_the_way_out(
    tmp_path: Path, workers: str
) -> None:
    for version in ("1.14.7", "1.16.0"):
        done = subprocess.run(
            [sys.executable, "-m", "sidecar", "--port", "0", "--data", str(tmp_path / version)],
            cwd=ROOT,
            env=clean_environment(
                PYTHONPATH=str(another_crewai(tmp_path / f"has {version}", version)),
                SIDECAR_WORKERS=workers,
                SIDECAR_ZYGOTE="",
            ),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        *before, last = done.stderr.splitlines()
        assert last == (
            f"sidecar: no worker can be started: crewai {version} is installed; "
            f"crew-sidecar needs {NEEDED}: pip install -U 'crewai{NEEDED}'"
        )
        assert [json.loads(line)["level"] for line in before].count("error") == 0
        (log,) = (tmp_path / version).glob("*.log")
        assert log.read_text() == ""
