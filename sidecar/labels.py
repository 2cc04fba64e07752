"""What tasks, methods, crews and flows of a run are called where each has one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Labels"]

_MOST: Final = 1_000
"""Labels, and names, that are remembered; of a run that has more the oldest are forgotten."""


class Labels:
    """Names repeat, in loops and in crews side by side: from the second time on they are numbered.

    Executions are told apart by their `tid`; in logs that are older than it (P40) by their names.
    """

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._times: dict[str, int] = {}

    def start_over(self) -> None:
        """Another attempt counts anew: what it begins again is called what it was called."""
        self._times.clear()

    def begin(self, event: Mapping[str, Any]) -> str:
        """The label of the execution that `event`, a `*.started`, tells the beginning of."""
        name: str = event["data"].get("name") or event["type"].partition(".")[0]
        key = event.get("tid") or name
        times = self._times.pop(name, 0) + 1
        self._times[name] = times
        self._labels.pop(key, None)
        self._labels[key] = name if times == 1 else f"{name} #{times}"
        for known in (self._times, self._labels):
            if len(known) > _MOST:
                del known[next(iter(known))]
        return self._labels[key]

    def of(self, event: Mapping[str, Any]) -> str:
        """That of the execution that `event` is of; "" where it is of none."""
        known = self._labels.get(event.get("tid") or event.get("task") or "")
        return known or event.get("task") or event.get("method") or ""

    def around(self, event: Mapping[str, Any]) -> str:
        """That of the one which this is inside; "" where there is none or it isn't known."""
        return self._labels.get(event.get("in") or "", "")
