"""The Python client: WebSocket first, SSE where that can't open, resumed by cursor."""

from __future__ import annotations

import asyncio
import gc
from typing import Literal

import aiohttp
import pytest
from aiohttp import web

from sidecar.client.client import CrewClient
from sidecar.client.reach import Disconnected, backoff
from sidecar.errors import CommandError
from tests.support.sidecar import Sidecar, assert_whole


@pytest.mark.parametrize("transport", ["auto", "ws", "sse"])
async def test_a_run_is_started_and_followed_to_its_end(
    sidecar: Sidecar, transport: Literal["auto", "ws", "sse"]
) -> None:
    async with sidecar.client(transport) as crew:
        run = await crew.start({"message": "a tea shop opens"})
        events = [event async for event in crew.follow(run)]
        assert_whole(events)
        assert crew.transport == ("sse" if transport == "sse" else "ws")
        assert (await crew.status(run))["state"] == "completed"
        assert run in [r["run"] for r in (await crew.runs(state="completed"))["runs"]]
        rest = [event async for event in crew.follow(run, after=events[4]["id"])]
        assert rest == events[5:]
        assert [event async for event in crew.follow(run, after=events[-1]["id"])] == []


@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_a_refusal_has_its_code(sidecar: Sidecar, transport: Literal["ws", "sse"]) -> None:
    async with sidecar.client(transport) as crew:
        with pytest.raises(CommandError) as refused:
            await crew.start(crew="nobody")
        assert refused.value.code == "unknown_crew"
        with pytest.raises(CommandError) as refused:
            await anext(crew.follow("r_none"))
        assert refused.value.code == "unknown_run"


async def test_where_websocket_cannot_open_the_client_turns_to_sse(sidecar: Sidecar) -> None:
    """Through a real proxy that serves everything but upgrades."""

    async def forward(request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            return web.Response(status=501)
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method,
                f"{sidecar.url}{request.path_qs}",
                data=await request.read(),
                headers={"Content-Type": request.content_type},
            ) as upstream,
        ):
            response = web.StreamResponse(status=upstream.status)
            response.content_type = upstream.content_type
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with CrewClient(f"http://{host}:{port}") as crew:
            run = await crew.start({"message": "tea"})
            assert_whole([event async for event in crew.follow(run)])
            assert crew.transport == "sse"
        async with CrewClient(f"http://{host}:{port}", transport="ws", patience=0.2) as crew:
            with pytest.raises(Disconnected):
                await anext(crew.follow(run))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("transport", ["auto", "ws", "sse"])
async def test_a_proxy_that_answers_for_a_sidecar_that_is_away_is_no_answer(
    transport: Literal["auto", "ws", "sse"],
) -> None:
    async def bad_gateway(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<h1>Bad Gateway</h1>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", bad_gateway)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with CrewClient(f"http://{host}:{port}", transport=transport, patience=0.2) as crew:
            with pytest.raises(Disconnected):
                await crew.start()
            with pytest.raises(Disconnected):
                await anext(crew.follow("r_any"))
    finally:
        await runner.cleanup()


async def test_who_leaves_at_any_moment_leaves_no_connection_open(sidecar: Sidecar) -> None:
    """An unclosed one is a warning when it is collected, and warnings are errors here."""
    for turns in range(60):
        async with sidecar.client("auto") as crew:
            await crew.command("ping")
            for _ in range(turns % 20):
                await asyncio.sleep(0)
    gc.collect()


async def test_a_sidecar_that_is_not_there_is_said_with_its_remedy() -> None:
    async with CrewClient("http://127.0.0.1:9", patience=0.2) as crew:
        with pytest.raises(Disconnected, match="make serve"):
            await crew.start()
        with pytest.raises(Disconnected):
            await anext(crew.follow("r_any"))


def test_waits_grow_up_to_a_bound_and_are_never_in_step() -> None:
    for failures in (0, 3, 50):
        waits = {backoff(failures) for _ in range(50)}
        assert max(waits) <= min(5.0, 0.1 * 2.0**failures)
        assert len(waits) > 25
