"""The async Python client: start a run, follow it to its end, steer it on the way.

::

    async with CrewClient() as crew:
        run = await crew.start({"message": "a tea shop opens"})
        async for event in crew.follow(run):
            print(event["type"], event["data"])

`follow` resumes by cursor through any number of connections that break or fall silent, over
WebSocket, or over SSE for as long as WebSocket doesn't work.
"""

from __future__ import annotations

from sidecar.client.client import CrewClient
from sidecar.client.reach import Disconnected, Frame, Kind
from sidecar.client.rest import RunPage, ThreadInfo, ThreadPage, ThreadRuns
from sidecar.client.sse_parser import SseParser

__all__ = [
    "CrewClient",
    "Disconnected",
    "Frame",
    "Kind",
    "RunPage",
    "SseParser",
    "ThreadInfo",
    "ThreadPage",
    "ThreadRuns",
]
