"""A Flow in the page: its methods, round by round, with their crews and tasks inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    chromium,
    leads,
    log_of,
    newest_run,
    open_chat,
    words,
)
from tests.conftest import StartSidecar
from tests.support.sidecar import Sidecar

OUTLINE: Final = """() => {
  const parts = "[data-testid=group], [data-testid=task]";
  const named = (part) =>
    part.querySelector("button").innerText.replace(/\\s+/g, " ").trim();
  const inside = (place) =>
    [...document.querySelectorAll(parts)]
      .filter((part) => (part.parentElement.closest(parts) ?? null) === place)
      .map((part) => [named(part), ...inside(part)]);
  return inside(null);
}"""


@pytest.fixture
def book(start_sidecar: StartSidecar, origins: str) -> Sidecar:
    return start_sidecar(
        SIDECAR_CREW="tests.browser.crews:Book",
        SIDECAR_ORIGINS=origins,
        OFFLINE_TOKEN_MS="5",
        OFFLINE_TOKENS="20",
    )


@pytest_asyncio.fixture(loop_scope="session")
async def browser(book: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(book.url)) as browser:
        yield browser


async def test_a_flow_is_sections_of_its_methods_with_the_crews_and_tasks_of_each_round(
    browser: Browser, built_url: str, book: Sidecar
) -> None:
    chat = await open_chat(browser, built_url)
    await chat.send("A book on tea")
    await expect(chat.answer).to_have_text("The book is out.", timeout=PATIENCE)

    await chat.unfold()
    ((flow, *methods),) = await chat.page.evaluate(OUTLINE)
    assert flow == "Flow Book done"
    assert [name for name, *_ in methods] == [
        "Method outline done",
        "Method write round 1 done",
        "Method judge round 1 → again done",
        "Method write round 2 done",
        "Method judge round 2 → good done",
        "Method print it done",
    ]
    for _, *crews in (methods[1], methods[3]):
        assert [name for name, *_ in crews] == [
            "Crew Writers no. 1 done",
            "Crew Writers no. 2 done",
        ]
        tasks = sorted(task for _, (task,) in crews)
        assert tasks == ["Writer one task 1 done", "Writer two task 1 done"]

    log = await log_of(book, newest_run(book)["run"])
    begun = [event for event in log if event["type"] == "task.started"]
    assert len(begun) == 4
    for card, task in zip(await chat.tasks.all(), in_order(begun), strict=True):
        await expect(card).to_contain_text(task["agent"])
        assert words(" ".join(await card.locator(".words").all_inner_texts())) == words(
            "".join(
                event["data"]["text"]
                for event in log
                if event["type"] == "llm.delta" and event["tid"] == task["tid"]
            )
        )
    sent_back = chat.page.get_by_test_id("aside").filter(has_text="Guardrail sent it back")
    await expect(sent_back).to_have_count(1)
    await expect(sent_back).to_contain_text("Fewer words, please")

    for look in ("light", "dark", "narrow"):
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await chat.page.locator("[data-testid=group]").first.scroll_into_view_if_needed()
        await chat.screenshot("flow")
    assert chat.complaints == []


def in_order(begun: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By crew, which is where their cards stand, rather than by who began first."""
    return sorted(begun, key=lambda event: [int(part) for part in event["in"].split(".")])
