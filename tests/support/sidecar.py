"""The real sidecar as a child process, and the few ways that tests talk to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Literal

import aiohttp

from sidecar.client.client import CrewClient
from sidecar.client.sse_parser import SseParser
from tests.support.zygote import share

ROOT = Path(__file__).resolve().parent.parent.parent
BOUND = 60.0
"""Seconds that anything may take before a test calls it stuck; never a measure of speed."""

TransportName = Literal["ws", "sse"]
Frame = dict[str, Any]


class Sidecar:
    """`python -m sidecar` on a free port; `environ` adds to a clean environment."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data = data
        self.folder = ROOT
        """Where it is started: whose crew it serves."""
        self._environ = environ
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self, *, until_ready: bool = True) -> Sidecar:
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "stderr.log").open("a") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sidecar", "--port", "0", "--data", str(self.data)],
                cwd=self.folder,
                env=share(clean_environment(**self._environ)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("sidecar ready "), f"{line!r}\n{self.stderr}"
        self.url = line.split()[-1]
        if until_ready:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Poll /readyz, which is what it is for."""
        import urllib.error
        import urllib.request

        deadline = time.monotonic() + BOUND
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5).close()
                return
            except urllib.error.HTTPError as error:
                error.close()
                if time.monotonic() > deadline:
                    raise AssertionError(f"never ready\n{self.stderr}") from error
                time.sleep(0.05)

    @property
    def stderr(self) -> str:
        return (self.data / "stderr.log").read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and give its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code of a sidecar that is ending already."""
        assert self.process is not None
        try:
            return self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()

    def client(self, transport: Literal["auto", "ws", "sse"] = "auto") -> CrewClient:
        return CrewClient(self.url, transport=transport)


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without anybody's keys or settings: crews are offline and fast."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("SIDECAR_", "OPENAI_", "OPENROUTER_", "CREW_", "OFFLINE_"))
    }
    pace = {"OFFLINE_TOKEN_MS": "2", "OFFLINE_TOKENS": "25"}
    return {**kept, "CREW_MODEL": "offline", **pace, **more}


class Raw:
    """One stream read frame by frame: (JSON bytes, parsed); `send` speaks commands on it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, transport: TransportName) -> None:
        self._session = session
        self._url = url
        self.transport = transport
        self._ws: aiohttp.ClientWebSocketResponse[bool] | None = None

    async def frames(
        self, run: str, after: str | None = None
    ) -> AsyncGenerator[tuple[bytes, Frame], None]:
        """Everything on the stream up to its end, or until the server closes it."""
        query = {"run": run, **({"after": after} if after is not None else {})}
        source = self._ws_texts(query) if self.transport == "ws" else self._sse_texts(query)
        async for text in source:
            frame = json.loads(text)
            yield text, frame
            if frame["type"] == "stream.end":
                return

    async def _ws_texts(self, query: dict[str, str]) -> AsyncIterator[bytes]:
        async with self._session.ws_connect(
            f"{self._url}/ws", params=query, protocols=("crew.v1",)
        ) as ws:
            assert ws.protocol == "crew.v1"
            async for message in ws:
                assert message.type is aiohttp.WSMsgType.TEXT
                yield message.data.encode()

    async def _sse_texts(self, query: dict[str, str]) -> AsyncIterator[bytes]:
        async with self._session.get(f"{self._url}/sse", params=query) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            parser = SseParser()
            async for chunk in response.content.iter_any():
                for block in parser.feed(chunk):
                    frame = json.loads(block.data)
                    if block.event is None:
                        assert block.id == frame["id"]
                    else:
                        assert block.event == frame["type"]
                        assert block.id is None
                    yield block.data.encode()

    async def events(self, run: str, after: str | None = None) -> list[tuple[bytes, Frame]]:
        """The log from `after` to its end, without the control frames."""
        return [
            (raw, frame)
            async for raw, frame in self.frames(run, after)
            if not frame["type"].startswith("stream.")
        ]

    async def command(self, body: Frame | str) -> Frame:
        """One command on this transport: a text frame, or POST /control."""
        text = body if isinstance(body, str) else json.dumps(body)
        if self.transport == "sse":
            async with self._session.post(
                f"{self._url}/control", data=text, headers={"Content-Type": "application/json"}
            ) as response:
                ack: Frame = await response.json()
                ack["status"] = response.status
                return ack
        if self._ws is None or self._ws.closed:
            self._ws = await self._session.ws_connect(f"{self._url}/ws", protocols=("crew.v1",))
        await self._ws.send_str(text)
        while True:
            frame: Frame = await self._ws.receive_json(timeout=BOUND)
            if frame["type"] == "command.ack":
                return frame

    async def close(self) -> None:
        if self._ws is not None:
            await self._ws.close()


def assert_whole(events: Iterable[Frame]) -> None:
    """I1 for a log read from its beginning: gapless from 1, one final event, and that one last."""
    told = list(events)
    assert [e["seq"] for e in told] == list(range(1, len(told) + 1))
    assert [bool(e.get("final")) for e in told] == [False] * (len(told) - 1) + [True]
    assert len({e["id"].split("-")[0] for e in told}) == 1


async def gone(pid: int) -> None:
    """Return once no process has this pid; a zombie counts as gone."""
    deadline = time.monotonic() + BOUND
    while _alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        await asyncio.sleep(0.01)


async def kill(sidecar: Sidecar) -> None:
    """kill -9, and nothing of it is left."""
    below = processes_of(sidecar)
    os.kill(sidecar.pid, signal.SIGKILL)
    await asyncio.to_thread(sidecar.wait)
    for pid in below:
        await gone(pid)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def idle_worker(sidecar: Sidecar) -> int:
    """The one warm worker of a sidecar without a run, which the next run takes.

    Below the zygote where workers are forked; else below the gateway, with a guard of its own. One
    that looks at a crew is gone once the crews are told.
    """
    import urllib.request

    urllib.request.urlopen(f"{sidecar.url}/crews", timeout=BOUND).close()
    deadline = time.monotonic() + BOUND
    while len(found := _warm(sidecar)) != 1:
        assert time.monotonic() < deadline, f"{found} are warm of {descendants(sidecar.pid)}"
        time.sleep(0.01)
    return found[0]


def _warm(sidecar: Sidecar) -> list[int]:
    found = []
    for pid in descendants(sidecar.pid):
        try:
            program = Path(f"/proc/{pid}/cmdline").read_bytes()
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        if (parent == sidecar.pid) == (b"\0main\0" in program):
            found.append(pid)
    return found


def processes_of(sidecar: Sidecar) -> set[int]:
    """All below its gateway, and the workers of its runs wherever they were forked: those have a
    file of the data folder open."""
    found = descendants(sidecar.pid)
    for pid in descendants(os.getpid()) - {sidecar.pid}:
        try:
            files = [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        if any(file.startswith(f"{sidecar.data}/runs/") for file in files):
            found.add(pid)
    return found


def descendants(pid: int) -> set[int]:
    """All live processes below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if fields[0] not in ("Z", "X"):
                parents[int(entry.name)] = int(fields[1])
    below: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - below
        below |= frontier
    return below
