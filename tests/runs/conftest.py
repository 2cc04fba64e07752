from __future__ import annotations

from tests.support.clock import clock

__all__ = ["clock"]
