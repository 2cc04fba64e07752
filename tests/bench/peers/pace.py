"""What all peers in Python have in common: how they are told, what they say, and when.

    python -m tests.bench.peers.NAME '{"subscribers": 100, "events": 4000, "rate": 0, "size": 300}'

A peer prints the port it listens on, waits for all its subscribers and then a moment more, and says
all events one by one. It ends when its stdin does, so it never outlives the bench.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

__all__ = ["Peer"]

_SETTLE_SECONDS: Final = 0.3
_STAMP: Final = "1763841600123.456"


class Peer:
    """One peer's life: `joined` for each subscriber, `run` until stdin ends."""

    def __init__(self) -> None:
        work = json.loads(sys.argv[1])
        self._subscribers: int = work["subscribers"]
        self._events: int = work["events"]
        self._rate: float = work["rate"]
        self._json = _template(work["size"], self._events)
        self._here = 0
        self._everybody = asyncio.Event()

    def joined(self) -> None:
        self._here += 1
        if self._here == self._subscribers:
            self._everybody.set()

    async def run(self, port: int, say: Callable[[int, bytes], Awaitable[None] | None]) -> None:
        """`say` is given each event's number and JSON, and gives it to every subscriber."""
        loop = asyncio.get_running_loop()
        ended = loop.run_in_executor(None, sys.stdin.read)
        print(port, flush=True)
        await self._everybody.wait()
        await asyncio.sleep(_SETTLE_SECONDS)
        begin = time.monotonic()
        for number in range(1, self._events + 1):
            early = begin + number / self._rate - time.monotonic() if self._rate else 0.0
            # Even flat out each event gets a turn of the loop, or uvloop would join the writes.
            await asyncio.sleep(max(0.0, early))
            waiting = say(number, self._json % (number, number, number, time.monotonic_ns()))
            if waiting is not None:
                await waiting
        await ended


def _template(size: int, events: int) -> bytes:
    """A format of seq, seq, number and birth, about `size` bytes once filled in; the same fields
    as an event of ours (docs/PROTOCOL.md section 2)."""

    def filled(padding: int) -> bytes:
        return (
            f'{{"type":"llm.delta","run":"r_{"0" * 26}","seq":%d,"id":"epoch6-%d","ts":{_STAMP},'
            f'"at":{_STAMP},"task":"synthetic","agent":"Synthetic","data":{{"call":"synthetic",'
            f'"text":"%08d{"." * padding} ","kind":"text","t":%d}}}}'
        ).encode()

    bare = len(filled(0) % (events, events, 0, time.monotonic_ns()))
    return filled(max(0, size - bare))
