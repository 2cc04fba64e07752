"""The pages of runs: what is open and what has ended, and each run on a page of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.axe import findings
from tests.browser.chat import (
    BRIEF,
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    get,
    leads,
    log_of,
    newest_run,
    open_chat,
    open_context,
    screenshot,
    wear,
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


def row_of(page: Page, run: str) -> Locator:
    return page.locator(f"[data-run='{run}']")


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
        mine = row_of(page, asking)
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
        # It asks again, so that it is there for as long as the keys take to get to Stop.
        run = await client.start({"message": BRIEF}, review=[PLAN, "analyze_sentiment"])
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

    mine = row_of(page, run)
    await expect(mine).to_contain_text("Waiting for you", timeout=PATIENCE)
    await tab_to(page, mine.get_by_role("link"))
    await page.keyboard.press("Enter")
    await chat.is_asked()
    await expect(chat.feedback).to_be_focused()
    await tab_to(page, chat.button("Accept"))
    await page.keyboard.press("Enter")
    await expect(chat.questions.first).to_contain_text("Accepted")
    await page.evaluate("document.activeElement.blur()")
    await tab_to(page, chat.button("Stop"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("run-state")).to_contain_text("Stopped")
    assert chat.complaints == []


async def tab_to(page: Page, wanted: Locator, most: int = 60) -> None:
    """Press Tab until it has the focus."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    await expect(wanted).to_be_focused()


OLDER = 52
"""Finished runs of `many`, of which the first page has 50."""


@pytest.fixture
def many(tmp_path: Path, origins: str) -> Iterator[Sidecar]:
    running = Sidecar(
        tmp_path / "many",
        SIDECAR_ORIGINS=origins,
        SIDECAR_SYNTHETIC="1",
        SIDECAR_MAX_RUNS="1",
        OFFLINE_TOKEN_MS="10",
    ).start()
    yield running
    assert running.stop() == 0


async def filled(many: Sidecar) -> dict[str, str]:
    """Runs that are over; and one that asks, one that works and two that wait for their turn."""
    async with many.client() as client:
        for number in range(OLDER):
            words = ["Roast", ""][number % 2] and f"Roast {number}"
            short = {"message": words, "events": 2, "delay": 0}
            run = await client.start(short, crew="synthetic")
            await log_of(many, run)
        asks = await client.start({"message": "A harbour festival"}, review=[PLAN])
        async for event in client.follow(asks):
            if event["type"] == "input.requested":
                break
        endless = {"message": "Steady work", "events": 1_000_000, "rate": 20}
        works = await client.start(endless, crew="synthetic")
        first, second = [await client.start(endless, crew="synthetic") for _ in range(2)]
    return {"asks": asks, "works": works, "first": first, "second": second}


async def is_for_everybody(page: Page) -> None:
    looks: tuple[Look, ...] = ("dark", "light")
    for look in looks:
        await wear(page, look)
        assert await findings(page) == []


FOCUSED = """() => {
  const row = document.activeElement.closest("[data-run]");
  return row ? row.dataset.run : document.activeElement.localName;
}"""


