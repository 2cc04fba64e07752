"""The wheel with its page, installed where there is no Node, in a project that is not ours: what
`crew-sidecar` serves on its own port, under its own policy."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, expect

from scripts.page import TEMPLATE, assemble, build_replay
from scripts.wheel import make_wheel
from tests.browser.axe import findings
from tests.browser.builds import EXAMPLE
from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    open_context,
    screenshot,
)
from tests.browser.pages import exported
from tests.support.sidecar import BOUND, ROOT
from tests.support.stranger import OWN, App, move_in

BRIEF = "Two loaves for the harbour"
LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    package = tmp_path_factory.mktemp("package") / "sidecar"
    shutil.copytree(
        ROOT / "sidecar", package, ignore=shutil.ignore_patterns("__pycache__", "page", ".page-*")
    )
    with exported(tmp_path_factory.mktemp("next")) as built:
        assemble(EXAMPLE / built, package / "web" / "page")
    assert build_replay(package / "web" / "page" / TEMPLATE) == 0
    wheel = make_wheel(tmp_path_factory.mktemp("wheel"), package)
    return move_in(wheel, tmp_path_factory.mktemp("bakery"))


@pytest_asyncio.fixture(loop_scope="session")
async def own_browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of one that was started there."""
    process = app.serve(tmp_path_factory.mktemp("served") / "data", *OWN)
    assert process.stdout is not None
    try:
        ready, said = (process.stdout.readline().strip() for _ in range(2))
        assert said == f"Open {ready.removeprefix('sidecar ready ')}"
        yield said.removeprefix("Open ")
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
        process.stdout.close()


@pytest.mark.parametrize(("query", "transport"), [("", "ws"), ("?transport=sse", "sse")])
async def test_an_installed_sidecar_has_a_finished_page_on_its_own_port(
    url: str, own_browser: Browser, query: str, transport: str
) -> None:
    chat, asked = await tab(own_browser)
    page = chat.page
    await chat.open(f"{url}/{query}")
    await chat.send(BRIEF)
    await expect(chat.answer).to_be_visible(timeout=PATIENCE)
    await expect(chat.connection).to_have_attribute("data-transport", transport)

    # From page to page without a load, and each of them by its own address.
    await page.get_by_role("link", name="Runs", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    await page.get_by_test_id("run").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(BRIEF)
    await expect(page.get_by_test_id("run-state")).to_contain_text("Done")
    await page.reload()
    await expect(page.get_by_test_id("run-state")).to_contain_text("Done")
    assert chat.complaints == []
    assert [one for one in asked if not one.startswith(f"{url}/")] == []


async def test_a_run_of_the_terminal_is_opened_in_the_browser_and_saved_as_a_file_that_replays(
    app: App, url: str, own_browser: Browser, tmp_path: Path
) -> None:
    program, note, file = tmp_path / "browser", tmp_path / "note", tmp_path / "a run.html"
    program.write_text(f'#!/bin/sh\necho "$1" > {note}\n')
    program.chmod(0o755)
    opening = ("run", BRIEF, "--open", "--url", url)
    await asyncio.to_thread(app.command, *opening, BROWSER=f"{program} %s")
    address = note.read_text().strip()
    shown, _ = await tab(own_browser)
    await shown.page.goto(address)
    await expect(shown.page.get_by_role("heading", level=1)).to_have_text(BRIEF)

    saving = ("export", address.partition("=")[2], "-o", str(file), "--url", url)
    said = await asyncio.to_thread(app.command, *saving)
    assert said.startswith(f"{file} (0.")
    replay, asked = await tab(own_browser, offline=True)
    page = replay.page
    await page.goto(file.as_uri())
    await expect(page).to_have_title(BRIEF)
    await expect(page.get_by_role("heading", level=1)).to_have_text(BRIEF)
    state, moment = page.get_by_test_id("run-state"), page.get_by_role("slider", name="Moment")
    await expect(state).to_contain_text("Done")
    await expect(replay.tasks).to_have_attribute("data-state", "completed")
    words = await replay.answer.inner_text()
    await moment.press("Home")
    await expect(state).to_contain_text("Queued")
    await expect(replay.answer).to_have_count(0)
    await page.get_by_role("button", name="Play", exact=True).click()
    await expect(state).to_contain_text("Done", timeout=PATIENCE)
    assert await replay.answer.inner_text() == words
    for look in LOOKS:
        await replay.wear(look)
        assert not await page.evaluate(OVERFLOWS)
        assert await findings(page) == []
        await screenshot(page, f"replay-{look}")
    assert replay.complaints == []
    assert asked == [file.as_uri()]


async def tab(browser: Browser, *, offline: bool = False) -> tuple[Chat, list[str]]:
    """A page, and what it asks for."""
    context = await open_context(browser)
    await context.set_offline(offline)
    chat = Chat(await context.new_page())
    asked: list[str] = []

    def on_request(request: Request) -> None:
        asked.append(request.url)

    chat.page.on("request", on_request)
    return chat, asked
