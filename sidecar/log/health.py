"""Whether a storage can be written: one owner of that, whom everybody else asks or awaits."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["Health"]

logger = logging.getLogger("sidecar.log")


class Health:
    """Told by the storage after each attempt to write; says each change once in our own log."""

    def __init__(self, place: str = "memory") -> None:
        self._place = place
        """For our own log; people on the other side of a browser need no paths."""
        self.trouble: str | None = None
        """Why it can't be written right now, in words for a person."""
        self._well = asyncio.Event()
        self._well.set()
        self._ill = asyncio.Event()

    def failed(self, why: str) -> None:
        if self.trouble is None:
            logger.error("%s: %s; runs stand still until it can be", self._place, why)
            self._well.clear()
            self._ill.set()
        self.trouble = why

    def worked(self) -> None:
        if self.trouble is not None:
            logger.warning("%s: the log can be written again", self._place)
            self.trouble = None
            self._ill.clear()
            self._well.set()

    async def recovered(self) -> None:
        """Return when it can be written, at once if it can."""
        await self._well.wait()

    async def ailing(self) -> None:
        """Return when it can't be written, at once if it can't."""
        await self._ill.wait()
