"""The chat page as a person meets it: the real sidecar, the real Next, Debian's Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser import pages
from tests.browser.chat import chromium, leads
from tests.browser.packed import tarball as tarball
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import Sidecar

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of these tests, since they have one Chromium."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def dev_port() -> int:
    return pages.free_port()


@pytest.fixture(scope="session")
def built_port() -> int:
    return pages.free_port()


@pytest.fixture(scope="session")
def rewriting_port() -> int:
    return pages.free_port()


@pytest.fixture(scope="session")
def origins(dev_port: int, built_port: int, rewriting_port: int) -> str:
    """SIDECAR_ORIGINS of a sidecar for these pages, its own under the name they know it by."""
    ports = (dev_port, built_port, rewriting_port)
    return ",".join([pages.KNOWN, *(f"http://127.0.0.1:{port}" for port in ports)])


@pytest.fixture(scope="session")
def chat_sidecar(tmp_path_factory: pytest.TempPathFactory, origins: str) -> Iterator[Sidecar]:
    """At a pace that a test can step into: each task writes for 0.8 s."""
    running = Sidecar(
        tmp_path_factory.mktemp("chat") / "data",
        SIDECAR_ORIGINS=origins,
        OFFLINE_TOKEN_MS="32",
        OFFLINE_TOKENS="25",
    ).start()
    yield running
    assert running.stop() == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev_url(
    tmp_path_factory: pytest.TempPathFactory, dev_port: int, one_chromium: Browser
) -> AsyncIterator[str]:
    """`next dev`, with all that it compiles when a browser first asks for it."""
    with pages.in_dev(dev_port, tmp_path_factory.mktemp("next")) as url:
        page = await one_chromium.new_page()
        for name in pages.PAGES:
            await page.goto(f"{url}{name}", timeout=pages.FIRST_PAGE * 1_000)
        await page.context.close()
        yield url


@pytest.fixture(scope="session")
def built_url(tmp_path_factory: pytest.TempPathFactory, built_port: int) -> Iterator[str]:
    """`next build && next start`."""
    with pages.built(built_port, tmp_path_factory.mktemp("next")) as url:
        yield url


@pytest.fixture(params=["built", pytest.param("dev", marks=pytest.mark.long)])
def page_url(request: pytest.FixtureRequest) -> str:
    """The built app, and in the long suite `next dev` too; `chat.in_dev_too` has both always."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rewriting_url(
    tmp_path_factory: pytest.TempPathFactory, rewriting_port: int, chat_sidecar: Sidecar
) -> AsyncIterator[str]:
    """`next build && next start`, where the browser reaches the sidecar through `rewrites()`."""
    folder = tmp_path_factory.mktemp("next")
    async with FaultProxy(chat_sidecar.url, port=pages.lasting_port()) as way:
        with pages.built(rewriting_port, folder, rewrites=way.url) as url:
            yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_chromium(chat_sidecar: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(chat_sidecar.url)) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(one_chromium: Browser) -> AsyncIterator[Browser]:
    """Without contexts. The address that the pages know leads to `chat_sidecar`."""
    yield one_chromium
    for context in one_chromium.contexts:
        await context.close()
