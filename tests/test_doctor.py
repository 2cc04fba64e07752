"""`crew-web-adapter doctor` at the real sidecar; what each mistake is called, is in
web-adapter/test/doctor.test.ts."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import StartSidecar
from tests.support.sidecar import BOUND, ROOT, Frame, Sidecar, clean_environment

DOCTOR = ROOT / "web-adapter" / "doctor" / "main.js"
PAGE = "http://localhost:3000"


async def doctor(*words: str) -> tuple[int | None, str]:
    """Its exit code and what it printed."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("The doctor needs Node 20 or newer: https://nodejs.org")
    process = await asyncio.create_subprocess_exec(
        node,
        str(DOCTOR),
        "doctor",
        *words,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), BOUND)
    return process.returncode, said.decode()


def found(said: str, mark: str) -> list[str]:
    return re.findall(rf"^  {re.escape(mark)} +(\w+)", said, re.MULTILINE)


def runs_of(sidecar: Sidecar) -> list[Frame]:
    with urllib.request.urlopen(f"{sidecar.url}/runs", timeout=BOUND) as response:
        runs: list[Frame] = json.load(response)["runs"]
        return runs


async def test_a_sidecar_is_found_well_and_no_run_is_started_unasked(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = start_sidecar()
    code, said = await doctor(sidecar.url, PAGE)
    assert found(said, "ok") == ["reachable", "ready", "origin", "control", "websocket"], said
    assert found(said, "?") == ["stream"]
    assert code == 0
    assert runs_of(sidecar) == []


async def test_a_run_that_is_allowed_is_watched_and_cancelled(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="50", OFFLINE_TOKENS="400")
    code, said = await doctor(sidecar.url, PAGE, "--run")
    assert found(said, "ok")[-2:] == ["websocket", "stream"], said
    assert "protocol 1" in said
    assert code == 0
    (run,) = runs_of(sidecar)
    async with sidecar.client() as client:
        async for event in client.follow(run["run"]):
            last = event
    assert last["type"] == "run.cancelled"


async def test_a_synthetic_run_shows_that_events_stream(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1")
    code, said = await doctor(sidecar.url, PAGE)
    assert re.search(r"ok +stream +unbuffered: hello at once, then \d+ events", said), said
    assert code == 0


async def test_a_page_that_is_not_let_in_is_named(sidecar: Sidecar) -> None:
    code, said = await doctor(sidecar.url, "http://localhost:3001")
    assert found(said, "FAIL") == ["origin"], said
    assert "Add http://localhost:3001 to SIDECAR_ORIGINS" in said
    assert code == 1


async def test_a_sidecar_that_takes_no_runs_gives_its_reason(
    start_sidecar: StartSidecar, tmp_path: Path
) -> None:
    sidecar = start_sidecar(until_ready=False, SIDECAR_ZYGOTE=str(tmp_path / "nobody"))
    code, said = await doctor(sidecar.url, PAGE)
    assert found(said, "FAIL") == ["ready"], said
    assert re.search("not yet: .*(warming up|no zygote listens)", said), said
    assert code == 1
