"""An app outside this repository with the adapter installed as it is packed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.pages import end
from tests.support.sidecar import ROOT, Sidecar, clean_environment

__all__ = ["ADAPTER", "APPS", "App", "copied", "run", "send", "tarball", "typed"]

ADAPTER = ROOT / "web-adapter"
APPS = Path(__file__).parent / "apps"
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
            end(process)


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


def copied(folder: Path, *parts: str) -> None:
    """An app in `folder`, of what all apps have and `parts` over it, with all that its lockfile
    says; the adapter is yet to come."""
    assert ROOT not in folder.parents
    for part in ("common", *parts):
        shutil.copytree(APPS / part, folder, dirs_exist_ok=True)
    # `npm ci` wants every platform's compiler in the lockfile, and not every registry has them all.
    run("npm", "install", "--no-audit", "--no-fund", folder=folder)


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or not (ADAPTER / "node_modules").exists():
        pytest.fail("The browser tests need Node and web-adapter's packages. Run: make setup")
    folder = tmp_path_factory.mktemp("packed")
    run("npm", "pack", "--pack-destination", str(folder), folder=ADAPTER)
    (packed,) = folder.iterdir()
    return packed


async def send(page: Page, brief: str) -> None:
    await typed(page, brief)
    await page.get_by_role("textbox", name="Brief").press("Enter")


async def typed(page: Page, brief: str) -> None:
    """Wait until it is in the box: what is typed before React has the server's HTML is nobody's."""
    button = page.get_by_role("button", name="Send")
    while not await button.is_enabled():
        await page.get_by_role("textbox", name="Brief").fill("")
        await page.get_by_role("textbox", name="Brief").fill(brief)
        await page.wait_for_timeout(50)
