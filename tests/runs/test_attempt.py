"""One worker's try at a run: what is heard of it, and what is said of how it ended."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

import orjson
import pytest

from sidecar.channel import Order
from sidecar.pool import KILL
from sidecar.protocol import Draft
from sidecar.runs import attempt as module
from sidecar.runs.attempt import Attempt
from tests.support.clock import Clock
from tests.support.scripted import SPEC, STARTED, ScriptedPool, ScriptedWorker


async def taken(deaf: frozenset[int] = frozenset()) -> tuple[Attempt, ScriptedWorker]:
    pool = ScriptedPool()
    pool.worker.deaf = deaf
    attempt = Attempt("r", pool)
    assert await attempt.take()
    return attempt, pool.worker


async def heard(attempt: Attempt) -> list[Draft]:
    """Everything, to the end."""
    drafts: list[Draft] = []
    while batch := await attempt.drafts():
        drafts += batch
    return drafts


async def test_a_worker_is_told_its_run_and_then_what_the_run_was_told_before() -> None:
    attempt, worker = await taken()
    brief: list[Order] = [{"order": "modify", "change": {"instruction": "x"}}]
    attempt.start(SPEC, brief)
    attempt.order({"order": "pause", "cause": "c-1"})
    assert worker.orders == [
        {"order": "start", "spec": SPEC},
        *brief,
        {"order": "pause", "cause": "c-1"},
    ]


async def test_an_attempt_waits_for_a_worker() -> None:
    pool = ScriptedPool()
    pool.stocked.clear()
    attempt = Attempt("r", pool)
    taking = asyncio.create_task(attempt.take())
    await asyncio.sleep(0)
    assert not taking.done()
    pool.stocked.set()
    assert await taking


async def test_while_there_is_no_worker_nobody_is_told_and_nothing_is_heard() -> None:
    attempt = Attempt("r", ScriptedPool())
    attempt.order({"order": "cancel"})
    attempt.signal(signal.SIGTERM)
    attempt.close()
    assert await attempt.drafts() == []


async def test_where_there_can_be_no_worker_the_run_is_told_why() -> None:
    pool = ScriptedPool()
    pool.ruin("crewai is not installed")
    attempt = Attempt("r", pool)
    assert not await attempt.take()
    assert attempt.error() == {
        "code": "crashed",
        "message": "no worker could be started: crewai is not installed",
    }


async def test_facts_become_drafts_with_their_place() -> None:
    attempt, worker = await taken()
    worker.write(
        b'{"type":"run.started","ts":1,"data":{"model":"m"}}',
        b'{"type":"llm.delta","ts":2.5,"task":"one","agent":"a","cause":"c","data":{"text":"x"}}',
    )
    assert await attempt.drafts() == [
        Draft("run.started", 1.0, {"model": "m"}),
        Draft("llm.delta", 2.5, {"text": "x"}, "one", "a", "c"),
    ]


async def test_a_workers_last_word_is_its_verdict_and_nothing_behind_it_counts() -> None:
    attempt, worker = await taken()
    worker.say("run.started", STARTED)
    worker.say("run.completed", {"output": "o"})
    worker.say("log", {"text": "too late"})
    worker.leave()
    assert [draft.type for draft in await heard(attempt)] == ["run.started"]
    assert attempt.verdict is not None
    assert (attempt.verdict["type"], attempt.verdict["data"]) == (
        "run.completed",
        {"output": "o"},
    )


@pytest.mark.parametrize(
    "junk",
    [
        b"Traceback (most recent call last):",
        b"[]",
        b"7",
        b'{"type":"log"}',
        b'{"type":"log","data":{}}',
        b'{"type":"log","data":{},"ts":"noon"}',
        b'{"type":"log","data":{},"ts":null}',
        b'{"type":"run.failed","data":null,"ts":1}',
        b'{"type":["log"],"data":{},"ts":1}',
    ],
)
async def test_what_is_no_fact_is_said_in_our_log_and_is_not_the_end(
    junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    attempt, worker = await taken()
    worker.write(junk)
    hearing = asyncio.create_task(attempt.drafts())
    await asyncio.sleep(0)
    worker.say("log", {"text": "x"})
    assert [draft.type for draft in await hearing] == ["log"]
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, f"run r: not a fact: {junk!r}")
    ]


async def test_a_worker_that_stays_after_its_last_word_is_killed(clock: Clock) -> None:
    attempt, worker = await taken()
    worker.say("run.completed", {})
    hearing = asyncio.create_task(attempt.drafts())
    await clock.turn(0.9)
    assert worker.signals == []
    await clock.turn(0.1)
    assert worker.signals == [KILL]
    assert await hearing == []


async def test_one_that_not_even_a_kill_ends_is_not_waited_for(clock: Clock) -> None:
    attempt, worker = await taken(frozenset({KILL}))
    worker.hush()
    hearing = asyncio.create_task(attempt.drafts())
    await clock.turn(1)
    assert not hearing.done()
    await clock.turn(1)
    assert await hearing == []
    assert attempt.error() == {
        "code": "crashed",
        "message": "the worker process ended for an unknown reason",
    }


async def test_signals_reach_the_worker_and_closing_leaves_nothing_of_it() -> None:
    attempt, worker = await taken(frozenset({signal.SIGTERM}))
    attempt.signal(signal.SIGTERM)
    assert (worker.signals, worker.alive, worker.closed) == ([signal.SIGTERM], True, False)
    attempt.close()
    assert (worker.signals[1:], worker.alive, worker.closed) == ([KILL], False, True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            {"code": "bad_crew", "message": "agents.yaml:3: no role"},
            {"code": "bad_crew", "message": "agents.yaml:3: no role"},
        ),
        ({}, {"code": "error", "message": "the crew failed without saying why"}),
        (None, {"code": "error", "message": "the crew failed without saying why"}),
        ("no tea", {"code": "error", "message": "no tea"}),
    ],
)
async def test_what_a_worker_says_of_its_failure_is_told(
    error: dict[str, Any] | str | None, told: dict[str, str]
) -> None:
    attempt, worker = await taken()
    worker.write(orjson.dumps({"type": "run.failed", "ts": 1, "data": {"error": error}}))
    worker.leave(1)
    assert await heard(attempt) == []
    assert attempt.error() == told


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (7, "with exit code 7"),
        (0, "with exit code 0"),
        (-signal.SIGSEGV, "by signal 11 (SIGSEGV)"),
        (-signal.SIGKILL, "by signal 9 (SIGKILL)"),
        (None, "for an unknown reason"),
        (-40, "by signal 40"),  # a real-time one (SIGRTMIN + 6), which has no name in Python
    ],
)
async def test_of_a_worker_that_leaves_without_a_word_it_is_told_how_it_ended(
    code: int | None, how: str
) -> None:
    attempt, worker = await taken()
    worker.leave(code)
    assert await heard(attempt) == []
    assert attempt.verdict is None
    assert attempt.error() == {"code": "crashed", "message": f"the worker process ended {how}"}


async def test_of_a_worker_that_was_cut_off_it_is_told_why() -> None:
    attempt, worker = await taken()
    worker.say("log", {"text": "x"})
    worker.cut_off("a line of more than 5 bytes")
    assert [draft.type for draft in await heard(attempt)] == ["log"]
    assert attempt.error()["message"].startswith(
        "the worker was ended, since what it said had a line of more than 5 bytes"
    )


@pytest.mark.parametrize(
    ("code", "strikes", "told"),
    [
        (-signal.SIGKILL, 1, "out_of_memory"),
        (-signal.SIGKILL, 0, "crashed"),
        (-signal.SIGTERM, 1, "crashed"),
    ],
)
async def test_a_kill_at_which_the_kernel_counted_one_more_is_one_for_want_of_memory(
    code: int, strikes: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = 3
    monkeypatch.setattr(module, "_out_of_memory_kills", lambda: kills)
    attempt, worker = await taken()
    kills += strikes
    worker.leave(code)
    await heard(attempt)
    assert attempt.error()["code"] == told
