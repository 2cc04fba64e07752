"""The page /compare in Chromium: on the sidecar itself, through proxies, and its figures alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Route, expect

from tests.browser.axe import findings
from tests.browser.chat import PATIENCE, Look, get, log_of, newest_run, open_context, wear
from tests.compare.test_command import buffering_proxy
from tests.compare.test_figures import ECDFS, HELD, PERCENTILES
from tests.compare.test_verdict import NUMBERS, VERDICTS, Changes, side
from tests.faults.proxy import FaultProxy, Way
from tests.support.sidecar import ROOT, Sidecar

OVERFLOW = """
  [document.documentElement, document.querySelector(".scroll")]
    .map((box) => box.scrollWidth - box.clientWidth)
"""
"""Pixels of the page and of its table that are out of sight."""


@pytest.fixture(scope="module")
def measurable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    running = Sidecar(
        tmp_path_factory.mktemp("compare") / "data", SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0"
    ).start(until_ready=False)
    yield running
    assert running.stop() == 0


LOOKS: tuple[Look, ...] = ("dark-narrow", "narrow", "dark", "light")


class Compare:
    """One tab with the page, and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.look: Look = "light"
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        self.headline = page.get_by_role("heading", level=1)
        self.reason = page.locator("#reason")
        self.said = page.locator("[aria-live]")
        self.start = page.get_by_role("button", name="Start")
        self.stop = page.get_by_role("button", name="Stop")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    async def measure(self, events: int, rate: int) -> None:
        await self.page.get_by_label("Events").fill(str(events))
        await self.page.get_by_label("Per second").fill(str(rate))
        await self.start.press("Enter")

    async def is_done(self) -> None:
        await expect(self.start).to_be_visible(timeout=PATIENCE)

    async def row(self, label: str) -> list[str]:
        row = self.page.get_by_role("row", name=re.compile(f"^{label}"))
        return await row.get_by_role("cell").all_inner_texts()

    async def saved(self, button: str, folder: Path) -> Path:
        async with self.page.expect_download() as download:
            await self.page.get_by_role("button", name=button).click()
        path = folder / (await download.value).suggested_filename
        await (await download.value).save_as(path)
        return path

    async def wear(self, look: Look) -> None:
        self.look = look
        await wear(self.page, look)

    async def pictures(self, name: str) -> None:
        """Of every look; all is in sight in each, however narrow the screen."""
        for look in LOOKS:
            await self.wear(look)
            assert await self.page.evaluate(OVERFLOW) == [0, 0]
            await self.screenshot(name)

    async def screenshot(self, name: str) -> None:
        folder = ROOT / "artifacts"
        folder.mkdir(exist_ok=True)
        path = folder / f"compare-{self.look}-{name}.png"
        await self.page.screenshot(path=path, full_page=True)


async def open_page(browser: Browser, url: str) -> Compare:
    context = await open_context(browser)
    compare = Compare(await context.new_page())
    await compare.page.goto(url)
    return compare


async def test_a_run_is_measured_over_both_transports_at_once(
    browser: Browser, measurable: Sidecar, tmp_path: Path
) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare")
    await compare.pictures("empty")
    await compare.measure(200, 100)
    await expect(compare.reason).to_contain_text("so far", timeout=PATIENCE)
    await expect(compare.said).to_be_empty()
    assert await compare.stop.is_visible()
    for look in LOOKS:
        await compare.wear(look)
        await compare.screenshot("running")
    await compare.is_done()

    assert await compare.page.evaluate("crossOriginIsolated")
    await expect(compare.page.get_by_text("timer steps 5 µs")).to_be_visible()
    await expect(compare.headline).to_have_text(
        re.compile(
            r"^(WebSocket and SSE serve you equally|(WebSocket|SSE) serves you better) here$"
        )
    )
    await expect(compare.said).to_contain_text("bytes more per event.")
    for label in ("p50", "p90", "p99", "max", "Connect", "Recover"):
        assert all(float(text) > 0 for text in await compare.row(label)), label
    ws, sse = (int(text) for text in await compare.row("Per event"))
    assert 295 < ws < sse < ws + 40
    assert await compare.row("Lost") == ["0", "0"]
    await compare.pictures("done")

    saved = await compare.saved("Save JSON", tmp_path)
    report = json.loads(saved.read_text())
    assert report["verdict"]["text"] in await compare.said.inner_text()
    assert [one["transport"] for one in report["samples"]] == ["ws", "sse"]
    for one, figures in zip(report["samples"], report["figures"], strict=True):
        assert len(one["seq"]) == len(one["born"]) == len(one["arrived"]) > 100
        assert figures["lost"] == 0
        # Three times off, each time back where it was.
        assert len(one["seq"]) < 200
    assert 0 < report["clock"]["error"] < 100
    assert report["clock"]["pings"] == 24
    assert measurable.url not in saved.read_text()
    # Once: Chromium encodes when it is idle, which at times is after 6.7 s only.
    picture = await compare.saved("Save PNG", ROOT / "artifacts")
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.rename(ROOT / "artifacts" / "compare-light-saved.png")
    assert compare.complaints == []


