"""The whole outputs of a run's finished tasks, for an attempt after a crash and for forks.

The log has them too, but cut at 64 KiB. One JSON line {"tid", "output"} each, in a file of the
run's folder; secrets are masked. By tid, since names repeat: a crew in a tool has a `task_1` too.
Beside them notes, of what only the worker knows how to find again (engine/finished.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sidecar.channel import MAX_LINE, Kept, truncate

__all__ = ["FORKED", "JOURNAL", "Journal"]

JOURNAL: Final = "journal.ndjson"
FORKED: Final = "forked.ndjson"
"""The journal of the run that was forked, which may go on writing it: read only."""

_MAX_NOTES: Final = 64 << 20
"""Bytes of the file up to which notes are added: a flow that loops has no end of them."""


class Journal:
    """One run's file. Thread-safe."""

    def __init__(self, directory: Path, redact: Callable[[str], str]) -> None:
        self._path = directory / JOURNAL
        self._lock = threading.Lock()
        self._redact = redact

    def write(self, tid: str, output: str) -> None:
        """Add a finished task; the kernel has it when this returns, so kill -9 can't lose it.

        Raises OSError, as for a full disk: then a later attempt has the output as the log cut it.
        So it has one of more than 16 MiB, which is left out.
        """
        self._append({"tid": tid, "output": self._redact(output)})

    def note(self, note: Mapping[str, str | int]) -> None:
        """Add something else, in the same way; left out once the file has 64 MiB."""
        self._append(
            {
                name: self._redact(value) if isinstance(value, str) else value
                for name, value in note.items()
            },
            _MAX_NOTES,
        )

    def notes(self) -> Iterator[dict[str, Any]]:
        """All that were added, in their order; a torn line is none."""
        for entry in self._entries(self._path):
            if isinstance(entry, dict) and "tid" not in entry:
                yield entry

    def _append(self, entry: Mapping[str, object], most: int | None = None) -> None:
        line = json.dumps(entry).encode() + b"\n"
        if len(line) > MAX_LINE:
            return
        with self._lock, self._path.open("ab+", buffering=0) as file:
            size = file.tell()
            if most is not None and size + len(line) > most:
                return
            if size:
                file.seek(-1, os.SEEK_END)
                # A line that was torn by a crash or a full disk must not spoil this one.
                if file.read(1) != b"\n":
                    line = b"\n" + line
            while line:
                line = line[file.write(line) :]

    def _entries(self, path: Path) -> Iterator[Any]:
        with contextlib.suppress(OSError), path.open("rb") as file:
            while (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                with contextlib.suppress(ValueError):  # torn, or not ours
                    yield json.loads(line)

    def adopt(self, kept: Sequence[Kept]) -> None:
        """Add what the forked run's file has whole of its tasks, so that nothing more is wanted of
        it. Raises OSError, as for a full disk."""
        cut = {task["source"]: task["output"] for task in kept if "source" in task}
        if not cut:
            return
        whole = self._whole(cut, self._path.with_name(FORKED))
        for task in kept:
            source = task.get("source", "")
            if whole.get(source, task["output"]) != task["output"]:
                self._append({"tid": task["tid"], "output": whole[source]})

    def restore(self, kept: Sequence[Kept]) -> list[Kept]:
        """`kept`, each output whole where the file has the whole of it.

        That is the last line whose output is `kept`'s once it is cut as the log cuts it.
        """
        whole = self._whole({task["tid"]: task["output"] for task in kept}, self._path)
        return [{**task, "output": whole[task["tid"]]} for task in kept]

    def _whole(self, cut: Mapping[str, str], path: Path) -> dict[str, str]:
        """By tid."""
        whole = dict(cut)
        for entry in self._entries(path):
            with contextlib.suppress(KeyError, TypeError):
                tid, output = entry["tid"], entry["output"]
                if tid in cut and truncate(output)[0] == cut[tid]:
                    whole[tid] = output
        return whole
