"""Workers shared by the tests: importing crewai takes seconds, forking a warm zygote does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Spawner, Zygote, clean_environment

OFFLINE = {
    "CREW_MODEL": "offline",
    "OFFLINE_TOKEN_MS": "1",
    "CANARY_API_KEY": 'canary-"quoted"-secret',
    "CANARY_PASSWORD": "hunter2hunter2",
}


class Maker(Protocol):
    def make(self) -> Child: ...


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """A zygote with the offline model at 1 ms per token, and two secrets."""
    with Zygote(clean_environment(**OFFLINE)) as zygote:
        assert zygote.ready.get("ready"), zygote.ready
        yield zygote


@pytest.fixture
def worker(zygote: Zygote) -> Iterator[Child]:
    """A forked worker, ready for its run."""
    child = zygote.make()
    yield child
    child.kill()


@pytest.fixture(params=["fork", "spawn"])
def either(request: pytest.FixtureRequest) -> Iterator[Child]:
    """The same worker, forked and spawned."""
    maker: Maker = (
        request.getfixturevalue("zygote")
        if request.param == "fork"
        else Spawner(clean_environment(**OFFLINE))
    )
    child = maker.make()
    yield child
    child.kill()


@pytest.fixture(scope="session")
def _openai_server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def openai_server(_openai_server: OpenAIServer) -> OpenAIServer:
    """The loopback OpenAI server with its default script and no requests yet."""
    _openai_server.script = Script()
    _openai_server.requests.clear()
    _openai_server.reset()
    return _openai_server


@pytest.fixture(scope="session")
def openai_zygote(_openai_server: OpenAIServer) -> Iterator[Zygote]:
    environment = clean_environment(
        OPENAI_API_KEY="sk-test-0123456789",
        OPENAI_BASE_URL=_openai_server.base_url,
        OPENAI_MODEL="any-model",
    )
    with Zygote(environment) as zygote:
        yield zygote


@pytest.fixture
def openai_worker(openai_zygote: Zygote, openai_server: OpenAIServer) -> Iterator[Child]:
    """A forked worker whose model is the loopback OpenAI server."""
    child = openai_zygote.make()
    yield child
    child.kill()
