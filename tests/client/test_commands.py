"""How long the Python client waits for an ack, at a sidecar that takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sidecar.client import CrewClient, Disconnected

SILENCE = 0.2
"""Longest wait for an ack, in seconds; the retries behind it take longer than this test."""


class Slow:
    """Answers a command when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = asyncio.Event()

    async def control(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        await self.answer.wait()
        return web.json_response(
            {"type": "command.ack", "id": body["id"], "ok": True, "run": "r_1", "seq": 1}
        )


async def test_a_start_is_waited_for_and_asked_once_where_another_command_is_asked_again() -> None:
    slow = Slow()
    app = web.Application()
    app.router.add_post("/control", slow.control)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with CrewClient(url, transport="sse", silence=SILENCE) as crew:
            start = asyncio.create_task(crew.start({"message": "tea"}))
            with pytest.raises(Disconnected):
                await crew.pause("r_1")
            # The pause has been given up by now, in several tries.
            asked = [body["cmd"] for body in slow.asked]
            assert asked.count("start") == 1
            assert asked.count("pause") > 1
            slow.answer.set()
            assert await start == "r_1"
