"""Every state of every page: nothing that axe finds, in light and dark, wide and narrow, and no
part out of sight to the side from 320 px on. Each is a picture in `artifacts`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from sidecar.client.client import CrewClient
from tests.browser.axe import findings
from tests.browser.chat import (
    BRIEF,
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    leads,
    open_chat,
    open_context,
    screenshot,
    wear,
)
from tests.browser.pages import KNOWN
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar

LOOKS: Final[tuple[Look, ...]] = ("light", "dark", "narrow", "dark-narrow")
WIDTHS: Final = (320, 360, 768, 1024, 1440)
WORDS: Final = tuple(f"word{n} " for n in range(2_000))
REPORT: Final = """\
# Launch plan

A short plan for **a small coffee roaster in Lisbon**, with what it costs[^1] and *who does it*.

| Week | What | Who | Cost |
| ---: | :--- | :-- | ---: |
| 1 | Name, sign and opening hours, told to the whole street | Ana | 120 € |
| 2 | Tasting for neighbours, twenty places, three roasts | Rui | 340 € |
| 3 | ~~Radio~~ A poster in each café within a walk | Ana | 90 € |

## To do

- [x] Ask the neighbours
- [ ] Print the posters
  1. Portuguese
  2. English

### By machine

```python
def price(cups: int, each: float = 1.2) -> float:
    \"\"\"What a morning brings, in euros.\"\"\"
    return cups * each
```

> Nobody queues for coffee that they can't smell.

مرحبا بكم في لشبونة، القهوة جاهزة.

See https://example.org/a/very/long/address/that/has/no/space/in/it/at/all/and/goes/on/for/quite/a/while.html
or run `make coffee`.

[^1]: In euros, without tax.
"""
SCRIPTS: Final = {
    "report": Script(tokens=tuple(REPORT.splitlines(keepends=True))),
    "slow": Script(tokens=WORDS, delay=0.2),
    "rejected": Script(status=401),
    "limited": Script(status=429, retry_after=30),
}
CREWS: Final = {"default": "plan", **{name: name for name in SCRIPTS}}


class Stage:
    """A page of one's own, and the sidecar behind it."""

    def __init__(self, chat: Chat, client: CrewClient, url: str) -> None:
        self.chat = chat
        self.page = chat.page
        self.client = client
        self.url = url

    async def runs(self, query: str = "") -> None:
        await self.page.goto(f"{self.url}/runs/{query}")

    async def run(self, crew: str, state: str, **inputs: str) -> str:
        """The page of a new run of that crew, once it says that state."""
        run = await self.client.start({"message": BRIEF, **inputs}, crew=crew)
        await self.page.goto(f"{self.url}/run/?id={run}")
        await self.says(state)
        return run

    async def says(self, state: str) -> None:
        facts = self.page.get_by_test_id("run-state")
        await expect(facts).to_have_attribute("data-state", state, timeout=PATIENCE)

    async def choose(self, crew: str) -> None:
        await self.page.get_by_role("combobox", name="Crew").select_option(crew)

    async def brief(self, crew: str, state: str | None = None) -> None:
        await self.choose(crew)
        await self.chat.send(BRIEF)
        if state is not None:
            await self.chat.is_at(state)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, origins: str) -> Iterator[Sidecar]:
    with ExitStack() as stack:
        models = {
            f"GALLERY_{name.upper()}": stack.enter_context(OpenAIServer(script)).base_url
            for name, script in SCRIPTS.items()
        }
        running = Sidecar(
            tmp_path_factory.mktemp("gallery") / "data",
            SIDECAR_ORIGINS=origins,
            SIDECAR_CREW=",".join(f"{k}=tests.browser.gallery:{v}" for k, v in CREWS.items()),
            CREW_MODEL="",
            OFFLINE_TOKENS="25",
            OFFLINE_TOKEN_MS="5",
            **models,
        ).start()
        yield running
        assert running.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gallery_chromium(served: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(served.url)) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def stage(gallery_chromium: Browser, built_url: str, served: Sidecar) -> AsyncIterator[Stage]:
    async with served.client() as client:
        chat = await open_chat(gallery_chromium, built_url)
        await chat.page.emulate_media(reduced_motion="reduce")
        yield Stage(chat, client, built_url)
        for run in (await client.runs(state="live"))["runs"]:
            await client.cancel(run["run"])
        await chat.page.context.close()


async def empty(stage: Stage) -> None:
    await expect(stage.page.get_by_role("combobox", name="Crew")).to_be_visible()


async def working(stage: Stage) -> None:
    await stage.brief("slow", "running")
    await stage.chat.words_of(0)


async def paused(stage: Stage) -> None:
    await working(stage)
    await stage.chat.button("Pause").click()
    await stage.chat.is_at("paused")


async def limited(stage: Stage) -> None:
    await stage.brief("limited")
    await expect(stage.chat.status).to_contain_text("rying again", timeout=PATIENCE)


async def rejected(stage: Stage) -> None:
    await stage.brief("rejected")
    await expect(stage.page.locator(".problem")).to_contain_text("key", timeout=PATIENCE)


async def reported(stage: Stage) -> None:
    await stage.brief("report")
    await expect(stage.chat.answer).to_contain_text("Lisbon", timeout=PATIENCE)
    await expect(stage.page.get_by_role("table")).to_be_visible()


