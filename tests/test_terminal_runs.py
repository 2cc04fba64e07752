"""`runs` of the command line, on a real sidecar."""

from __future__ import annotations

import re

from tests.conftest import StartSidecar
from tests.test_terminal_threads import sidecar_says


async def test_runs_are_listed_found_and_deleted(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0", SIDECAR_MAX_RUNS="1")

    def runs(*words: str) -> tuple[list[str], str]:
        done = sidecar_says("runs", *words, "--url", sidecar.url)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    assert runs() == ([], 'no runs yet: crew-sidecar run "a brief" starts one\n')
    async with sidecar.client() as crew:
        ended = []
        for message in ("A tea\nshop \x1b[31mopens", ""):
            short = {"message": message, "events": 2, "delay": 0}
            ended.append(await crew.start(short, crew="synthetic"))
            async for _ in crew.follow(ended[-1]):
                pass
        endless = {"message": "coffee", "events": 1_000_000, "rate": 20}
        live = [await crew.start(endless, crew="synthetic") for _ in range(2)]

        listed, said = runs()
        assert said == ""
        assert [line.split()[0] for line in listed] == [*live[::-1], *ended[::-1]]
        assert re.search(r"  queued, 1\.  +–  +0  +just now  coffee$", listed[0])
        assert re.search(r"  completed  +0\.\d s  +2  +just now  without a brief$", listed[2])
        assert listed[3].endswith("  A tea shop [31mopens")
        assert [line.split()[0] for line in runs("TEA", "shop")[0]] == ended[:1]
        assert [line.split()[0] for line in runs("--state", "final")[0]] == ended[::-1]
        assert runs("coffee", "--only", "another") == ([], "no run is like that\n")
        cut, said = runs("--limit", "1")
        assert (len(cut), "older ones" in said) == (1, True)
        assert runs("--delete", ended[0])[1] == f"deleted {ended[0]}\n"
        assert len(runs()[0]) == 3
    refused = sidecar_says("runs", "--state", "asleep", "--url", sidecar.url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no state 'asleep'; there are" in refused.stderr
    away = sidecar_says("runs", "--port", "9")
    assert away.stderr.startswith("sidecar: no sidecar is running at http://127.0.0.1:9,")
