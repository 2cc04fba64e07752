"""Whether a storage can be written: one owner of that, whom everybody else asks or awaits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sidecar.errors import StoreError

__all__ = ["AGAIN_SECONDS", "Health"]

logger = logging.getLogger("sidecar.log")

AGAIN_SECONDS: Final = 0.25
"""Between two attempts to write while the log can't be written."""


class Health:
    """Told by the storage after each attempt to write; says each change once in our own log."""

    def __init__(self, place: str = "memory") -> None:
        self._place = place
        """For our own log; people on the other side of a browser need no paths."""
        self.trouble: str | None = None
        """Why it can't be written right now, in words for a person."""
        self._ill = asyncio.Event()
        self._standing = 0
        """Writes that failed and are tried again. Only they can tell that it is over: where a
        batch of 1 MB does not fit, a page of 4 KB still may."""
        self._turn = asyncio.Lock()
        """One of them at a time: each may stop the loop for as long as a lock is waited for."""

    def failed(self, why: str) -> None:
        if self.trouble is None:
            logger.error("%s: %s; runs stand still until it can be", self._place, why)
            self._ill.set()
        self.trouble = why

    def worked(self) -> None:
        if self.trouble is not None and not self._standing:
            logger.warning("%s: the log can be written again", self._place)
            self.trouble = None
            self._ill.clear()

    async def persist(self, write: Callable[[], Awaitable[None]], tell: Callable[[], None]) -> None:
        """Do `write` until it does not raise StoreError, however long that takes. `tell` is called
        when the trouble begins and when it is over for this write."""
        try:
            await write()
            return
        except StoreError:
            self._standing += 1
        try:
            tell()
            async with self._turn:
                while True:
                    await asyncio.sleep(AGAIN_SECONDS)
                    try:
                        await write()
                        break
                    except StoreError:
                        continue
        finally:
            self._standing -= 1
        self.worked()
        tell()

    @property
    def watched(self) -> bool:
        """There are writes that are tried again, and tell when the trouble is over."""
        return self._standing > 0

    async def ailing(self) -> None:
        """Return when it can't be written, at once if it can't."""
        await self._ill.wait()
