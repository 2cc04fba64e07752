"""The box at the foot of the page: it starts, steers and answers, by pointer, finger and key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, WebSocketRoute, expect

from tests.browser.axe import findings
from tests.browser.chat import (
    BRIEF,
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
from tests.browser.pages import KNOWN
from tests.browser.tabs import hidden_tabs
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import Sidecar

PLAN = "create_content_plan"
LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")

FOCUSED = "document.activeElement?.ariaLabel ?? document.activeElement?.textContent"


async def has_focus(page: Page) -> str:
    """What the keyboard is at, which is never nothing."""
    assert await page.evaluate("document.activeElement !== document.body")
    name: str = await page.evaluate(FOCUSED)
    return name


async def test_a_whole_run_is_started_paused_steered_answered_and_stopped_by_keyboard_alone(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    page, press = chat.page, chat.page.keyboard.press
    await chat.ask_after_first()
    # Escape has closed that list, and "/" is typed into no box yet.
    await press("/")
    await expect(chat.box).to_be_focused()
    await page.keyboard.type(BRIEF)
    await press("Control+Enter")
    await chat.words_of(0)
    await expect(chat.box).to_be_focused()

    for _ in range(2):
        await press("Escape")
        await expect(chat.button("Stop")).to_be_focused()
        await press("Escape")
        await expect(chat.box).to_be_focused()
    await press("Escape")
    await press("Shift+Tab")
    await expect(chat.button("Pause")).to_be_focused()
    await press("Enter")
    await chat.is_at("paused")
    assert await has_focus(page) == "Resume"

    await press("/")
    await page.keyboard.type("Mention the harbour")
    await press("Enter")
    await expect(chat.steers).to_contain_text("You steered: Mention the harbour")
    await expect(chat.box).to_have_value("")
    await press("Escape")
    await press("Shift+Tab")
    assert await has_focus(page) == "Resume"
    await press("Enter")
    await expect(chat.button("Pause")).to_be_focused()
    await press("/")

    await chat.is_asked()
    await expect(chat.box).to_be_focused()
    await page.keyboard.type("Shorter")
    await press("Enter")
    await expect(chat.questions.first).to_contain_text("Feedback: Shorter")
    await chat.is_asked(2)
    await press("Tab")
    assert await has_focus(page) == "Accept"
    await press("Enter")
    await expect(chat.questions.last).to_contain_text("Accepted")
    await expect(chat.box).to_be_focused()
    await chat.is_at("running")

    await press("Escape")
    await press("Enter")
    await expect(page.get_by_text("Stopped.").first).to_be_visible()
    await expect(chat.box).to_be_focused()
    log = await log_of(chat_sidecar, newest_run(chat_sidecar)["run"])
    assert [e["data"]["text"] for e in log if e["type"] == "input.answered"] == ["Shorter", ""]
    assert log[-1]["type"] == "run.cancelled"

    # What there is to press is told, and what is behind the list rests meanwhile.
    await press("Shift+Tab")
    await press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    await expect(keys).to_contain_text("to Stop, and Enter stops it")
    await chat.screenshot("keys")
    await keys.get_by_role("checkbox").uncheck()
    await press("Escape")
    await expect(keys).to_be_hidden()
    await press("?")
    await press("/")
    await expect(keys).to_be_hidden()
    await expect(chat.box).not_to_be_focused()

    await page.reload()
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the conversation")
    await skip.focus()
    await expect(skip).to_be_in_viewport()
    await press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    assert chat.complaints == []


async def test_a_run_that_ends_under_the_focus_hands_it_to_the_box(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.button("Pause").focus()
    async with chat_sidecar.client() as client:
        await client.cancel(newest_run(chat_sidecar)["run"])
    await expect(chat.button("Pause")).to_have_count(0)
    await expect(chat.box).to_be_focused()
    assert chat.complaints == []


async def test_a_follow_up_and_a_brief_without_what_came_before_are_told_apart(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    sees = chat.page.get_by_text("the crew sees what came before")
    await expect(chat.box).to_have_attribute("placeholder", "Write a brief")
    await expect(sees).to_have_count(0)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await expect(chat.box).to_have_attribute("placeholder", "Steer the crew")
    # A word to the crew is no brief, and does not become one unsaid.
    await chat.box.fill("Mention the harbour")
    await chat.button("Stop").click()
    await expect(sees).to_be_visible()
    await expect(chat.box).to_have_value("Mention the harbour")
    await expect(chat.page.get_by_text("The run is over. Sent now")).to_be_visible()
    for look in LOOKS:
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await chat.screenshot("follow-up")
    first = newest_run(chat_sidecar)["run"]

    await chat.button("Start without it").click()
    await expect(chat.page.get_by_role("heading", name="What should the crew")).to_be_visible()
    await expect(chat.box).to_have_value("Mention the harbour")
    await expect(chat.box).to_be_focused()
    await chat.box.press("Enter")
    await chat.words_of(0)
    run = newest_run(chat_sidecar)
    assert run["run"] != first
    assert (run["inputs"]["message"], run["after"]) == ("Mention the harbour", None)
    await chat.button("Stop").click()
    assert chat.complaints == []


async def test_an_instruction_may_be_for_whoever_does_one_task(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    # Time enough to look at each width.
    await chat.button("Pause").click()
    await expect(chat.toggle("Interrupt")).to_have_count(0)
    await chat.box.fill("Look at tea")
    heard_by = chat.page.get_by_role("combobox", name="Heard by")
    await expect(chat.toggle("Interrupt")).to_be_visible()
    await heard_by.select_option("Trend Researcher, only for research trends")
    # It has no reply yet that could be cut off.
    await expect(chat.toggle("Interrupt")).to_have_count(0)
    for look in LOOKS:
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await chat.screenshot("steering-one-task")
    await chat.button("Steer").click()
    await expect(chat.steers).to_contain_text("You steered")
    await expect(chat.box).to_have_value("")
    await chat.button("Resume").click()
    await chat.all_done()
    log = await log_of(chat_sidecar, newest_run(chat_sidecar)["run"])
    [modified] = [event for event in log if event["type"] == "run.modified"]
    assert (modified["data"]["instruction"], modified["task"]) == ("Look at tea", "research_trends")
    assert chat.complaints == []


async def test_a_refusal_stands_where_the_eye_is_and_goes_with_the_next_command(
    browser: Browser, page_url: str
) -> None:
    context = await browser.new_context()
    chat = Chat(await context.new_page())
    refused = {"pause", "modify"}

    async def refuse(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def send(message: str | bytes) -> None:
            command = json.loads(message)
            if command["cmd"] not in refused:
                server.send(message)
                return
            refused.discard(command["cmd"])
            error = {
                "code": "illegal_state",
                "message": f"{command['cmd']} is not for this run",
                "temporary": False,
            }
            ack = {"type": "command.ack", "id": command["id"], "ok": False, "error": error}
            route.send(json.dumps(ack))

        route.on_message(send)

    await context.route_web_socket(re.compile(re.escape(KNOWN.replace("http", "ws"))), refuse)
    await chat.open(page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.button("Pause").click()
    refusal = chat.page.get_by_role("alert").and_(chat.refusal)
    await expect(refusal).to_have_text("Pause is not for this run.")
    await expect(refusal).to_be_in_viewport(ratio=1)
    # It takes no other's place, and what was pressed keeps the focus.
    await expect(chat.status).to_contain_text("Content Planner is working")
    await expect(chat.button("Pause")).to_be_focused()
    await chat.button("Pause").click()
    await chat.is_at("paused")
    await expect(refusal).to_have_count(0)
    await chat.button("Resume").click()
    await chat.is_at("running")

    await chat.box.fill("Mention the harbour")
    await chat.button("Steer").click()
    await expect(refusal).to_have_text("Modify is not for this run.")
    await expect(chat.box).to_have_value("Mention the harbour")
    await chat.screenshot("refused")
    # It is of this run, and of no later one.
    await chat.all_done()
    await expect(refusal).to_be_visible()
    await chat.box.press("Enter")
    await expect(chat.page.locator(".user")).to_have_count(2)
    await expect(refusal).to_have_count(0)
    await chat.button("Stop").click()


@pytest.fixture
def mortal(start_sidecar: StartSidecar, origins: str) -> Sidecar:
    """A sidecar that a test may kill, whose run takes ten seconds."""
    return start_sidecar(SIDECAR_ORIGINS=origins, OFFLINE_TOKEN_MS="100", OFFLINE_TOKENS="40")


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(mortal: Sidecar) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(mortal.url) as proxy:
        yield proxy


async def test_a_lost_connection_is_told_in_the_status_line_and_nothing_looks_alive(
    page_url: str, mortal: Sidecar, proxy: FaultProxy
) -> None:
    async with chromium(leads(proxy.url)) as browser:
        chat = await open_chat(browser, page_url)
        root = chat.page.locator("html")
        await chat.send(BRIEF)
        await chat.words_of(0)
        await expect(chat.status).to_contain_text(re.compile(r"task 1 of 3 · \d+ s"))
        assert await root.get_attribute("data-still") is None

        await asyncio.to_thread(mortal.stop, 9)
        await expect(chat.trouble).to_contain_text("Connection lost")
        await expect(chat.trouble).to_contain_text(re.compile(r"retrying"))
        await expect(chat.trouble).to_be_in_viewport(ratio=1)
        await expect(chat.status).to_have_count(0)
        await expect(root).to_have_attribute("data-still", "")
        moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
        assert await chat.page.evaluate(moving) == 0
        for look in LOOKS:
            await chat.wear(look)
            assert not await chat.page.evaluate(OVERFLOWS)
            await chat.screenshot("lost")

        await asyncio.to_thread(mortal.start)
        proxy.target = mortal.url
        await chat.button("Retry now").click()
        await expect(chat.trouble).not_to_contain_text("lost", timeout=PATIENCE)
        await expect(chat.status).to_contain_text("is working", timeout=PATIENCE)
        assert await root.get_attribute("data-still") is None
        await chat.button("Stop").click()
        await expect(chat.page.get_by_text("Stopped.").first).to_be_visible()


async def test_an_empty_page_says_that_the_sidecar_is_not_running_before_anything_is_sent(
    browser: Browser, page_url: str
) -> None:
    chat = Chat(await (await browser.new_context()).new_page())

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await chat.page.route(f"{KNOWN}/**", refuse)
    await chat.open(page_url)
    away = chat.page.get_by_text("The sidecar isn’t running", exact=True)
    await expect(away).to_be_visible(timeout=PATIENCE)
    await expect(away).to_be_in_viewport(ratio=1)
    await chat.screenshot("no-sidecar")
    await chat.page.unroute(f"{KNOWN}/**")
    await chat.button("Try again").click()
    await expect(away).to_have_count(0)
    await expect(chat.reviews).to_be_visible()


ASKED = """(() => {
  window.told = [];
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { return (this.permission = "granted"); }
    constructor(title, { body }) { told.push(`${title}: ${body}`); }
    addEventListener() {}
  };
  document.querySelector("[aria-label='Notify me']").click();
})()"""
"""Presses for notifications; the browser's own question is nothing that a page could answer."""


