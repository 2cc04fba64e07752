"""What people expect of any chat: to edit, to keep, to compare, to choose, to find."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.axe import findings
from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    get,
    leads,
    newest_run,
    open_chat,
    open_context,
)
from tests.conftest import StartSidecar
from tests.support.sidecar import ROOT, Sidecar

NIGHT, DAY = "Tea for the night train", "Tea for the day train"
LOOKS: tuple[Look, ...] = ("light", "dark", "dark-narrow", "narrow")

AGENTS = "copywriter:\n  role: Copywriter\n  goal: To write\n  backstory: You write\n"
TASKS = """draft_brochure:
  description: A brochure about {message} for {audience}
  expected_output: A brochure
  agent: copywriter
"""


@pytest.fixture
def sidecar(start_sidecar: StartSidecar, origins: str, tmp_path: Path) -> Sidecar:
    """With this repository's crew, one that wants more than a brief, and one that is broken."""
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    for name, tasks in (("brochure", TASKS), ("broken", TASKS.replace("copywriter", "nobody"))):
        (config / name).mkdir()
        (config / name / "agents.yaml").write_text(AGENTS)
        (config / name / "tasks.yaml").write_text(tasks)
    return start_sidecar(
        SIDECAR_ORIGINS=origins,
        SIDECAR_CONFIG=str(config),
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="25",
    )


@pytest_asyncio.fixture(loop_scope="session")
async def near(sidecar: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(sidecar.url)) as browser:
        yield browser


