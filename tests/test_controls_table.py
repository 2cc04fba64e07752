"""Each control in each state over each transport: one row, with what it must answer and do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.support.sidecar import Frame, Raw, Sidecar, TransportName

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


class Stage:
    """Sidecars that can hold a run in any state, started when a row first needs them."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._running: dict[str, Sidecar] = {}

    def sidecar(self, name: str, **environ: str) -> Sidecar:
        if name not in self._running:
            path = self._folder(name)
            until_ready = environ.get("SIDECAR_WARM") != "0"
            self._running[name] = Sidecar(path / "data", **environ).start(until_ready=until_ready)
        return self._running[name]

    def slow(self) -> Sidecar:
        return self.sidecar(
            "slow", OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="200", SIDECAR_MAX_RUNS="200"
        )

    def quick(self) -> Sidecar:
        return self.sidecar("quick", OFFLINE_TOKEN_MS="0", OFFLINE_TOKENS="20")

    def stop(self) -> None:
        for one in self._running.values():
            assert one.stop() == 0
            assert '"level":"error"' not in one.stderr


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp)
    yield made
    made.stop()


class Actor:
    """One client on one transport, for whichever sidecar the state needs."""

    def __init__(self, session: aiohttp.ClientSession, transport: TransportName) -> None:
        self._session = session
        self._transport = transport
        self.raw: Raw | None = None

    def on(self, sidecar: Sidecar) -> Raw:
        self.raw = Raw(self._session, sidecar.url, self._transport)
        return self.raw

    async def close(self) -> None:
        if self.raw is not None:
            await self.raw.close()


@pytest.fixture
async def actor(session: aiohttp.ClientSession, transport: TransportName) -> AsyncIterator[Actor]:
    made = Actor(session, transport)
    yield made
    await made.close()


async def begin(raw: Raw, **fields: object) -> str:
    ack = await raw.command(
        {"id": f"ct-{next(_ids)}", "cmd": "start", "inputs": {"message": "tea"}, **fields}
    )
    assert ack["ok"], ack
    return str(ack["run"])


async def until(raw: Raw, run: str, type: str) -> Frame:
    async for _, frame in raw.frames(run):
        if frame["type"] == type:
            return frame
    raise AssertionError(f"no {type}")


async def send(raw: Raw, cmd: str, run: str, **fields: object) -> Frame:
    return await raw.command({"id": f"ct-{next(_ids)}", "cmd": cmd, "run": run, **fields})


async def queued(stage: Stage, actor: Actor) -> str:
    raw = actor.on(
        stage.sidecar("one", SIDECAR_MAX_RUNS="1", OFFLINE_TOKEN_MS="50", OFFLINE_TOKENS="2000")
    )
    async with raw._session.get(f"{raw._url}/runs?state=running") as response:
        if not (await response.json())["runs"]:
            await until(raw, await begin(raw), "llm.delta")
    return await begin(raw)


async def starting(stage: Stage, actor: Actor) -> str:
    raw = actor.on(
        stage.sidecar("cold", SIDECAR_WORKERS="spawn", SIDECAR_WARM="0", SIDECAR_MAX_RUNS="100")
    )
    run = await begin(raw)
    while (await send(raw, "status", run))["result"]["state"] == "queued":
        pass
    return run


async def running(stage: Stage, actor: Actor) -> str:
    raw = actor.on(stage.slow())
    run = await begin(raw)
    await until(raw, run, "llm.delta")
    return run


async def in_tool(stage: Stage, actor: Actor) -> str:
    raw = actor.on(
        stage.sidecar("tool", SIDECAR_CREW="tests.support.crews:sleeper", SIDECAR_MAX_RUNS="100")
    )
    run = await begin(raw)
    await until(raw, run, "log")
    return run


async def pausing(stage: Stage, actor: Actor) -> str:
    run = await in_tool(stage, actor)
    assert actor.raw is not None
    assert (await send(actor.raw, "pause", run))["ok"]
    return run


async def paused(stage: Stage, actor: Actor) -> str:
    run = await running(stage, actor)
    assert actor.raw is not None
    assert (await send(actor.raw, "pause", run))["ok"]
    await until(actor.raw, run, "run.paused")
    return run


async def waiting(stage: Stage, actor: Actor) -> str:
    raw = actor.on(stage.quick())
    run = await begin(raw, review=["create_content_plan"])
    await until(raw, run, "input.requested")
    return run


async def cancelling(stage: Stage, actor: Actor) -> str:
    run = await in_tool(stage, actor)
    assert actor.raw is not None
    assert (await send(actor.raw, "cancel", run))["ok"]
    return run


async def completed(stage: Stage, actor: Actor) -> str:
    raw = actor.on(stage.quick())
    run = await begin(raw)
    await until(raw, run, "run.completed")
    return run


async def failed(stage: Stage, actor: Actor) -> str:
    raw = actor.on(stage.quick())
    run = await begin(raw, review=["no such task"])
    await until(raw, run, "run.failed")
    return run


async def cancelled(stage: Stage, actor: Actor) -> str:
    run = await running(stage, actor)
    assert actor.raw is not None
    assert (await send(actor.raw, "cancel", run))["ok"]
    await until(actor.raw, run, "run.cancelled")
    return run


async def interrupted(stage: Stage, actor: Actor) -> str:
    """A run that a stopped sidecar left behind, read by its successor."""
    first = stage.sidecar("stopped", OFFLINE_TOKEN_MS="50", OFFLINE_TOKENS="2000")
    raw = actor.on(first)
    if first.process is not None and first.process.poll() is None:
        run = await begin(raw)
        await until(raw, run, "llm.delta")
        await raw.close()
        assert first.stop() == 0
        stage._running["stopped"] = first.start(until_ready=False)
        raw = actor.on(first)
    async with raw._session.get(f"{raw._url}/runs?state=interrupted") as response:
        return str((await response.json())["runs"][0]["run"])


STATES: dict[str, Callable[[Stage, Actor], Awaitable[str]]] = {
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
    "interrupted": interrupted,
}


@pytest.mark.parametrize(("state", "control", "expected"), ROWS)
async def test_row(stage: Stage, actor: Actor, state: str, control: str, expected: str) -> None:
    run = await STATES[state](stage, actor)
    raw = actor.raw
    assert raw is not None
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
    if state in ("queued", "starting", "running", "pausing", "paused", "waiting"):
        await send(raw, "cancel", run)
