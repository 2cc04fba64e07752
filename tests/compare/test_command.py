"""`python -m sidecar compare` from the outside: real sidecars and proxies, all that it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy, Way
from tests.support.sidecar import BOUND, ROOT, Sidecar, clean_environment

FAST = ["--events", "120", "--rate", "200"]


def compare(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-m", "sidecar", "compare", *map(str, arguments)],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


async def compared(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """While the test's own loop plays the proxy."""
    return await asyncio.to_thread(compare, *arguments)


@pytest.fixture
def measurable(start_sidecar: StartSidecar) -> Sidecar:
    return start_sidecar(SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0", until_ready=False)


def row(table: str, label: str) -> list[str]:
    """The cells of one row, WebSocket's and SSE's."""
    [line] = [line for line in table.splitlines() if line.strip().startswith(label)]
    return re.findall(r"(?:[\d.]+|–)(?: ms)?", line.strip().removeprefix(label))


def test_with_no_sidecar_anywhere_it_measures_one_of_its_own(tmp_path: Path) -> None:
    done = compare(*FAST, "--json", tmp_path / "c.json", "--html", tmp_path / "c.html")
    assert done.returncode == 0, done.stderr
    # Neither a warning of asyncio's nor a line of the log, nor a progress bar in a pipe.
    assert done.stderr == ""

    assert re.search(r"WebSocket +SSE", done.stdout)
    for label in ("p50", "p90", "p99", "max", "time to connect", "time to recover after a cut"):
        ws, sse = row(done.stdout, label)
        assert ws.endswith(" ms"), label
        assert sse.endswith(" ms"), label
    assert row(done.stdout, "losses") == ["0", "0"]
    assert row(done.stdout, "duplicates") == ["0", "0"]
    verdict = done.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"(WebSocket|SSE) (and SSE serve|serves) you .+ bytes more per event\.", verdict
    )

    report = json.loads((tmp_path / "c.json").read_text())
    assert report["plan"] == {"events": 120, "rate": 200.0, "clients": 1}
    assert report["clock"]["source"] == "monotonic"
    assert report["verdict"]["text"] == verdict
    assert set(report["machine"]) == {"cpus", "platform", "python"}
    assert str(ROOT) not in json.dumps(report)
    for name in ("ws", "sse"):
        side = report[name]
        [client] = side["clients"]
        # Compared by the same events, from which each of six cuts took some.
        assert client["seq"] == report["ws"]["clients"][0]["seq"]
        assert len(client["latency"]) == side["samples"] >= 30
        assert side["p50"] == sorted(client["latency"])[(side["samples"] + 1) // 2 - 1]
        assert 0 < side["p50"] <= side["p90"] <= side["p99"] <= side["max"]
        assert (side["lost"], side["duplicates"], side["failure"]) == (0, 0, None)
        assert side["connect"] > 0
        assert side["recover"] > 0

    page = (tmp_path / "c.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert page.count('<path d="M') >= 10
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


Pump = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Passes a response's body on, given the request's head."""


@contextlib.asynccontextmanager
async def relay(url: str, pump: Pump) -> AsyncIterator[str]:
    """In front of `url`, byte by byte."""

    connections: set[asyncio.Task[None]] = set()

    async def serve(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        try:
            head = await near.readuntil(b"\r\n\r\n")
            forth.write(head)
            sending = asyncio.create_task(_copy(near, forth))
            back.write(await far.readuntil(b"\r\n\r\n"))
            await pump(head, far, back)
            await sending
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for writer in (forth, back):
                writer.close()

    def accept(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(serve(near, back)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*connections)
    finally:
        server.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> int:
    """Until one side is gone; how many bytes there were."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            count += len(data)
            target.write(data)
            await target.drain()
    target.close()
    return count


async def test_bytes_per_event_are_those_on_the_wire(measurable: Sidecar, tmp_path: Path) -> None:
    """Six events are too few to be cut off: each transport has one connection."""
    passed: dict[bytes, int] = {}

    async def count(head: bytes, far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        passed[head.partition(b"?")[0]] = await _copy(far, back)

    async with relay(measurable.url, count) as url:
        done = await compared("--url", url, "--events", "6", "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    events = 6 + len(("queued", "started", "task", "llm", "llm", "task", "completed"))
    report = json.loads((tmp_path / "c.json").read_text())
    for name, request in (("ws", b"GET /ws"), ("sse", b"GET /sse")):
        told = report[name]["bytes_per_event"] * events
        # What is not the stream's: WebSocket pings, and the end of the chunks.
        assert 0 <= round(passed[request] - told) <= 16, name
        assert report[name]["recover"] is None


@pytest.mark.parametrize(
    ("times", "words", "label"),
    [(0, "SSE lost 1 event", "losses"), (2, "SSE told 1 event twice", "duplicates")],
)
async def test_an_event_that_is_lost_or_doubled_on_the_way_fails_the_comparison(
    measurable: Sidecar, times: int, words: str, label: str
) -> None:
    async def tamper(head: bytes, far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while head.startswith(b"GET /sse") and (size := await far.readline()):
            chunk = (await far.readexactly(int(size, 16) + len("\r\n")))[: -len("\r\n")]
            # A chunk has all that was told at once.
            blocks = [block + b"\n\n" for block in chunk.split(b"\n\n")[:-1]]
            told = b"".join(block * (times if b'"seq":9,' in block else 1) for block in blocks)
            if told or not chunk:
                back.write(b"%x\r\n%b\r\n" % (len(told), told))
        await _copy(far, back)

    async with relay(measurable.url, tamper) as url:
        done = await compared("--url", url, *FAST)
    assert done.returncode == 1
    assert row(done.stdout, label) == ["0", "1"]
    verdict = done.stdout.splitlines()[-1]
    assert verdict == f"{words}: that must never happen; please report it."


@pytest.mark.parametrize("clients", [3])
def test_each_of_many_clients_is_compared_with_its_other_half(
    measurable: Sidecar, tmp_path: Path, clients: int
) -> None:
    done = compare(
        *("--url", measurable.url, "--events", "100", "--rate", "0"),
        *("--clients", str(clients), "--json", tmp_path / "c.json"),
    )
    assert done.returncode == 0, done.stderr
    assert "flat out, 3 clients per transport" in done.stdout
    report = json.loads((tmp_path / "c.json").read_text())
    for ws, sse in zip(report["ws"]["clients"], report["sse"]["clients"], strict=True):
        assert ws["seq"] == sse["seq"]


def test_a_sidecar_without_the_synthetic_crew_is_told_what_it_lacks(sidecar: Sidecar) -> None:
    done = compare("--url", sidecar.url, *FAST)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"sidecar: the sidecar at {sidecar.url} has no crew 'synthetic'")
    assert "SIDECAR_SYNTHETIC=1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_sidecar_that_is_not_there_is_said_in_one_line() -> None:
    done = compare("--url", "http://127.0.0.1:9", *FAST)
    assert done.returncode == 1
    assert "no answer from http://127.0.0.1:9" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--events", "0"], "argument --events: 0 is not from 1 to 100000"),
        (["--rate", "-1"], "argument --rate: -1 is not from 0 to 1000000"),
        (["--rate", "nan"], "argument --rate: nan is not from 0 to 1000000"),
        (["--clients", "many"], "argument --clients: invalid number value: 'many'"),
    ],
)
def test_a_number_out_of_its_range_is_named(arguments: list[str], complaint: str) -> None:
    done = compare(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.parametrize("flag", ["--json", "--html"])
def test_a_file_that_can_not_be_written_is_known_before_the_run(tmp_path: Path, flag: str) -> None:
    done = compare(*FAST, flag, tmp_path / "nowhere" / "c")
    assert done.returncode == 1
    assert done.stderr == f"sidecar: cannot write {tmp_path}/nowhere/c; choose another file\n"
    assert done.stdout == ""


async def test_a_transport_that_is_cut_off_for_good_fails_the_comparison(
    measurable: Sidecar,
) -> None:
    async with FaultProxy(measurable.url) as proxy:
        proxy.fault("ws", Way(cut=10_000))
        done = await compared("--url", proxy.url, *FAST)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("Only SSE gets through here: WebSocket failed: ")


@contextlib.asynccontextmanager
async def buffering_proxy(url: str) -> AsyncIterator[str]:
    """In front of `url`: hands a response on only when it is complete. WebSockets it lets through.

    For pages too: it passes on who asks and who may.
    """

    async def forward(request: web.Request) -> web.StreamResponse:
        target = f"{url}{request.rel_url}"
        origin = {k: v for k, v in request.headers.items() if k == "Origin"}
        if request.headers.get("Upgrade") == "websocket":
            return await _tunnel(request, session, target, origin)
        headers = {**origin, "Content-Type": request.content_type}
        data = await request.read()
        async with session.request(request.method, target, data=data, headers=headers) as response:
            body = await response.read()
            kept = ("Content-Type", "Access-Control-Allow-Origin")
            passed = {name: response.headers[name] for name in kept if name in response.headers}
            return web.Response(body=body, status=response.status, headers=passed)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=BOUND)) as session:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def _tunnel(
    request: web.Request, session: aiohttp.ClientSession, target: str, headers: dict[str, str]
) -> web.WebSocketResponse:
    near = web.WebSocketResponse(protocols=("crew.v1",))
    await near.prepare(request)
    async with session.ws_connect(target, protocols=("crew.v1",), headers=headers) as far:

        async def back() -> None:
            async for message in far:
                await near.send_str(message.data)
            await near.close()

        returning = asyncio.create_task(back())
        async for message in near:
            await far.send_str(message.data)
        returning.cancel()
        await asyncio.gather(returning, return_exceptions=True)
    return near


async def test_a_proxy_that_holds_sse_back_is_found_out(
    measurable: Sidecar, tmp_path: Path
) -> None:
    async with buffering_proxy(measurable.url) as url:
        done = await compared("--url", url, *FAST, "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    verdict = done.stdout.splitlines()[-1]
    assert verdict.startswith("Buffered! Something between you and the sidecar holds SSE back: ")
    assert "no-transform" in verdict
    report = json.loads((tmp_path / "c.json").read_text())
    assert report["sse"]["held"] > 0.8
    assert report["ws"]["held"] < 0.2
    # Late, but whole: it was not cut in the midst of what came at once.
    assert (report["sse"]["lost"], report["sse"]["recover"]) == (0, None)


FILES = sorted(path.name for path in (ROOT / "sidecar" / "web" / "static").iterdir())


@pytest.mark.parametrize("name", ["", *(name for name in FILES if name != "compare.html")])
async def test_every_file_of_the_page_is_served_isolated(
    sidecar: Sidecar, session: aiohttp.ClientSession, name: str
) -> None:
    """https://web.dev/articles/coop-coep: without it the browser's timers are coarse."""
    types = {"": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    async with session.get(f"{sidecar.url}/compare{'/' + name if name else ''}") as response:
        assert response.status == 200
        assert response.content_type == types[name.rpartition(".")[2]]
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        text = await response.text()
    # It works without a network: nothing is fetched from anywhere else.
    assert not re.search(r"""(src|href|import|url)\W+(https?:)?//""", text)


@pytest.mark.parametrize(
    "name", ["compare.html", "nothing.js", "", "..%2fapp.py", "%2e%2e%2fcompare.py", "..%2f..%2f"]
)
async def test_nothing_else_is_served(
    sidecar: Sidecar, session: aiohttp.ClientSession, name: str
) -> None:
    url = URL(f"{sidecar.url}/compare/{name}", encoded=True)
    async with session.get(url) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"
