"""A run on a page of its own: steered, looked at as it was, begun again at a task."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    leads,
    log_of,
    newest_run,
    open_context,
    screenshot,
)
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar, kill
from tests.test_carry_on import ROLES, TASKS, calls, environ

LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")
SLOW = Script(tokens=tuple(f"word{n} " for n in range(60)), delay=0.05)


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer(Script(tokens=("a plan for ", "Lisbon"))) as server:
        yield server


@pytest.fixture
def served(start_sidecar: StartSidecar, origins: str, model: OpenAIServer) -> Sidecar:
    """One run works at a time."""
    return start_sidecar(**environ(model), SIDECAR_ORIGINS=origins, SIDECAR_MAX_RUNS="1")


@pytest_asyncio.fixture(loop_scope="session")
async def browser(served: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(served.url)) as browser:
        yield browser


async def open_run(browser: Browser, url: str, run: str) -> Chat:
    context = await open_context(browser)
    tab = Chat(await context.new_page())
    await tab.page.goto(f"{url}/run/?id={run}")
    await expect(tab.page.get_by_test_id("run-state")).to_be_visible(timeout=PATIENCE)
    return tab


async def fits(tab: Chat, name: str) -> None:
    """It reads in all looks, has nothing that axe minds, and nothing out of sight to the side."""
    for look in LOOKS:
        await tab.wear(look)
        assert not await tab.page.evaluate(OVERFLOWS), look
        await screenshot(tab.page, f"run-page-{look}-{name}")
    await tab.page.set_viewport_size({"width": 320, "height": 640})
    assert not await tab.page.evaluate(OVERFLOWS)
    assert await findings(tab.page) == []
    await tab.wear("light")


async def test_a_run_is_begun_again_at_its_second_task_with_another_brief(
    browser: Browser, built_url: str, served: Sidecar, model: OpenAIServer
) -> None:
    async with served.client() as client:
        given = {"message": "tea", "budget": {"eur": 5}}
        run = await client.start(given, thread="t_forked")
        await log_of(served, run)
        assert calls(model) == list(ROLES)
        model.script = Script(tokens=("something ", "else"))
        tab = await open_run(browser, built_url, run)
        page = tab.page

        await tab.tasks.nth(1).hover()
        here = tab.tasks.nth(1).get_by_role("button", name="Run again from here")
        await here.click()
        dialog = page.get_by_role("dialog", name="Run again from here")
        await expect(dialog.get_by_role("radio", name=ROLES[1])).to_be_checked()
        await expect(dialog.get_by_role("listitem").first).to_contain_text("kept")
        await fits(tab, "fork")
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await here.press("Enter")

        await dialog.get_by_label("budget").fill("{")
        await dialog.get_by_label("message").fill("coffee")
        await dialog.get_by_role("button", name="Start the run").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("no JSON")
        await dialog.get_by_label("budget").fill('{"eur": 6}')
        await dialog.get_by_role("checkbox", name="Ask me about analyze sentiment").check()
        await dialog.get_by_role("button", name="Start the run").click()

        await expect(page.get_by_role("heading", level=1)).to_have_text("coffee")
        forked = page.get_by_test_id("forked")
        await expect(forked).to_have_text("Forked from tea at analyze sentiment")
        asked = page.get_by_role("region", name="Open question")
        await expect(asked).to_contain_text("something else", timeout=PATIENCE)
        await expect(tab.tasks.first).to_contain_text("kept")
        await expect(tab.tasks.first).to_have_attribute("data-state", "completed")
        await expect(tab.tasks.first).to_contain_text("a plan for Lisbon")
        await fits(tab, "waiting")
        await tab.button("Accept").click()
        await expect(page.get_by_test_id("run-state")).to_contain_text("Done", timeout=PATIENCE)
        assert calls(model)[3:] == list(ROLES[1:])
        fork = newest_run(served)
        assert fork["forked"] == {"run": run, "task": TASKS[1]}
        assert fork["inputs"] == {"message": "coffee", "budget": {"eur": 6}}
        assert (fork["thread"], fork["after"]) == ("t_forked", None)
        await fits(tab, "forked")

        # It goes on without the run that it is a fork of, and so does a fork of the fork.
        await forked.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("tea")
        await page.get_by_role("button", name="Run again from a task").click()
        await client.delete(run=run)
        await dialog.get_by_role("button", name="Start the run").click()
        await expect(dialog.get_by_role("alert")).to_contain_text(f"no run '{run}'")
        await expect(dialog.get_by_role("button", name="Start the run")).to_be_focused()
        await page.goto(f"{built_url}/run/?id={fork['run']}")
        await page.get_by_role("button", name="Run again from a task").click()
        await dialog.get_by_role("button", name="Start the run").click()
        await expect(forked).to_contain_text("Forked from coffee at research trends")
        await expect(page.get_by_test_id("run-state")).to_contain_text("Done", timeout=PATIENCE)
        assert calls(model)[5:] == [ROLES[2]]
    # Chromium itself tells of each answer that is a refusal.
    assert [said for said in tab.complaints if not said.startswith("Failed to load")] == []


async def test_a_run_is_steered_paused_looked_at_as_it_was_and_kept_or_deleted(
    browser: Browser, built_url: str, served: Sidecar, model: OpenAIServer, tmp_path: Path
) -> None:
    async with served.client() as client:
        run = await client.start({"message": "tea"})
        async for event in client.follow(run):
            if event["type"] == "task.completed":
                model.script = SLOW
                break
    tab = await open_run(browser, built_url, run)
    page = tab.page
    await tab.words_of(1)
    box = page.get_by_role("textbox", name="Instruction")
    await box.fill("Mention the harbour")
    await page.get_by_label("Heard by").select_option(label=f"{ROLES[2]}, only for research trends")
    await box.press("Enter")
    await expect(box).to_have_value("")
    await expect(tab.steers).to_contain_text("Mention the harbour")
    await tab.button("Pause").click()
    facts = page.get_by_test_id("run-state")
    await expect(facts).to_contain_text("Paused", timeout=PATIENCE)
    await expect(facts).to_contain_text(re.compile(r"\d s, \d+(\.\d)? s of them paused"))
    await fits(tab, "paused")

    # Long before: the planner was at work, and nobody can say anything to it any more.
    moment = page.get_by_role("slider", name="Moment")
    await moment.press("Home")
    banner = page.get_by_role("group", name="The moment that is shown")
    await expect(banner).to_contain_text("As it was at 0.0 s")
    await expect(facts).not_to_contain_text("Paused")
    await expect(tab.steers).to_have_count(0)
    for away in (box, tab.button("Resume"), tab.button("Stop")):
        assert await away.evaluate("(here) => here.closest('[inert]') !== null")
    await fits(tab, "past")
    await banner.get_by_role("button", name="Back to now").press("Enter")
    await expect(facts).to_contain_text("Paused")
    await expect(box).to_be_focused()

    model.script = Script(tokens=("the ", "harbour"))
    await tab.button("Resume").click()
    await expect(facts).to_contain_text("Done", timeout=PATIENCE)
    await expect(page.get_by_role("group", name="Controls")).to_have_count(0)
    assert "Mention the harbour" in str(model.requests[-1]["body"]["messages"])
    await fits(tab, "done")

    progress, outputs, printed = (
        page.get_by_role("tab", name=name) for name in ("Progress", "Outputs 3", "Log")
    )
    await progress.press("ArrowRight")
    await expect(outputs).to_be_focused()
    await expect(page.get_by_role("article", name="create content plan")).to_contain_text("Lisbon")
    await fits(tab, "outputs")
    await page.reload()
    await expect(outputs).to_have_attribute("aria-selected", "true")
    await outputs.press("End")
    await expect(printed).to_be_focused()

    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download events").click()
    file = tmp_path / "events.json"
    await (await download.value).save_as(file)
    assert json.loads(file.read_text()) == await log_of(served, run)
    await expect(page.get_by_role("link", name="Export as a page")).to_have_attribute(
        "href", re.compile(rf"/runs/{run}/export$")
    )
    await tab.button("Delete").click()
    await expect(tab.button("Delete")).to_be_focused()
    await tab.button("Delete").press("Enter")
    await expect(page).to_have_url(f"{built_url}/runs/")
    async with aiohttp.ClientSession() as http, http.get(f"{served.url}/runs/{run}") as gone:
        assert gone.status == 404
    assert tab.complaints == []


async def test_a_queued_run_says_its_place_and_what_it_waits_for_and_then_begins(
    browser: Browser, built_url: str, served: Sidecar, model: OpenAIServer
) -> None:
    model.script = SLOW
    async with served.client() as client:
        at_work = await client.start({"message": "in the way"})
        between = await client.start({"message": "before it"})
        run = await client.start({"message": "tea"})
        tab = await open_run(browser, built_url, run)
        page = tab.page
        queue = page.get_by_role("region", name="Queue")
        await expect(queue).to_contain_text("One run is queued before it")
        await expect(queue.get_by_role("link")).to_have_text("in the way")
        await fits(tab, "queued")
        await client.cancel(between)
        await expect(queue).to_contain_text("It is next", timeout=PATIENCE)
        await client.cancel(at_work)
        await expect(queue).to_have_count(0, timeout=PATIENCE)
        await expect(page.get_by_test_id("run-state")).to_contain_text("Running")

        # The sidecar dies under it, and carries on; the page says so while it is away.
        await tab.words_of(0)
        await kill(served)
        lost = page.get_by_role("status").filter(has_text="Connection lost")
        await expect(lost).to_be_visible(timeout=PATIENCE)
        await expect(tab.button("Retry now")).to_be_visible()
        await fits(tab, "lost")
