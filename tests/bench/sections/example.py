"""The example page as somebody opens it: what it weighs, when its largest part is painted, and how
long the browser is busy at a stretch while a crew writes fast.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.bench.figures import Figure, Result, at_most
from tests.bench.sizes import Sizes
from tests.browser import pages
from tests.browser.builds import NEXT
from tests.browser.chat import FLAGS, leads
from tests.support.sidecar import BOUND, Sidecar

__all__ = ["measure"]

RATE: Final = 500
"""Tokens per second."""
TOKENS: Final = 1_500
"""Of each of the three tasks."""
BRIEF: Final = "A launch plan for a small coffee roaster in Lisbon"

_WATCH: Final = """
window.seen = { paint: 0, tasks: [] };
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) seen.paint = entry.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) seen.tasks.push(entry.duration);
}).observe({ type: "longtask" });
"""
_SCRIPTS: Final = """() => performance.getEntriesByType("resource")
  .filter(({ initiatorType, name }) => initiatorType === "script" || /[.]js$/.test(name))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""


def measure(sizes: Sizes, say: Callable[[str], None]) -> Result:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not NEXT.exists():
        return Result(notes=["The example was not measured: it needs Chromium and `make setup`."])
    port = pages.free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, sync_playwright() as playwright:
        folder = Path(name)
        sidecar = Sidecar(
            folder / "data",
            SIDECAR_ORIGINS=f"{pages.KNOWN},http://127.0.0.1:{port}",
            OFFLINE_TOKEN_MS=str(1_000 // RATE),
            OFFLINE_TOKENS=str(TOKENS),
        ).start()
        try:
            with pages.built(port, folder) as url:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=[*FLAGS, leads(sidecar.url)]
                )
                result = _opened(sizes, say, browser, url)
                result.add(_fast(sizes, say, browser, url, sidecar))
                browser.close()
        finally:
            sidecar.stop()
    return result


def _opened(sizes: Sizes, say: Callable[[str], None], browser: Browser, url: str) -> Result:
    paints: list[float] = []
    weights: list[float] = []
    for _ in range(sizes.fresh):
        page = browser.new_page()
        page.add_init_script(_WATCH)
        page.goto(url, wait_until="networkidle")
        weights.append(page.evaluate(_SCRIPTS) / 1024)
        # What is painted largest is settled by the first thing that somebody does.
        page.mouse.click(5, 5)
        paints.append(page.evaluate("seen.paint"))
        page.close()
    paint = Figure("example", "/", "largest contentful paint", "ms", paints)
    weight = Figure("example", "/", "JavaScript, gzipped", "KB", weights)
    say(f"example: {weight.median:.0f} KB of JavaScript, painted after {paint.median:.0f} ms")
    return Result(
        [paint, weight],
        [
            at_most("example, JavaScript of `/`, gzipped", 350, weight.median, "KB"),
            at_most("example, largest contentful paint of `/`", 1_000, paint.median, "ms"),
        ],
    )


def _fast(
    sizes: Sizes, say: Callable[[str], None], browser: Browser, url: str, sidecar: Sidecar
) -> Result:
    longest: list[float] = []
    for _ in range(sizes.rounds):
        page = browser.new_page()
        page.set_default_timeout(BOUND * 1_000)
        page.add_init_script(_WATCH)
        page.goto(url, wait_until="networkidle")
        page.evaluate("seen.tasks.length = 0")
        page.get_by_role("button", name=BRIEF).click()
        page.get_by_test_id("answer").wait_for()
        longest.append(max(page.evaluate("seen.tasks"), default=0))
        page.close()
        sidecar.wait_until_ready()
    figure = Figure(f"example, {RATE} tokens/s", "/", "longest task", "ms", longest)
    say(f"example, {RATE} tokens/s: longest task {figure.median:.0f} ms")
    goal = at_most(f"example, longest task at {RATE} tokens/s", 100, figure.median, "ms")
    return Result([figure], [goal])
