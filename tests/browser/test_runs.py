"""The pages of runs: what is open and what has ended, and each run on a page of its own."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.chat import (
    BRIEF,
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    log_of,
    newest_run,
    open_chat,
    open_context,
    screenshot,
    words,
)
from tests.browser.pages import KNOWN, address_of_run
from tests.support.sidecar import Sidecar

PLAN = "create_content_plan"


LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")


async def open_runs(browser: Browser, url: str) -> Chat:
    context = await open_context(browser)
    runs = Chat(await context.new_page())
    await runs.page.goto(f"{url}/runs/")
    await expect(runs.page.get_by_role("heading", level=1)).to_have_text("Runs")
    return runs


async def test_open_runs_come_first_and_move_then_go_to_the_finished_ones(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    async with chat_sidecar.client() as client:
        stopped = await client.start({"message": "A brief that nobody wanted any more"})
        await client.cancel(stopped)
        await log_of(chat_sidecar, stopped)
        asking = await client.start({"message": BRIEF}, review=[PLAN])
        runs = await open_runs(browser, page_url)
        page = runs.page
        mine = page.locator(f"a[href='{address_of_run(asking)}']")
        await expect(page.get_by_role("region", name="Open").locator(mine)).to_be_visible()
        await expect(mine).to_contain_text(BRIEF)
        await expect(mine).to_contain_text("Waiting for you", timeout=PATIENCE)
        await expect(mine).to_contain_text("0 of 3 tasks")
        ended = page.get_by_role("region", name="Finished").get_by_test_id("run")
        await expect(ended.first).to_contain_text("A brief that nobody wanted any more")
        await expect(ended.first).to_contain_text("Stopped")
        await expect(ended.first).to_contain_text("just now")
        for look in LOOKS:
            await runs.wear(look)
            assert not await page.evaluate(OVERFLOWS)
            await screenshot(page, f"runs-{look}")

        run = newest_run(chat_sidecar)
        await client.answer(asking, run["input"]["input"])
        await expect(mine).to_contain_text("1 of 3 tasks")
        finished = page.get_by_role("region", name="Finished").locator(mine)
        await expect(finished).to_contain_text("Done", timeout=PATIENCE)
        await expect(finished).to_contain_text(re.compile(r"\d s"))
    assert runs.complaints == []


async def test_a_run_on_its_own_page_is_paused_asks_and_is_answered(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    async def pictures(name: str) -> None:
        for look in ("dark-narrow", "light"):
            await runs.wear(look)
            assert not await page.evaluate(OVERFLOWS)
            await screenshot(page, f"run-{look}-{name}")

    async with chat_sidecar.client() as client:
        run = await client.start({"message": BRIEF}, review=[PLAN], thread="t_of_a_run_page")
    runs = await open_runs(browser, page_url)
    page = runs.page
    await page.locator(f"a[href='{address_of_run(run)}']").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(BRIEF)
    await runs.is_asked()
    await expect(page.locator("[aria-live=polite]")).to_contain_text("Waiting for you")
    await pictures("waiting")
    await runs.button("Accept").click()
    await expect(runs.questions).to_contain_text("Accepted")
    await runs.words_of(1)
    await runs.button("Pause").click()
    await expect(page.get_by_test_id("run-state")).to_contain_text("Paused")
    await pictures("paused")
    await runs.button("Resume").click()
    answer = await runs.all_done()
    assert words(answer) == words(newest_run(chat_sidecar)["output"])
    await expect(page.get_by_role("group", name="Controls")).to_have_count(0)
    await pictures("done")

    await page.get_by_role("link", name="Continue in chat").click()
    await expect(page.locator(".user")).to_have_text([BRIEF])
    await runs.all_done()
    await runs.send("And now for tea")
    await expect(runs.answer).to_have_count(2, timeout=PATIENCE)
    assert runs.complaints == []


async def test_a_run_on_its_own_page_can_be_stopped(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    async with chat_sidecar.client() as client:
        run = await client.start({"message": BRIEF})
    page = (await open_runs(browser, page_url)).page
    await page.goto(f"{page_url}{address_of_run(run)}")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_test_id("run-state")).to_contain_text("Stopped")
    assert (await log_of(chat_sidecar, run))[-1]["type"] == "run.cancelled"


async def test_a_run_that_there_is_not_and_a_sidecar_that_is_away_are_said_with_the_way_out(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    runs = await open_runs(browser, page_url)
    page = runs.page
    await page.goto(f"{page_url}{address_of_run('r_nobody')}")
    await expect(page.get_by_role("alert").filter(has_text="no such run")).to_be_visible()
    await page.goto(f"{page_url}/run/")
    nameless = page.get_by_role("alert").filter(has_text="No run is named in the address")
    await nameless.get_by_role("link", name="All runs").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Runs")

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await page.route(f"{KNOWN}/**", refuse)
    await page.goto(f"{page_url}/runs/")
    problem = page.get_by_role("alert").filter(has_text="The sidecar isn’t running")
    await expect(problem).to_contain_text("make serve", timeout=PATIENCE)
    await screenshot(page, "runs-light-no-sidecar")
    await page.unroute(f"{KNOWN}/**")
    await problem.get_by_role("button", name="Try again").click()
    await expect(problem).to_have_count(0)


async def test_the_pages_are_reached_with_the_keyboard_alone(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    async with chat_sidecar.client() as client:
        run = await client.start({"message": BRIEF}, review=[PLAN])
    chat = await open_chat(browser, page_url)
    page = chat.page
    nav = page.get_by_role("navigation", name="Pages")
    await expect(nav.get_by_role("link", name="Chat")).to_have_attribute("aria-current", "page")
    compare = nav.get_by_role("link", name="Compare")
    await expect(compare).to_have_attribute("href", f"{KNOWN}/compare")

    # Where a page begins for the keyboard; the composer has the focus.
    await page.locator(".wordmark").click()
    for name in ("Chat", "Runs"):
        await page.keyboard.press("Tab")
        await expect(nav.get_by_role("link", name=name)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    await expect(nav.get_by_role("link", name="Runs")).to_have_attribute("aria-current", "page")

    mine = page.locator(f"a[href='{address_of_run(run)}']")
    await expect(mine).to_contain_text("Waiting for you", timeout=PATIENCE)
    await tab_to(page, mine)
    await page.keyboard.press("Enter")
    await chat.is_asked()
    await expect(chat.feedback).to_be_focused()
    await tab_to(page, chat.button("Accept"))
    await page.keyboard.press("Enter")
    await expect(chat.questions).to_contain_text("Accepted")
    await page.evaluate("document.activeElement.blur()")
    await tab_to(page, chat.button("Stop"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("run-state")).to_contain_text("Stopped")
    assert chat.complaints == []


async def tab_to(page: Page, wanted: Locator, most: int = 15) -> None:
    """Press Tab until it has the focus."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    await expect(wanted).to_be_focused()