async def unfolded(stage: Stage) -> None:
    await stage.chat.send(BRIEF)
    await stage.chat.all_done()
    await stage.page.get_by_role("button", name="Worked").click()


async def asked(stage: Stage) -> None:
    await stage.chat.ask_after_first()
    await stage.chat.send(BRIEF)
    await stage.chat.is_asked()


async def stopped(stage: Stage) -> None:
    await working(stage)
    await stage.chat.button("Stop").click()
    await expect(stage.page.get_by_role("button", name="Run again")).to_be_visible(timeout=PATIENCE)


async def edited(stage: Stage) -> None:
    await unfolded(stage)
    await stage.page.get_by_role("article", name="You").hover()
    await stage.chat.button("Edit the brief").click()
    await expect(stage.page.get_by_role("textbox", name="Brief, edited")).to_be_focused()


async def helped(stage: Stage) -> None:
    await stage.chat.button("Keyboard").click()
    await expect(stage.page.get_by_role("dialog", name="Keyboard")).to_be_visible()


async def lost(stage: Stage) -> None:
    await working(stage)
    await stage.page.context.set_offline(True)
    await expect(stage.chat.trouble).to_contain_text("You are offline", timeout=PATIENCE)


async def listed(stage: Stage) -> None:
    await stage.client.start({"message": BRIEF}, crew="slow")
    await stage.runs()
    await expect(stage.page.get_by_test_id("run").first).to_be_visible()


async def none_listed(stage: Stage) -> None:
    await stage.runs("?q=nobody+ever+asked+for+this")
    await expect(stage.page.get_by_role("main")).to_contain_text("No run")


async def run_working(stage: Stage) -> None:
    await stage.run("slow", "running")
    await expect(stage.page.get_by_test_id("timeline-bar").first).to_be_visible()


async def run_done(stage: Stage) -> None:
    await stage.run("default", "completed")
    await expect(stage.page.get_by_test_id("timeline-bar").first).to_be_visible()


async def run_explained(stage: Stage) -> None:
    await run_done(stage)
    await stage.page.get_by_test_id("timeline-bar").last.click()
    await expect(stage.page.get_by_test_id("timeline-details")).to_be_visible()


async def run_before(stage: Stage) -> None:
    await run_done(stage)
    await stage.page.get_by_role("slider", name="Moment").press("PageDown")
    await expect(stage.page.get_by_text("Back to now")).to_be_visible()


async def run_rejected(stage: Stage) -> None:
    await stage.run("rejected", "failed")


async def run_asks(stage: Stage) -> None:
    run = await stage.client.start({"message": BRIEF}, review=["plan"])
    await stage.page.goto(f"{stage.url}/run/?id={run}")
    await stage.says("waiting")


async def run_forked(stage: Stage) -> None:
    await run_done(stage)
    await stage.page.get_by_role("button", name="Run again from").first.click()
    await expect(stage.page.get_by_role("dialog")).to_be_visible()


async def run_unknown(stage: Stage) -> None:
    await stage.page.goto(f"{stage.url}/run/?id=r_nobody")
    await expect(stage.page.locator(".problem")).to_be_visible()


async def compared(stage: Stage) -> None:
    await stage.page.goto(f"{KNOWN}/compare")
    await expect(stage.page.get_by_role("main")).to_be_visible()


STATES: Final[dict[str, Callable[[Stage], Awaitable[None]]]] = {
    state.__name__: state
    for state in (
        empty,
        working,
        paused,
        limited,
        rejected,
        reported,
        unfolded,
        asked,
        stopped,
        edited,
        helped,
        lost,
        listed,
        none_listed,
        run_working,
        run_done,
        run_explained,
        run_before,
        run_rejected,
        run_asks,
        run_forked,
        run_unknown,
        compared,
    )
}


@pytest.mark.parametrize("name", STATES)
async def test_a_state_is_for_everybody(stage: Stage, name: str) -> None:
    await STATES[name](stage)
    found = await looked_at(stage.page, name)
    assert not found, "\n".join(found)


async def test_a_page_without_its_sidecar_is_for_everybody(
    gallery_chromium: Browser, built_url: str
) -> None:
    """Its own Chromium's address leads to a sidecar; that of a page in another one to nobody."""
    async with chromium(leads("http://127.0.0.1:9")) as browser:
        found = []
        for name, path in (("chat", "/"), ("runs", "/runs/"), ("run", "/run/?id=r_any")):
            page = await (await open_context(browser)).new_page()
            await page.goto(f"{built_url}{path}")
            said = page.get_by_text("The sidecar isn’t running").first
            await expect(said).to_be_visible(timeout=PATIENCE)
            found += await looked_at(page, f"{name}_without_sidecar")
        assert not found, "\n".join(found)


async def looked_at(page: Page, name: str) -> list[str]:
    """What is wrong with it, in each look."""
    found = []
    for look in LOOKS:
        await wear(page, look)
        await settled(page)
        await screenshot(page, f"{name}-{look}")
        found += [f"{look}: {finding}" for finding in await findings(page)]
    for width in WIDTHS:
        await page.set_viewport_size(ViewportSize(width=width, height=800))
        await settled(page)
        if await page.evaluate(OVERFLOWS):
            found.append(f"{width} px: out of sight to the side")
    return found


async def settled(page: Page) -> None:
    """Painted with what was changed: two frames on."""
    await page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
