"""Commands and their acks, over WebSocket and POST alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import count

import aiohttp
import pytest

from tests.conftest import StartSidecar
from tests.support.sidecar import Frame, Raw, Sidecar, assert_whole

_ids = count(1)


def start(**fields: object) -> Frame:
    return {"id": f"m-{next(_ids)}", "cmd": "start", "inputs": {"message": "tea"}, **fields}


async def test_a_start_is_acked_with_its_run_and_logged_as_its_cause(raw: Raw) -> None:
    command = start()
    ack = await raw.command(command)
    assert (ack["type"], ack["id"], ack["ok"], ack["seq"]) == (
        "command.ack",
        command["id"],
        True,
        1,
    )
    events = [event for _, event in await raw.events(ack["run"])]
    assert (events[0]["type"], events[0]["cause"]) == ("run.queued", command["id"])
    assert events[0]["data"]["inputs"] == {"message": "tea"}


async def test_the_same_command_five_times_over_both_transports_has_one_effect(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    command = start()
    ways = [Raw(session, sidecar.url, name) for name in ("ws", "sse", "ws", "sse", "ws")]
    acks = await asyncio.gather(*(way.command(command) for way in ways))
    for way in ways:
        await way.close()
    for ack in acks:
        ack.pop("status", None)
    assert [bool(ack.pop("duplicate", False)) for ack in acks].count(False) == 1
    assert all(ack == acks[0] for ack in acks)
    async with session.get(f"{sidecar.url}/runs?limit=1000") as response:
        runs = (await response.json())["runs"]
    assert [r["run"] for r in runs].count(acks[0]["run"]) == 1


async def test_an_id_is_not_for_two_commands(raw: Raw) -> None:
    command = start()
    await raw.command(command)
    ack = await raw.command({**command, "inputs": {"message": "coffee"}})
    assert (ack["ok"], ack["error"]["code"], ack["id"]) == (False, "id_reused", command["id"])


async def test_a_refusal_is_repeated_as_it_was_given(raw: Raw) -> None:
    command = start(crew="nobody")
    first = await raw.command(command)
    assert first["error"]["code"] == "unknown_crew"
    again = await raw.command(command)
    assert again.pop("duplicate") is True
    assert again == first


async def test_a_cancel_stops_the_model_in_the_middle_of_its_reply(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, any_raw: Callable[..., Raw]
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="500")
    raw = any_raw(sidecar)
    run = (await raw.command(start()))["run"]
    cancel = {"id": f"m-{next(_ids)}", "cmd": "cancel", "run": run, "reason": "enough"}
    events, ack = [], None
    async for _, frame in raw.frames(run):
        if frame["type"].startswith("stream."):
            continue
        events.append(frame)
        if frame["type"] == "llm.delta" and ack is None:
            ack = await raw.command(cancel)
    assert_whole(events)
    assert ack is not None
    cancelling = next(e for e in events if e["type"] == "run.cancelling")
    assert (cancelling["seq"], cancelling["cause"]) == (ack["seq"], cancel["id"])
    assert cancelling["data"] == {"reason": "enough"}
    last = events[-1]
    assert (last["type"], last["cause"], last["data"]["reason"]) == (
        "run.cancelled",
        cancel["id"],
        "enough",
    )
    assert last["data"]["tasks"][0]["output"] is None
    again = await raw.command({**cancel, "id": f"m-{next(_ids)}"})
    assert (again["ok"], again["noop"]) == (True, True)


@pytest.fixture
async def any_raw(session: aiohttp.ClientSession, transport: str) -> object:
    made: list[Raw] = []

    def make(sidecar: Sidecar) -> Raw:
        assert transport in ("ws", "sse")
        made.append(Raw(session, sidecar.url, "ws" if transport == "ws" else "sse"))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_a_queued_run_is_cancelled_without_ever_starting(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, any_raw: Callable[..., Raw]
) -> None:
    sidecar = start_sidecar(SIDECAR_MAX_RUNS="1", SIDECAR_QUEUE="1", OFFLINE_TOKEN_MS="20")
    raw = any_raw(sidecar)
    first = (await raw.command(start()))["run"]
    second = (await raw.command(start()))["run"]
    full = await raw.command(start())
    assert (full["error"]["code"], full["error"]["temporary"]) == ("at_capacity", True)
    await raw.command({"id": f"m-{next(_ids)}", "cmd": "cancel", "run": second})
    events = [event for _, event in await raw.events(second)]
    assert [e["type"] for e in events] == ["run.queued", "run.cancelling", "run.cancelled"]
    assert events[0]["data"]["position"] == 1
    await raw.command({"id": f"m-{next(_ids)}", "cmd": "cancel", "run": first})
    assert (await raw.events(first))[-1][1]["type"] == "run.cancelled"


async def test_a_finished_run_can_not_be_cancelled_and_nothing_changes(raw: Raw) -> None:
    run = (await raw.command(start()))["run"]
    events = await raw.events(run)
    ack = await raw.command({"id": f"m-{next(_ids)}", "cmd": "cancel", "run": run})
    assert ack["error"]["code"] == "illegal_state"
    assert await raw.events(run) == events


async def test_status_and_list_tell_of_the_run(raw: Raw) -> None:
    run = (await raw.command(start()))["run"]
    events = await raw.events(run)
    status = await raw.command({"id": f"m-{next(_ids)}", "cmd": "status", "run": run})
    snapshot = status["result"]
    assert set(snapshot) >= {
        *("run", "crew", "state", "id", "seq", "created", "started", "finished", "model"),
        *("tasks", "input", "usage", "output", "error"),
    }
    assert (snapshot["state"], snapshot["id"]) == ("completed", events[-1][1]["id"])
    listed = await raw.command({"id": f"m-{next(_ids)}", "cmd": "list", "limit": 1})
    assert [r["run"] for r in listed["result"]["runs"]] == [run]
    wrong = await raw.command({"id": f"m-{next(_ids)}", "cmd": "list", "state": "sleeping"})
    assert wrong["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [
        ({"id": "x-1", "cmd": "cancel", "run": "r_none"}, "unknown_run", 404),
        ({"id": "x-2", "cmd": "status", "run": "r_none"}, "unknown_run", 404),
        ({"id": "x-3", "cmd": "launch"}, "unknown_command", 404),
        ({"id": "x-4", "cmd": "start", "inputs": "tea"}, "bad_request", 400),
        ({"id": "x-5", "cmd": "start", "crew": "../etc"}, "unknown_crew", 404),
        ({"id": "x 6", "cmd": "ping"}, "bad_request", 400),
    ],
)
async def test_each_refusal_has_its_code_on_either_transport(
    raw: Raw, command: Frame, code: str, status: int
) -> None:
    ack = await raw.command(command)
    assert (ack["ok"], ack["error"]["code"], ack["error"]["temporary"]) == (False, code, False)
    assert ack["error"]["message"]
    assert ack.get("status", status) == status


async def test_many_runs_are_followed_on_one_socket(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws", protocols=("crew.v1",)) as ws:
        runs = []
        for _ in range(3):
            await ws.send_json(start())
            runs.append((await ws.receive_json())["run"])
        for run in runs:
            await ws.send_json({"id": f"m-{next(_ids)}", "cmd": "subscribe", "run": run})
        logs: dict[str, list[Frame]] = {run: [] for run in runs}
        first: dict[str, str] = {}
        ended = 0
        while ended < len(runs):
            frame = await ws.receive_json(timeout=60)
            if frame["type"] == "command.ack":
                assert frame["ok"]
                assert frame["run"] not in first, "the ack comes before the hello"
                continue
            first.setdefault(frame["run"], frame["type"])
            ended += frame["type"] == "stream.end"
            if not frame["type"].startswith("stream."):
                logs[frame["run"]].append(frame)
        assert set(first.values()) == {"stream.hello"}
        for log in logs.values():
            assert_whole(log)


async def test_an_unsubscribed_run_is_not_heard_of_any_more(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="5")
    async with session.ws_connect(f"{sidecar.url}/ws", protocols=("crew.v1",)) as ws:
        await ws.send_json(start())
        run = (await ws.receive_json())["run"]
        await ws.send_json({"id": f"m-{next(_ids)}", "cmd": "subscribe", "run": run})
        while (await ws.receive_json())["type"] != "llm.delta":
            pass
        await ws.send_json({"id": "bye", "cmd": "unsubscribe", "run": run})
        while (await ws.receive_json()).get("id") != "bye":
            pass
        await ws.send_json({"id": "after", "cmd": "ping"})
        assert (await ws.receive_json())["id"] == "after"


async def test_post_runs_is_a_start(sidecar: Sidecar, session: aiohttp.ClientSession) -> None:
    body = {"id": f"m-{next(_ids)}", "inputs": {"message": "tea"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        assert response.status == 201
        ack = await response.json()
        assert response.headers["Location"] == f"/runs/{ack['run']}"
    async with session.post(f"{sidecar.url}/control", json={**body, "cmd": "start"}) as response:
        again = await response.json()
    assert again == {**ack, "duplicate": True}


async def test_a_command_is_not_undone_by_its_senders_leaving(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    """The connection is cut right behind the request; the run exists all the same."""
    host, port = sidecar.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    command = start()
    body = json.dumps(command).encode()
    writer.write(
        b"POST /control HTTP/1.1\r\nHost: %b:%b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (host.encode(), port.encode(), len(body), body)
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with session.post(f"{sidecar.url}/control", json=command) as response:
        ack = await response.json()
    assert ack["ok"]
    events = await Raw(session, sidecar.url, "sse").events(ack["run"])
    assert_whole([event for _, event in events])
