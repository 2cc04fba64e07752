from __future__ import annotations

from tests.runs.house import house
from tests.support.clock import clock

__all__ = ["clock", "house"]
