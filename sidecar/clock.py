"""The wall clock, as events carry it."""

from __future__ import annotations

import time

__all__ = ["now_ms"]


def now_ms() -> float:
    """Unix time in milliseconds with microseconds."""
    return time.time_ns() // 1000 / 1000
