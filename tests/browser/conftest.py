"""The chat page as a person meets it: the real sidecar, the real Next, Debian's Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.browser.chat import chromium
from tests.browser.pages import free_port, served
from tests.support.sidecar import Sidecar


@pytest.fixture(scope="session")
def page_port() -> int:
    """Of `next dev`."""
    return free_port()


@pytest.fixture(scope="session")
def built_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def rewriting_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def chat_sidecar(
    tmp_path_factory: pytest.TempPathFactory, page_port: int, built_port: int, rewriting_port: int
) -> Iterator[Sidecar]:
    """At a pace that a test can step into."""
    ports = (page_port, built_port, rewriting_port)
    running = Sidecar(
        tmp_path_factory.mktemp("chat") / "data",
        SIDECAR_ORIGINS=",".join(f"http://127.0.0.1:{port}" for port in ports),
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="40",
    ).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def page_url(
    tmp_path_factory: pytest.TempPathFactory, page_port: int, chat_sidecar: Sidecar
) -> Iterator[str]:
    """`next dev`."""
    with served("dev", chat_sidecar.url, page_port, tmp_path_factory.mktemp("next")) as url:
        yield url


@pytest.fixture(scope="session")
def built_url(
    tmp_path_factory: pytest.TempPathFactory, built_port: int, chat_sidecar: Sidecar
) -> Iterator[str]:
    """`next build && next start`."""
    with served("start", chat_sidecar.url, built_port, tmp_path_factory.mktemp("next")) as url:
        yield url


@pytest.fixture(scope="session")
def rewriting_url(
    tmp_path_factory: pytest.TempPathFactory, rewriting_port: int, chat_sidecar: Sidecar
) -> Iterator[str]:
    """`next build && next start`, where the browser reaches the sidecar through `rewrites()`."""
    folder = tmp_path_factory.mktemp("next")
    with served("start", chat_sidecar.url, rewriting_port, folder, rewrites=True) as url:
        yield url


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser
