"""A provider as somebody writes it for an app: Next 14, React 18, assistant-ui 0.12.3 without pins.

The language goes into the inputs; a panel says who is at work and how long; each result is saved
once, over reloads and closed tabs; errors are in its own words; it has a welcome and a history."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.chat import AGENTS, BRIEF, PATIENCE, get, newest_run
from tests.browser.packed import APPS, App, copied, run, send, typed
from tests.browser.pages import free_port
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.timeout(900)

PROVIDER = APPS / "provider" / "components" / "ChatRuntimeProvider.tsx"
BOOKS = "A launch plan for a bookshop"
TASKS = ["create_content_plan", "analyze_sentiment", "research_trends"]


def test_it_takes_no_more_than_120_lines() -> None:
    assert len(PROVIDER.read_text().splitlines()) <= 120


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, tarball: Path) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("provider") / "app"
    copied(folder, "provider")
    run("npm", "install", str(tarball), folder=folder)
    port = free_port()
    sidecar = Sidecar(
        tmp_path_factory.mktemp("provider-sidecar") / "data",
        SIDECAR_ORIGINS=f"http://127.0.0.1:{port}",
        # A task takes long enough to be stopped in it on a machine that is busy.
        OFFLINE_TOKEN_MS="80",
        OFFLINE_TOKENS="40",
    ).start()
    app = App("provider", folder, port, sidecar)
    app.run("npx", "next", "build")
    with app.served():
        yield app
    if sidecar.process is not None:
        sidecar.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One browser of one person: what it stores outlives its tabs."""
    context = await browser.new_context()
    yield context
    await context.close()


def saved(app: App) -> list[dict[str, Any]]:
    store = app.folder / "results.jsonl"
    return [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []


def saved_once(app: App, brief: dict[str, Any], language: str) -> dict[str, Any]:
    results = [{"task": task["name"], "output": task["output"]} for task in brief["tasks"]]
    assert [result["task"] for result in results] == TASKS
    return {"run": brief["run"], "language": language, "results": results}


def panel(page: Page) -> Locator:
    return page.get_by_role("list", name="Progress").get_by_role("listitem")


def seconds(line: str) -> float:
    found = re.search(r"[\d.]+$", line)
    assert found, line
    return float(found[0])


async def is_at(page: Page, task: int, state: str) -> None:
    await expect(panel(page).nth(task)).to_have_attribute("data-state", state, timeout=PATIENCE)


async def all_done(page: Page) -> None:
    for task, agent in enumerate(AGENTS):
        await is_at(page, task, "completed")
        await expect(panel(page).nth(task)).to_contain_text(agent)


@pytest.mark.long
@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_a_local_runtime_answers_is_reloaded_and_stops_for_real(
    app: App, context: BrowserContext, transport: str
) -> None:
    """`createCrewAdapter`, whose Stop finds no sidecar."""
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.get_by_test_id("answer").last
    question = answer.get_by_test_id("question")
    shorter = question.get_by_role("button", name="Shorter")
    stop = page.get_by_role("button", name="Stop")
    async with FaultProxy(app.sidecar.url) as proxy:
        await page.goto(f"{app.url}/local?crew={proxy.url}&transport={transport}")
        await send(page, BRIEF)
        await shorter.click(timeout=PATIENCE)
        await expect(question.first).to_contain_text("Shorter, please", timeout=PATIENCE)
        # It has revised and asks again; a page that is loaded now is told of both.
        await expect(question).to_have_count(2, timeout=PATIENCE)
        await page.reload()
        await expect(question.first).to_contain_text("Shorter, please", timeout=PATIENCE)
        run = newest_run(app.sidecar)["run"]
        await shorter.click(timeout=PATIENCE)
        answers = 0
        async with app.sidecar.client() as client:
            async for event in client.follow(run):
                answers += event["type"] == "input.answered"
                if answers == 2:
                    break
        await expect(stop).to_be_visible(timeout=PATIENCE)

        proxy.deafen()
        proxy.cut()
        await stop.click()
        pending = page.get_by_text("cancel is not confirmed")
        await expect(pending).to_be_visible(timeout=PATIENCE)
        await expect(stop).to_be_visible()
        proxy.listen()
        await expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=PATIENCE)
        await expect(pending).to_have_count(0)
    async with app.sidecar.client() as client:
        async for event in client.follow(run):
            last = event
    assert last["type"] == "run.cancelled"
    texts = [
        event["data"]["text"]
        for event in get(app.sidecar, f"/runs/{run}/events?limit=10000")["events"]
        if event["type"] == "input.answered"
    ]
    assert texts == ["Shorter, please", "Shorter, please"]
    assert complaints == []


@pytest.mark.long
async def test_a_brief_is_followed_over_a_reload_and_saved_once(
    app: App, context: BrowserContext
) -> None:
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(app.url)
    answers = page.get_by_test_id("answer")
    await expect(answers).to_have_text(["Welcome! What shall we plan today?"])
    await typed(page, BOOKS)
    await page.get_by_label("Language").select_option("id")
    await send(page, BOOKS)

    await is_at(page, 1, "running")
    plan = seconds(await panel(page).first.inner_text())
    assert plan > 0.5
    await page.reload()
    await is_at(page, 1, "running")
    assert seconds(await panel(page).first.inner_text()) == plan
    await all_done(page)

    first = get(app.sidecar, f"/runs/{newest_run(app.sidecar)['run']}")
    assert first["inputs"] == {"user_input": BOOKS, "output_language": "id"}
    await expect(answers.last).to_contain_text(first["output"][:40], timeout=PATIENCE)
    await expect(page.get_by_test_id("brief")).to_have_text([BOOKS])
    await page.wait_for_function("run => localStorage.getItem(`saved/${run}`)", arg=first["run"])
    await page.reload()
    await all_done(page)
    await expect(answers.first).to_have_text("Welcome! What shall we plan today?")
    assert saved(app) == [saved_once(app, first, "id")]

    # A tab that is closed misses nothing: what ended meanwhile is saved by the next one.
    await page.get_by_role("button", name="New", exact=True).click()
    await expect(answers).to_have_count(1)
    await send(page, "And now for tea")
    await is_at(page, 0, "running")
    second = newest_run(app.sidecar)["run"]
    await page.close()
    async with app.sidecar.client() as client:
        async for event in client.follow(second):
            last = event
    assert last["type"] == "run.completed"
    assert len(saved(app)) == 1
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(app.url)
    await page.wait_for_function("run => localStorage.getItem(`saved/${run}`)", arg=second)
    third = get(app.sidecar, f"/runs/{second}")
    assert saved(app)[1:] == [saved_once(app, third, "en")]

    # The history, and back to the first conversation.
    history = page.get_by_role("navigation", name="History")
    await history.get_by_role("button", name=BOOKS).click()
    await expect(page.get_by_test_id("brief")).to_have_text([BOOKS], timeout=PATIENCE)
    await all_done(page)
    await page.reload()
    await expect(page.get_by_test_id("brief")).to_have_text([BOOKS], timeout=PATIENCE)
    assert len(saved(app)) == 2

    # An error in words of the app's.
    assert app.sidecar.stop() == 0
    await send(page, "Is anybody there?")
    said = "The crew is not at work at the moment. Please send your message again later."
    await expect(page.get_by_test_id("answer").last).to_have_text(said, timeout=PATIENCE)
    assert complaints == []
