"""Figures of one transport: percentiles, the ECDF, and whether something held events back. Pure.

The page /compare computes the same in sidecar/web/static/figures.js; both are tested with the same
cases (tests/compare/test_figures.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Figures", "Sample", "ecdf", "figures", "held_back", "percentile"]

Sample = tuple[float, float]
"""When an event was born and when it arrived, in ms on one clock."""

_CLUMP_MS: Final = 5.0
"""Arrivals closer together than this came in one piece."""

_HELD_MS: Final = 50.0
"""Births further apart than this are no one piece; the worker itself merges tokens for 20 ms
(PROTOCOL.md, section 2)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one transport did. Times in ms; None where nothing was measured.

    `samples` counts the events told live: what a reconnection replays was late on purpose.
    """

    samples: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None
    held: float
    """Share of the events, 0 to 1, that were held back until a later one came with them."""
    bytes_per_event: float | None
    """All that the stream carried after its handshake, framing included."""
    connect: float | None
    """From opening the connection to its `stream.hello`."""
    recover: float | None
    """From reconnecting after a cut to the first event missed."""
    lost: int
    duplicates: int
    failure: str | None = None
    """Why the transport did not get through, in words for a person."""


def figures(
    clients: Sequence[Sequence[Sample]],
    *,
    bytes_per_event: float | None = None,
    connects: Sequence[float] = (),
    recoveries: Sequence[float] = (),
    lost: int = 0,
    duplicates: int = 0,
    failure: str | None = None,
) -> Figures:
    """Condense what each of `clients` over one transport has seen; of a few times, the median."""
    latencies = sorted(arrived - born for samples in clients for born, arrived in samples)
    held = sum(held_back(samples) * len(samples) for samples in clients)
    return Figures(
        samples=len(latencies),
        p50=percentile(latencies, 50),
        p90=percentile(latencies, 90),
        p99=percentile(latencies, 99),
        max=latencies[-1] if latencies else None,
        held=held / len(latencies) if latencies else 0.0,
        bytes_per_event=bytes_per_event,
        connect=percentile(sorted(connects), 50),
        recover=percentile(sorted(recoveries), 50),
        lost=lost,
        duplicates=duplicates,
        failure=failure,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least `percent` per cent are not above; None of nothing.

    Source: the nearest rank, definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical
    Packages", 1996. It is always a value that really occurred.
    """
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ecdf(ordered: Sequence[float]) -> list[tuple[float, float]]:
    """Each distinct value with the share of values, 0 to 1, that are not above it."""
    return [
        (value, rank / len(ordered))
        for rank, value in enumerate(ordered, 1)
        if rank == len(ordered) or ordered[rank] != value
    ]


def held_back(samples: Sequence[Sample]) -> float:
    """Share of one client's events, 0 to 1, that lay somewhere until a later one came with them.

    A long way makes each event late by itself. What buffers lets those born far apart arrive
    together, so an event counts when one born `_HELD_MS` after it came within `_CLUMP_MS` of it.
    """
    if not samples:
        return 0.0
    ordered = sorted(samples, key=lambda sample: sample[1])
    held = end = 0
    for born, arrived in ordered:
        while end < len(ordered) and ordered[end][1] < arrived + _CLUMP_MS:
            end += 1
        held += ordered[end - 1][0] - born >= _HELD_MS
    return held / len(ordered)
