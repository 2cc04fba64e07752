"""The built app with CREW_REWRITES=1: the browser talks to Next alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Request, WebSocket, expect

from tests.browser.chat import BRIEF, Chat, newest_run, open_context, words
from tests.support.sidecar import Sidecar


async def test_the_chat_runs_through_rewrites(
    browser: Browser, rewriting_url: str, chat_sidecar: Sidecar, transport: str
) -> None:
    context = await open_context(browser)
    page = await context.new_page()
    chat = Chat(page)
    asked: set[str] = set()

    def on_request(request: Request) -> None:
        asked.add(urlsplit(request.url).netloc)

    def on_websocket(socket: WebSocket) -> None:
        asked.add(urlsplit(socket.url).netloc)

    page.on("request", on_request)
    page.on("websocket", on_websocket)
    await chat.open(f"{rewriting_url}/?transport={transport}")
    await chat.send(BRIEF)
    await chat.words_of(0)
    # Word by word, not all at the end.
    assert newest_run(chat_sidecar)["state"] == "running"
    await chat.button("Pause").click()
    await chat.is_at("paused")
    await chat.button("Resume").click()
    answer = await chat.all_done()
    assert words(answer) == words(newest_run(chat_sidecar)["output"])
    await expect(chat.connection).to_have_attribute("data-transport", transport)
    assert asked == {urlsplit(rewriting_url).netloc}
    assert chat.complaints == []


@pytest.fixture(params=["rewriting", "built"])
def either_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


async def test_the_comparison_is_one_click_away(browser: Browser, either_url: str) -> None:
    context = await open_context(browser)
    chat = Chat(await context.new_page())
    await chat.open(either_url)
    await chat.page.get_by_role("link", name="Compare").click()
    await expect(chat.page.get_by_role("button", name="Start")).to_be_visible()
    await expect(chat.page.get_by_role("img")).not_to_have_attribute("aria-label", "")
    # The headers of the page came through: its clock steps by 5 us instead of 100.
    assert await chat.page.evaluate("window.crossOriginIsolated")
    assert chat.complaints == []
