"""Runs as a Python program lists them, at a real gateway."""

from __future__ import annotations

import pytest

from sidecar.client import CrewClient
from sidecar.errors import CommandError
from tests.conftest import StartSidecar

SHORT = {"events": 2, "delay": 0}


async def ended(crew: CrewClient, message: str) -> str:
    run = await crew.start({**SHORT, "message": message}, crew="synthetic")
    async for _ in crew.follow(run):
        pass
    return run


async def test_runs_are_found_counted_and_paged_through(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0", SIDECAR_MAX_RUNS="1")
    async with sidecar.client("auto") as crew:
        shops = [await ended(crew, f"A TEA shop opens {n}") for n in range(3)]
        coffee = await ended(crew, "coffee " + "x" * 1_000)
        endless = {"events": 1_000_000, "rate": 20}
        working = await crew.start(endless, crew="synthetic")
        waits = [await crew.start(endless, crew="synthetic") for _ in range(2)]

        first = await crew.runs(q="tea shop", limit=2)
        assert [run["run"] for run in first["runs"]] == shops[:0:-1]
        rest = await crew.runs(q="tea shop", limit=2, before=first["next"])
        assert ([run["run"] for run in rest["runs"]], rest["next"]) == (shops[:1], None)
        live = (await crew.runs(state="live", crew="synthetic"))["runs"]
        assert [run["run"] for run in live] == [*waits[::-1], working]
        assert [run.get("position") for run in live] == [2, 1, None]
        assert (await crew.status(waits[0]))["position"] == 1
        [brief] = (await crew.runs(state="final", q="coffee", brief=True))["runs"]
        assert (brief["run"], brief["truncated"]) == (coffee, True)
        assert len(brief["inputs"]["message"]) == 200
        assert (await crew.runs(crew="another"))["runs"] == []
        # A page goes on where it ended, also when that run is gone.
        await crew.delete(run=shops[1])
        rest = await crew.runs(q="tea", before=shops[1])
        assert [run["run"] for run in rest["runs"]] == shops[:1]
        with pytest.raises(CommandError, match="'before' must be the id of a run") as refusal:
            await crew.runs(before="k3f9ab-43")
        assert refusal.value.code == "bad_request"
