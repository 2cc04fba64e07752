"""A worker's memory limit: RLIMIT_DATA, where the system has it."""

from __future__ import annotations

import contextlib
import sys

__all__ = ["lift", "limit"]


def limit(mebibytes: int) -> None:
    """Make allocations beyond the limit raise MemoryError, where the system can."""
    if sys.platform == "win32" or mebibytes <= 0:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # Only the soft limit, so that the ending can lift it again.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, hard))


def lift() -> None:
    """Saying that memory ran out takes some."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
