"""A reader without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from sidecar.log import Feed, Subscription, Transport
from sidecar.protocol import Piece

__all__ = ["Screen"]


class Screen(Transport):
    """What one reader is shown."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.controls: list[dict[str, Any]] = []
        self.pinged = asyncio.Event()
        self._changed = asyncio.Event()

    @classmethod
    def follow(cls, feed: Feed) -> tuple[Screen, asyncio.Task[None]]:
        """One that reads from the beginning, and its reading, which ends with the run."""
        screen = cls()
        return screen, asyncio.create_task(Subscription(feed, screen, None).run())

    def write(self, piece: Piece) -> None:
        self.events += [event.seq for event in piece.events]
        self._changed.set()

    def write_control(self, message: dict[str, Any]) -> None:
        self.controls.append(message)
        if message["type"] == "stream.ping":
            self.pinged.set()

    async def shows(self, seq: int) -> None:
        """Return once that event is shown."""
        while not self.events or self.events[-1] < seq:
            self._changed.clear()
            await self._changed.wait()

    @property
    def writable(self) -> bool:
        return True

    @property
    def taken(self) -> int:
        return 0

    async def drain(self) -> None:
        pass
