"""Merging of model deltas. Pure: the clock comes in, the facts to send come out."""

from __future__ import annotations

from typing import Any, Final

from sidecar.channel import MAX_STRING, Fact

__all__ = ["WINDOW", "Coalescer"]

WINDOW: Final = 0.02
"""Seconds within which the deltas of one call may be merged (PROTOCOL.md: 20 ms)."""

_MAX_CALLS: Final = 256


class Coalescer:
    """Holds back at most one delta, and at most for `WINDOW` after the one sent before it.

    A call's first delta, and any that comes after a quiet `WINDOW`, leaves at once; the order of
    facts never changes. A merged delta keeps the time of its first token and stays under 64 KiB.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._sent: dict[Any, float] = {}
        """When each open call last had a delta sent; the oldest go beyond `_MAX_CALLS`."""
        self._held: Fact | None = None
        self._texts: list[str] = []
        self._size = 0
        self._due = 0.0

    @property
    def due(self) -> float | None:
        """When the held delta must leave; None while nothing is held."""
        return None if self._held is None else self._due

    def add(self, fact: Fact, now: float) -> list[Fact]:
        """The facts to send now, in order, because of `fact`."""
        if fact["type"] != "llm.delta":
            out = [*self.flush(now), fact]
            if fact["type"] in ("llm.completed", "llm.failed"):
                self._sent.pop(fact["data"].get("call"), None)
            return out
        text = str(fact["data"].get("text", ""))
        if self._held is not None and _same(self._held, fact):
            self._texts.append(text)
            self._size += len(text)
            # 4 bytes is the longest UTF-8 form of a character.
            full = self._size * 4 >= MAX_STRING
            return self.flush(now) if full or now >= self._due else []
        out = self.flush(now)
        call = fact["data"].get("call")
        last = self._sent.get(call)
        if last is None or now - last >= self._window:
            self._note(call, now)
            return [*out, fact]
        self._held, self._texts, self._size = fact, [text], len(text)
        self._due = last + self._window
        return out

    def flush(self, now: float) -> list[Fact]:
        """What is held, if anything."""
        if self._held is None:
            return []
        fact, self._held = self._held, None
        fact["data"]["text"] = "".join(self._texts)
        self._texts = []
        self._note(fact["data"].get("call"), now)
        return [fact]

    def _note(self, call: Any, now: float) -> None:
        self._sent.pop(call, None)
        self._sent[call] = now
        if len(self._sent) > _MAX_CALLS:
            self._sent.pop(next(iter(self._sent)))


def _same(held: Fact, fact: Fact) -> bool:
    mine, other = held["data"], fact["data"]
    return (
        mine.get("call") == other.get("call")
        and mine.get("kind") == other.get("kind")
        and held.get("task") == fact.get("task")
    )