async def test_a_page_whose_clock_is_wrong_still_measures_right(
    browser: Browser, measurable: Sidecar
) -> None:
    compare = await open_page(browser, "about:blank")

    async def five_seconds_fast(route: Route) -> None:
        response = await route.fetch()
        text = await response.text()
        wrong = text.replace(
            "return performance.timeOrigin", "return 5000 + performance.timeOrigin"
        )
        assert wrong != text
        await route.fulfill(response=response, body=wrong)

    await compare.page.context.route("**/compare/clock.js", five_seconds_fast)
    await compare.page.goto(f"{measurable.url}/compare")
    await compare.measure(100, 200)
    await compare.is_done()
    await expect(compare.page.get_by_text("5000 ms behind this page’s")).to_be_visible()
    assert all(-100 < float(text) < 2500 for text in await compare.row("p50"))
    await compare.page.get_by_label("Clocks corrected").uncheck()
    assert all(4900 < float(text) < 7500 for text in await compare.row("p50"))
    assert compare.complaints == []


async def test_a_run_can_be_cut_by_hand_and_stopped(browser: Browser, measurable: Sidecar) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare")
    await compare.measure(20_000, 50)
    await expect(compare.reason).to_contain_text("so far", timeout=PATIENCE)
    # So many events that the first cut of its own is minutes away.
    assert await compare.row("Recover") == ["–", "–"]
    await compare.page.get_by_role("button", name="Cut").click()
    await expect(compare.page.get_by_role("row", name=re.compile("^Recover"))).not_to_contain_text(
        "–", timeout=PATIENCE
    )
    await compare.stop.click()
    await compare.is_done()
    assert await compare.row("Lost") == ["0", "0"]
    await expect(compare.said).not_to_be_empty()
    run = newest_run(measurable)
    assert run["state"] in ("cancelling", "cancelled")
    assert compare.complaints == []


async def test_a_run_of_a_page_that_was_left_is_cancelled(
    browser: Browser, measurable: Sidecar
) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare")
    await compare.measure(2_000, 50)
    await expect(compare.reason).to_contain_text("so far", timeout=PATIENCE)
    run = newest_run(measurable)["run"]
    await compare.page.goto("about:blank")
    assert (await log_of(measurable, run))[-1]["type"] == "run.cancelled"


async def test_stop_while_the_clocks_are_compared_starts_no_run(
    browser: Browser, measurable: Sidecar
) -> None:
    runs = get(measurable, "/runs")
    compare = await open_page(browser, f"{measurable.url}/compare")

    async def hold_pings(route: Route) -> None:
        if '"ping"' not in (route.request.post_data or ""):
            await route.continue_()

    await compare.page.context.route("**/control", hold_pings)
    await compare.measure(50, 100)
    await compare.stop.click()
    await compare.is_done()
    await expect(compare.headline).to_have_text("Nothing was measured")
    await expect(compare.reason).to_have_text("It was stopped before a run had begun.")
    assert get(measurable, "/runs") == runs


async def test_scripts_that_do_not_load_are_said(browser: Browser, measurable: Sidecar) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare")
    await compare.page.context.route("**/compare/worker.js", lambda route: route.abort())
    await compare.measure(50, 100)
    await compare.is_done()
    await expect(compare.headline).to_have_text("Nothing was measured")
    await expect(compare.reason).to_contain_text("reload the page")


