"""The awkward moments of a chat, on both transports, in `next dev` and in a built app."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect

from tests.browser.chat import (
    BRIEF,
    PATIENCE,
    Chat,
    chromium,
    get,
    in_dev_too,
    leads,
    log_of,
    newest_run,
    open_chat,
    words,
    written,
)
from tests.browser.pages import KNOWN
from tests.browser.tabs import hidden_tabs
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import Sidecar, assert_whole

PLAN = "create_content_plan"


@pytest.fixture
def url(page_url: str, transport: str) -> str:
    """The chat page, held to one transport."""
    return f"{page_url}/?transport={transport}"


def path(url: str, name: str) -> str:
    """Another page of the same app, on the same transport."""
    return url.replace("/?", f"/{name}?")


async def shows_once(chat: Chat, *briefs: str) -> None:
    """Wait until each of these messages is there once, with one reply each."""
    await expect(chat.page.locator(".user")).to_have_text(list(briefs))
    await expect(chat.page.locator(".assistant")).to_have_count(len(briefs))


async def ends_well(chat: Chat, sidecar: Sidecar, run: str) -> None:
    """Wait for the answer, and compare what is shown of the run with its log: each word once."""
    await chat.answered(3 * PATIENCE)
    ended = get(sidecar, f"/runs/{run}")
    log = await log_of(sidecar, run)
    assert ended["state"] == "completed"
    assert_whole(log)
    assert words(await chat.answer.last.inner_text()) == words(ended["output"])
    await chat.unfold()
    first = chat.page.locator(".assistant").last.get_by_test_id("task").first
    assert words(await first.locator(".words").inner_text()) == written(log, PLAN)


@in_dev_too
async def test_a_reload_in_mid_run_rebuilds_the_conversation_and_goes_on(
    browser: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    """Each message stands there once: assistant-ui #5791."""
    chat = await open_chat(browser, url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(chat_sidecar)["run"]
    await chat.page.reload()
    await chat.words_of(0)
    assert get(chat_sidecar, f"/runs/{run}")["state"] == "running"
    await shows_once(chat, BRIEF)
    await chat.words_of(1)
    await ends_well(chat, chat_sidecar, run)
    await shows_once(chat, BRIEF)
    assert newest_run(chat_sidecar)["run"] == run
    assert chat.complaints == []


async def test_stop_cancels_the_run_and_leaves_the_words_that_were_there(
    browser: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    """A cancel does not take back what was written: assistant-ui #5820."""
    chat = await open_chat(browser, url)
    await chat.send(BRIEF)
    await chat.words_of(1)
    run = newest_run(chat_sidecar)["run"]
    plan = chat.tasks.first.locator(".words")
    before = words(await plan.inner_text())
    begun = words(await chat.tasks.nth(1).locator(".words").inner_text())
    await chat.button("Stop").click()
    await expect(chat.page.get_by_text("Stopped.").first).to_be_visible()
    log = await log_of(chat_sidecar, run)
    assert log[-1]["type"] == "run.cancelled"
    await expect(chat.tasks.nth(1)).to_have_attribute("data-state", "stopped")
    assert words(await plan.inner_text()) == before == written(log, PLAN)
    # The last word may have grown since.
    left = words(await chat.tasks.nth(1).locator(".words").inner_text())
    assert begun
    assert left[: len(begun) - 1] == begun[:-1]
    await shows_once(chat, BRIEF)
    await chat.page.reload()
    await expect(plan).to_be_visible()
    assert words(await plan.inner_text()) == before
    await shows_once(chat, BRIEF)
    assert chat.complaints == []


@in_dev_too
async def test_a_page_that_is_left_lets_the_run_go_on_and_shows_it_on(
    browser: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(chat_sidecar)["run"]
    await chat.page.get_by_role("link", name="Runs").click()
    row = chat.page.get_by_test_id("run").first
    await expect(row).to_contain_text("Running", timeout=PATIENCE)
    await expect(row).to_contain_text(re.compile("[12] of 3 tasks"), timeout=PATIENCE)
    await chat.page.get_by_role("link", name="Chat").click()
    await chat.words_of(1)
    await shows_once(chat, BRIEF)
    await ends_well(chat, chat_sidecar, run)
    await shows_once(chat, BRIEF)
    assert chat.complaints == []


async def test_a_second_message_to_a_live_run_steers_it(
    browser: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(chat_sidecar)["run"]
    await chat.steer("Mention the harbour")
    await expect(chat.steers).to_contain_text("You steered: Mention the harbour")
    await expect(chat.steers).to_have_attribute("data-state", "applied", timeout=PATIENCE)
    await ends_well(chat, chat_sidecar, run)
    assert newest_run(chat_sidecar)["run"] == run
    log = await log_of(chat_sidecar, run)
    assert [e["data"]["instruction"] for e in log if e["type"] == "run.modified"] == [
        "Mention the harbour"
    ]
    await expect(chat.steers).to_have_count(1)
    assert chat.complaints == []


async def test_two_tabs_on_one_conversation_show_the_same_run_and_an_answer_in_one_counts_in_both(
    browser: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    here = await open_chat(browser, url)
    await here.ask_after_first()
    await here.send(BRIEF)
    await here.is_asked()
    run = newest_run(chat_sidecar)["run"]

    there = Chat(await here.page.context.new_page())
    await there.page.goto(url.replace("/?", f"/run/?id={run}&"))
    await there.is_asked()
    await there.page.get_by_role("link", name="Continue in chat").click()
    await there.is_at("waiting")
    await there.is_asked()
    await shows_once(there, BRIEF)
    await there.button("Accept").click()
    for chat in (here, there):
        await expect(chat.questions).to_contain_text("Accepted")
        await expect(chat.feedback).to_have_count(0)
    for chat in (here, there):
        await ends_well(chat, chat_sidecar, run)
        await shows_once(chat, BRIEF)
        assert chat.complaints == []


@pytest.mark.parametrize("transport", ["sse"])
async def test_seven_tabs_do_not_keep_a_command_from_getting_through(
    url: str, chat_sidecar: Sidecar, tmp_path: Path
) -> None:
    """A browser has six connections to one origin; a hidden tab lets go of its own."""
    async with chat_sidecar.client() as client:
        run = await client.start({"message": BRIEF}, review=[PLAN])
    asked = "document.querySelector('[data-testid=question][data-state=open]')"
    connection = "document.querySelector('.connection')?.dataset.state"
    async with hidden_tabs(tmp_path, leads(chat_sidecar.url)) as tabs:
        seven = []
        for _ in range(7):
            seven.append(await tabs.open(url.replace("/?", f"/run/?id={run}&")))
            await seven[-1].until(f"document.visibilityState === 'visible' && {asked}")
        for tab in seven[:-1]:
            await tab.until(f"document.visibilityState === 'hidden' && {connection} === 'asleep'")
        await seven[-1].until(f"{connection} === 'open'")
        await seven[-1].evaluate("document.querySelector('.accept').click()")
        # Far less than the 5 s after which the client gives a command up and sends it again.
        await seven[-1].until("document.body.textContent.includes('Accepted')", 2_500)
        assert "Accepted" not in await seven[0].evaluate("document.body.textContent")
        await seven[0].bring_to_front()
        await seven[0].until("document.querySelector('[data-testid=answer]')")
        assert "Accepted" in await seven[0].evaluate("document.body.textContent")
    log = await log_of(chat_sidecar, run)
    assert log[-1]["type"] == "run.completed"


@pytest_asyncio.fixture(loop_scope="session")
async def caching(chat_sidecar: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(
        leads(chat_sidecar.url), without=["--disable-back-forward-cache"]
    ) as browser:
        yield browser


@in_dev_too
async def test_a_page_from_the_back_forward_cache_goes_on(
    caching: Browser, url: str, chat_sidecar: Sidecar
) -> None:
    """`next dev` says no-store, which Chromium takes as a no; there the page is loaded anew."""
    chat = await open_chat(caching, url)
    page = chat.page
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(chat_sidecar)["run"]
    await page.evaluate("addEventListener('pageshow', (e) => (window.persisted = e.persisted))")
    await page.goto(f"{KNOWN}/compare")
    # Not `go_back`, which waits for a load that a page from the cache does not have.
    # Once the call has been answered, which it can't be from a page that is left.
    await page.evaluate("void setTimeout(() => history.back())")
    await page.wait_for_url(re.compile(f"{re.escape(url)}.*thread="), wait_until="commit")
    await chat.words_of(0)
    why = await page.evaluate(
        "performance.getEntriesByType('navigation')[0].notRestoredReasons?.toJSON().reasons"
    )
    if why is None:
        assert await page.evaluate("window.persisted") is True
    else:
        assert "response-cache-control-no-store" in [reason["reason"] for reason in why]
    await ends_well(chat, chat_sidecar, run)
    await shows_once(chat, BRIEF)


@pytest.fixture
def mortal(start_sidecar: StartSidecar, origins: str) -> Sidecar:
    """A sidecar that a test may kill."""
    return start_sidecar(
        SIDECAR_ORIGINS=origins,
        OFFLINE_TOKEN_MS="48",
        OFFLINE_TOKENS="25",
    )


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(mortal: Sidecar) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(mortal.url) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def context(proxy: FaultProxy) -> AsyncIterator[BrowserContext]:
    """Where the address of the sidecar that the page knows leads to the one that may be killed."""
    async with chromium(leads(proxy.url)) as browser:
        yield await browser.new_context()


async def test_a_sidecar_that_is_killed_and_started_again_in_mid_run_costs_no_word(
    context: BrowserContext, url: str, mortal: Sidecar, proxy: FaultProxy
) -> None:
    chat = Chat(await context.new_page())
    await chat.open(url)
    await chat.send(BRIEF)
    await chat.words_of(1)
    run = newest_run(mortal)["run"]
    await asyncio.to_thread(mortal.stop, 9)
    await expect(chat.connection).to_have_text("Reconnecting…")
    await asyncio.to_thread(mortal.start)
    proxy.target = mortal.url
    await expect(chat.page.get_by_text("Attempt 2")).to_be_visible(timeout=PATIENCE)
    await ends_well(chat, mortal, run)
    await shows_once(chat, BRIEF)
    assert get(mortal, f"/runs/{run}")["attempt"] == 2


async def test_a_run_that_the_sidecar_no_longer_has_is_told_and_the_page_works_on(
    context: BrowserContext,
    url: str,
    mortal: Sidecar,
    proxy: FaultProxy,
    start_sidecar: StartSidecar,
    origins: str,
) -> None:
    chat = Chat(await context.new_page())
    await chat.open(url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await asyncio.to_thread(mortal.stop, 9)
    empty = await asyncio.to_thread(
        lambda: start_sidecar(
            name="empty",
            SIDECAR_ORIGINS=origins,
        )
    )
    proxy.target = empty.url
    problem = chat.page.get_by_role("alert").filter(has_text="no longer has this run")
    await expect(problem).to_be_visible(timeout=PATIENCE)
    assert await chat.tasks.first.locator(".words").inner_text() != ""

    await chat.page.reload()
    await expect(chat.page.get_by_text("Earlier runs are gone")).to_be_visible()
    await chat.send("And now for tea")
    await chat.words_of(0)
    await ends_well(chat, empty, newest_run(empty)["run"])
    await chat.page.reload()
    await shows_once(chat, "And now for tea")


async def test_a_page_that_loses_its_network_says_so_and_catches_up(
    context: BrowserContext, url: str, mortal: Sidecar, proxy: FaultProxy
) -> None:
    chat = Chat(await context.new_page())
    await chat.open(url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(mortal)["run"]
    await context.set_offline(True)
    # That is for new connections only.
    proxy.cut()
    await expect(chat.connection).to_have_text("Offline", timeout=PATIENCE)
    await expect(chat.page.get_by_text("You are offline.")).to_be_visible()
    await chat.screenshot("offline")
    async with mortal.client() as client:
        async for event in client.follow(run):
            if event["type"] == "task.started" and event["data"]["index"] > 1:
                break
    await context.set_offline(False)
    await expect(chat.connection).to_have_attribute("data-state", "open")
    await ends_well(chat, mortal, run)
    await shows_once(chat, BRIEF)
