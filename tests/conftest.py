from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support import zygote
from tests.support.sidecar import Raw, Sidecar, TransportName

StartSidecar = Callable[..., Sidecar]

# A shell that runs the tests in the background has these ignored, which children would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Where the crews of the tests remember: not in the home of whoever runs them.
os.environ["CREWAI_STORAGE_DIR"] = tempfile.mkdtemp(prefix="crewai-storage-")


def pytest_sessionfinish() -> None:
    zygote.end()
    shutil.rmtree(os.environ["CREWAI_STORAGE_DIR"], ignore_errors=True)


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """One real sidecar with the offline model for all tests that leave it as they found it."""
    running = Sidecar(tmp_path_factory.mktemp("sidecar") / "data").start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_sidecar(tmp_path: Path) -> Iterator[StartSidecar]:
    """Start sidecars of one's own: `start_sidecar(SIDECAR_LOG="memory")`."""
    running: list[Sidecar] = []

    def start(*, name: str = "data", until_ready: bool = True, **environ: str) -> Sidecar:
        running.append(Sidecar(tmp_path / name, **environ))
        return running[-1].start(until_ready=until_ready)

    yield start
    for one in running:
        if one.process is not None and one.process.poll() is None:
            one.stop()
        elif one.process is not None and one.process.stdout is not None:
            one.process.stdout.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
        yield http


@pytest.fixture(params=["ws", "sse"])
def transport(request: pytest.FixtureRequest) -> TransportName:
    """Every test that asks for it runs over both transports."""
    name: TransportName = request.param
    return name


@pytest.fixture
async def raw(
    sidecar: Sidecar, session: aiohttp.ClientSession, transport: TransportName
) -> AsyncIterator[Raw]:
    stream = Raw(session, sidecar.url, transport)
    yield stream
    await stream.close()
