"""Workers shared by the tests: importing crewai takes seconds, forking a warm zygote does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Spawner, Zygote, clean_environment

OFFLINE = {
    "CREW_MODEL": "offline",
    "OFFLINE_TOKEN_MS": "1",
    "CANARY_API_KEY": 'canary-"quoted"-secret',
    "CANARY_PASSWORD": "hunter2hunter2",
}


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """With the offline model at 1 ms per token, and two secrets; other gateways may come to it."""
    listen = tmp_path_factory.mktemp("zygote") / "socket"
    with Zygote(clean_environment(**OFFLINE), listen=listen) as zygote:
        assert zygote.ready.get("ready"), zygote.ready
        yield zygote


@pytest.fixture
def worker(zygote: Zygote) -> Iterator[Child]:
    """A forked worker, ready for its run."""
    child = zygote.make()
    yield child
    child.kill()


@pytest.fixture(params=["fork", "spawn"])
def either(request: pytest.FixtureRequest, zygote: Zygote) -> Iterator[Child]:
    """The same worker, forked and spawned. Both run the same `main` once they are ready: for what
    comes before and after it, since a spawned one takes as long as crewai takes to import."""
    child = (zygote if request.param == "fork" else Spawner(clean_environment(**OFFLINE))).make()
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


@pytest.fixture
def openai_environment(openai_server: OpenAIServer) -> dict[str, str]:
    """Of runs whose model is the loopback OpenAI server."""
    return clean_environment(
        OPENAI_API_KEY="sk-test-0123456789",
        OPENAI_BASE_URL=openai_server.base_url,
        OPENAI_MODEL="any-model",
        OFFLINE_TOKEN_MS="1",
    )


@pytest.fixture
def openai_worker(zygote: Zygote, openai_environment: dict[str, str]) -> Iterator[Child]:
    child = zygote.make(openai_environment)
    yield child
    child.kill()