async def test_runs_are_found_paged_through_stopped_and_deleted_by_keyboard(
    page_url: str, many: Sidecar
) -> None:
    runs = await filled(many)
    async with chromium(leads(many.url)) as browser:
        page = (await open_runs(browser, page_url)).page
        rows = page.get_by_test_id("run")
        listed = page.get_by_role("region", name="Open").get_by_test_id("run")
        over = page.get_by_role("region", name="Finished").get_by_test_id("run")

        # What wants somebody, what works, what will start next; then what is over, newest first.
        said = ("Waiting for you", "Running", "Next in the queue", "2nd in the queue")
        for number, (words, run) in enumerate(zip(said, runs.values(), strict=True)):
            await expect(listed.nth(number)).to_contain_text(words)
            await expect(listed.nth(number)).to_have_attribute("data-run", run)
        await expect(over).to_have_count(50)
        await expect(over.first).to_contain_text("events: 2, delay: 0")
        await expect(over.nth(1)).to_contain_text(f"Roast {OLDER - 2}")
        await expect(over.nth(1)).to_contain_text("2 tokens")

        # Beyond the first page, to the oldest; the focus is with the first that came.
        await page.get_by_role("button", name="Show older").press("Enter")
        await expect(over).to_have_count(OLDER)
        await expect(page.get_by_text("These are all that are kept.")).to_be_visible()
        await expect(over.nth(50).get_by_role("link")).to_be_focused()

        # A deletion is asked about, may be taken back, and leaves the focus where it was.
        doomed, next = [await over.nth(n).get_attribute("data-run") for n in (50, 51)]
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(over.nth(50).get_by_role("button", name="Delete", exact=True)).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(over.nth(50).get_by_role("button")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await expect(over).to_have_count(OLDER - 1)
        assert await page.evaluate(FOCUSED) == next
        left = get(many, "/runs?state=final&limit=1000&brief=1")["runs"]
        assert len(left) == OLDER - 1
        assert doomed not in [run["run"] for run in left]

        # Stopped by keyboard: the one behind it moves up, and the focus goes with the run.
        stop = listed.nth(2).get_by_role("button", name="Stop")
        await stop.press("Enter")
        await expect(row_of(page, runs["second"])).to_contain_text("Next in the queue")
        await expect(over.first).to_have_attribute("data-run", runs["first"])
        await expect(over.first).to_contain_text("Stopped")
        assert await page.evaluate(FOCUSED) in runs.values()

        # Words, a state and a crew are in the address: a reload keeps them, and so does "Back".
        await page.get_by_role("searchbox", name="Search runs").fill("festival  HARBOUR")
        await expect(rows).to_have_count(1)
        await expect(rows).to_have_attribute("data-run", runs["asks"])
        await page.wait_for_url("**/runs/?q=festival++HARBOUR")
        await page.reload()
        await expect(rows).to_have_count(1)
        await rows.get_by_role("link").press("Enter")
        await page.wait_for_url("**/run/**")
        await page.go_back()
        await expect(page.get_by_role("searchbox")).to_have_value("festival  HARBOUR")
        await expect(rows).to_have_count(1)
        await page.get_by_role("combobox", name="Crew").select_option("synthetic")
        await expect(page.get_by_role("main")).to_contain_text("No run is like that.")
        await page.get_by_role("button", name="Show all").press("Enter")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await expect(over).to_have_count(50)
        states = page.get_by_role("navigation", name="By state")
        await expect(states).to_contain_text(f"Done {OLDER - 1}")
        await states.get_by_role("link", name="Stopped 1").press("Enter")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Steady work")
        await states.get_by_role("link", name="All").press("Enter")
        await expect(over).to_have_count(50)

        # Without a sidecar the list stays, nothing of it moves, and one can try again.
        async def refuse(route: Route) -> None:
            await route.abort("connectionrefused")

        await page.route(f"{KNOWN}/runs**", refuse)
        problem = page.get_by_role("alert").filter(has_text="The sidecar isn’t running")
        await expect(problem).to_be_visible(timeout=PATIENCE)
        await expect(over).to_have_count(50)
        await expect(page.locator(".run-lists")).to_have_attribute("data-stale", "true")
        await is_for_everybody(page)
        await page.unroute(f"{KNOWN}/runs**")
        await problem.get_by_role("button", name="Try again").press("Enter")
        await expect(problem).to_have_count(0)
        assert await page.evaluate(FOCUSED) == "main"

        await over.first.get_by_role("button").click()
        await is_for_everybody(page)
        await page.set_viewport_size({"width": 320, "height": 640})
        assert not await page.evaluate(OVERFLOWS)
        await screenshot(page, "runs-320")


async def test_a_sidecar_without_runs_says_where_they_come_from(
    page_url: str, many: Sidecar
) -> None:
    async with chromium(leads(many.url)) as browser:
        page = (await open_runs(browser, page_url)).page
        await expect(page.get_by_role("main")).to_contain_text("No runs yet.")
        await expect(page.get_by_role("searchbox")).to_have_count(0)
        await page.get_by_role("link", name="Write a brief").click()
        await expect(page.get_by_role("textbox")).to_be_visible()
