"""The whole outputs of a run's finished tasks, for an attempt that begins after a crash.

The log has them too, but cut at 64 KiB. One JSON line {"tid", "output"} each, in a file of the
run's folder; secrets are masked. By tid, since names repeat: a crew in a tool has a `task_1` too.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sidecar.channel import MAX_LINE, Kept, truncate

__all__ = ["JOURNAL", "Journal"]

JOURNAL: Final = "journal.ndjson"


class Journal:
    """One run's file. Not thread-safe: facts are told one at a time."""

    def __init__(self, directory: Path, redact: Callable[[str], str]) -> None:
        self._path = directory / JOURNAL
        self._redact = redact

    def write(self, tid: str, output: str) -> None:
        """Add a finished task; the kernel has it when this returns, so kill -9 can't lose it.

        Raises OSError, as for a full disk: then a later attempt has the output as the log cut it.
        So it has one of more than 16 MiB, which is left out.
        """
        line = json.dumps({"tid": tid, "output": self._redact(output)}).encode() + b"\n"
        if len(line) > MAX_LINE:
            return
        with self._path.open("ab+", buffering=0) as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # A line that was torn by a crash or a full disk must not spoil this one.
                if file.read(1) != b"\n":
                    line = b"\n" + line
            while line:
                line = line[file.write(line) :]

    def restore(self, kept: Sequence[Kept]) -> list[Kept]:
        """`kept`, each output whole where the file has the whole of it.

        That is the last line whose output is `kept`'s once it is cut as the log cuts it.
        """
        whole = {task["tid"]: task["output"] for task in kept}
        cut = dict(whole)
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            while (line := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                with contextlib.suppress(ValueError, KeyError, TypeError):  # torn, or not ours
                    entry = json.loads(line)
                    tid, output = entry["tid"], entry["output"]
                    if tid in cut and truncate(output)[0] == cut[tid]:
                        whole[tid] = output
        return [{**task, "output": whole[task["tid"]]} for task in kept]