async def test_a_page_that_gets_no_frames_owes_one_at_most(
    browser: Browser, measurable: Sidecar
) -> None:
    compare = await open_page(browser, "about:blank")
    await compare.page.add_init_script(
        "window.owed = []; window.requestAnimationFrame = (frame) => owed.push(frame);"
    )
    await compare.page.goto(f"{measurable.url}/compare")
    await compare.measure(100, 100)
    await compare.is_done()
    assert await compare.page.evaluate("owed.length") == 1


@pytest.mark.parametrize("address", ["http://", "localhost:3000/crew", "file:///crew"])
async def test_an_address_that_is_none_is_refused_where_it_stands(
    browser: Browser, measurable: Sidecar, address: str
) -> None:
    runs = get(measurable, "/runs")
    compare = await open_page(browser, f"{measurable.url}/compare?via={address}")
    await compare.start.click()
    field = compare.page.get_by_label("Through a proxy too")
    assert await field.evaluate("field => field.validationMessage") == (
        "An address such as http://localhost:3000/crew"
    )
    await expect(field).to_be_focused()
    assert get(measurable, "/runs") == runs
    await field.fill("")
    await compare.measure(10, 100)
    await compare.is_done()
    await expect(compare.headline).to_contain_text("here")


async def test_an_address_of_another_sidecar_is_found_out(
    browser: Browser, measurable: Sidecar, tmp_path: Path
) -> None:
    origin = measurable.url
    other = Sidecar(tmp_path / "other", SIDECAR_ORIGINS=origin, SIDECAR_WARM="0").start()
    try:
        compare = await open_page(browser, f"{measurable.url}/compare?via={other.url}")
        await compare.measure(30, 100)
        await compare.is_done()
        await expect(compare.headline).to_have_text("Nothing gets through here")
        await expect(compare.reason).to_contain_text("it leads to another sidecar")
        ws, _, sse, _ = await compare.row("p50")
        assert float(ws) > 0
        assert float(sse) > 0
    finally:
        assert other.stop() == 0


async def test_a_proxy_that_holds_sse_back_is_found_out(
    browser: Browser, measurable: Sidecar
) -> None:
    async with buffering_proxy(measurable.url) as proxy:
        compare = await open_page(browser, f"{measurable.url}/compare?via={proxy}")
        await compare.measure(150, 100)
        await compare.is_done()
        await compare.screenshot("buffered")
    await expect(compare.headline).to_have_text(
        "Buffered! Something between you and the sidecar holds SSE back"
    )
    await expect(compare.reason).to_contain_text("no-transform")
    await expect(compare.reason).to_contain_text("X-Accel-Buffering")
    # Direct and through the proxy, WebSocket and then SSE.
    _, ws, _, sse = await compare.row("Proxy adds")
    assert float(sse) > 10 * float(ws)
    assert await compare.row("Lost") == ["0"] * 4
    assert compare.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def slow(measurable: Sidecar) -> AsyncIterator[FaultProxy]:
    """A way that takes 30 ms longer to the reader, and holds nothing back."""
    async with FaultProxy(measurable.url) as proxy:
        for kind in ("ws", "http"):
            proxy.fault(kind, down=Way(delay=0.03))
        yield proxy


async def test_what_a_proxy_adds_is_told_and_a_long_way_is_no_buffer(
    browser: Browser, measurable: Sidecar, slow: FaultProxy
) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare?via={slow.url}")
    await compare.measure(60, 20)
    await compare.is_done()
    await compare.pictures("proxied")
    await expect(compare.headline).not_to_contain_text("Buffered")
    await expect(compare.reason).to_contain_text("The proxy adds")
    here, ws, there, sse = await compare.row("Proxy adds")
    assert (here, there) == ("–", "–")
    assert float(ws) == pytest.approx(30, abs=15)
    assert float(sse) == pytest.approx(30, abs=15)
    assert compare.complaints == []


