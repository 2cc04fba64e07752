"""The package as somebody installs it: packed, into an app of theirs outside this repository, by
the README's steps. Next 14 with React 18 and Next 16 with React 19 chat with the real sidecar."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, WebSocket, expect

from tests.browser.chat import AGENTS, BRIEF, PATIENCE, get, newest_run
from tests.browser.packed import ADAPTER, APPS, App, copied, run, send
from tests.browser.pages import free_port
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.timeout(900)

PLAN = "create_content_plan"
README = (ADAPTER / "README.md").read_text()


def snippets() -> list[tuple[str, str]]:
    """(language, code) of every TypeScript block of the README."""
    return re.findall(r"^```(tsx?)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def provider() -> str:
    """The whole `ChatRuntimeProvider.tsx` that the README says to have."""
    for _, code in snippets():
        if "export function ChatRuntimeProvider" in code and "crew-web-adapter/react" in code:
            return code
    raise AssertionError("the README has no whole ChatRuntimeProvider.tsx to copy")


@pytest.mark.parametrize("name", ["next14", "next16", "provider"])
def test_a_lockfile_names_no_download_addresses(name: str) -> None:
    packages = json.loads((APPS / name / "package-lock.json").read_text())["packages"]
    assert len(packages) > 50
    assert [package["resolved"] for package in packages.values() if "resolved" in package] == []


@pytest.fixture(scope="module", params=["next14", "next16"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tarball: Path
) -> Iterator[App]:
    """What one has after the README's steps, before the first build."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name) / "app"
    copied(folder, "stock", name)
    (folder / "components" / "ChatRuntimeProvider.tsx").write_text(provider())
    step = re.search(r"npm install \S*/(crew-web-adapter-[\w.]+\.tgz)", README)
    assert step, "the README says how the packed package is installed"
    assert step[1] == tarball.name
    run("npm", "install", str(tarball), folder=folder)

    port = free_port()
    sidecar = Sidecar(
        tmp_path_factory.mktemp(f"{name}-sidecar") / "data",
        SIDECAR_ORIGINS=f"http://127.0.0.1:{port}",
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="40",
        SIDECAR_SYNTHETIC="1",
    ).start()
    yield App(name, folder, port, sidecar)
    assert sidecar.stop() == 0


AROUND = """\
import type { CrewClient } from "crew-web-adapter";
declare global {
  const crew: CrewClient;
  const run: string;
  const input: string;
}
"""
"""What the README's shorter blocks take for granted."""


@pytest.mark.long
def test_the_readmes_snippets_and_the_types_hold(app: App) -> None:
    # Hidden, so that `next build` leaves it alone.
    folder = app.folder / ".readme"
    folder.mkdir()
    (folder / "around.d.ts").write_text(AROUND)
    for number, (language, code) in enumerate(snippets(), 1):
        (folder / f"block{number}.{language}").write_text(f"{code}\nexport {{}};\n")
    options = {
        "jsx": "react-jsx",
        "noUncheckedIndexedAccess": True,
        "strict": True,
        "incremental": False,
        # Else a name that this assistant-ui lacks would be `any` in our types, without a word.
        "skipLibCheck": False,
    }
    config = {"extends": "../tsconfig.json", "compilerOptions": options, "include": ["./*"]}
    (folder / "tsconfig.json").write_text(json.dumps(config))
    tsc = ("npx", "tsc", "--project", ".readme")
    listed = app.run(*tsc, "--listFilesOnly")
    assert listed.count("/.readme/block") == len(snippets()) > 0
    assert "/crew-web-adapter/dist/react/index.d.ts" in listed
    # The types of others may have their faults.
    said = app.run(*tsc, "--pretty", "false", may_fail=True)
    ours = re.compile(r"^(\.readme/|node_modules/crew-web-adapter/|error )")
    assert [line for line in said.splitlines() if ours.match(line)] == []


