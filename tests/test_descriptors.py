"""The limit on open files: raised at start, and streams never take the last of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.gateway import streams_within
from tests.support.sidecar import BOUND, clean_environment

if sys.platform == "win32":
    pytest.skip("Windows has no such limit", allow_module_level=True)

import resource

START = (
    "import os, resource, sys; soft, hard = map(int, sys.argv[1:3]);"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard));"
    "os.execv(sys.executable, [sys.executable, '-m', 'sidecar', '--port', '0', *sys.argv[3:]])"
)


@contextlib.asynccontextmanager
async def limited(data: Path, soft: int, hard: int) -> AsyncIterator[tuple[str, int]]:
    """A sidecar that may have so many files open: its address and its pid. It logs into `data`."""
    data.mkdir()
    with (data / "stderr.log").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, str(soft), str(hard), "--data", str(data),
            env=clean_environment(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
    assert process.stdout is not None
    ready = await asyncio.wait_for(process.stdout.readline(), BOUND)
    try:
        yield ready.decode().split()[-1], process.pid
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), BOUND)


def logged(data: Path) -> list[str]:
    return [json.loads(line)["message"] for line in (data / "stderr.log").read_text().splitlines()]


@pytest.mark.parametrize(
    ("limit", "workers", "streams"),
    [(20_000, 5, 19_852), (1_024, 5, 876), (256, 5, 128), (64, 5, 32), (2_000, 1_016, 1_000)],
)
def test_streams_leave_descriptors_to_commands_and_workers(
    limit: int, workers: int, streams: int
) -> None:
    assert streams_within(limit, workers) == streams


async def test_the_limit_is_raised_as_far_as_it_goes(tmp_path: Path) -> None:
    async with limited(tmp_path / "data", 300, 700) as (_, pid):
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (700, 700)
    (warned,) = (line for line in logged(tmp_path / "data") if "streams" in line)
    assert warned.startswith("556 streams at most, not 10000: this process may have 700 files open")


async def test_a_run_is_steered_though_more_streams_are_asked_for_than_there_are_descriptors(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with (
        limited(data, 256, 256) as (url, pid),
        aiohttp.ClientSession(url) as http,
        asyncio.timeout(BOUND),
    ):
        inputs = {"events": 10_000_000, "rate": 5, "delay": 0}
        begin = {"id": "s-1", "crew": "synthetic", "inputs": inputs}
        async with http.post("/runs", json=begin) as answer:
            run = (await answer.json())["run"]
        host, port = url.removeprefix("http://").split(":")
        ask = f"GET /sse?run={run} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
        peers, refused = [], 0
        for _ in range(400):
            reader, writer = await asyncio.open_connection(host, int(port))
            peers.append(writer)
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            refused += b"Content-Length: 14" in head
        assert refused == 400 - 128
        async with aiohttp.ClientSession(url) as another:
            cancel = {"cmd": "cancel", "id": "c-1", "run": run}
            async with another.post("/control", json=cancel) as answer:
                assert answer.status == 200, await answer.text()
        assert len(os.listdir(f"/proc/{pid}/fd")) < 256
        for writer in peers:
            writer.close()
    assert len(logged(data)) < 20
