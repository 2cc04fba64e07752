"""What a Flow asks, and what it gives at last, in the page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    leads,
    log_of,
    newest_run,
    open_chat,
)
from tests.conftest import StartSidecar
from tests.support.sidecar import Sidecar

LOOKS: Final[tuple[Look, ...]] = ("light", "dark", "narrow")


@pytest.fixture
def judged(start_sidecar: StartSidecar, origins: str) -> Sidecar:
    return start_sidecar(SIDECAR_CREW="tests.browser.crews:Judged", SIDECAR_ORIGINS=origins)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(judged: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(judged.url)) as browser:
        yield browser


async def asked(browser: Browser, url: str) -> Chat:
    """A page with the first question, which has options."""
    chat = await open_chat(browser, url)
    await chat.send("A launch plan")
    await expect(chat.button("approved")).to_be_visible(timeout=PATIENCE)
    return chat


async def test_a_click_on_an_option_is_the_answer_and_what_came_of_it_can_be_unfolded(
    browser: Browser, built_url: str, judged: Sidecar
) -> None:
    chat = await asked(browser, built_url)
    await expect(chat.questions.locator(".question-output pre")).to_contain_text('"draft"')
    for look in LOOKS:
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await expect(chat.button("rejected")).to_be_in_viewport(ratio=1)
        await chat.screenshot("options")
    await chat.button("approved").click()
    await expect(chat.questions).to_contain_text("Answered: approved")

    await expect(chat.answer).to_have_text("It is good, for it is short.", timeout=PATIENCE)
    structured = chat.page.get_by_test_id("structured")
    await expect(structured.locator("pre")).to_have_count(0)
    await structured.locator("summary").press("Enter")
    await expect(structured.locator("pre")).to_contain_text('"reasons": [')
    for look in LOOKS:
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await chat.screenshot("structured")

    log = await log_of(judged, newest_run(judged)["run"])
    assert [e["data"]["text"] for e in log if e["type"] == "input.answered"] == ["approved"]
    assert log[-1]["data"]["json"] == {"verdict": "good", "reasons": ["short"]}
    await chat.page.reload()
    await expect(chat.questions).to_contain_text("Answered: approved")
    await expect(structured).to_be_visible()
    assert chat.complaints == []


async def test_the_keyboard_chooses_and_what_nobody_answers_in_time_is_told(
    browser: Browser, built_url: str, judged: Sidecar
) -> None:
    chat = await asked(browser, built_url)
    box = chat.page.get_by_role("textbox", name="Answer")
    await expect(box).to_be_focused()
    await box.press("Shift+Tab")
    await expect(chat.button("rejected")).to_be_focused()
    await chat.button("rejected").press("Enter")

    await expect(chat.questions.nth(1)).to_contain_text("What is wrong with it?", timeout=PATIENCE)
    await expect(box).to_be_focused()
    await box.fill("It is ugly")
    await box.press("Enter")
    await expect(chat.questions.nth(1)).to_contain_text("Answered: It is ugly")

    last = chat.questions.nth(2)
    await expect(last).to_contain_text("Anything else?", timeout=PATIENCE)
    await expect(last).to_contain_text(re.compile(r"Open until \d+:\d\d:\d\d"))
    await expect(last).to_contain_text("Nobody answered in time", timeout=PATIENCE)
    await expect(chat.page.get_by_text("The crew gave no text.")).to_be_visible(timeout=PATIENCE)
    await expect(chat.answer).to_have_count(0)
    await expect(chat.page.get_by_text("null")).to_have_count(0)
    await chat.screenshot("no-text")
    assert chat.complaints == []
