"""The chat page as a person meets it: the real sidecar, `next dev`, Debian's Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support.sidecar import ROOT, Sidecar

EXAMPLE = ROOT / "web-adapter" / "example"
NEXT = ROOT / "web-adapter" / "node_modules" / "next" / "dist" / "bin" / "next"
FIRST_PAGE = 90.0
"""Seconds for the first page of `next dev`, which compiles it; 12 to 23 measured on two cores."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def page_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def chat_sidecar(tmp_path_factory: pytest.TempPathFactory, page_port: int) -> Iterator[Sidecar]:
    """At a pace that a test can step into."""
    running = Sidecar(
        tmp_path_factory.mktemp("chat") / "data",
        SIDECAR_ORIGINS=f"http://127.0.0.1:{page_port}",
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="40",
    ).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def page_url(
    tmp_path_factory: pytest.TempPathFactory, page_port: int, chat_sidecar: Sidecar
) -> Iterator[str]:
    """`next dev`, once its first page is there."""
    if shutil.which("node") is None or not NEXT.exists():
        pytest.fail("The browser tests need Node and web-adapter's packages. Run: make setup")
    output = tmp_path_factory.mktemp("next") / "output.log"
    with output.open("w") as log:
        process = subprocess.Popen(
            ["node", str(NEXT), "dev", "--hostname", "127.0.0.1", "--port", str(page_port)],
            cwd=EXAMPLE,
            env={
                **os.environ,
                "NEXT_PUBLIC_CREW_URL": chat_sidecar.url,
                "NEXT_DIST_DIR": ".next-test",
                "NEXT_TELEMETRY_DISABLED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{page_port}"
    try:
        _wait_for(url, process, output)
        yield url
    finally:
        # Next runs its server in a child of its own.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + FIRST_PAGE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=FIRST_PAGE).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            break
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"next dev gave no page within {FIRST_PAGE:.0f} s:\n{output.read_text()}")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("The browser tests need Chromium. Run: apt-get install -y chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()
