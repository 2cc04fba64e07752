"""What a run leaves to read: its answer where it was written, its work in a line."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

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
    words,
)
from tests.support.sidecar import Sidecar

SHIFTS: Final = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput)
        shifts.push([value, ...sources.map(({ node }) => node?.className ?? node?.nodeName)]);
  }).observe({ type: "layout-shift" });
"""
"""Each time that something moved without anybody having touched the page, and what it was."""

MOST: Final = 0.1
"""Web vitals' bound of what is good, for a whole run and as a sum."""


async def shifted(page: Page) -> float:
    shifts = await page.evaluate("shifts")
    print(sorted(shifts, key=lambda shift: -shift[0])[:6])
    return float(sum(value for value, *_ in shifts))


@pytest.mark.parametrize("look", ["light", "narrow"])
async def test_the_answer_grows_where_it_stays_and_the_work_above_folds_to_a_line(
    browser: Browser, built_url: str, chat_sidecar: Sidecar, look: Look
) -> None:
    chat = await open_chat(browser, built_url, look)
    page = chat.page
    await page.evaluate(SHIFTS)
    await chat.send(BRIEF)
    await chat.words_of(2)
    await page.evaluate("document.querySelector('[data-testid=writing]').is = 'the one'")
    await chat.screenshot("answering")
    await expect(page.locator(".worked")).to_contain_text("Working")
    await chat.all_done()
    worked = page.locator(".worked button")
    await expect(worked).to_have_text(
        re.compile(r"^Worked \d+ s · 3 agents · 1 tool · [\d,]+ tokens$")
    )
    await expect(worked).to_have_attribute("aria-expanded", "false")
    assert await chat.answer.evaluate("answer => answer.is") == "the one"
    await page.wait_for_timeout(500)
    await chat.screenshot("folded")
    assert await shifted(page) < MOST

    run = newest_run(chat_sidecar)
    await page.get_by_role("tab", name="Create content plan").click()
    await expect(chat.answer).to_be_hidden()
    plan = page.get_by_test_id("output")
    assert words(await plan.inner_text()) == words(run["tasks"][0]["output"])
    await page.keyboard.press("End")
    await expect(page.get_by_role("tab", selected=True)).to_have_text("Research trends")
    await expect(chat.answer).to_be_visible()
    before = await worked.bounding_box()
    await chat.unfold()
    assert await worked.bounding_box() == before
    await expect(chat.tasks.nth(2).get_by_test_id("tool")).to_contain_text("Used text_statistics")
    # Its words are below, and nowhere else.
    await expect(chat.tasks.nth(2).locator(".words")).to_have_count(0)
    await chat.screenshot("unfolded")
    assert not await page.evaluate(OVERFLOWS)
    # The choice is kept while the page is left by a link, and a page that is loaded anew has none.
    await page.get_by_role("link", name="Runs").click()
    await page.get_by_role("link", name="Chat").click()
    await expect(worked).to_have_attribute("aria-expanded", "true")
    await page.reload()
    await expect(worked).to_have_attribute("aria-expanded", "false")
    assert chat.complaints == []


async def test_a_question_about_the_last_words_moves_nothing(
    browser: Browser, built_url: str, chat_sidecar: Sidecar
) -> None:
    async with chat_sidecar.client() as client:
        run = await client.start({"message": BRIEF}, thread="read-1", review=["research_trends"])
        context = await open_context(browser)
        chat = Chat(await context.new_page())
        await chat.page.add_init_script(SHIFTS)
        await chat.page.goto(f"{built_url}/?thread=read-1")
        await expect(chat.questions).to_have_count(1, timeout=PATIENCE)
        writing = chat.page.get_by_test_id("writing")
        await expect(writing).to_be_visible()
        box = await chat.questions.bounding_box()
        above = await writing.bounding_box()
        assert box
        assert above
        assert box["y"] >= above["y"] + above["height"]
        await chat.screenshot("asked-about-the-answer")
        await client.answer(run, newest_run(chat_sidecar)["input"]["input"], "")
    await expect(chat.answer).to_be_visible(timeout=PATIENCE)
    await expect(chat.questions).to_contain_text("Accepted")
    await expect(chat.page.locator(".worked button")).to_have_attribute("aria-expanded", "false")
    log = await log_of(chat_sidecar, run)
    assert log[-1]["type"] == "run.completed"
    assert await shifted(chat.page) < MOST
