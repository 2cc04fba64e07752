"""A log that can't be written: the run stands still, says why, and goes on when it can be."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from tests.faults.clients import read_log
from tests.faults.conftest import StartGateway, begin
from tests.faults.gateway import Gateway
from tests.support.sidecar import Frame, assert_whole

INPUTS = {"events": 1_200, "rate": 400, "size": 300, "delay": 0.0}
DISK = 48 * 1024 * 1024
"""Enough for two such runs; a commit of one event takes 8 KB of the write-ahead log until the next
checkpoint. Quick to fill."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a tmpfs can't be mounted here (it takes root): {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take all the space that is left, to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


async def frames(
    session: aiohttp.ClientSession, gateway: Gateway, run: str
) -> AsyncIterator[tuple[bytes, Frame]]:
    async with session.ws_connect(f"{gateway.url}/ws", params={"run": run}) as ws:
        async for message in ws:
            frame = orjson.loads(message.data)
            yield message.data.encode(), frame
            if frame["type"] == "stream.end":
                return


async def command(session: aiohttp.ClientSession, gateway: Gateway, **body: Any) -> tuple[int, Any]:
    async with session.post(f"{gateway.url}/control", json=body) as response:
        return response.status, await response.json()


async def ready(session: aiohttp.ClientSession, gateway: Gateway) -> tuple[int, str]:
    async with session.get(f"{gateway.url}/readyz") as response:
        return response.status, (await response.json()).get("why", "")


class Spoiler(NamedTuple):
    """Makes the log unwritable and writable again."""

    spoil: Callable[[], object]
    mend: Callable[[], object]
    why: str
    """In the words that people are told."""


def full_disk(data: Path) -> Spoiler:
    ballast = data.parent / "ballast"
    return Spoiler(lambda: fill(ballast), ballast.unlink, "full")


def held_lock(data: Path) -> Spoiler:
    other = sqlite3.connect(data / "log.sqlite3", isolation_level=None, timeout=10)

    def mend() -> None:
        other.execute("ROLLBACK")
        other.close()

    return Spoiler(lambda: other.execute("BEGIN IMMEDIATE"), mend, "locked")


@pytest.mark.parametrize("make", [full_disk, held_lock])
async def test_a_log_that_cannot_be_written_stops_the_run_until_it_can(
    start_gateway: StartGateway,
    session: aiohttp.ClientSession,
    disk: Path,
    make: Callable[[Path], Spoiler],
) -> None:
    gateway = await start_gateway(disk / "data", SIDECAR_PING="3600")
    spoiler = make(disk / "data")
    run = await begin(session, gateway, **INPUTS)
    seen: list[bytes] = []
    troubles: list[str | None] = []
    async for text, frame in frames(session, gateway, run):
        if frame["type"] == "stream.ping":
            troubles.append(frame.get("trouble"))
            if troubles[-1] is not None:
                await in_trouble(session, gateway, run, spoiler.why)
                spoiler.mend()
        elif not frame["type"].startswith("stream."):
            seen.append(text)
            if frame["seq"] == 300:
                spoiler.spoil()
    assert [trouble is None for trouble in troubles] == [False, True], troubles
    assert spoiler.why in str(troubles[0])
    log = await read_log(session, gateway.url, run)
    assert log == seen
    events = [orjson.loads(text) for text in log]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed"
    texts = [int(e["data"]["text"].split(".")[0]) for e in events if e["type"] == "llm.delta"]
    assert texts == list(range(int(INPUTS["events"])))
    assert await ready(session, gateway) == (200, "")
    await another_run(session, gateway)


async def in_trouble(session: aiohttp.ClientSession, gateway: Gateway, run: str, why: str) -> None:
    """What the outside is told while the log can't be written."""
    status, told = await ready(session, gateway)
    assert status == 503
    assert why in told
    status, ack = await command(session, gateway, id="t-1", cmd="pause", run=run)
    assert (status, ack["error"]["code"]) == (503, "unavailable")
    assert ack["error"]["temporary"]
    status, ack = await command(session, gateway, id="t-2", cmd="start", crew="synthetic")
    assert (status, ack["error"]["code"]) == (503, "unavailable")


async def another_run(session: aiohttp.ClientSession, gateway: Gateway) -> None:
    run = await begin(session, gateway, events=10, rate=0, delay=0.0)
    log = await read_log(session, gateway.url, run)
    assert orjson.loads(log[-1])["type"] == "run.completed"


async def test_a_second_gateway_on_the_same_folder_says_so_and_leaves_the_first_alone(
    start_gateway: StartGateway, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first = await start_gateway()
    run = await begin(session, first, events=300, rate=300, delay=0.0)
    second = Gateway(tmp_path / "data", SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0")
    try:
        await second.launch()
        assert await second.wait() == 1
        assert "another sidecar uses the data folder" in second.stderr
        log = await read_log(session, first.url, run)
    finally:
        await second.close()
    assert_whole([orjson.loads(text) for text in log])
    assert orjson.loads(log[-1])["type"] == "run.completed"


def test_a_full_disk_is_really_full(disk: Path) -> None:
    fill(disk / "ballast")
    with pytest.raises(OSError, match="No space") as caught:
        (disk / "more").write_bytes(b"x" * 4_097)
    assert caught.value.errno == errno.ENOSPC
