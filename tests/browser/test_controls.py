"""Steering from the chat page: pause, steer, answer, stop; and a reload in the middle of it."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

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
    written,
)
from tests.browser.pages import KNOWN
from tests.support.sidecar import Sidecar

LOOKS: tuple[Look, ...] = ("dark", "narrow", "dark-narrow")

both_transports = pytest.mark.parametrize("transport", ["ws", "sse"])

CHANGES_IN = """ms => new Promise(resolve => {
  let changes = 0;
  const watch = new MutationObserver(() => changes++);
  watch.observe(document.querySelector(".messages"), {
    subtree: true, childList: true, characterData: true,
  });
  setTimeout(() => { watch.disconnect(); resolve(changes); }, ms);
})"""
"""Counts what changes in the conversation: silence has no event to wait for."""


@both_transports
async def test_a_paused_crew_stands_still_and_loses_no_word(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.send(BRIEF)
    await chat.words_of(0)
    await expect(chat.status).to_contain_text("Content Planner is working")
    await chat.button("Pause").click()
    await chat.is_at("paused")
    await expect(chat.status).to_contain_text("Paused")
    await expect(chat.page.locator("[data-testid=task][data-state=paused]")).to_have_count(1)
    assert await chat.page.evaluate(CHANGES_IN, 1_500) == 0
    if transport == "ws":
        await chat.screenshot("paused")

    await chat.button("Resume").click()
    answer = await chat.all_done()
    run = newest_run(chat_sidecar)
    log = await log_of(chat_sidecar, run["run"])
    assert words(answer) == words(run["output"])
    await chat.unfold()
    first = chat.tasks.first.locator(".words")
    assert words(await first.inner_text()) == written(log, "create_content_plan")
    types = [event["type"] for event in log]
    assert types[types.index("run.paused") + 1] == "run.resumed"
    assert chat.complaints == []


@both_transports
async def test_stop_ends_a_paused_run(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.button("Pause").click()
    await chat.is_at("paused")
    await chat.button("Stop").click()
    await expect(chat.page.get_by_text("Stopped.").first).to_be_visible()
    await expect(chat.tasks.first).to_have_attribute("data-state", "stopped")
    await expect(chat.status).to_have_count(0)
    log = await log_of(chat_sidecar, newest_run(chat_sidecar)["run"])
    assert log[-1]["type"] == "run.cancelled"
    assert chat.complaints == []


@pytest.mark.parametrize(("transport", "now"), [("ws", False), ("ws", True), ("sse", True)])
async def test_an_instruction_enters_the_crew_s_work_and_is_shown_as_applied(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str, now: bool
) -> None:
    instruction = "Mention the harbour, and keep it short"
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.steer(instruction, now=now)
    await expect(chat.steers).to_contain_text(f"You steered: {instruction}")
    await expect(chat.steers).to_have_attribute("data-state", "applied", timeout=PATIENCE)
    await expect(chat.steers).to_contain_text("applied")
    await chat.screenshot(f"steered{'-now' if now else ''}")
    await chat.all_done()

    log = await log_of(chat_sidecar, newest_run(chat_sidecar)["run"])
    [modified] = [event for event in log if event["type"] == "run.modified"]
    assert modified["data"]["instruction"] == instruction
    assert modified["data"].get("now", False) == now
    assert log[-1]["data"]["unapplied"] == []
    await expect(chat.steers).to_have_count(1)
    assert chat.complaints == []


@both_transports
async def test_a_question_survives_a_reload_and_is_answered_with_the_keyboard(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.is_asked()
    await chat.is_at("waiting")
    await expect(chat.tasks.first).to_have_attribute("data-state", "waiting")
    await expect(chat.feedback).to_be_focused()
    await expect(chat.button("Pause")).to_be_disabled()
    await expect(chat.page.locator("[aria-live=polite]")).to_contain_text("Waiting for you")
    if transport == "ws":
        await chat.screenshot("waiting")

    await chat.page.reload()
    await chat.is_asked()
    await expect(chat.page.locator(".user")).to_have_text([BRIEF])
    await chat.is_at("waiting")

    await chat.feedback.fill("Shorter, please")
    await chat.feedback.press("Enter")
    await expect(chat.questions.first).to_contain_text("Feedback: Shorter, please")
    await chat.is_asked(2)
    await chat.feedback.press("Tab")
    await expect(chat.button("Accept")).to_be_focused()
    await chat.page.keyboard.press("Enter")
    await expect(chat.questions.last).to_contain_text("Accepted")
    answer = await chat.all_done()
    if transport == "ws":
        await chat.screenshot("answered")

    run = newest_run(chat_sidecar)
    assert run["state"] == "completed"
    assert words(answer) == words(run["output"])
    log = await log_of(chat_sidecar, run["run"])
    answers = [event["data"]["text"] for event in log if event["type"] == "input.answered"]
    assert answers == ["Shorter, please", ""]
    await expect(chat.reviews).to_contain_text("Create")
    assert chat.complaints == []


async def test_a_question_fits_every_page(browser: Browser, page_url: str) -> None:
    chat = await open_chat(browser, page_url)
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.is_asked()
    for look in LOOKS:
        await chat.wear(look)
        await chat.screenshot("waiting")
        for button in ("Accept", "Pause", "Stop"):
            await expect(chat.button(button)).to_be_in_viewport(ratio=1)
        assert not await chat.page.evaluate(OVERFLOWS)
    await chat.button("Accept").click()
    await chat.all_done()
    assert chat.complaints == []


async def test_a_draft_keeps_the_focus_when_a_question_appears_and_says_what_it_is_now(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.page.get_by_role("textbox", name="Instruction").press_sequentially("Mention tea")
    await expect(chat.button("Steer")).to_be_enabled()
    await chat.is_asked()
    await expect(chat.box).to_be_focused()
    await expect(chat.box).to_have_value("Mention tea")
    await expect(chat.box).to_have_attribute("aria-label", "Feedback for the Content Planner")
    await expect(chat.page.get_by_text("The crew has asked meanwhile.")).to_be_visible()
    # What is typed is the answer, and accepting would lose it.
    await expect(chat.button("Accept")).to_be_disabled()
    await chat.box.press("Control+Enter")
    await expect(chat.questions.first).to_contain_text("Feedback: Mention tea")
    await expect(chat.box).to_have_value("")
    await chat.is_asked(2)
    await chat.button("Stop").click()
    await expect(chat.feedback).to_have_count(0)
    log = await log_of(chat_sidecar, newest_run(chat_sidecar)["run"])
    assert [e["data"]["text"] for e in log if e["type"] == "input.answered"] == ["Mention tea"]
    assert not [event for event in log if event["type"] == "run.modifying"]
    assert chat.complaints == []


async def test_an_answer_from_elsewhere_shows_here(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.is_asked()
    await answer_elsewhere(chat_sidecar)
    await expect(chat.questions).to_contain_text("Accepted")
    await expect(chat.feedback).to_have_count(0)
    await chat.all_done()
    assert chat.complaints == []


async def answer_elsewhere(sidecar: Sidecar) -> None:
    """Accept the open question of the newest run from another client."""
    run = newest_run(sidecar)
    async with sidecar.client("sse") as client:
        await client.answer(run["run"], run["input"]["input"])


async def test_an_answer_that_comes_too_late_is_told_kindly(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    context = await browser.new_context()
    chat = Chat(await context.new_page())

    async def lose_the_race(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        async def pass_on(message: str | bytes) -> None:
            if json.loads(message)["cmd"] == "answer":
                await answer_elsewhere(chat_sidecar)
            server.send(message)

        def send(message: str | bytes) -> None:
            asyncio.get_running_loop().create_task(pass_on(message))

        route.on_message(send)

    socket = KNOWN.replace("http", "ws")
    await context.route_web_socket(re.compile(re.escape(socket)), lose_the_race)
    await chat.open(page_url)
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.is_asked()
    await chat.feedback.fill("Too late")
    await chat.button("Send feedback").click()
    await expect(chat.refusal).to_have_text("Somebody else was quicker; their answer counted.")
    await expect(chat.questions).to_contain_text("Accepted")
    await chat.all_done()
    assert chat.complaints == []


async def test_a_question_says_until_when_it_is_open_and_that_nobody_answered(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    """The sidecar of these tests sets no time limit: its frames are rewritten on their way."""
    context = await browser.new_context()
    chat = Chat(await context.new_page())

    async def set_a_limit(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "input.requested":
                frame["data"]["expires"] = frame["at"] + 60_000
            elif frame["type"] == "input.answered":
                frame["type"] = "input.expired"
            route.send(json.dumps(frame))

        server.on_message(pass_on)

    socket = KNOWN.replace("http", "ws")
    await context.route_web_socket(re.compile(re.escape(socket)), set_a_limit)
    await chat.open(page_url)
    await chat.ask_after_first()
    await chat.send(BRIEF)
    await chat.is_asked()
    await expect(chat.questions).to_contain_text(re.compile(r"Open until \d+:\d\d"))
    await answer_elsewhere(chat_sidecar)
    await expect(chat.questions).to_contain_text("Nobody answered in time")
    await chat.all_done()
    assert chat.complaints == []


async def test_a_queued_run_says_how_many_are_ahead_as_they_become_fewer(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    async with chat_sidecar.client() as client:
        # Four work at once.
        ahead = [await client.start({"message": "x"}) for _ in range(12)]
        await chat.send(BRIEF)
        await expect(chat.status).to_contain_text(re.compile(r"Queued\d runs? ahead"))
        await expect(chat.button("Pause")).to_be_disabled()
        await expect(chat.button("Pause")).to_have_attribute("title", "It has not begun yet")
        await chat.screenshot("queued")
        for run in ahead[6:]:
            await client.cancel(run)
        fewer = re.compile(r"Queued(next in line|[1-4] runs? ahead)")
        await expect(chat.status).to_contain_text(fewer)
    await chat.all_done()
    assert chat.complaints == []


@both_transports
async def test_a_reload_in_the_middle_goes_on_with_the_run(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.send("And first of all tea")
    await chat.all_done()
    await chat.send(BRIEF)
    await expect(chat.tasks).to_have_count(6)
    await chat.words_of(3)
    run = newest_run(chat_sidecar)["run"]
    await chat.page.reload()
    await chat.words_of(3)
    assert newest_run(chat_sidecar)["state"] == "running"
    await expect(chat.page.locator(".user")).to_have_text(["And first of all tea", BRIEF])
    await expect(chat.answer).to_have_count(2, timeout=PATIENCE)
    answer = await chat.answer.last.inner_text()
    newest = newest_run(chat_sidecar)
    assert newest["run"] == run
    assert words(answer) == words(newest["output"])

    await chat.page.reload()
    await expect(chat.answer).to_have_count(2, timeout=PATIENCE)
    assert await chat.answer.last.inner_text() == answer
    await expect(chat.button("Send")).to_be_visible()
    await chat.button("New conversation").click()
    await expect(chat.page.get_by_role("heading", name="What should the crew")).to_be_visible()
    await chat.page.reload()
    await expect(chat.page.get_by_role("heading", name="What should the crew")).to_be_visible()
    assert chat.complaints == []


async def test_a_reloaded_page_can_stop_the_run(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    await chat.page.reload()
    await chat.words_of(0)
    await chat.button("Stop").click()
    await expect(chat.page.get_by_text("Stopped.").first).to_be_visible()
    run = newest_run(chat_sidecar)["run"]
    assert (await log_of(chat_sidecar, run))[-1]["type"] == "run.cancelled"
    assert chat.complaints == []


async def test_an_address_of_no_conversation_leaves_a_page_that_works(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = Chat(await (await open_context(browser)).new_page())
    await chat.page.goto(f"{page_url}/?thread=t_nobody")
    await chat.send(BRIEF)
    await chat.all_done()
    run = newest_run(chat_sidecar)
    assert (run["state"], run["thread"]) == ("completed", "t_nobody")
    await chat.page.reload()
    await expect(chat.page.locator(".user")).to_have_text([BRIEF])
    await chat.all_done()
