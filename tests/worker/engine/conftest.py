"""Workers whose model is any provider's, on its own wire on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.support import providers
from tests.support.openai_server import Script
from tests.support.wires import WireServer
from tests.worker.harness import Child, Zygote, clean_environment

PROVIDED = "tests.worker.provided"
TOKENS = ('{"title":', ' "Tea time",', ' "words": 2}')
TITLE = "".join(TOKENS)
WORDS = tuple(f"word{number} " for number in range(100))
HERE = ("openai", "openai_responses", "openai_compatible", "ollama")
"""Whose client is one of this project's packages."""
ELSEWHERE = ("anthropic", "anthropic_thinking", "gemini", "bedrock", "azure")
FAR = [pytest.param(name, marks=pytest.mark.long) for name in ELSEWHERE]

Make = Callable[[str], Child]


@pytest.fixture(scope="module")
def _server() -> Iterator[WireServer]:
    server = WireServer()
    with server:
        yield server


@pytest.fixture
def server(_server: WireServer) -> WireServer:
    _server.script = Script(TOKENS, tool_first=True, tool_arguments={"text": "tea"})
    _server.requests.clear()
    _server.reset()
    return _server


@pytest.fixture(scope="module")
def _far_zygote() -> Iterator[Callable[[], Zygote]]:
    """One that finds the clients of ELSEWHERE, once it is asked for."""
    with contextlib.ExitStack() as stack:

        @cache
        def start() -> Zygote:
            environment = clean_environment(PYTHONPATH=str(providers.folder()))
            return stack.enter_context(Zygote(environment))

        yield start


@pytest.fixture
def worker_of(
    server: WireServer, zygote: Zygote, _far_zygote: Callable[[], Zygote]
) -> Iterator[Make]:
    """Makes a worker whose crews talk to that provider."""
    made: list[Child] = []

    def make(name: str) -> Child:
        origin = _far_zygote() if name in ELSEWHERE else zygote
        made.append(origin.make(clean_environment(WIRE=name, WIRES=server.url)))
        return made[-1]

    yield make
    for child in made:
        child.kill()
