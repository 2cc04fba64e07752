"""How many runs may work at once, and the line of those that wait for their turn. Pure.

A run holds a slot while its crew works and gives it back while that stands still, so that people
who think, or have left, hold up nobody. In the line those whose crew has begun go before those
that have not: their workers are there already, and somebody has just asked them to go on. That
starves nobody, since of each run only one stands in line, and one that has begun comes to an end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Place", "Slots"]


class Slots:
    """`count` slots, and nobody in line while one is free."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._going_on: deque[Place] = deque()
        self._beginning: deque[Place] = deque()

    def place(self, granted: Callable[[], None] = lambda: None) -> Place:
        """For one run, which is told each time that it comes to have a slot."""
        return Place(self, granted)

    def _enter(self, place: Place, *, begun: bool) -> None:
        if self._free > 0:
            self._free -= 1
            place._have()
        else:
            (self._going_on if begun else self._beginning).append(place)

    def _leave(self, place: Place) -> None:
        for line in (self._going_on, self._beginning):
            if place in line:
                line.remove(place)

    def _pass_on(self) -> None:
        for line in (self._going_on, self._beginning):
            if line:
                line.popleft()._have()
                return
        self._free += 1

    def _ahead_of(self, place: Place) -> int:
        return [*self._going_on, *self._beginning].index(place)


class Place:
    """Nowhere, in line, or with a slot."""

    def __init__(self, slots: Slots, granted: Callable[[], None]) -> None:
        self._slots = slots
        self._granted = granted
        self._has = asyncio.Event()
        self._in_line = False

    @property
    def held(self) -> bool:
        """Whether it has a slot."""
        return self._has.is_set()

    @property
    def position(self) -> int:
        """Its number in line, from 1; 0 when it stands in none."""
        return self._slots._ahead_of(self) + 1 if self._in_line else 0

    def ask(self, *, begun: bool = False) -> None:
        """Take a slot or stand in line, if it does neither already."""
        if not self.held and not self._in_line:
            self._in_line = True
            self._slots._enter(self, begun=begun)

    async def wait(self) -> None:
        """Return when it has a slot."""
        await self._has.wait()

    def give_back(self) -> None:
        """Have neither a slot nor a place in line; the next one gets what it had."""
        if self._in_line:
            self._in_line = False
            self._slots._leave(self)
        elif self.held:
            self._has.clear()
            self._slots._pass_on()

    def _have(self) -> None:
        self._in_line = False
        self._has.set()
        self._granted()
