"""How much of each work is done: in full, and for a quick look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FULL", "QUICK", "Sizes"]


@dataclass(frozen=True, slots=True)
class Sizes:
    rounds: int
    """Repetitions, each of all contenders in turn."""
    flat_events: int
    burst_events: int
    paced_seconds: float
    crowd: int
    """Subscribers."""
    crowd_rounds: int
    crowd_seconds: int
    idle: int
    """Subscribers."""
    replay: int
    """Events."""
    ingest: int
    """Events of each worker."""
    far: int
    """The seq at which appending is compared with the beginning."""
    window: int
    """Events of one comparison there."""
    soak_seconds: int
    starts: int
    fresh: int
    controls: int


FULL: Final = Sizes(
    rounds=5,
    flat_events=2_000,
    burst_events=8_000,
    paced_seconds=3,
    crowd=10_000,
    crowd_rounds=3,
    crowd_seconds=10,
    idle=2_000,
    replay=100_000,
    ingest=50_000,
    far=1_000_000,
    window=10_000,
    soak_seconds=60,
    starts=20,
    fresh=5,
    controls=10,
)

QUICK: Final = Sizes(
    rounds=1,
    flat_events=300,
    burst_events=2_000,
    paced_seconds=1,
    crowd=1_000,
    crowd_rounds=1,
    crowd_seconds=3,
    idle=300,
    replay=10_000,
    ingest=5_000,
    far=30_000,
    window=2_000,
    soak_seconds=5,
    starts=3,
    fresh=1,
    controls=2,
)
