"""The data folder: the log and the runs' files, owned by one gateway at a time."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from sidecar.channel import MAX_STRING
from sidecar.errors import StoreError

__all__ = ["DataFolder"]

logger = logging.getLogger("sidecar.datafolder")

_LOG: Final = "log.sqlite3"
_OURS: Final = frozenset(
    {".gitignore", "lock", "runs", "zygote.log", "workers.log"}
    | {_LOG, f"{_LOG}-wal", f"{_LOG}-shm", f"{_LOG}-journal"}
)
"""What a sidecar writes at the top of its folder."""

_SYSTEMS: Final = frozenset({".DS_Store", "lost+found"})
"""What a folder has that nobody put there."""

_BESIDE: Final = frozenset({".err", ".log", ".out", ".pid", ".sock"})
"""What may be there before the first start: who starts a sidecar may keep its stderr with it."""

_JOURNAL: Final = "journal.ndjson"
_FORKED: Final = "forked.ndjson"
"""What a worker keeps of its run, and reads of a forked one (worker/journal.py)."""

_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_ELSEWHERE: Final = "choose another with --data or SIDECAR_DATA"

_RUN: Final = re.compile(r"r_[0-9a-z]+")
"""What a run's folder is called: a name from the log that leads elsewhere is left alone."""


class DataFolder:
    """Made on first use, for this user only, ignored by git; locked while a gateway runs."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[bytes] | None = None

    def open(self) -> None:
        """Nothing that was there before is written over.

        Raises StoreError when the folder cannot be used, holds what is not a sidecar's, or another
        gateway uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._look()
            # First, as it tells whose the folder is.
            self._lock = self._file("lock", os.O_RDWR | os.O_CREAT)
            (self.path / "runs").mkdir(exist_ok=True, mode=0o700)
            with (
                contextlib.suppress(FileExistsError),
                self._file(".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL) as ignore,
            ):
                ignore.write(b"*\n")
        except OSError as error:
            self.close()
            raise self._unusable(str(error.strerror)) from error
        try:
            _lock(self._lock)
        except OSError as error:
            self.close()
            raise StoreError(
                f"another sidecar uses the data folder {self.path}; stop it, "
                f"or {_ELSEWHERE.replace('another', 'another folder')}"
            ) from error
        self._close_to_others()

    def _look(self) -> None:
        """Refuse a folder in which somebody else keeps things, and one with a link in it."""
        names = {entry.name for entry in self.path.iterdir()}
        for name in sorted(names & _OURS):
            if (self.path / name).is_symlink():
                raise self._unusable(f"{name} is a link, and nothing is written through one")
        theirs = (name for name in names - _OURS - _SYSTEMS if Path(name).suffix not in _BESIDE)
        foreign = sorted(theirs)
        if foreign and not names & {"lock", _LOG}:
            raise StoreError(
                f"the data folder {self.path} isn't a sidecar's: it holds {foreign[0]}; choose an "
                f"empty or a new one with --data or SIDECAR_DATA, such as {self.path / '.sidecar'}"
            )

    def _close_to_others(self) -> None:
        """What people type and models answer is for nobody else on this machine."""
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if sys.platform == "win32" or not mode & 0o077:
            return
        try:
            os.chmod(self.path, mode & 0o700)
            logger.warning(
                "the data folder %s was open to others (%04o); now it is its owner's alone",
                self.path,
                mode,
            )
        except OSError:
            logger.warning(
                "other users of this machine may read the data folder %s (%04o), and it is "
                "another's to close; %s",
                self.path,
                mode,
                _ELSEWHERE,
            )

    def _file(self, name: str, flags: int) -> IO[bytes]:
        number = os.open(self.path / name, flags | _NO_FOLLOW, 0o600)
        return os.fdopen(number, "wb" if flags & os.O_WRONLY else "r+b")

    def _unusable(self, why: str) -> StoreError:
        return StoreError(f"cannot use the data folder {self.path}: {why}; {_ELSEWHERE}")

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

    def lend_outputs(self, run: str, fork: str) -> None:
        """Let the worker of `fork`, whose folder there is, read the journal of `run`, whatever
        becomes of that one. Raises OSError."""
        journal, theirs = (self.run_folder(run) / _JOURNAL, self.run_folder(fork) / _FORKED)
        with contextlib.suppress(FileNotFoundError):  # then no output was too long for the log
            try:
                theirs.hardlink_to(journal)
            except FileNotFoundError:
                raise
            except OSError:  # not every file system has hard links
                shutil.copyfile(journal, theirs)

    def tidy(self, run: str, *, forkable: bool = False) -> None:
        """Keep what the run wrote, drop CrewAI's storage and the worker's journal, and the folder
        if that was all. Of a run that can be forked a journal stays that may have an output which
        the log has cut: one that is longer than such an output."""
        folder = self.path / "runs" / run
        with contextlib.suppress(OSError):
            if not forkable or (folder / _JOURNAL).stat().st_size <= MAX_STRING:
                (folder / _JOURNAL).unlink()
        with contextlib.suppress(OSError):
            (folder / _FORKED).unlink()
        shutil.rmtree(folder / "crewai", ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
