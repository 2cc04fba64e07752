"""The data folder: the log and the runs' files, owned by one gateway at a time."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from sidecar.errors import StoreError

__all__ = ["DataFolder"]

_RUN: Final = re.compile(r"r_[0-9a-z]+")
"""What a run's folder is called: a name from the log that leads elsewhere is left alone."""


class DataFolder:
    """Made on first use, for this user only, ignored by git; locked while a gateway runs."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Raises StoreError when the folder cannot be used or another gateway uses it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.path / "runs").mkdir(exist_ok=True, mode=0o700)
            (self.path / ".gitignore").write_text("*\n")
            self._lock = (self.path / "lock").open("w")
        except OSError as error:
            raise StoreError(
                f"cannot use the data folder {self.path}: {error.strerror}; "
                "choose another with --data or SIDECAR_DATA"
            ) from error
        try:
            _lock(self._lock)
        except OSError as error:
            self._lock.close()
            self._lock = None
            raise StoreError(
                f"another sidecar uses the data folder {self.path}; stop it, "
                "or choose another folder with --data or SIDECAR_DATA"
            ) from error

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def run_folder(self, run: str) -> Path:
        return self.path / "runs" / run

    def make_run_folder(self, run: str) -> None:
        """Raises OSError."""
        self.run_folder(run).mkdir(parents=True, exist_ok=True, mode=0o700)

    def remove(self, runs: Iterable[str]) -> None:
        """Drop all that those runs wrote, as far as it can be; may take its time."""
        for run in runs:
            if _RUN.fullmatch(run):
                shutil.rmtree(self.run_folder(run), ignore_errors=True)

    def tidy(self, run: str) -> None:
        """Keep what the run wrote, drop CrewAI's storage and the worker's journal, which nobody
        needs after the run, and the folder if that was all."""
        folder = self.path / "runs" / run
        with contextlib.suppress(OSError):
            (folder / "journal.ndjson").unlink()
        shutil.rmtree(folder / "crewai", ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
