"""Conversations: several live at once, and a Stop that the sidecar could not hear."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.chat import (
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
    words,
)
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar, assert_whole

TEA, BREAD = "Tea for the night train", "Bread for the harbour"
LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")

both_transports = pytest.mark.parametrize("transport", ["ws", "sse"])


@pytest.fixture
def slow_sidecar(start_sidecar: StartSidecar, origins: str) -> Sidecar:
    """A run takes 5 s: two are live while one goes from the one to the other."""
    return start_sidecar(SIDECAR_ORIGINS=origins, OFFLINE_TOKEN_MS="60", OFFLINE_TOKENS="30")


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(slow_sidecar: Sidecar) -> AsyncIterator[FaultProxy]:
    """The way to it, which stays when it is started again on another port."""
    async with FaultProxy(slow_sidecar.url) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def far(proxy: FaultProxy) -> AsyncIterator[Browser]:
    async with chromium(leads(proxy.url)) as browser:
        yield browser


def row(chat: Chat, title: str) -> Locator:
    """A conversation in the list."""
    return chat.page.get_by_test_id("conversation").filter(has_text=title)


def opener(chat: Chat, title: str) -> Locator:
    return row(chat, title).locator(".conversation-open")


async def new(chat: Chat) -> None:
    await chat.button("New conversation").click()
    await expect(chat.page.get_by_role("heading", name="What should the crew")).to_be_visible()


async def shows(chat: Chat, *briefs: str) -> None:
    await expect(chat.page.locator(".user")).to_have_text(briefs)


async def writes_on(chat: Chat) -> None:
    """Wait until there is more of what the crew writes than there is now."""
    length = (
        "() => [...document.querySelectorAll('.words')].map((e) => e.textContent).join('').length"
    )
    before = await chat.page.evaluate(length)
    await chat.page.wait_for_function(f"n => ({length})() > n", arg=before, timeout=PATIENCE)


async def is_marked(chat: Chat, *titles: str) -> None:
    """Wait until these conversations, and no others, are marked as live."""
    marked = chat.page.get_by_test_id("conversation").filter(has=chat.page.locator("i"))
    await expect(marked).to_have_count(len(titles), timeout=PATIENCE)
    for title in titles:
        await expect(row(chat, title).locator(".conversation-live")).to_be_visible()


async def two_live(chat: Chat) -> None:
    """The one about tea, and then the one about bread, which is shown."""
    await chat.send(TEA)
    await chat.words_of(0)
    await new(chat)
    await chat.send(BREAD)
    await chat.words_of(0)
    await is_marked(chat, TEA, BREAD)


async def ends_whole(chat: Chat, sidecar: Sidecar, title: str) -> str:
    """Wait for the end of a conversation of one run, as page and log tell it; gives the run."""
    await opener(chat, title).click()
    await shows(chat, title)
    await chat.all_done()
    found = [run for run in get(sidecar, "/runs")["runs"] if run["inputs"]["message"] == title]
    assert len(found) == 1
    assert found[0]["state"] == "completed"
    assert words(await chat.answer.inner_text()) == words(found[0]["output"])
    assert_whole(await log_of(sidecar, found[0]["run"]))
    run: str = found[0]["run"]
    return run


@both_transports
async def test_two_are_live_at_once_and_each_is_switched_to_reloaded_renamed_and_deleted(
    far: Browser, page_url: str, slow_sidecar: Sidecar, transport: str
) -> None:
    chat = await open_chat(far, f"{page_url}/?transport={transport}")
    page = chat.page
    await two_live(chat)
    await expect(page).to_have_url(re.compile(rf"transport={transport}&thread=t_"))
    await chat.screenshot(f"two-live-{transport}")
    await opener(chat, TEA).click()
    await shows(chat, TEA)
    await writes_on(chat)
    await page.go_back()
    await shows(chat, BREAD)
    await page.reload()
    await shows(chat, BREAD)
    await writes_on(chat)
    await is_marked(chat, TEA, BREAD)
    # What is live is not deleted.
    await expect(row(chat, BREAD).get_by_role("button", name="Delete")).to_be_disabled()

    await ends_whole(chat, slow_sidecar, TEA)
    await ends_whole(chat, slow_sidecar, BREAD)
    await is_marked(chat)
    assert len(get(slow_sidecar, "/threads")["threads"]) == 2

    # By keyboard alone.
    await opener(chat, TEA).focus()
    await page.keyboard.press("Tab")
    await expect(row(chat, TEA).get_by_role("button", name="Rename")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.type("Night train")
    await page.keyboard.press("Enter")
    await expect(row(chat, "Night train")).to_be_visible()
    await page.reload()
    await expect(opener(chat, "Night train")).to_be_visible()
    titles = {thread["title"] for thread in get(slow_sidecar, "/threads")["threads"]}
    assert titles == {"Night train", BREAD}

    await shows(chat, BREAD)
    await row(chat, BREAD).hover()
    await row(chat, BREAD).get_by_role("button", name="Delete").click()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("conversation")).to_have_count(1)
    await expect(page.get_by_role("heading", name="What should the crew")).to_be_visible()
    [left] = get(slow_sidecar, "/threads")["threads"]
    assert left["title"] == "Night train"
    assert [run["inputs"]["message"] for run in get(slow_sidecar, "/runs")["runs"]] == [TEA]
    assert chat.complaints == []


@both_transports
async def test_two_go_on_through_a_sidecar_that_is_killed(
    far: Browser, page_url: str, slow_sidecar: Sidecar, proxy: FaultProxy, transport: str
) -> None:
    chat = await open_chat(far, f"{page_url}/?transport={transport}")
    await two_live(chat)
    await asyncio.to_thread(slow_sidecar.stop, 9)
    await expect(chat.connection).to_have_text("Reconnecting…")
    await asyncio.to_thread(slow_sidecar.start)
    proxy.target = slow_sidecar.url
    await ends_whole(chat, slow_sidecar, BREAD)
    tea = await ends_whole(chat, slow_sidecar, TEA)
    await is_marked(chat)
    assert {run["attempt"] for run in get(slow_sidecar, "/runs")["runs"]} == {2}

    await chat.page.reload()
    await shows(chat, TEA)
    await chat.all_done()
    await chat.send("Shorter")
    # The offline model says what it follows.
    follow_up = chat.page.locator(".assistant").last
    await expect(follow_up).to_contain_text(f"You asked before: {TEA}.", timeout=PATIENCE)
    assert newest_run(slow_sidecar)["after"] == tea


PLAN = "Opal lanterns along the quay."


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer(Script(tokens=tuple(re.findall(r"\S+\s?", PLAN)))) as server:
        yield server


@both_transports
async def test_a_follow_up_is_told_the_plan_before_it(
    start_sidecar: StartSidecar, origins: str, page_url: str, model: OpenAIServer, transport: str
) -> None:
    key = {"OPENAI_API_KEY": "sk-test-0123456789", "OPENAI_BASE_URL": model.base_url}
    sidecar = start_sidecar(SIDECAR_ORIGINS=origins, CREW_MODEL="", **key)
    async with chromium(leads(sidecar.url)) as browser:
        chat = await open_chat(browser, f"{page_url}/?transport={transport}")
        await chat.send(TEA)
        await chat.all_done()
        first = newest_run(sidecar)
        assert not any("Crew:" in prompt for prompt in asked(model))
        await chat.send("Make it shorter")
        await expect(chat.answer).to_have_count(2, timeout=PATIENCE)
        second = newest_run(sidecar)
        assert (second["thread"], second["after"]) == (first["thread"], first["run"])
        planning = asked(model)[0]
        assert planning.index(f"User: {TEA}") < planning.index("Crew:") < planning.index(PLAN)
        assert planning.rindex(PLAN) < planning.rindex("Make it shorter")
        # In a conversation of its own it follows nothing.
        await new(chat)
        await chat.send("Make it shorter")
        await chat.all_done()
        assert newest_run(sidecar)["after"] is None
        assert not any("Crew:" in prompt for prompt in asked(model))
        assert chat.complaints == []


def asked(model: OpenAIServer) -> list[str]:
    """What the model was last asked by a crew, prompt by prompt."""
    prompts = ["\n".join(str(m["content"]) for m in r["body"]["messages"]) for r in model.requests]
    model.requests.clear()
    return prompts


@both_transports
async def test_stop_while_the_sidecar_is_down_is_not_believed_and_holds_once_it_is_back(
    far: Browser, page_url: str, slow_sidecar: Sidecar, proxy: FaultProxy, transport: str
) -> None:
    chat = await open_chat(far, f"{page_url}/?transport={transport}")
    await chat.send(TEA)
    await chat.words_of(0)
    run = newest_run(slow_sidecar)["run"]
    await asyncio.to_thread(slow_sidecar.stop, 9)
    await expect(chat.connection).to_have_text("Reconnecting…")
    await chat.button("Stop").click()
    await expect(chat.status).to_have_attribute("data-unconfirmed", "cancel", timeout=PATIENCE)
    await expect(chat.status).to_contain_text("not confirmed")
    await expect(chat.page.get_by_text("Stopped.")).to_have_count(0)
    await expect(chat.button("Retry now")).to_be_visible(timeout=PATIENCE)
    for look in LOOKS:
        await chat.wear(look)
        assert not await chat.page.evaluate(OVERFLOWS)
        await chat.screenshot(f"unconfirmed-{transport}")
    await asyncio.to_thread(slow_sidecar.start)
    proxy.target = slow_sidecar.url
    await expect(chat.page.get_by_text("Stopped.").first).to_be_visible(timeout=PATIENCE)
    await expect(chat.status).to_have_count(0)
    log = await log_of(slow_sidecar, run)
    assert log[-1]["type"] == "run.cancelled"


async def test_in_a_narrow_window_conversations_are_in_a_drawer(
    browser: Browser, page_url: str, chat_sidecar: Sidecar
) -> None:
    chat = await open_chat(browser, page_url, "narrow")
    page = chat.page
    await chat.send(TEA)
    await chat.all_done()
    await expect(page.get_by_role("navigation", name="Conversations")).to_have_count(0)
    await chat.button("Conversations").press("Enter")
    drawer = page.get_by_role("dialog", name="Conversations")
    await expect(drawer.get_by_test_id("conversation").first).to_contain_text(TEA)
    await expect(drawer.get_by_test_id("conversation").first).to_be_visible()
    for look in ("narrow", "dark-narrow"):
        await chat.wear(look)
        await chat.screenshot("drawer")
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    await expect(chat.button("Conversations")).to_be_focused()
    await page.keyboard.press("Enter")
    await chat.button("New conversation").click()
    await expect(drawer).to_be_hidden()
    await expect(page.get_by_role("heading", name="What should the crew")).to_be_visible()
    await page.go_back()
    assert chat.complaints == []