async def test_a_tab_in_the_background_says_that_the_crew_waits_and_that_it_is_done(
    built_url: str, chat_sidecar: Sidecar, tmp_path: Path
) -> None:
    thread = "t_in_the_background"
    icon = "(document.querySelector('link#crew-icon')?.href ?? '')"
    async with (
        chat_sidecar.client() as client,
        hidden_tabs(tmp_path, leads(chat_sidecar.url)) as tabs,
    ):
        run = await client.start({"message": BRIEF}, thread=thread, review=[PLAN])
        chat = await tabs.open(f"{built_url}/?thread={thread}")
        await chat.until(
            f"document.title.endsWith('{BRIEF}') && {icon}.startsWith('data:image/svg')"
        )
        assert await chat.evaluate("Notification.permission") != "granted"
        await chat.evaluate(ASKED)
        await chat.until(
            "document.querySelector('[aria-label=\"Notify me\"]').ariaPressed === 'true'"
        )
        await tabs.open(f"{built_url}/runs/")
        await chat.until("document.visibilityState === 'hidden'")
        await chat.until(f"document.title === '● Waiting for you · {BRIEF}'")
        waiting = await chat.evaluate(icon)
        await client.answer(run, newest_run(chat_sidecar)["input"]["input"])
        await chat.until(f"document.title === '✓ Done · {BRIEF}'")
        assert waiting != await chat.evaluate(icon) != ""
        assert (await chat.evaluate("told.join()")).endswith(f"✓ Done · Crew: {BRIEF}")
        await chat.bring_to_front()
        await chat.until(f"document.title === '{BRIEF}' && {icon} === ''")


