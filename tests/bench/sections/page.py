"""What a page adds: from an event's birth in the worker until the app hears it, and until it is in
the DOM of Chromium; from Send to the first word, beside a route that spawns `python -m crew.run`.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.figures import Figure, Result, at_most
from tests.bench.sizes import Sizes
from tests.support.sidecar import BOUND, ROOT, Sidecar, clean_environment

__all__ = ["measure"]

RATE: Final = 20
"""Events per second: each has a frame of its own."""
FRAME: Final = 1_000 / 60
BRIEF: Final = "a tea shop opens"
NAMES: Final[dict[Literal["ws", "sse"], str]] = {"ws": "WS", "sse": "SSE"}


@contextmanager
def _served(port: int) -> Iterator[str]:
    """The page's address."""
    with subprocess.Popen(
        ["node", str(ROOT / "tests" / "bench" / "page.mjs"), sys.executable, str(port)],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            assert url, "the page could not be bundled; its reason is above"
            yield url
        finally:
            server.terminate()


@contextmanager
def _opened(browser: Browser, url: str, sidecar: Sidecar, query: str) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(BOUND * 1_000)
    page.goto(f"{url}/?sidecar={sidecar.url}&{query}")
    page.wait_for_function("window.bench")
    yield page
    page.close()


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not (ROOT / "web-adapter" / "node_modules" / "rolldown").exists():
        return Result(notes=["The page was not measured: it needs Chromium and `make setup`."])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        _served(port) as url,
        sync_playwright() as playwright,
    ):
        sidecar = Sidecar(
            Path(folder) / "data", SIDECAR_SYNTHETIC="1", SIDECAR_ORIGINS=url, OFFLINE_TOKEN_MS="20"
        )
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            sidecar.start()
            result = _events(sizes, say, browser, url, sidecar)
            result.add(_first_word(sizes, say, browser, url, sidecar))
        finally:
            browser.close()
            sidecar.stop()
    return result


def _events(
    sizes: Sizes, say: Callable[[str], None], browser: Browser, url: str, sidecar: Sidecar
) -> Result:
    result = Result()
    work = f"page, {RATE} events/s"
    inputs = {
        "events": int(RATE * sizes.paced_seconds * 2),
        "rate": RATE,
        "size": 300,
        "delay": 0.5,
    }
    for transport, name in NAMES.items():
        told: dict[str, list[float]] = {"onEvent": [], "inDom": []}
        for _ in range(sizes.rounds):
            with _opened(browser, url, sidecar, f"transport={transport}&crew=synthetic") as page:
                found = page.evaluate("inputs => bench.events(inputs)", inputs)
            for what, values in told.items():
                assert len(found[what]) == inputs["events"]
                values.append(statistics.median(found[what]))
        heard = Figure(work, f"adapter, {name}", "birth to onEvent, p50", "ms", told["onEvent"])
        shown = Figure(work, f"adapter, {name}", "birth to the DOM, p50", "ms", told["inDom"])
        say(f"{work}, {name}: {heard.median:.2f} ms until onEvent, {shown.median:.2f} in the DOM")
        result.add(
            Result(
                [heard, shown],
                [
                    at_most(f"{work}, {name}, until onEvent, p50", 3, heard.median, "ms"),
                    at_most(f"{work}, {name}, in the DOM, p50", FRAME, shown.median, "ms"),
                ],
            )
        )
    return result


def _first_word(
    sizes: Sizes, say: Callable[[str], None], browser: Browser, url: str, sidecar: Sidecar
) -> Result:
    """In alternation, each on a page that has just been opened."""
    times: dict[str, list[float]] = {"ws": [], "sse": [], "route": []}
    for _ in range(sizes.fresh):
        for who, values in times.items():
            transport = "ws" if who == "route" else who
            ask = "firstWordOfRoute" if who == "route" else "firstWord"
            with _opened(browser, url, sidecar, f"transport={transport}") as page:
                values.append(page.evaluate(f"brief => bench.{ask}(brief)", BRIEF))
                if who != "route":
                    # The next one is to find a worker and a core.
                    page.wait_for_selector('.crew-progress[data-state="completed"]')
            sidecar.wait_until_ready()
    work, what = "page, Send to the first word in the DOM", "offline model, 20 ms a token"
    figures = [
        Figure(work, f"adapter, {NAMES[who]}, warm", what, "ms", times[who]) for who in NAMES
    ]
    route = Figure(work, "route that spawns crew.run", what, "ms", times["route"])
    say(f"first word: {figures[0].median:.0f} ms, by the route {route.median:.0f} ms")
    return Result([*figures, route])
