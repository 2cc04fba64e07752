"""docs/examples/websocket.html as it is served and used: one file on the wire, no adapter."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from sidecar.client import Frame
from tests.browser.chat import PATIENCE
from tests.browser.pages import free_port
from tests.faults.proxy import Connection, FaultProxy, Way
from tests.support.sidecar import BOUND, ROOT, Sidecar, assert_whole

EXAMPLE: Final = ROOT / "docs" / "examples" / "websocket.html"


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the page is served from, by the command on top of it."""
    port = free_port()
    found = re.search(r"cd (\S+) && python (-m http\.server 3000 .+)", EXAMPLE.read_text())
    assert found is not None
    arguments = found[2].replace("3000", str(port)).split()
    with subprocess.Popen(
        [sys.executable, "-u", *arguments],
        cwd=ROOT / found[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert f"port {port}" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        server.wait(BOUND)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory, origin: str) -> Iterator[Sidecar]:
    running = Sidecar(
        tmp_path_factory.mktemp("page") / "data",
        SIDECAR_ORIGINS=origin,
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="40",
    ).start()
    yield running
    assert running.stop() == 0


async def opened(
    browser: Browser, origin: str, address: str, *, told: list[Frame] | None = None
) -> Page:
    """The page; each event that any of its sockets gets is added to `told`."""

    def on_frame(text: str | bytes) -> None:
        frame = json.loads(text)
        if told is not None and "seq" in frame and "data" in frame:
            told.append(frame)

    page = await browser.new_page()
    page.on("websocket", lambda socket: socket.on("framereceived", on_frame))
    await page.goto(f"{origin}/websocket.html?sidecar={address}")
    await expect(page.locator("#connection")).to_have_text("connected", timeout=PATIENCE)
    return page


async def events_of(sidecar: Sidecar, page: Page) -> list[Frame]:
    """The log of the run that `page` shows, which has ended."""
    async with sidecar.client() as crew:
        events = [event async for event in crew.follow(page.url.rpartition("#")[2])]
    assert_whole(events)
    return events


def texts(events: list[Frame]) -> list[str]:
    """What the model wrote, task by task."""
    written: dict[str, str] = {}
    for event in events:
        if event["type"] == "llm.delta" and event["data"]["kind"] == "text":
            written[event["task"]] = written.get(event["task"], "") + event["data"]["text"]
    return list(written.values())


async def test_tokens_are_shown_and_a_run_is_paused_and_resumed(
    browser: Browser, origin: str, sidecar: Sidecar
) -> None:
    page = await opened(browser, origin, sidecar.url)
    state, shown = page.get_by_role("status"), page.locator("main section > div")
    await page.get_by_role("button", name="Start").click()
    await expect(shown.first).not_to_be_empty(timeout=PATIENCE)
    await page.get_by_role("button", name="Pause").click()
    await expect(state).to_have_text("paused", timeout=PATIENCE)
    await page.get_by_role("button", name="Resume").click()
    await expect(state).to_have_text("completed", timeout=PATIENCE)
    events = await events_of(sidecar, page)
    assert await shown.all_text_contents() == texts(events)
    assert [event["type"] for event in events].count("run.resumed") == 1
    await page.reload()
    await expect(state).to_have_text("completed", timeout=PATIENCE)
    assert await shown.all_text_contents() == texts(events)
    await page.close()


async def test_a_run_is_cancelled(browser: Browser, origin: str, sidecar: Sidecar) -> None:
    page = await opened(browser, origin, sidecar.url)
    await page.get_by_role("button", name="Start").click()
    await expect(page.locator("main section > div").first).not_to_be_empty(timeout=PATIENCE)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status")).to_have_text("cancelled", timeout=PATIENCE)
    assert (await events_of(sidecar, page))[-1]["type"] == "run.cancelled"
    await page.close()


async def test_a_connection_that_is_cut_again_and_again_leaves_no_gap_and_no_repeat(
    browser: Browser, origin: str, sidecar: Sidecar
) -> None:
    told: list[Frame] = []
    cuts = [3_000, 6_000, 2_000, 9_000, 4_000]

    def cut(connection: Connection) -> None:
        if cuts:
            connection.fault(down=Way(cut=cuts.pop(0)))

    async with FaultProxy(sidecar.url) as proxy:
        proxy.plan = cut
        page = await opened(browser, origin, proxy.url, told=told)
        await page.get_by_role("button", name="Start").click()
        await expect(page.get_by_role("status")).to_have_text("completed", timeout=PATIENCE)
        assert proxy.opened["ws"] > 5
        events = await events_of(sidecar, page)
        assert told == events
        assert await page.locator("main section > div").all_text_contents() == texts(events)
        await page.close()


async def test_a_page_of_another_origin_is_not_let_in(
    browser: Browser, origin: str, sidecar: Sidecar
) -> None:
    page = await browser.new_page()
    async with page.expect_event("console", lambda said: "403" in said.text):
        await page.goto(f"{EXAMPLE.as_uri()}?sidecar={sidecar.url}")
    await expect(page.locator("#connection")).not_to_have_text("connected")
    await page.close()
