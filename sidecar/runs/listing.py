"""Snapshots of many runs in one answer, of which the long ones are cut. Pure."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from sidecar.protocol import encode

__all__ = ["Listing"]

_WHOLE_BYTES: Final = 1_048_576
"""Of JSON. A thousand runs of 200 KB each were 200 MB in one answer."""

_SHORT: Final = 200
"""Characters of an input that is kept of a run that is cut."""

_FEW: Final = 10
"""Inputs that are kept."""


class Listing:
    """One snapshot after another, as they are while they have `most` bytes together; from there on
    without outputs, with the beginnings of their inputs, and `truncated`."""

    def __init__(self, most: int = _WHOLE_BYTES) -> None:
        self._left = most

    def shown(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        if self._left >= 0:
            self._left -= len(encode(snapshot))
        return snapshot if self._left >= 0 else _cut(snapshot)


def _cut(snapshot: dict[str, Any]) -> dict[str, Any]:
    inputs = {
        name: value[:_SHORT] if isinstance(value, str) else value
        for name, value in islice(snapshot["inputs"].items(), _FEW)
        if not isinstance(value, (dict, list)) and len(name) <= _SHORT
    }
    tasks = [{**task, "output": None} for task in snapshot["tasks"]]
    return {**snapshot, "inputs": inputs, "tasks": tasks, "output": None, "truncated": True}
