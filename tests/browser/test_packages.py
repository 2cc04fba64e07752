"""The package as somebody installs it: packed, into an app of theirs outside this repository, by
the README's steps. Next 14 with React 18 and Next 16 with React 19 chat with the real sidecar."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, WebSocket, expect

from tests.browser.chat import BRIEF, PATIENCE, get, newest_run
from tests.browser.pages import free_port
from tests.support.sidecar import ROOT, Sidecar, clean_environment

pytestmark = pytest.mark.timeout(900)

ADAPTER = ROOT / "web-adapter"
APPS = Path(__file__).parent / "apps"
README = (ADAPTER / "README.md").read_text()
STEP = 300.0
"""Seconds for one step: installing takes 20 with an empty cache, building 30, on two cores."""


@dataclass
class App:
    """A fresh app with the package installed."""

    name: str
    folder: Path
    port: int
    sidecar: Sidecar

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, may_fail: bool = False) -> str:
        url = self.sidecar.url
        return run(*command, folder=self.folder, may_fail=may_fail, NEXT_PUBLIC_CREW_URL=url)

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """`next start`, once it gives the page."""
        output = self.folder / "next.log"
        with output.open("w") as log:
            process = subprocess.Popen(
                ["npx", "next", "start", "--hostname", "127.0.0.1", "--port", str(self.port)],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + 60
            while not is_served(self.url):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"next start gave no page within 60 s:\n{output.read_text()}")
                time.sleep(0.2)
            yield
        finally:
            # npx and Next run the server in children of theirs.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def environment(**more: str) -> dict[str, str]:
    return {**clean_environment(), "NEXT_TELEMETRY_DISABLED": "1", **more}


def run(*command: str, folder: Path, may_fail: bool = False, **environ: str) -> str:
    """One step; gives what it printed."""
    said = " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP,
        )
    except subprocess.TimeoutExpired as error:
        hint = "Is the npm registry reachable?" if "npm" in command[0] else ""
        pytest.fail(f"`{said}` took more than {STEP:.0f} s. {hint}\n{error.output!r}")
    if done.returncode != 0 and not may_fail:
        pytest.fail(f"`{said}` failed with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def is_served(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=30).close()
    except OSError:
        return False
    return True


def snippets() -> list[tuple[str, str]]:
    """(language, code) of every TypeScript block of the README."""
    return re.findall(r"^```(tsx?)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def provider() -> str:
    """The whole `ChatRuntimeProvider.tsx` that the README says to have."""
    for _, code in snippets():
        if "export function ChatRuntimeProvider" in code and "crew-web-adapter/react" in code:
            return code
    raise AssertionError("the README has no whole ChatRuntimeProvider.tsx to copy")


@pytest.mark.parametrize("name", ["next14", "next16"])
def test_a_lockfile_names_no_download_addresses(name: str) -> None:
    packages = json.loads((APPS / name / "package-lock.json").read_text())["packages"]
    assert len(packages) > 50
    assert [package["resolved"] for package in packages.values() if "resolved" in package] == []


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or not (ADAPTER / "node_modules").exists():
        pytest.fail("The browser tests need Node and web-adapter's packages. Run: make setup")
    folder = tmp_path_factory.mktemp("packed")
    run("npm", "pack", "--pack-destination", str(folder), folder=ADAPTER)
    (packed,) = folder.iterdir()
    return packed


@pytest.fixture(scope="module", params=["next14", "next16"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tarball: Path
) -> Iterator[App]:
    """What one has after the README's steps, before the first build."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name) / "app"
    assert ROOT not in folder.parents
    for source in (APPS / "common", APPS / name):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "components" / "ChatRuntimeProvider.tsx").write_text(provider())
    # `npm ci` wants every platform's compiler in the lockfile, and not every registry has them all.
    run("npm", "install", "--no-audit", "--no-fund", folder=folder)
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
def test_the_adapters_own_tests_hold_on_this_react_and_assistant_ui(app: App) -> None:
    said = run("npx", "vitest", "run", "test/react", folder=ADAPTER, PEERS=str(app.folder))
    passed = re.search(r"Tests +(\d+) passed", re.sub(r"\x1b\[\d+m", "", said))
    assert passed, said
    assert int(passed[1]) > 50


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
        assert said.count("  ok ") == 10, said
        assert "Nothing is wrong." in said


async def send(page: Page, brief: str) -> None:
    box = page.get_by_role("textbox", name="Brief")
    button = page.get_by_role("button", name="Send")
    # What is typed before React has taken over the server's HTML is nobody's yet.
    while not await button.is_enabled():
        await box.fill("")
        await box.fill(brief)
        await page.wait_for_timeout(50)
    await box.press("Enter")


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