SETTLED = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished)
)"""
"""When colours have gone over into those of another scheme, which axe would judge on their way."""


def briefs(chat: Chat) -> Locator:
    return chat.page.locator(".user")


def row(chat: Chat, title: str) -> Locator:
    return chat.page.get_by_test_id("conversation").filter(has_text=title).first


async def is_answered(chat: Chat, about: str) -> None:
    await expect(chat.answer.last).to_contain_text(about, timeout=PATIENCE)


async def looks_well(chat: Chat, name: str) -> None:
    """In every look: it fits, axe finds nothing, and there is a picture of it."""
    for look in LOOKS:
        await chat.wear(look)
        await chat.page.evaluate(SETTLED)
        assert not await chat.page.evaluate(OVERFLOWS)
        assert await findings(chat.page) == []
        await chat.screenshot(name)
    await chat.wear("light")


async def test_a_brief_is_edited_and_an_answer_copied_kept_and_asked_for_again(
    near: Browser, page_url: str, sidecar: Sidecar
) -> None:
    chat = await open_chat(near, page_url)
    page = chat.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.send(NIGHT)
    await is_answered(chat, NIGHT)
    first = newest_run(sidecar)

    await chat.button("Copy the answer").click()
    await expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert await page.evaluate("navigator.clipboard.readText()") == first["output"].strip()
    async with page.expect_download() as downloading:
        await chat.button("Download as Markdown").click()
    download = await downloading.value
    assert download.suggested_filename == "tea-for-the-night-train.md"
    text = Path(await download.path()).read_text()
    assert text.startswith(f"# {NIGHT}\n\n> {NIGHT}\n\n- State: Done\n")
    for task in first["tasks"]:
        assert task["output"].strip() in text
    link = page.get_by_role("link", name="Export as a page")
    assert re.search(rf"/runs/{first['run']}/export$", str(await link.get_attribute("href")))

    # Given up, the focus is where it was; sent, the version before stays.
    await chat.button("Edit the brief").click()
    edited = page.get_by_role("textbox", name="Brief, edited")
    await expect(edited).to_be_focused()
    await looks_well(chat, "editing")
    await edited.press("Escape")
    await expect(chat.button("Edit the brief")).to_be_focused()
    await page.keyboard.press("Enter")
    await edited.fill(DAY)
    await edited.press("Enter")
    await expect(chat.box).to_be_focused()
    await expect(briefs(chat)).to_have_text([DAY])
    await is_answered(chat, DAY)
    assert newest_run(sidecar)["after"] is None
    await chat.button("Run again").click()
    await expect(chat.button("Run again")).to_have_count(0)
    await is_answered(chat, DAY)

    await page.reload()
    await is_answered(chat, DAY)
    versions = page.get_by_role("group", name="Versions of the brief")
    answers = page.get_by_role("group", name="Versions of the answer")
    for group in (versions, answers):
        await expect(group).to_contain_text(re.compile(r"Version 2\W+of 2"))
    await looks_well(chat, "versions")
    await versions.get_by_role("button", name="Previous version").press("Enter")
    await expect(briefs(chat)).to_have_text([NIGHT])
    await is_answered(chat, NIGHT)
    await expect(versions.get_by_role("button", name="Previous version")).to_be_focused()

    # What is stopped can be run again; nothing that would not be true is offered meanwhile.
    await chat.send("Shorter")
    await chat.is_at("running")
    await expect(chat.button("Run again")).to_have_count(0)
    await chat.button("Stop").click()
    await expect(page.get_by_text("Stopped.").first).to_be_visible(timeout=PATIENCE)
    await looks_well(chat, "stopped")
    await chat.button("Run again").last.click()
    await chat.is_at("running")
    await is_answered(chat, "Shorter")
    states = [run["state"] for run in get(sidecar, "/runs")["runs"]]
    assert sorted(states) == ["cancelled", *["completed"] * 4]
    assert chat.complaints == []


async def test_a_crew_is_chosen_and_conversations_are_found_with_what_was_typed_in_them(
    near: Browser, page_url: str, sidecar: Sidecar
) -> None:
    chat = await open_chat(near, page_url)
    page = chat.page
    crews = page.get_by_role("combobox", name="Crew")
    await expect(crews).to_have_value("default")
    broken = crews.get_by_role("option", name="Broken")
    await expect(broken).to_be_disabled()
    await expect(broken).to_contain_text("unknown agent 'nobody'")
    await crews.select_option("brochure")
    await page.get_by_role("textbox", name="Audience").fill("sailors")
    await looks_well(chat, "crews")
    await chat.send(NIGHT)
    await is_answered(chat, "sailors")
    run = newest_run(sidecar)
    assert (run["crew"], run["inputs"]) == ("brochure", {"audience": "sailors", "message": NIGHT})

    # Another conversation goes to another crew while nothing of this one is lost.
    await chat.box.fill("And in")
    await page.keyboard.press("Control+Shift+O")
    await expect(page.get_by_role("heading", name="What should the crew")).to_be_visible()
    await expect(chat.box).to_be_focused()
    await expect(chat.box).to_have_value("")
    await crews.select_option("default")
    await chat.ask_after_first()
    await chat.send(DAY)
    await chat.is_at("running")
    await chat.button("New conversation").click()
    await expect(chat.box).to_have_value("")
    await chat.box.fill("Bread")
    await expect(row(chat, DAY)).to_contain_text("Waiting for you", timeout=PATIENCE)
    await looks_well(chat, "waiting-elsewhere")

    there = Chat(await (await open_context(near)).new_page())
    await there.open(page_url)
    await there.send("From another window")
    await expect(row(chat, "From another window")).to_be_visible(timeout=PATIENCE)

    await page.keyboard.press("Control+K")
    search = page.get_by_role("searchbox", name="Search conversations")
    await expect(search).to_be_focused()
    await page.keyboard.type("NIGHT tea")
    await expect(page.get_by_test_id("conversation")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(briefs(chat)).to_have_text([NIGHT])
    await expect(chat.box).to_have_value("And in")
    await expect(crews).to_have_value("brochure")
    await page.reload()
    await expect(briefs(chat)).to_have_text([NIGHT])
    await expect(chat.box).to_have_value("And in")
    await expect(crews).to_have_value("brochure")
    await chat.button("New conversation").click()
    await expect(chat.box).to_have_value("Bread")
    assert [thread["title"] for thread in get(sidecar, "/threads")["threads"]][-1] == NIGHT
    assert chat.complaints == []
