"""The servers that are measured: this product's gateway, and the peers, each behind one interface.

A contender is started for one piece of work, waits for its subscribers, and is ended with it.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from tests.bench.load import Subscriber
from tests.bench.work import Work
from tests.support.sidecar import BOUND, ROOT, Sidecar

__all__ = [
    "BARE",
    "NODE_WS",
    "PEERS",
    "SSE_STARLETTE",
    "Contender",
    "Gateway",
    "Served",
    "gateway",
    "node_is_missing",
    "ours",
]

Transport = Literal["ws", "sse"]

_DELAY_SECONDS: Final = 1.0
"""Of a run before its first event; it is paused well within that."""
_END_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Served:
    """A contender that is up. `go` once all subscribers are there; `per_append` afterwards."""

    pid: int
    address: tuple[str, int]
    subscriber: Subscriber
    go: Callable[[], None]
    per_append: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    serve: Callable[[Work], AbstractContextManager[Served]]


class Gateway:
    """The real `python -m sidecar` and what the bench asks of it."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        parts = urlsplit(sidecar.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.address = (parts.hostname, parts.port)

    @property
    def pid(self) -> int:
        return self._sidecar.pid

    def start(self, work: Work, *, delay: float = 0) -> str:
        """The id of a new run of the crew `synthetic`."""
        inputs = {
            "events": work.events,
            "rate": work.rate,
            "size": work.size,
            "burst": work.burst,
            "delay": delay,
        }
        run: str = self._post("/runs", {"crew": "synthetic", "inputs": inputs})["run"]
        return run

    def start_paused(self, work: Work) -> str:
        """A run that says nothing until `resume`."""
        run = self.start(work, delay=_DELAY_SECONDS)
        self._until(run, "running")
        self.command("pause", run)
        self._until(run, "paused")
        return run

    def command(self, cmd: str, run: str) -> None:
        self._post("/control", {"cmd": cmd, "run": run})

    def until_ended(self, run: str) -> None:
        self._until(run, "completed")

    def per_append(self, run: str) -> float:
        """Events that were stored at once and so shown in one write; those share their `at`."""
        page = self._get(f"/runs/{run}/events?limit=1000")
        deltas = [event["at"] for event in page["events"] if event["type"] == "llm.delta"]
        return len(deltas) / max(1, len(set(deltas)))

    def subscriber(
        self, transport: Transport, run: str, source: str = "127.0.0.1", after: str = ""
    ) -> Subscriber:
        return _subscriber(transport, self.address, f"run={run}&after={after}", source)

    def _until(self, run: str, state: str) -> None:
        deadline = time.monotonic() + BOUND
        while (now := self._get(f"/runs/{run}")["state"]) != state:
            if time.monotonic() > deadline or now in ("failed", "interrupted"):
                raise SystemExit(f"run {run} is {now}, not {state}\n{self._sidecar.stderr}")
            time.sleep(0.005)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        data = json.dumps({"id": secrets.token_hex(8), **body}).encode()
        return self._get(path, data)

    def _get(self, path: str, data: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self._sidecar.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=BOUND) as response:
            answer: dict[str, Any] = json.load(response)
        return answer


@contextmanager
def gateway(data: Path | None = None, **environ: str) -> Iterator[Gateway]:
    """A gateway of its own, on `data` or on a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = {"SIDECAR_SYNTHETIC": "1", "SIDECAR_WARM": "0", **environ}
        sidecar = Sidecar(data or Path(folder) / "data", **settings)
        try:
            yield Gateway(sidecar.start())
        finally:
            if sidecar.process is not None:
                sidecar.stop()


def ours(transport: Transport, name: str) -> Contender:
    """The gateway with a run of `synthetic` that all subscribers follow by `transport`."""

    @contextmanager
    def serve(work: Work) -> Iterator[Served]:
        with gateway() as up:
            run = up.start_paused(work)
            yield Served(
                up.pid,
                up.address,
                up.subscriber(transport, run),
                lambda: up.command("resume", run),
                lambda: up.per_append(run),
            )

    return Contender(name, serve)


def _peer(name: str, command: list[str], transport: Transport) -> Contender:
    @contextmanager
    def serve(work: Work) -> Iterator[Served]:
        process = subprocess.Popen(
            [*command, json.dumps(asdict(work))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.strip().isdigit():
                raise SystemExit(f"{name} did not start: {line!r}")
            address = ("127.0.0.1", int(line))
            yield Served(process.pid, address, _subscriber(transport, address), lambda: None)
        finally:
            process.kill()
            process.communicate(timeout=_END_SECONDS)

    return Contender(name, serve)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.peers.{module}"]


def _node(module: str) -> list[str]:
    return ["node", str(Path(__file__).parent / "peers" / f"{module}.mjs")]


BARE: Final = _peer("bare uvloop", _python("uvloop_bare"), "ws")
NODE_WS: Final = _peer("Node ws", _node("node_ws"), "ws")
SSE_STARLETTE: Final = _peer("sse-starlette", _python("sse_starlette_plain"), "sse")
PEERS: Final = (
    BARE,
    NODE_WS,
    _peer("Node SSE", _node("node_sse"), "sse"),
    _peer("websockets broadcast", _python("websockets_broadcast"), "ws"),
    _peer("aiohttp send_str", _python("aiohttp_plain"), "ws"),
    _peer("aiohttp SSE write", _python("aiohttp_plain"), "sse"),
    SSE_STARLETTE,
)


def node_is_missing() -> str | None:
    """What to do so that the peers in Node can be measured; None when they can."""
    if shutil.which("node") is None:
        return "node is not on the PATH"
    if not (Path(__file__).parent / "peers" / "node_modules" / "ws").is_dir():
        return "run `npm ci` in tests/bench/peers"
    return None


def _subscriber(
    transport: Transport, address: tuple[str, int], query: str = "", source: str = "127.0.0.1"
) -> Subscriber:
    lines = [f"GET /{transport}?{query} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    if transport == "ws":
        lines += [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
    else:
        lines += ["Accept: text/event-stream"]
    return Subscriber("\r\n".join([*lines, "", ""]).encode(), transport == "ws", source)
