"""What `crewai create` makes, with the sidecar started in it and nothing set, in the page."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat import OVERFLOWS, PATIENCE, chromium, leads, log_of, newest_run, open_chat
from tests.support.sidecar import ROOT, Sidecar, assert_whole, clean_environment

pytestmark = pytest.mark.long


@pytest.fixture(params=["crew", "flow"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def scaffold(kind: str, tmp_path: Path) -> Path:
    """Made by CrewAI's own command, which needs no network."""
    crewai = Path(sysconfig.get_path("scripts"), "crewai")
    # Without DMN (nobody at a terminal) it asks what the crew is to be.
    environ = clean_environment(CREWAI_DMN="true", CREWAI_DISABLE_TELEMETRY="true")
    subprocess.run(
        [crewai, "create", kind, "trial"],
        cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=True,
    )  # fmt: skip
    return tmp_path / "trial"


@pytest_asyncio.fixture(loop_scope="session")
async def served(scaffold: Path, origins: str) -> AsyncIterator[Sidecar]:
    """A user has the wheel, and no variable of ours but those that these pages need."""
    sidecar = Sidecar(
        scaffold.parent / "data", PYTHONPATH=str(ROOT), CREW_MODEL="", SIDECAR_ORIGINS=origins
    )
    sidecar.folder = scaffold
    sidecar.start()
    yield sidecar
    assert sidecar.stop() == 0


@pytest_asyncio.fixture(loop_scope="session")
async def browser(served: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(served.url)) as browser:
        yield browser


async def test_a_project_that_crewai_made_runs_to_its_end_in_the_page(
    kind: str, browser: Browser, built_url: str, served: Sidecar
) -> None:
    chat = await open_chat(browser, built_url)
    if kind == "crew":
        # The task that it asks about is the first of this very crew.
        await expect(chat.page.get_by_text("Senior Researcher takes it from there")).to_be_visible()
        await chat.ask_after_first()
    await chat.send("A guide to tulips for a small nursery")
    if kind == "crew":
        await chat.is_asked()
        await chat.button("Accept").click()
    await expect(chat.page.locator(".footnote")).to_contain_text("Done", timeout=PATIENCE)
    # The last method of the flow saves a file and returns nothing.
    await expect(chat.answer).to_have_count(int(kind == "crew"))
    await expect(chat.page.get_by_text("The crew gave no text.")).to_have_count(int(kind == "flow"))

    log = await log_of(served, newest_run(served)["run"])
    assert_whole(log)
    assert log[-1]["type"] == "run.completed"
    done = [event["task"] for event in log if event["type"] == "task.completed"]
    assert done
    await expect(chat.page.locator("[data-testid=task][data-state=completed]")).to_have_count(
        len(done)
    )
    methods = [event["data"]["name"] for event in log if event["type"] == "method.started"]
    assert bool(methods) == (kind == "flow")
    for name in methods:
        heading = chat.page.get_by_role("heading", name=name.replace("_", " "))
        await expect(heading).to_have_count(1)
    await expect(chat.reviews).to_have_count(int(kind == "crew"))
    assert not await chat.page.evaluate(OVERFLOWS)
    await chat.page.screenshot(path=ROOT / "artifacts" / f"scaffold-{kind}.png", full_page=True)
    assert chat.complaints == []
