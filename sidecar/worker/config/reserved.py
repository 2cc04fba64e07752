"""Names in a run's directory that are the worker's, and no `output_file`'s. Pure."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Final

__all__ = ["is_reserved"]

_RESERVED: Final = frozenset({"crewai", "journal.ndjson", "forked.ndjson", "worker.log"})
"""CrewAI's storage, the outputs kept for a later attempt and of a forked run, the traceback."""


def is_reserved(path: str) -> bool:
    """Of a path relative to that directory. In any case: not every file system tells them apart."""
    return "".join(PureWindowsPath(path).parts[:1]).lower() in _RESERVED
