"""How long tests look for trouble: seconds, or as long as it takes with LONG=1 (make test-long)."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import settings

__all__ = ["LONG", "examples"]

LONG: Final = os.environ.get("LONG", "") not in ("", "0")


def examples(few: int, many: int) -> settings:
    """For a property: `few` examples that are the same each time; with LONG=1 `many` fresh ones."""
    return settings(max_examples=many if LONG else few, derandomize=not LONG, deadline=None)