EDGES = "e => e.getBoundingClientRect().toJSON()"

SIZES = """() => [...document.querySelectorAll(
  "header :is(a, button), .foot :is(button, select, summary), .foot label"
)].filter((e) => e.checkVisibility() && e.closest("label") in [null, e])
  .map((e) => [e.ariaLabel ?? e.textContent, e.getBoundingClientRect()])
  .filter(([, { width, height }]) => height < 44 || (width < 44 && width > 0))
  .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""
"""What is smaller than a fingertip (WCAG 2.5.5), in the head and the foot."""


async def test_head_and_foot_fit_small_screens_and_fingers_and_zoomed_pages(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    context = await browser.new_context(
        viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True
    )
    chat = Chat(await context.new_page(), "narrow")
    page = chat.page

    async def fits(name: str) -> None:
        for width in (320, 360, 390, 768):
            await page.set_viewport_size({"width": width, "height": 640})
            assert not await page.evaluate(OVERFLOWS), (name, width)
            head = await page.locator("header").evaluate("e => e.scrollWidth - e.clientWidth")
            assert head == 0, (name, width)
            links = page.get_by_role("navigation", name="Pages").get_by_role("link")
            tops = {(await link.evaluate(EDGES))["top"] for link in await links.all()}
            assert len(tops) == 1, (name, width)
            assert await findings(page) == [], (name, width)
            assert await page.evaluate(SIZES) == [], (name, width)
            await page.screenshot(path=f"artifacts/touch-{width}-{name}.png")

    await chat.open(page_url)
    await fits("empty")
    # At 200 % zoom and on its side the headline is what one sees first.
    for size in ((640, 400), (844, 390), (320, 480)):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await page.reload()
        headline = page.get_by_role("heading", name="What should the crew")
        await expect(headline).to_be_in_viewport(ratio=1)
        await expect(chat.button("Send")).to_be_in_viewport(ratio=1)
        assert await page.locator(".viewport").evaluate("e => e.scrollTop") == 0, size
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.button("Pause").click()
    await chat.is_at("paused")
    await fits("paused")
    await chat.box.fill("Mention the harbour")
    heard_by = page.get_by_role("combobox", name="Heard by")
    await heard_by.select_option("Trend Researcher, only for research trends")
    await fits("steering")
    await chat.box.fill("")
    await chat.button("Resume").click()
    await chat.is_asked()
    await fits("waiting")
    # Stop is a thumb away from what is pressed more lightly.
    edges = [await chat.button(name).evaluate(EDGES) for name in ("Pause", "Stop")]
    assert edges[1]["left"] - edges[0]["right"] >= 16
    await page.emulate_media(forced_colors="active")
    for dot in (".status-mark i", ".connection-dot"):
        drawn, paper = await page.locator(dot).evaluate(
            "e => [e, document.body].map((one) => getComputedStyle(one).backgroundColor)"
        )
        assert drawn != paper, dot
    await page.emulate_media(forced_colors="none")
    await chat.button("Stop").click()
    # A finger's Stop brings up no keyboard.
    await expect(page.locator("#main")).to_be_focused()
    await page.get_by_text("Stopped.").first.wait_for()
    await fits("stopped")
    assert chat.complaints == []
