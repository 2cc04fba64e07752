"""A model's client that waits to try again says so while it waits, on each provider's own wire."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sidecar.worker.engine.retries import reason_of, status_of
from tests.support.openai_server import Script
from tests.support.wires import WireServer
from tests.worker.engine.conftest import PROVIDED, TITLE, TOKENS, Make
from tests.worker.harness import Fact, spec_for

REFUSED = Script(
    TOKENS,
    status=429,
    headers=(("Retry-After", "1"),),
    body={"error": {"message": "Rate limit of sk-test-0123456789 reached."}},
    failures=2,
)


def told(facts: list[Fact]) -> list[Fact]:
    """What was said of it, without which call it is."""
    return [
        {name: value for name, value in fact["data"].items() if name != "call"} for fact in facts
    ]


def waits(reason: str, status: int | None, *waits: float) -> list[Fact]:
    return [
        {"attempt": number, "wait": wait, "status": status, "reason": reason}
        for number, wait in enumerate(waits, 1)
    ]


@pytest.mark.parametrize(
    "name", ["openai", "openai_responses", pytest.param("anthropic", marks=pytest.mark.long)]
)
def test_a_wait_is_told_before_the_next_try_with_the_seconds_that_the_server_asks_for(
    worker_of: Make, server: WireServer, tmp_path: Path, name: str
) -> None:
    server.script = REFUSED
    worker = worker_of(name)
    worker.start(spec_for(tmp_path, "tea", target=f"{PROVIDED}:plain"))
    for number in (1, 2):
        worker.until("llm.retrying")
        assert len(server.requests) == number
    assert worker.rest()["data"] == {"output": TITLE}
    assert len(server.requests) == 3
    retrying = worker.of("llm.retrying")
    assert told(retrying) == waits("rate limit", 429, 1.0, 1.0)
    (call,) = worker.of("llm.started")
    assert {fact["data"]["call"] for fact in retrying} == {call["data"]["call"]}
    assert {(fact["task"], fact["tid"]) for fact in retrying} == {(call["task"], call["tid"])}
    types = [fact["type"] for fact in worker.facts if fact["type"].startswith("llm.")]
    assert types[:4] == ["llm.started", "llm.retrying", "llm.retrying", "llm.delta"]
    assert "sk-test" not in str(worker.facts)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) for name in ("gemini", "anthropic", "bedrock")],
)
def test_crewai_s_own_tries_are_told_too(
    worker_of: Make, server: WireServer, tmp_path: Path, name: str
) -> None:
    server.script = Script(TOKENS, status=429, headers=(("x-should-retry", "false"),), failures=1)
    worker = worker_of(name)
    last = worker.run(spec_for(tmp_path, "tea", target=f"{PROVIDED}:plain"))
    assert last["data"] == {"output": TITLE}
    (retrying,) = worker.of("llm.retrying")
    assert retrying["data"]["reason"] == "rate limit"
    assert 0.8 <= retrying["data"]["wait"] <= 1.2
    failed, completed = worker.of("llm.started")
    assert retrying["data"]["call"] == failed["data"]["call"] != completed["data"]["call"]


def test_a_server_that_is_not_there_is_told_as_no_connection(
    worker_of: Make, tmp_path: Path
) -> None:
    worker = worker_of("openai_nowhere")
    last = worker.run(spec_for(tmp_path, "tea", target=f"{PROVIDED}:Direct"))
    assert last["type"] == "run.failed"
    retrying = [{**one, "wait": 0} for one in told(worker.of("llm.retrying"))]
    assert retrying == waits("no connection", None, 0, 0)


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__("said by the server")
        self.response = httpx.Response(status)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rate limit"), (529, "overloaded"), (500, "server error"), (418, "HTTP 418")],
)
def test_what_is_told_is_the_status_in_words_and_nothing_that_the_server_said(
    status: int, reason: str
) -> None:
    around = RuntimeError("OpenAI API call failed")
    around.__cause__ = Refused(status)
    assert (status_of(around), reason_of(around)) == (status, reason)


def test_without_an_answer_it_is_a_timeout_or_no_connection() -> None:
    assert (status_of(TimeoutError()), reason_of(TimeoutError())) == (None, "timeout")
    assert (status_of(None), reason_of(ConnectionError())) == (None, "no connection")
