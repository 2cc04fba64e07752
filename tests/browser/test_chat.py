"""The chat page, from the brief to the answer, over both transports."""

from __future__ import annotations

import json
import re

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, WebSocketRoute, expect

from tests.browser.chat import (
    BRIEF,
    PATIENCE,
    Chat,
    Look,
    get,
    newest_run,
    open_chat,
    words,
)
from tests.browser.pages import KNOWN
from tests.support.sidecar import Sidecar

WATCH = """
  window.watched = [];
  new MutationObserver(() => {
    const tasks = [...document.querySelectorAll("[data-testid=task]")];
    if (tasks.length > 0) watched.push({
      at: Date.now(),
      states: tasks.map((task) => task.dataset.state),
      // The last one's stand where the answer will.
      words: tasks.map((task, n) =>
        (task.querySelector(".words") ??
          (n === tasks.length - 1 ? document.querySelector("[data-testid=writing]") : null)
        )?.textContent.length ?? 0),
      answer: document.querySelector("[data-testid=answer]") !== null,
    });
  }).observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
"""
"""Keeps all that the page ever showed: to look from outside now and then would miss some of it."""


LOOKS: tuple[Look, ...] = ("narrow", "dark", "light")


async def test_a_brief_is_answered_word_by_word_by_three_agents(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    for look in LOOKS:
        await chat.wear(look)
        await chat.screenshot("empty")
    await chat.page.evaluate(WATCH)
    await chat.send(BRIEF)
    await chat.words_of(1)
    for look in LOOKS:
        await chat.wear(look)
        await chat.screenshot("running")
    answer = await chat.all_done()
    for look in LOOKS:
        await chat.wear(look)
        await chat.screenshot("done")

    run = newest_run(chat_sidecar)
    assert run["state"] == "completed"
    assert words(answer) == words(run["output"])
    await expect(chat.page.get_by_text("built-in offline model")).to_be_visible()
    await expect(chat.page.get_by_role("button", name="Send")).to_be_visible()
    await expect(chat.connection).to_have_attribute("data-transport", "ws")

    seen = await chat.page.evaluate("watched")
    states = [seen[0]["states"]]
    for moment in seen:
        if moment["states"] != states[-1]:
            states.append(moment["states"])
    for n in range(3):
        course = [state[n] for state in states]
        assert [c for i, c in enumerate(course) if i == 0 or c != course[i - 1]] in (
            ["pending", "running", "completed"],
            ["running", "completed"],
        )
        # Word by word: the text stood there in many lengths while it was being written.
        assert len({m["words"][n] for m in seen if m["states"][n] == "running"}) > 10
    first = next(moment for moment in seen if moment["words"][0] > 0)
    assert first["at"] < run["finished"] - 1_000
    assert not first["answer"]
    assert chat.complaints == []


async def test_each_tool_shows_what_it_was_given_and_what_came_of_it(
    browser: Browser, page_url: str
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.all_done()
    await chat.unfold()
    tool = chat.tasks.nth(2).locator(".tool")
    await tool.locator("summary").press("Enter")
    await expect(tool.get_by_text("Given")).to_be_visible()
    await expect(tool.get_by_text("Result")).to_be_visible()
    await expect(tool.locator("pre").first).to_contain_text("coffee roaster")
    await chat.screenshot("tool")
    assert chat.complaints == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answer_by_websocket(one_chromium: Browser, built_url: str) -> str:
    """To the brief, as the page shows it; the offline model writes the same each time."""
    chat = await open_chat(one_chromium, f"{built_url}/?transport=ws")
    await chat.send(BRIEF)
    answer = await chat.all_done()
    await chat.page.context.close()
    return answer


@pytest.mark.parametrize("trouble", ["blocked", "mute", "unwanted"])
async def test_without_websocket_the_same_answer_comes_by_sse(
    browser: Browser,
    page_url: str,
    chat_sidecar: Sidecar,
    answer_by_websocket: str,
    trouble: str,
) -> None:
    context = await browser.new_context()
    chat = Chat(await context.new_page())
    socket = KNOWN.replace("http", "ws")
    if trouble == "blocked":
        await context.add_init_script(
            """
            window.WebSocket = new Proxy(WebSocket, {
              construct(Real, [url, ...rest]) {
                if (String(url).startsWith(SOCKET)) throw new DOMException("no", "SecurityError");
                return new Real(url, ...rest);
              },
            });
            """.replace("SOCKET", json.dumps(socket))
        )
    elif trouble == "mute":
        # It opens and never says a word, as behind a proxy that does not know WebSocket.
        await context.route_web_socket(re.compile(re.escape(socket)), lambda _: None)
    await chat.open(f"{page_url}/?transport=sse" if trouble == "unwanted" else page_url)

    await chat.send(BRIEF)
    await chat.words_of(0)
    if trouble != "mute":
        assert newest_run(chat_sidecar)["state"] == "running"
    await expect(chat.connection).to_have_attribute("data-transport", "sse")
    assert await chat.all_done() == answer_by_websocket
    await chat.screenshot(f"sse-{trouble}")
    assert chat.complaints == []


async def test_a_socket_that_breaks_in_the_middle_costs_no_word(
    browser: Browser, page_url: str, answer_by_websocket: str
) -> None:
    context = await browser.new_context()
    chat = Chat(await context.new_page())
    cursors: list[str] = []

    async def break_after_30_frames(route: WebSocketRoute) -> None:
        cursors.append(route.url.partition("after=")[2])
        server = route.connect_to_server()
        left = 30 if len(cursors) < 4 else 10_000

        def pass_on(message: str | bytes) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                route.send(message)

        async def count() -> None:
            while left > 0:
                await chat.page.wait_for_timeout(20)
            await route.close(code=4001, reason="too slow")

        server.on_message(pass_on)
        if left < 10_000:
            await count()

    socket = KNOWN.replace("http", "ws")
    await context.route_web_socket(re.compile(re.escape(socket)), break_after_30_frames)
    await chat.open(page_url)
    await chat.send(BRIEF)
    assert await chat.all_done() == answer_by_websocket
    assert len(cursors) >= 3
    assert cursors[0] == ""
    assert all(cursors[1:])
    assert chat.complaints == []


@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_stop_cancels_the_run_and_keeps_what_was_written(
    browser: Browser, page_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(browser, f"{page_url}/?transport={transport}")
    await chat.send(BRIEF)
    await chat.words_of(0)
    written = chat.tasks.first.locator(".words")
    run = newest_run(chat_sidecar)["run"]
    await chat.page.get_by_role("button", name="Stop").click()

    await expect(chat.page.get_by_text("Stopped.").first).to_be_visible()
    await expect(chat.tasks.first).to_have_attribute("data-state", "stopped")
    assert await written.inner_text() != ""
    for _ in range(100):
        state = get(chat_sidecar, f"/runs/{run}")["state"]
        if state == "cancelled":
            break
        await chat.page.wait_for_timeout(50)
    assert state == "cancelled"
    await chat.screenshot(f"stopped-{transport}")
    assert chat.complaints == []


async def test_leaving_the_page_does_not_stop_the_crew(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.send(BRIEF)
    await chat.words_of(0)
    run = newest_run(chat_sidecar)["run"]
    await chat.page.close()
    async with chat_sidecar.client() as client:
        async for event in client.follow(run):
            last = event
    assert last["type"] == "run.completed"


async def test_a_sidecar_that_is_not_running_is_said_with_the_way_out(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)

    async def refuse(route: Route) -> None:
        await route.abort("connectionrefused")

    await chat.page.route(f"{KNOWN}/**", refuse)
    await chat.send(BRIEF)
    problem = chat.page.get_by_role("alert").filter(has_text="sidecar")
    await expect(problem).to_contain_text("The sidecar isn’t running")
    await expect(problem).to_contain_text(KNOWN)
    await expect(problem).to_contain_text("make serve")
    await chat.screenshot("no-sidecar")

    await chat.page.unroute(f"{KNOWN}/**")
    await problem.get_by_role("button", name="Try again").click()
    await chat.all_done()


async def test_a_follow_up_is_a_run_of_its_own(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url)
    await chat.page.locator(".brief", has_text=BRIEF).click()
    await chat.all_done()
    first = newest_run(chat_sidecar)["run"]
    await chat.send("And now for tea")
    await expect(chat.answer).to_have_count(2, timeout=PATIENCE)
    second = newest_run(chat_sidecar)
    assert second["run"] != first
    assert "tea" in await chat.answer.last.inner_text()
    assert chat.complaints == []