@pytest.mark.long
async def test_a_fresh_app_chats(app: App, browser: Browser) -> None:
    app.run("npx", "next", "build")
    with app.served():
        page = await browser.new_page()
        complaints: list[str] = []
        sockets: list[str] = []

        def note_socket(socket: WebSocket) -> None:
            sockets.append(socket.url)

        page.on("websocket", note_socket)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        await page.goto(app.url)

        await send(page, BRIEF)
        await is_writing(page, 1)
        await is_idle(page)
        first = newest_run(app.sidecar)
        assert first["state"] == "completed"
        answers = page.get_by_test_id("answer")
        # assistant-ui types a text out, past the end of the run.
        await expect(answers).to_have_text(first["output"], timeout=PATIENCE)
        assert [url.partition("?")[0] for url in sockets] == [
            app.sidecar.url.replace("http", "ws") + "/ws"
        ]

        await send(page, "And now for tea")
        await is_writing(page, 2)
        second = newest_run(app.sidecar)["run"]
        assert second != first["run"]
        await page.get_by_role("button", name="Stop").click()
        await is_idle(page)
        async with app.sidecar.client() as client:
            async for event in client.follow(second):
                last = event
        assert last["type"] == "run.cancelled"
        assert get(app.sidecar, f"/runs/{second}")["state"] == "cancelled"
        await expect(answers.last).not_to_be_empty()
        assert complaints == []

        doctor = ("npx", "--no-install", "crew-web-adapter", "doctor")
        # Directly, and through the app's rewrites().
        said = app.run(*doctor, app.sidecar.url, f"{app.url}/crew")
        assert said.count("  ok ") == 11, said
        assert "Nothing is wrong." in said


@pytest.mark.long
async def test_a_stock_thread_shows_the_whole_crew_answers_it_and_lists_conversations(
    app: App, browser: Browser
) -> None:
    app.run("npx", "next", "build")
    async with app.sidecar.client() as client:
        run = await client.start({"message": BRIEF}, review=[PLAN], thread="t_stock")
    with app.served():
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{app.url}/stock")
        thread = page.get_by_test_id("thread")
        await thread.get_by_role("button", name=BRIEF).click()
        await expect(page.get_by_test_id("brief")).to_have_text(BRIEF)
        await page.get_by_role("button", name="Answer").click(timeout=PATIENCE)
        await expect(page.get_by_test_id("answered")).to_contain_text("Shorter, please")
        async with app.sidecar.client() as client:
            # What was asked for is shown, and asked about again; here somebody else accepts it.
            questions, answers = 0, list[str]()
            async for event in client.follow(run):
                if event["type"] == "input.requested" and (questions := questions + 1) == 2:
                    await client.answer(run, event["data"]["input"], "")
                elif event["type"] == "input.answered":
                    answers.append(event["data"]["text"])
        assert event["type"] == "run.completed"
        assert answers == ["Shorter, please", ""]
        told = page.get_by_test_id("reasoning")
        for agent in AGENTS[:2]:
            await expect(told.filter(has_text=f"{agent}\n").first).to_be_visible()
        output = get(app.sidecar, f"/runs/{run}")["output"]
        reply = page.get_by_test_id("reply")
        # The last one's words are the answer, which stands there once.
        await expect(reply).to_contain_text(output, timeout=PATIENCE)
        assert (await reply.inner_text()).count(output) == 1

        await page.get_by_role("button", name="New").click()
        await expect(page.get_by_test_id("brief")).to_have_count(0)
        await send(page, "And now for tea")
        await expect(thread.get_by_role("button", name="And now for tea")).to_be_visible()
        mine = thread.filter(has_text=BRIEF)
        await mine.get_by_role("button", name="Delete").click()
        await expect(mine).to_have_count(0)
        threads = get(app.sidecar, "/threads")["threads"]
        assert "t_stock" not in [one["thread"] for one in threads]
        await expect(page.get_by_test_id("brief")).to_have_text("And now for tea")
        assert complaints == []


async def is_writing(page: Page, answer: int) -> None:
    """Wait for words of an answer that is not at its end; looks at every frame."""
    await page.wait_for_function(
        """n => {
          const all = selector => [...document.querySelectorAll(selector)];
          const answers = all("[data-testid=answer]");
          return answers.length === n
              && answers.at(-1).innerText.split(" ").length > 3
              && all("button").some(({ innerText }) => innerText === "Stop");
        }""",
        arg=answer,
        timeout=PATIENCE,
    )


async def is_idle(page: Page) -> None:
    await expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=PATIENCE)
