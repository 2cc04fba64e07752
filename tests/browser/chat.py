"""The chat page in one tab, as the browser tests handle it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import urllib.request
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from tests.browser.pages import KNOWN
from tests.support.sidecar import ROOT, Sidecar

BRIEF = "A launch plan for a small coffee roaster in Lisbon"
AGENTS = ["Content Planner", "Sentiment Analyst", "Trend Researcher"]
PATIENCE = 30_000
"""Milliseconds until a run of the offline model must have got somewhere."""

in_dev_too = pytest.mark.parametrize("page_url", ["built", "dev"], indirect=True)
"""For what `next dev` may do in another way: it mounts everything twice (React's strict mode) and
has its pages loaded anew each time (`no-store`)."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Look = Literal["light", "dark", "narrow", "dark-narrow"]
VIEWPORTS: dict[Look, ViewportSize] = {
    "light": {"width": 1280, "height": 800},
    "dark": {"width": 1280, "height": 800},
    "narrow": {"width": 390, "height": 780},
    "dark-narrow": {"width": 390, "height": 780},
}


def scheme(look: Look) -> Literal["light", "dark"]:
    return "dark" if look.startswith("dark") else "light"


class Chat:
    """One tab with the chat page, and what its console said."""

    def __init__(self, page: Page, look: Look = "light") -> None:
        self.page = page
        self.look = look
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        self.tasks = page.get_by_test_id("task")
        self.answer = page.get_by_test_id("answer")
        self.connection = page.locator(".connection")
        self.status = page.locator(".status")
        self.steers = page.get_by_test_id("steer")
        self.questions = page.get_by_test_id("question")
        self.box = page.locator("#composer")
        self.refusal = page.locator(".refused")
        self.trouble = page.locator(".trouble")
        self.feedback = page.get_by_role("textbox", name="Feedback")
        self.reviews = page.get_by_role("button", name="Ask me after")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            # Of a request that failed the text does not say which.
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _on_error(self, error: Error) -> None:
        self.complaints.append(str(error))

    async def open(self, url: str) -> None:
        await self.page.goto(url)
        await expect(self.page.get_by_role("heading", name="What should the crew")).to_be_visible()

    async def send(self, brief: str) -> None:
        box = self.page.get_by_role("textbox", name="Brief")
        button = self.page.get_by_role("button", name="Send")
        # What is typed before React has taken over the server's HTML is nobody's yet.
        while not await button.is_enabled():
            await box.fill("")
            await box.fill(brief)
            await self.page.wait_for_timeout(50)
        await box.press("Enter")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def toggle(self, name: str) -> Locator:
        return self.page.get_by_role("checkbox", name=name)

    async def ask_after_first(self) -> None:
        """Have the crew ask about its first task's result."""
        await self.reviews.click()
        group = self.page.get_by_role("group", name="Ask me after")
        await group.get_by_role("checkbox").first.check()
        await self.page.keyboard.press("Escape")
        await expect(self.reviews).to_be_focused()

    async def is_at(self, state: str) -> None:
        """Wait until the page says that the run is in this state."""
        await expect(self.status).to_have_attribute("data-state", state, timeout=PATIENCE)

    async def goes_by(self, transport: str) -> None:
        """Wait until the page is live, by this transport."""
        await expect(self.connection).to_have_attribute("data-state", "open", timeout=PATIENCE)
        await expect(self.connection).to_have_attribute(
            "data-transport", transport, timeout=2 * PATIENCE
        )

    async def steer(self, instruction: str, *, now: bool = False) -> None:
        box = self.page.get_by_role("textbox", name="Instruction")
        await box.fill(instruction)
        if now:
            await self.toggle("Interrupt").check()
        await box.press("Enter")
        await expect(box).to_have_value("")

    async def is_asked(self, times: int = 1) -> None:
        """Wait for a question with its answer box; `times` it has asked by then."""
        await expect(self.questions).to_have_count(times, timeout=PATIENCE)
        await expect(self.questions.last).to_have_attribute("data-state", "open")
        await expect(self.feedback).to_be_visible()

    async def words_of(self, task: int) -> None:
        """Wait until a task's first words are on the page; looks at every frame."""
        await self.page.wait_for_function(
            """n => {
              const tasks = document.querySelectorAll("[data-testid=task]");
              const last = n === tasks.length - 1 ? "[data-testid=writing]" : "nothing";
              return document.querySelector(last) ?? tasks[n]?.querySelector(".words");
            }""",
            arg=task,
            timeout=PATIENCE,
        )

    async def answered(self, patience: float = PATIENCE) -> None:
        """Wait for the last answer, whole: its words stand there while they are written."""
        await expect(self.answer.last).to_be_visible(timeout=patience)
        report = self.page.get_by_test_id("report").last
        await expect(report).not_to_have_attribute("data-live", "true", timeout=patience)

    async def all_done(self) -> str:
        """Wait for the three tasks and the answer; give the answer's text."""
        await self.answered()
        for n, agent in enumerate(AGENTS):
            await expect(self.tasks.nth(n)).to_have_attribute("data-state", "completed")
            await expect(self.tasks.nth(n)).to_contain_text(agent)
        return await self.answer.inner_text()

    async def unfold(self) -> None:
        """Open the work of the last run that has ended."""
        button = self.page.locator(".worked button").last
        if await button.get_attribute("aria-expanded") == "false":
            await button.click()
        await expect(button).to_have_attribute("aria-expanded", "true")

    async def wear(self, look: Look) -> None:
        self.look = look
        await wear(self.page, look)

    async def screenshot(self, name: str) -> None:
        await screenshot(self.page, f"chat-{self.look}-{name}")


async def screenshot(page: Page, name: str) -> None:
    folder = ROOT / "artifacts"
    folder.mkdir(exist_ok=True)
    await page.screenshot(path=folder / f"{name}.png")


async def wear(page: Page, look: Look) -> None:
    """Change the size and the colours of a page that is open."""
    await page.set_viewport_size(VIEWPORTS[look])
    await page.emulate_media(color_scheme=scheme(look))


@contextlib.asynccontextmanager
async def chromium(*flags: str, without: Sequence[str] = ()) -> AsyncIterator[Browser]:
    """Debian's Chromium with more `flags`, and without some of those that Playwright gives it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("The browser tests need Chromium. Run: apt-get install -y chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=[*FLAGS, *flags], ignore_default_args=list(without)
        )
        yield browser
        await browser.close()


def leads(real: str) -> str:
    """The flag of a Chromium for which the address that the pages know leads to this one."""
    there, here = (url.removeprefix("http://") for url in (KNOWN, real))
    return f"--host-resolver-rules=MAP {there} {here}"


async def open_context(browser: Browser, look: Look = "light") -> BrowserContext:
    return await browser.new_context(color_scheme=scheme(look), viewport=VIEWPORTS[look])


async def open_chat(browser: Browser, url: str, look: Look = "light") -> Chat:
    context = await open_context(browser, look)
    chat = Chat(await context.new_page(), look)
    await chat.open(url)
    return chat


def get(sidecar: Sidecar, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{sidecar.url}{path}", timeout=10) as response:
        body: dict[str, Any] = json.load(response)
        return body


async def log_of(sidecar: Sidecar, run: str) -> list[dict[str, Any]]:
    """All events of a run, once it has ended."""
    async with sidecar.client() as client:
        return [event async for event in client.follow(run)]


def newest_run(sidecar: Sidecar) -> dict[str, Any]:
    run: dict[str, Any] = get(sidecar, "/runs?limit=1")["runs"][0]
    return run


OVERFLOWS = """[document.documentElement, ...document.querySelectorAll(".viewport")]
  .some((e) => e.scrollWidth > e.clientWidth)"""
"""Whether a part of the page is out of sight to the side, or of what scrolls in it."""


def words(text: str) -> list[str]:
    """Without what Markdown turns into something else."""
    return re.findall(r"\w+", text)


def written(log: list[dict[str, Any]], task: str) -> list[str]:
    """The words that a task's model calls streamed, as its log has them."""
    return words(
        "".join(
            event["data"]["text"]
            for event in log
            if event["type"] == "llm.delta"
            and event["task"] == task
            and event["data"]["kind"] == "text"
        )
    )
