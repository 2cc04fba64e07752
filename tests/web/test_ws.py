"""GET /ws: events out, commands in, many runs on one socket. test_peer.py has its manners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sidecar.errors import StoreError
from sidecar.protocol import Command, Reply
from sidecar.web import ws as module
from tests.support.clock import Clock, settle
from tests.support.served import Served

Socket = aiohttp.ClientWebSocketResponse[bool]
Frame = dict[str, Any]


@asynccontextmanager
async def connected(served: Served, **query: str) -> AsyncIterator[Socket]:
    async with served.http.ws_connect("/ws", params=query, protocols=("crew.v1",)) as ws:
        yield ws


async def hear(ws: Socket, last: str) -> list[Frame]:
    """Every frame up to the first of that type."""
    heard: list[Frame] = []
    while not heard or heard[-1]["type"] != last:
        heard.append(await ws.receive_json())
    return heard


async def ask(ws: Socket, cmd: str, id: str = "c-1", **fields: object) -> Frame:
    """Its ack, whatever comes before that."""
    await ws.send_json({"id": id, "cmd": cmd, **fields})
    return (await hear(ws, "command.ack"))[-1]


def types(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


async def test_a_run_can_be_followed_from_the_handshake_on(served: Served) -> None:
    run = await served.completed()
    async with connected(served, run=run) as ws:
        assert ws.protocol == "crew.v1"
        heard = await hear(ws, "stream.end")
        assert types(heard) == [
            "stream.hello",
            "run.queued",
            "run.started",
            "llm.delta",
            "run.completed",
            "stream.live",
            "stream.end",
        ]
        assert heard[1:5] == [json.loads(event) for event in await served.log(run)]
        # The run is over, the socket is not.
        assert (await ask(ws, "ping"))["ok"]


async def test_a_reader_goes_on_where_it_was(served: Served) -> None:
    run = await served.completed()
    third = json.loads((await served.log(run))[2])["id"]
    async with connected(served, run=run, after=third) as ws:
        heard = await hear(ws, "stream.end")
    assert types(heard)[:2] == ["stream.hello", "run.completed"]
    assert heard[-1]["id"] == heard[1]["id"]


async def test_what_happens_is_told_when_it_happens(served: Served) -> None:
    run, worker = await served.running()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        worker.say("llm.delta", {"text": "x"})
        assert (await ws.receive_json())["data"] == {"text": "x"}


async def test_a_run_that_there_is_not_is_an_ack_and_the_socket_stays(served: Served) -> None:
    async with connected(served, run="r_0") as ws:
        ack = await ws.receive_json()
        assert (ack["id"], ack["ok"], ack["error"]["code"]) == (None, False, "unknown_run")
        assert (await ask(ws, "subscribe", "c-2", run="r_0"))["error"]["code"] == "unknown_run"
        assert (await ask(ws, "ping", "c-3"))["ok"]


async def unreadable(*_: object) -> None:
    raise StoreError("cannot read the log /home/me/log.sqlite3: disk I/O error")


async def test_a_run_that_cannot_be_looked_up_is_unavailable_and_the_socket_stays(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await served.completed()
    monkeypatch.setattr(served.store, "find", unreadable)
    async with connected(served, run=run) as ws:
        for ack in (await ws.receive_json(), await ask(ws, "subscribe", run=run)):
            assert (ack["ok"], ack["error"]["code"]) == (False, "unavailable")
            assert ack["error"] == {
                "code": "unavailable",
                "message": "the log can't be read",
                "temporary": True,
            }
        monkeypatch.undo()
        assert (await ask(ws, "subscribe", "c-2", run=run))["ok"]


async def test_a_log_that_can_be_read_no_more_is_said_and_the_reader_is_to_come_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await served.running()
    log = (await served.supervisor.feed(run)).log
    monkeypatch.setattr(log, "read", unreadable)
    async with connected(served, run=run) as ws:
        heard = await hear(ws, "stream.ping")
        assert (types(heard), heard[-1]["trouble"]) == (
            ["stream.hello", "stream.ping"],
            "the log can't be read",
        )
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
    assert ws.close_code == 4004


async def test_many_runs_can_be_followed_on_one_socket(served: Served) -> None:
    over = await served.completed()
    live, worker = await served.running()
    async with connected(served, run=over) as ws:
        await hear(ws, "stream.end")
        ack = await ask(ws, "subscribe", run=live)
        assert (ack["ok"], ack["run"]) == (True, live)
        # The ack comes before the hello.
        assert types(await hear(ws, "stream.live"))[0] == "stream.hello"
        worker.say("run.completed", {})
        worker.leave()
        assert types(await hear(ws, "stream.end")) == ["run.completed", "stream.end"]


async def test_a_second_subscription_asks_for_what_is(served: Served) -> None:
    run, _ = await served.running()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        ack = await ask(ws, "subscribe", run=run)
        assert (ack["ok"], ack["noop"]) == (True, True)
        assert types(await hear_more(ws)) == []


async def hear_more(ws: Socket) -> list[Frame]:
    """What comes before the answer to a ping."""
    await ws.send_json({"id": "more", "cmd": "ping"})
    return (await hear(ws, "command.ack"))[:-1]


async def test_who_has_unsubscribed_hears_no_more_and_may_come_back(served: Served) -> None:
    run, worker = await served.running()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        assert "noop" not in await ask(ws, "unsubscribe", "c-1", run=run)
        assert (await ask(ws, "unsubscribe", "c-2", run=run))["noop"]
        worker.say("llm.delta", {"text": "x"})
        await settle()
        assert await hear_more(ws) == []
        assert (await ask(ws, "subscribe", "c-3", run=run))["ok"]
        assert types(await hear(ws, "stream.live"))[-2:] == ["llm.delta", "stream.live"]


async def test_a_run_that_is_over_can_be_asked_for_again(served: Served) -> None:
    run = await served.completed()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.end")
        assert "noop" not in await ask(ws, "subscribe", run=run)
        assert types(await hear(ws, "stream.end"))[1] == "run.queued"


async def test_a_socket_follows_so_many_runs_and_no_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_SUBSCRIPTIONS", 2)
    runs = [(await served.running())[0] for _ in range(3)]
    async with connected(served) as ws:
        for number, run in enumerate(runs[:2]):
            assert (await ask(ws, "subscribe", f"s-{number}", run=run))["ok"]
        refused = await ask(ws, "subscribe", "s-2", run=runs[2])
        assert (refused["id"], refused["error"]["code"]) == ("s-2", "at_capacity")
        await ask(ws, "unsubscribe", "u-0", run=runs[0])
        assert (await ask(ws, "subscribe", "s-3", run=runs[2]))["ok"]


async def test_commands_take_effect_and_their_effects_are_told(served: Served) -> None:
    run, worker = await served.running()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        await ws.send_json({"id": "c-1", "cmd": "pause", "run": run})
        heard = [await ws.receive_json() for _ in range(2)]
        ack = next(frame for frame in heard if frame["type"] == "command.ack")
        event = next(frame for frame in heard if frame["type"] == "run.pausing")
        assert (ack["id"], ack["seq"]) == (event["cause"], event["seq"]) == ("c-1", 3)
    assert worker.orders[-1]["order"] == "pause"


async def test_a_refusal_carries_the_id_of_its_command(served: Served) -> None:
    run, _ = await served.running()
    async with connected(served) as ws:
        refused = await ask(ws, "answer", run=run, input="in_1", text="")
        assert (refused["id"], refused["error"]["code"]) == ("c-1", "illegal_state")
        refused = await ask(ws, "start", "c-2", crew="nobody")
        assert (refused["id"], refused["error"]["code"]) == ("c-2", "unknown_crew")


@pytest.mark.parametrize(
    ("frame", "id", "code"),
    [
        ("{", None, "bad_request"),
        ("[]", None, "bad_request"),
        ('{"cmd": "ping"}', None, "bad_request"),
        ('{"id": "c-1"}', "c-1", "bad_request"),
        ('{"id": "c-1", "cmd": "dance"}', "c-1", "unknown_command"),
        ('{"id": "c-1", "cmd": "pause"}', "c-1", "bad_request"),
        (b'{"id": "c-1", "cmd": "ping"}', None, "bad_request"),
        ('{"id": "c-1", "cmd": "ping", "x": "%s"}' % ("x" * 256 * 1024), None, "too_large"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_stays(
    served: Served, frame: str | bytes, id: str | None, code: str
) -> None:
    async with connected(served) as ws:
        if isinstance(frame, str):
            await ws.send_str(frame)
        else:
            await ws.send_bytes(frame)
        ack = await ws.receive_json()
        assert (ack["type"], ack["id"], ack["ok"]) == ("command.ack", id, False)
        assert ack["error"]["code"] == code
        assert (await ask(ws, "ping", "c-2"))["ok"]


async def test_of_an_internal_error_the_outside_gets_an_id_and_the_socket_stays(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(_: Command) -> Reply:
        raise ValueError("the password is tea")

    async with connected(served) as ws:
        with monkeypatch.context() as patch:
            patch.setattr(served.supervisor, "handle", handle)
            refused = await ask(ws, "ping")
        assert refused["error"]["code"] == "internal"
        assert "tea" not in refused["error"]["message"]
        assert (await ask(ws, "ping", "c-2"))["ok"]
    id = caplog.messages[0].removeprefix("internal error ")
    assert id in refused["error"]["message"]


async def test_commands_that_come_in_a_row_are_answered_in_that_row(served: Served) -> None:
    async with connected(served) as ws:
        for number in range(500):
            await ws.send_json({"id": f"p-{number}", "cmd": "ping"})
        acks = [await ws.receive_json() for _ in range(500)]
    assert [ack["id"] for ack in acks] == [f"p-{number}" for number in range(500)]


async def test_pings_say_how_far_each_subscription_is(served: Served, clock: Clock) -> None:
    run, _ = await served.running()
    async with connected(served) as ws:
        await clock.turn(10)
        ping = await ws.receive_json()
        assert (ping["type"], ping["seq"], "run" in ping) == ("stream.ping", 0, False)
        await ask(ws, "subscribe", run=run)
        await hear(ws, "stream.live")
        await clock.turn(10)
        ping = await ws.receive_json()
        assert (ping["type"], ping["seq"], ping["run"]) == ("stream.ping", 2, run)


async def test_at_the_gateways_end_everybody_is_told_the_end_and_to_come_back(
    served: Served, clock: Clock
) -> None:
    run, _ = await served.running()
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        await served.supervisor.end_runs()
        closing = asyncio.create_task(served.connections.close())
        assert types(await hear(ws, "stream.end")) == ["run.interrupted", "stream.end"]
        message = await ws.receive()
        assert (message.type, message.data, message.extra) == (
            aiohttp.WSMsgType.CLOSE,
            4000,
            "shutting down",
        )
        # The peer's answer ends the wait, not the clock, which stands still.
        await closing


async def test_one_who_leaves_takes_its_subscriptions_along(served: Served) -> None:
    run, worker = await served.running()
    feed = await served.supervisor.feed(run)
    async with connected(served, run=run) as ws:
        await hear(ws, "stream.live")
        assert len(feed._readers) == 1
    await settle()
    assert (feed._readers, served.connections._open) == (set(), set())
    worker.say("llm.delta", {"text": "nobody is hurt"})
    await settle()
    assert (await served.supervisor.snapshot(run))["seq"] == 3


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Connection": "Upgrade", "Upgrade": "h2c"},
        {"Connection": "Upgrade", "Upgrade": "websocket"},
    ],
)
async def test_what_is_no_upgrade_is_refused(served: Served, headers: dict[str, str]) -> None:
    async with served.http.get("/ws", headers=headers) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, "bad_request")
    assert error["message"].startswith("/ws speaks WebSocket")


async def test_a_subprotocol_that_nobody_asked_for_is_not_agreed_on(served: Served) -> None:
    async with served.http.ws_connect("/ws") as ws:
        assert ws.protocol is None
        assert (await ask(ws, "ping"))["ok"]
