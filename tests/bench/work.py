"""What every contender is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Work"]


@dataclass(frozen=True, slots=True)
class Work:
    """`events` events of about `size` bytes of JSON to each of `subscribers`.

    `rate` in events/s, 0 = flat out. `burst` events are handed over at once; peers have no such
    notion and send one by one.
    """

    subscribers: int
    events: int
    rate: float = 0
    burst: int = 1
    size: int = 300

    @property
    def deliveries(self) -> int:
        return self.subscribers * self.events
