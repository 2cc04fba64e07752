"""Model calls in a worker: which of them stream, and what becomes of a reply that is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, spec_for

STEERED = "tests.worker.steered"
TOKENS = tuple(f"word{number} " for number in range(40))
ENDLESS = Script(TOKENS, delay=0.01, ending="stall")


def cut_off(child: Child, times: int) -> None:
    """`now`, so many times in a row, each while a reply is being written."""
    for number in range(times):
        child.until("llm.delta")
        change = {"instruction": f"Again {number}.", "now": True}
        child.order(order="modify", cause=f"c-{number}", change=change)
        assert child.until("run.modified")["cause"] == f"c-{number}"


def test_a_cut_reply_leaves_nothing_that_a_collection_of_garbage_trips_over(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(TOKENS, delay=0.01)
    openai_worker.start(spec_for(tmp_path, target=f"{STEERED}:collected_in_the_pool"))
    cut_off(openai_worker, 3)
    assert openai_worker.rest()["data"] == {"output": "".join(TOKENS)}
    assert len(openai_server.requests) == 4


@pytest.mark.parametrize("crew", ["never_collected", "NeverCollected"], ids=["sync", "async"])
def test_a_cut_reply_is_closed_at_once(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, crew: str
) -> None:
    openai_server.script = ENDLESS
    openai_worker.start(spec_for(tmp_path, target=f"{STEERED}:{crew}"))
    cut_off(openai_worker, 1)
    assert openai_server.left.wait(10)
    openai_worker.until("llm.delta")
    openai_worker.order(order="cancel", cause="c-x")
    assert openai_worker.rest()["type"] == "run.cancelled"
