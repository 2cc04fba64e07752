"""Each control in each state over each transport: one row, with what it must answer and do.

In process, with workers that stand still in the state wanted; what a real crew does of it is in
test_steering.py and worker/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest

from sidecar.log.memory import MemoryStore
from tests.support.served import Served, serve
from tests.support.sidecar import Frame, Raw, TransportName

_ids = count(1)
CONTROLS = ("pause", "resume", "cancel", "modify", "answer")

# "ok" has an effect, "noop" asks for what already is, a code refuses; only "ok" may change the log.
TABLE = {
    "queued": ("illegal_state", "illegal_state", "ok", "ok", "illegal_state"),
    "starting": ("illegal_state", "illegal_state", "ok", "ok", "illegal_state"),
    "running": ("ok", "noop", "ok", "ok", "illegal_state"),
    "pausing": ("noop", "ok", "ok", "ok", "illegal_state"),
    "paused": ("noop", "ok", "ok", "ok", "illegal_state"),
    "waiting": ("illegal_state", "illegal_state", "ok", "ok", "ok"),
    "cancelling": ("illegal_state", "illegal_state", "noop", "illegal_state", "illegal_state"),
    "completed": ("illegal_state",) * 5,
    "failed": ("illegal_state",) * 5,
    "cancelled": ("illegal_state", "illegal_state", "noop", "illegal_state", "illegal_state"),
    "interrupted": ("illegal_state",) * 5,
}
EFFECT = {
    "pause": "run.pausing",
    "resume": "run.resumed",
    "cancel": "run.cancelling",
    "modify": "run.modifying",
    "answer": "input.answered",
}
ROWS = [
    pytest.param(state, control, expected, id=f"{control} × {state}")
    for state, row in TABLE.items()
    for control, expected in zip(CONTROLS, row, strict=True)
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, max_runs=1) as served:
        yield served
        for worker in served.pool.taken:
            worker.leave()


@pytest.fixture
async def raw(gateway: Served, transport: TransportName) -> AsyncIterator[Raw]:
    stream = Raw(gateway.http, gateway.url, transport)
    yield stream
    await stream.close()


async def send(raw: Raw, cmd: str, run: str, **fields: object) -> Frame:
    return await raw.command({"id": f"ct-{next(_ids)}", "cmd": cmd, "run": run, **fields})


async def until(raw: Raw, run: str, type: str) -> None:
    async for _, frame in raw.frames(run):
        if frame["type"] == type:
            return
    raise AssertionError(f"no {type}")


async def queued(gateway: Served, raw: Raw) -> str:
    await gateway.running()
    ack = await raw.command({"id": f"ct-{next(_ids)}", "cmd": "start"})
    return str(ack["run"])


async def starting(gateway: Served, raw: Raw) -> str:
    gateway.pool.stocked.clear()
    ack = await raw.command({"id": f"ct-{next(_ids)}", "cmd": "start"})
    return str(ack["run"])


async def running(gateway: Served, raw: Raw) -> str:
    return (await gateway.running())[0]


async def pausing(gateway: Served, raw: Raw) -> str:
    run, worker = await gateway.running()
    assert (await send(raw, "pause", run))["ok"]
    await worker.told("pause")
    return run


async def paused(gateway: Served, raw: Raw) -> str:
    run = await pausing(gateway, raw)
    gateway.pool.taken[-1].say("run.paused", {"boundary": "token"})
    await until(raw, run, "run.paused")
    return run


async def waiting(gateway: Served, raw: Raw) -> str:
    run, worker = await gateway.running()
    worker.say("input.requested", {"input": "in_1", "prompt": "Well?", "output": ""})
    await until(raw, run, "input.requested")
    return run


async def cancelling(gateway: Served, raw: Raw) -> str:
    run, worker = await gateway.running()
    worker.deaf = frozenset({"cancel"})
    assert (await send(raw, "cancel", run))["ok"]
    await worker.told("cancel")
    return run


async def ended(gateway: Served, raw: Raw, type: str, data: Frame) -> str:
    run, worker = await gateway.running()
    worker.say(type, data)
    worker.leave()
    await until(raw, run, type)
    return run


async def completed(gateway: Served, raw: Raw) -> str:
    return await ended(gateway, raw, "run.completed", {"output": "done"})


async def failed(gateway: Served, raw: Raw) -> str:
    error = {"code": "error", "message": "no luck today"}
    return await ended(gateway, raw, "run.failed", {"error": error})


async def cancelled(gateway: Served, raw: Raw) -> str:
    run, _ = await gateway.running()
    assert (await send(raw, "cancel", run))["ok"]
    await until(raw, run, "run.cancelled")
    return run


STATES: dict[str, Callable[[Served, Raw], Awaitable[str]]] = {
    "queued": queued,
    "starting": starting,
    "running": running,
    "pausing": pausing,
    "paused": paused,
    "waiting": waiting,
    "cancelling": cancelling,
    "completed": completed,
    "failed": failed,
    "cancelled": cancelled,
}


async def hold(raw: Raw, run: str, state: str, control: str, expected: str) -> None:
    """The row is true of this run."""
    before = (await send(raw, "status", run))["result"]
    assert before["state"] == state
    fields: dict[str, object] = {}
    if control == "modify":
        fields["instruction"] = "Mention the river."
    if control == "answer":
        question = before["input"] or {"input": "in_none"}
        fields = {"input": question["input"], "text": ""}

    ack = await send(raw, control, run, **fields)

    if expected in ("ok", "noop"):
        assert ack["ok"], ack
        assert bool(ack.get("noop")) == (expected == "noop")
    else:
        assert (ack["ok"], ack["error"]["code"]) == (False, expected)
        assert state in ack["error"]["message"]
    page = f"{raw._url}/runs/{run}/events"
    async with raw._session.get(page, params={"limit": "10000"}) as response:
        log = (await response.json())["events"]
    effects = [e for e in log if e.get("cause") == ack["id"]]
    if expected == "ok":
        assert effects[0]["type"] == EFFECT[control]
        assert effects[0]["seq"] == ack["seq"]
    else:
        assert effects == []


@pytest.mark.parametrize(("state", "control", "expected"), ROWS[:-5])
async def test_row(gateway: Served, raw: Raw, state: str, control: str, expected: str) -> None:
    await hold(raw, await STATES[state](gateway, raw), state, control, expected)


@pytest.mark.parametrize(("state", "control", "expected"), ROWS[-5:])
async def test_row_of_a_run_that_a_stopped_gateway_left(
    tmp_path: Path, transport: TransportName, state: str, control: str, expected: str
) -> None:
    store = MemoryStore(retain=1_000, keep_runs=10)
    async with serve(tmp_path, store=store) as first:
        run, _ = await first.running()
    async with serve(tmp_path, store=store) as second:
        raw = Raw(second.http, second.url, transport)
        await hold(raw, run, state, control, expected)
        await raw.close()
