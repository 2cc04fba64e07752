"""What runs fail with when it is no provider's doing, as tests/vectors/errors.json has it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sidecar.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.refusals import held
from tests.support.sidecar import ROOT

NAMES = ("killed", "slow", "hungry", "mistaken")
CREWS = ",".join(f"{name}=tests.failing:{name.title()}" for name in NAMES)


async def failed(crew: CrewClient, name: str) -> dict[str, Any]:
    run = await crew.start({"message": "tea"}, crew=name)
    last = [event async for event in crew.follow(run)][-1]
    assert last["type"] == "run.failed", last
    error: dict[str, Any] = last["data"]["error"]
    return error


async def test_a_worker_s_death_a_deadline_and_a_mistake_are_told_as_they_are_known(
    start_sidecar: StartSidecar, tmp_path: Path
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW=CREWS, SIDECAR_RUN_TIMEOUT="5")
    async with CrewClient(sidecar.url) as crew:
        errors = await asyncio.gather(*(failed(crew, name) for name in NAMES))
    for name, error in zip(NAMES, errors, strict=True):
        held(f"crew: {name}", error, tmp_path)


async def test_a_file_that_is_wrong_is_told_with_its_place_and_its_line(
    start_sidecar: StartSidecar, tmp_path: Path
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    for name in ("agents.yaml", "tasks.yaml"):
        text = (ROOT / "config" / name).read_text()
        (folder / name).write_text(text.replace("expected_output:", "expected_ouput:", 1))
    sidecar = start_sidecar(SIDECAR_CONFIG=str(folder))
    async with CrewClient(sidecar.url) as crew:
        error = await failed(crew, "default")
    assert "\n" in error["message"]
    held("crew: bad file", error, tmp_path)