async def test_a_sidecar_without_the_synthetic_crew_says_so_at_once_and_measures_another(
    browser: Browser, sidecar: Sidecar
) -> None:
    compare = await open_page(browser, f"{sidecar.url}/compare")
    missing = compare.page.get_by_role("region", name="This sidecar has no crew for measuring")
    await expect(missing).to_contain_text("SIDECAR_SYNTHETIC=1 make dev", timeout=PATIENCE)
    await compare.pictures("missing")
    await compare.start.click()
    await expect(compare.said).to_contain_text("no crew for measuring")
    # The refused command's status is the browser's own line in the console.
    assert [line for line in compare.complaints if "404" not in line] == []

    await missing.get_by_role("button", name="newest live run").click()
    await expect(compare.reason).to_contain_text("No run is going on")
    await compare.start.click()
    await missing.get_by_role("button", name="default crew").click()
    await compare.is_done()
    await expect(compare.headline).to_contain_text("here")
    assert await compare.row("Lost") == ["0", "0"]
    run = newest_run(sidecar)
    assert (run["crew"], run["state"]) == ("default", "completed")


async def test_there_is_a_way_back_to_the_page_that_led_there_and_else_to_the_sidecar_s_own(
    browser: Browser, measurable: Sidecar
) -> None:
    compare = await open_page(browser, f"{measurable.url}/compare")
    back = compare.page.get_by_role("link", name="Crew")
    assert await back.evaluate("link => link.href") == f"{measurable.url}/"
    await compare.page.goto(f"{measurable.url}/compare?via=", referer="http://localhost:3000/runs/")
    await expect(back).to_have_attribute("href", "http://localhost:3000/runs/")
    await back.focus()
    missing = compare.page.get_by_role("region", name="This sidecar has no crew for measuring")
    await compare.measure(20, 100)
    await compare.is_done()
    assert await missing.is_hidden()
    assert await findings(compare.page) == []


async def test_the_page_counts_and_judges_as_the_command_line_does(
    browser: Browser, measurable: Sidecar
) -> None:
    """The same cases as in tests/compare/test_figures.py and test_verdict.py."""
    page = (await open_page(browser, f"{measurable.url}/compare")).page

    async def call(module: str, name: str, *arguments: Any) -> Any:
        return await page.evaluate(
            "async ([path, name, args]) => (await import(path))[name](...args)",
            [f"/compare/{module}.js", name, list(arguments)],
        )

    for values, percent, expected in PERCENTILES:
        assert await call("figures", "percentile", values, percent) == expected
    for values, points in ECDFS:
        assert await call("figures", "ecdf", values) == [list(point) for point in points]
    for name, samples, share in HELD:
        assert await call("figures", "heldBack", samples) == pytest.approx(share, abs=0.001), name
    for ws, sse, kind, text in VERDICTS:
        found = await call("verdict", "verdict", _in_javascript(ws), _in_javascript(sse))
        assert (found["kind"], found["text"]) == (kind, text)
    for value, shown in NUMBERS:
        assert await call("verdict", "number", value) == shown
    later, earlier = {1: 5.0, 2: 9.0, 3: 30.0, 7: 1.0}, {1: 1.0, 2: 6.0, 3: 28.0, 8: 1.0}
    added = "async ([later, earlier]) => (await import('/compare/figures.js'))"
    added += ".added(new Map(later), new Map(earlier))"
    pairs = [list(map(list, times.items())) for times in (later, earlier)]
    assert await page.evaluate(added, pairs) == 3.0
    assert await page.evaluate(added, [[], []]) is None


def _in_javascript(changes: Changes) -> dict[str, Any]:
    figures = asdict(side(changes))
    figures["bytesPerEvent"] = figures.pop("bytes_per_event")
    return figures


def test_the_pages_scripts_keep_their_types(tmp_path: Path) -> None:
    """As TypeScript sees them, from the types in their comments."""
    compiler = ROOT / "web-adapter" / "node_modules" / "typescript" / "bin" / "tsc"
    options = {
        "allowJs": True,
        "checkJs": True,
        "lib": ["ES2023", "DOM", "DOM.Iterable"],
        "module": "ESNext",
        "moduleResolution": "bundler",
        "noEmit": True,
        "noImplicitReturns": True,
        "strict": True,
        "target": "ES2023",
        "types": [],
    }
    config = tmp_path / "tsconfig.json"
    scripts = str(ROOT / "sidecar" / "web" / "static" / "*.js")
    config.write_text(json.dumps({"compilerOptions": options, "include": [scripts]}))
    done = subprocess.run(
        ["node", str(compiler), "--project", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
