"""What the network does to the page in the middle of a run, through a TCP proxy in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat import (
    BRIEF,
    PATIENCE,
    Chat,
    chromium,
    leads,
    log_of,
    newest_run,
    open_chat,
    open_context,
    words,
)
from tests.conftest import StartSidecar
from tests.faults.proxy import BLACKHOLE, FaultProxy
from tests.support.sidecar import Sidecar, assert_whole


@pytest.fixture(params=["turned", pytest.param("real", marks=pytest.mark.long)])
def clock(request: pytest.FixtureRequest) -> str:
    """Whether the page's clock is turned on by hand, or what takes half a minute does so."""
    kind: str = request.param
    return kind


@pytest.fixture
def slow_sidecar(start_sidecar: StartSidecar, origins: str, clock: str) -> Sidecar:
    """A run takes long enough for a watchdog of 12 s to have its say in the middle of it."""
    return start_sidecar(
        SIDECAR_ORIGINS=origins,
        OFFLINE_TOKEN_MS={"turned": "60", "real": "250"}[clock],
        OFFLINE_TOKENS="40",
    )


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(slow_sidecar: Sidecar) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(slow_sidecar.url) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def browser(proxy: FaultProxy) -> AsyncIterator[Browser]:
    async with chromium(leads(proxy.url)) as browser:
        yield browser


async def writes_on(chat: Chat) -> None:
    """Wait until more is to be seen of what the crew writes."""
    before = await chat.page.evaluate(SHOWN)
    await chat.page.wait_for_function(f"n => ({SHOWN})() > n", arg=before, timeout=PATIENCE)


SHOWN = "() => [...document.querySelectorAll('.words')].map((e) => e.textContent).join('').length"
"""Length of all that the crew is seen to have written."""


async def test_a_websocket_that_goes_dead_is_replaced_by_sse_and_comes_back(
    browser: Browser, page_url: str, slow_sidecar: Sidecar, proxy: FaultProxy, clock: str
) -> None:
    context = await open_context(browser)
    if clock == "turned":
        await context.clock.install()
    chat = Chat(await context.new_page())
    await chat.open(page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.goes_by("ws")
    proxy.fault("ws", BLACKHOLE)
    if clock == "turned":
        await context.clock.fast_forward(12_000)
    await chat.goes_by("sse")
    await writes_on(chat)
    await chat.screenshot("fallen-back")
    proxy.heal("ws")
    if clock == "turned":
        # 15 s until a WebSocket is tried again; after 12 without a word one would be anyway.
        for _ in range(2):
            await context.clock.fast_forward(7_500)
            await writes_on(chat)
    await chat.goes_by("ws")

    await chat.answered(3 * PATIENCE)
    run = newest_run(slow_sidecar)
    assert run["state"] == "completed"
    assert words(await chat.answer.inner_text()) == words(run["output"])
    log = await log_of(slow_sidecar, run["run"])
    assert_whole(log)
    await chat.unfold()
    # Every token once: what each call was seen to write is what the log says it wrote. (The last
    # task's words are the answer.)
    for n, task in enumerate(run["tasks"][:-1]):
        told: dict[str, str] = {}
        for event in log:
            delta = event["type"] == "llm.delta" and event["data"]["kind"] == "text"
            if delta and event["task"] == task["name"]:
                call = event["data"]["call"]
                told[call] = told.get(call, "") + event["data"]["text"]
        shown = words(await chat.tasks.nth(n).inner_text())
        assert told, task["name"]
        for text in told.values():
            assert contains(shown, words(text)), task["name"]


async def test_a_page_that_is_reloaded_in_mid_run_is_rebuilt_and_goes_on_through_a_restart(
    browser: Browser, page_url: str, slow_sidecar: Sidecar, proxy: FaultProxy
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.words_of(1)
    proxy.cut()
    await chat.page.reload()
    await chat.words_of(1)
    await expect(chat.page.locator(".user")).to_have_text([BRIEF])
    await asyncio.to_thread(slow_sidecar.stop, 9)
    await asyncio.to_thread(slow_sidecar.start)
    proxy.target = slow_sidecar.url
    await expect(chat.answer).to_be_visible(timeout=4 * PATIENCE)
    run = newest_run(slow_sidecar)
    assert (run["state"], run["attempt"]) == ("completed", 2)
    assert words(await chat.answer.inner_text()) == words(run["output"])
    await expect(chat.page.locator(".user")).to_have_text([BRIEF])


def contains(text: list[str], part: list[str]) -> bool:
    """Whether `part` stands in `text` in one piece."""
    return any(text[n : n + len(part)] == part for n in range(len(text) - len(part) + 1))
