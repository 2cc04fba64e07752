"""A provider that refuses for a while: who watches is told, while it lasts."""

from __future__ import annotations

from sidecar.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import BOUND
from tests.test_terminal import Terminal


async def test_a_rate_limit_is_on_the_stream_and_in_the_terminal_while_it_lasts(
    start_sidecar: StartSidecar,
) -> None:
    refused = Script(status=429, headers=(("Retry-After", "1"),), failures=2)
    with OpenAIServer(refused) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-canary-0123456789", OPENAI_BASE_URL=server.base_url
        )
        terminal = Terminal("tea", "--url", sidecar.url)
        try:
            terminal.expect(r"the model: rate limit \(429\); trying again in 1 s")
            assert len(server.requests) == 1
            async with CrewClient(sidecar.url) as crew:
                (run,) = (await crew.runs())["runs"]
                events = [event async for event in crew.follow(run["run"])]
            terminal.expect(r"done")
            assert terminal.process.wait(BOUND) == 0
        finally:
            terminal.close()
    retrying = [event for event in events if event["type"] == "llm.retrying"]
    assert [event["data"]["attempt"] for event in retrying] == [1, 2]
    assert events[-1]["type"] == "run.completed"
