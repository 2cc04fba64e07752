"""The wheel with its page, installed where there is no Node, in a project that is not ours: what
`crew-sidecar` serves on its own port, under its own policy."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, expect

from scripts.page import assemble
from scripts.wheel import make_wheel
from tests.browser.builds import EXAMPLE
from tests.browser.chat import PATIENCE, Chat, chromium, open_context
from tests.browser.pages import exported
from tests.support.sidecar import BOUND, ROOT
from tests.support.stranger import OWN, App, move_in

BRIEF = "Two loaves for the harbour"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    package = tmp_path_factory.mktemp("package") / "sidecar"
    shutil.copytree(
        ROOT / "sidecar", package, ignore=shutil.ignore_patterns("__pycache__", "page", ".page-*")
    )
    with exported(tmp_path_factory.mktemp("next")) as built:
        assemble(EXAMPLE / built, package / "web" / "page")
    wheel = make_wheel(tmp_path_factory.mktemp("wheel"), package)
    return move_in(wheel, tmp_path_factory.mktemp("bakery"))


@contextlib.contextmanager
def started(app: App, data: Path) -> Iterator[list[str]]:
    """What `crew-sidecar` says on stdout when it is started there."""
    process = app.serve(data, *OWN)
    assert process.stdout is not None
    try:
        yield [process.stdout.readline().strip() for _ in range(2)]
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
        process.stdout.close()


@pytest_asyncio.fixture(loop_scope="session")
async def own_browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def test_an_installed_sidecar_has_a_finished_page_on_its_own_port(
    app: App, own_browser: Browser, tmp_path: Path
) -> None:
    with started(app, tmp_path / "data") as (ready, said):
        url = ready.removeprefix("sidecar ready ")
        assert said == f"Open {url}"
        for query, transport in {"": "ws", "?transport=sse": "sse"}.items():
            context = await open_context(own_browser)
            chat = Chat(await context.new_page())
            page = chat.page
            asked: list[Request] = []
            page.on("request", asked.append)
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
            assert [one.url for one in asked if not one.url.startswith(f"{url}/")] == []
            await context.close()
