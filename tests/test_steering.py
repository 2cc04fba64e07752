"""Controls are true: what a command says happens to the crew, seen from outside the sidecar."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartSidecar
from tests.support.long import LONG
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import (
    BOUND,
    Frame,
    Raw,
    Sidecar,
    TransportName,
    assert_whole,
    descendants,
    gone,
)

_ids = count(1)
PAUSE_SECONDS = 3.0


async def begin(raw: Raw, **fields: object) -> str:
    ack = await raw.command(
        {"id": f"st-{next(_ids)}", "cmd": "start", "inputs": {"message": "tea"}, **fields}
    )
    assert ack["ok"], ack
    return str(ack["run"])


async def send(raw: Raw, cmd: str, run: str, **fields: object) -> Frame:
    ack = await raw.command({"id": f"st-{next(_ids)}", "cmd": cmd, "run": run, **fields})
    assert ack["ok"], ack
    return ack


async def log_of(raw: Raw, run: str) -> list[Frame]:
    events = [event for _, event in await raw.events(run)]
    assert_whole(events)
    return events


def crew_events(frame: Frame) -> bool:
    return frame["type"].split(".")[0] in ("task", "agent", "llm", "tool", "step", "log")


def streamed(events: list[Frame]) -> dict[str, str]:
    """What a reader of the stream has seen of each task."""
    text: dict[str, str] = {}
    for event in events:
        if event["type"] == "llm.delta" and event["data"]["kind"] == "text":
            text[event["task"]] = text.get(event["task"], "") + event["data"]["text"]
    return text


@pytest.fixture
async def raws() -> AsyncIterator[list[Raw]]:
    made: list[Raw] = []
    yield made
    for one in made:
        await one.close()


async def pause_once(raw: Raw, *, seconds: float) -> list[Frame]:
    """A run that is paused in the middle of a reply, watched through the whole pause."""
    run = await begin(raw)
    events: list[Frame] = []
    frames = raw.frames(run)
    paused = False
    async for _, frame in frames:
        if frame["type"].startswith("stream."):
            continue
        events.append(frame)
        if frame["type"] == "llm.delta" and not paused:
            paused = True
            await send(raw, "pause", run)
        elif frame["type"] == "run.paused":
            following = asyncio.ensure_future(anext(frames))
            done, _ = await asyncio.wait({following}, timeout=seconds)
            if done:
                assert following.result()[1]["type"] == "stream.ping"
            await send(raw, "resume", run)
            if not done:
                events.append((await following)[1])
    assert_whole(events)
    return events


@pytest.mark.parametrize(
    ("transport", "model"),
    [
        ("ws", "offline"),
        ("sse", "http"),
        pytest.param("ws", "http", marks=pytest.mark.long),
        pytest.param("sse", "offline", marks=pytest.mark.long),
    ],
)
async def test_a_paused_crew_says_nothing_and_then_all_it_would_have_said(
    start_sidecar: StartSidecar,
    session: aiohttp.ClientSession,
    transport: TransportName,
    raws: list[Raw],
    model: str,
) -> None:
    script = Script(tokens=tuple(f"word{n} " for n in range(40)), delay=0.02)
    with OpenAIServer(script) as server:
        environ = {"OFFLINE_TOKEN_MS": "20", "SIDECAR_RUN_TIMEOUT": "60"}
        if model == "http":
            environ |= {
                "CREW_MODEL": "",
                "OPENAI_API_KEY": "sk-test-0123456789",
                "OPENAI_BASE_URL": server.base_url,
            }
        raw = Raw(session, start_sidecar(**environ).url, transport)
        raws.append(raw)
        plain = await log_of(raw, await begin(raw))
        events = await pause_once(raw, seconds=PAUSE_SECONDS)
    at = [e["type"] for e in events].index
    assert at("run.pausing") < at("run.paused")
    assert at("run.resumed") == at("run.paused") + 1, "something was said during the pause"
    resumed = events[at("run.resumed")]
    assert resumed["at"] - events[at("run.paused")]["at"] >= PAUSE_SECONDS * 1000 * 0.9
    assert events[at("run.paused")]["data"]["boundary"] == "token"
    assert events[at("run.paused")]["cause"] == events[at("run.pausing")]["cause"]
    assert events[-1]["type"] == "run.completed"
    assert events[-1]["data"]["output"] == plain[-1]["data"]["output"]
    assert streamed(events) == streamed(plain)


async def test_time_spent_paused_or_waiting_does_not_count_towards_the_timeout(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    sidecar = start_sidecar(SIDECAR_RUN_TIMEOUT="3", OFFLINE_TOKEN_MS="5")
    raw = Raw(session, sidecar.url, "ws")
    raws.append(raw)
    events = await pause_once(raw, seconds=4.0)
    assert events[-1]["type"] == "run.completed", events[-1]


async def test_cancels_at_any_moment_leave_no_process_and_one_ending_each(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    sidecar = start_sidecar(
        SIDECAR_MAX_RUNS="3", SIDECAR_ZYGOTE="", OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="10"
    )
    idle = len(descendants(sidecar.pid))
    dice = random.Random(50)
    names: list[TransportName] = ["ws", "sse"]

    async def one(number: int) -> None:
        raw = Raw(session, sidecar.url, names[number % 2])
        raws.append(raw)
        run = await begin(raw)
        place = dice.randint(1, 45)
        async for _, frame in raw.frames(run):
            if frame.get("seq", 0) >= place and not frame["type"].startswith("stream."):
                ack = await raw.command({"id": f"f-{number}", "cmd": "cancel", "run": run})
                assert ack["ok"] or ack["error"]["code"] == "illegal_state"
                break
        last = (await log_of(raw, run))[-1]
        assert last["type"] == ("run.cancelled" if ack["ok"] else "run.completed")

    for batch in range(10 if LONG else 3):
        await asyncio.gather(*(one(batch * 5 + n) for n in range(5)))
    deadline = time.monotonic() + BOUND
    while len(descendants(sidecar.pid)) > idle:
        assert time.monotonic() < deadline, "workers stay behind"
        await asyncio.sleep(0.02)


def contents(request: dict[str, Any]) -> str:
    return json.dumps(request["body"]["messages"])


async def test_an_instruction_is_in_the_next_prompt_once_and_in_none_before(
    start_sidecar: StartSidecar,
    session: aiohttp.ClientSession,
    transport: TransportName,
    raws: list[Raw],
) -> None:
    said = "Mention the river Liffey."
    script = Script(tokens=tuple(f"word{n} " for n in range(20)), delay=0.02)
    with OpenAIServer(script) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-test-0123456789", OPENAI_BASE_URL=server.base_url
        )
        raw = Raw(session, sidecar.url, transport)
        raws.append(raw)
        run = await begin(raw)
        ack: Frame | None = None
        events = []
        async for _, frame in raw.frames(run):
            if frame["type"].startswith("stream."):
                continue
            events.append(frame)
            if frame["type"] == "llm.delta" and ack is None:
                ack = await send(raw, "modify", run, instruction=said)
        requests = [contents(r) for r in server.requests]
    assert ack is not None
    assert events[-1]["type"] == "run.completed", events[-1]
    effects = [e for e in events if e.get("cause") == ack["id"]]
    assert [e["type"] for e in effects] == ["run.modifying", "run.modified"]
    assert effects[1]["data"] == {"instruction": said, "applied": "model_call"}
    assert requests[0].count(said) == 0
    assert requests[1].count(said) == 1
    assert events[-1]["data"]["unapplied"] == []


async def test_an_instruction_now_cuts_the_reply_off_and_has_it_written_again(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    said = "Mention the river Liffey."
    script = Script(tokens=tuple(f"word{n} " for n in range(50)), delay=0.02)
    with OpenAIServer(script) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-test-0123456789", OPENAI_BASE_URL=server.base_url
        )
        raw = Raw(session, sidecar.url, "ws")
        raws.append(raw)
        run = await begin(raw)
        events = []
        sent = False
        async for _, frame in raw.frames(run):
            if frame["type"].startswith("stream."):
                continue
            events.append(frame)
            if frame["type"] == "llm.delta" and not sent:
                sent = True
                await send(raw, "modify", run, instruction=said, now=True)
        requests = [contents(r) for r in server.requests]
    assert events[-1]["type"] == "run.completed", events[-1]
    first = [e for e in events if e.get("task") == "create_content_plan"]
    calls = [e["type"] for e in first if e["type"] in ("llm.started", "llm.failed")]
    assert calls == ["llm.started", "llm.failed", "llm.started"]
    assert [r.count(said) for r in requests[:2]] == [0, 1]
    plan = next(e for e in first if e["type"] == "task.completed")
    assert plan["data"]["output"].split() == [f"word{n}" for n in range(50)]


async def test_a_task_that_has_not_started_takes_a_new_description_and_new_inputs(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    with OpenAIServer(Script(tokens=("a ", "b ", "c "), delay=0.05)) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-test-0123456789", OPENAI_BASE_URL=server.base_url
        )
        raw = Raw(session, sidecar.url, "ws")
        raws.append(raw)
        run = await begin(raw)
        sent = False
        events = []
        async for _, frame in raw.frames(run):
            if frame["type"].startswith("stream."):
                continue
            events.append(frame)
            if frame["type"] == "llm.delta" and not sent:
                sent = True
                await send(
                    raw, "modify", run, task="analyze_sentiment", description="Count the herons."
                )
                await send(raw, "modify", run, inputs={"message": "a coffee cart"})
                late = await raw.command(
                    {
                        "id": "late",
                        "cmd": "modify",
                        "run": run,
                        "task": "create_content_plan",
                        "description": "x",
                    }
                )
                unknown = await raw.command(
                    {"id": "u", "cmd": "modify", "run": run, "task": "nope", "description": "x"}
                )
        requests = [contents(r) for r in server.requests]
    assert late["error"]["code"] == "illegal_state"
    assert unknown["error"]["code"] == "bad_request"
    assert events[-1]["type"] == "run.completed", events[-1]
    applied = [e["data"]["applied"] for e in events if e["type"] == "run.modified"]
    assert applied == ["task", "task"]
    assert "Count the herons." not in requests[0]
    assert "Count the herons." in requests[1]
    assert "a coffee cart" not in requests[0]
    assert "a coffee cart" in requests[2]


async def test_what_was_never_applied_stands_in_the_final_event(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="200")
    raw = Raw(session, sidecar.url, "ws")
    raws.append(raw)
    run = await begin(raw)
    async for _, frame in raw.frames(run):
        if frame["type"] == "llm.delta":
            break
    ack = await send(raw, "modify", run, instruction="Mention the river.")
    await send(raw, "cancel", run)
    assert (await log_of(raw, run))[-1]["data"]["unapplied"] == [ack["id"]]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Any:
    running = Sidecar(
        tmp_path_factory.mktemp("quick") / "data", OFFLINE_TOKEN_MS="0", OFFLINE_TOKENS="5"
    ).start()
    yield running
    assert running.stop() == 0
    assert '"level":"error"' not in running.stderr


REVIEW = ["create_content_plan"]


async def question_of(raw: Raw, run: str, nth: int = 1) -> Frame:
    asked = 0
    async for _, frame in raw.frames(run):
        asked += frame["type"] == "input.requested"
        if asked == nth:
            return frame
    raise AssertionError("no question")


async def test_races_for_an_answer_have_one_winner_and_both_are_told_the_truth(
    quick: Sidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    ws, sse = Raw(session, quick.url, "ws"), Raw(session, quick.url, "sse")
    raws += [ws, sse]
    for number in range(100 if LONG else 25):
        run = await begin(ws, review=REVIEW)
        question = (await question_of(sse, run))["data"]
        bodies = [
            {"id": f"race-{number}-{n}", "cmd": "answer", "run": run, "input": question["input"]}
            for n in range(2)
        ]
        acks = await asyncio.gather(
            ws.command({**bodies[0], "text": ""}), sse.command({**bodies[1], "text": ""})
        )
        winners = [ack for ack in acks if ack["ok"]]
        losers = [ack for ack in acks if not ack["ok"]]
        assert len(winners) == 1
        assert losers[0]["error"]["code"] == "already_answered"
        events = await log_of(sse, run)
        answers = [e for e in events if e["type"] == "input.answered"]
        assert [e["cause"] for e in answers] == [winners[0]["id"]]
        assert events[-1]["type"] == "run.completed"


async def test_feedback_has_the_agent_revise_and_ask_again(
    quick: Sidecar, session: aiohttp.ClientSession, transport: TransportName, raws: list[Raw]
) -> None:
    raw = Raw(session, quick.url, transport)
    raws.append(raw)
    run = await begin(raw, review=REVIEW)
    first = (await question_of(raw, run))["data"]
    status = await send(raw, "status", run)
    assert status["result"]["state"] == "waiting"
    assert status["result"]["input"] == first
    assert first["expires"] is None
    await send(raw, "answer", run, input=first["input"], text="Shorter, please.")
    second = (await question_of(raw, run, 2))["data"]
    assert second["input"] != first["input"]
    await send(raw, "answer", run, input=second["input"], text="")
    events = await log_of(raw, run)
    types = [e["type"] for e in events]
    assert types.count("input.requested") == types.count("input.answered") == 2
    answered = types.index("input.answered")
    assert "llm.started" in types[answered : types.index("input.requested", answered)]
    assert events[-1]["type"] == "run.completed"
    late = await raw.command(
        {"id": f"st-{next(_ids)}", "cmd": "answer", "run": run, "input": first["input"], "text": ""}
    )
    assert late["error"]["code"] == "already_answered"


async def test_a_question_that_nobody_answers_expires_and_the_crew_goes_on(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    sidecar = start_sidecar(SIDECAR_INPUT_TIMEOUT="0.5", OFFLINE_TOKEN_MS="0")
    raw = Raw(session, sidecar.url, "sse")
    raws.append(raw)
    run = await begin(raw, review=REVIEW)
    events = await log_of(raw, run)
    question = next(e for e in events if e["type"] == "input.requested")
    expired = next(e for e in events if e["type"] == "input.expired")
    assert expired["data"] == {"input": question["data"]["input"]}
    assert question["data"]["expires"] > question["ts"]
    assert events[-1]["type"] == "run.completed"


@pytest.mark.parametrize("cmd", ["pause", "modify", "cancel"])
async def test_a_command_sent_five_times_over_both_transports_has_one_effect(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw], cmd: str
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="200")
    names: list[TransportName] = ["ws", "sse", "ws", "sse", "ws"]
    raws += [Raw(session, sidecar.url, name) for name in names]
    run = await begin(raws[0])
    async for _, frame in raws[0].frames(run):
        if frame["type"] == "llm.delta":
            break
    body = {"id": "five", "cmd": cmd, "run": run}
    if cmd == "modify":
        body["instruction"] = "Mention the river."
    acks = await asyncio.gather(*(raw.command(body) for raw in raws))
    for ack in acks:
        ack.pop("status", None)
    assert [bool(ack.pop("duplicate", False)) for ack in acks].count(False) == 1
    assert all(ack == acks[0] for ack in acks)
    await raws[0].command({"id": "end", "cmd": "cancel", "run": run})
    events = await log_of(raws[0], run)
    first = {"pause": "run.pausing", "modify": "run.modifying", "cancel": "run.cancelling"}[cmd]
    assert [e["type"] for e in events].count(first) == 1


async def test_a_stubborn_tool_is_ended_in_time_with_its_child(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, raws: list[Raw]
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.support.crews:spinner")
    raw = Raw(session, sidecar.url, "ws")
    raws.append(raw)
    run = await begin(raw)
    async for _, frame in raw.frames(run):
        if frame["type"] == "log":
            child = int(frame["data"]["text"].split()[1])
            break
    await send(raw, "cancel", run)
    events = await log_of(raw, run)
    cancelling = next(e for e in events if e["type"] == "run.cancelling")
    assert events[-1]["type"] == "run.cancelled"
    # The ladder's own deadlines bound it: asked, SIGTERM, SIGKILL. Twice that is a broken ladder.
    assert events[-1]["at"] - cancelling["at"] < 7_000
    await gone(child)
