"""`python -m scripts.install pip|npm LOCKFILE`: install what a lock names, and say how far it is.

Both tools are silent for minutes when they aren't on a terminal, and pip is even on one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TextIO

__all__ = ["Npm", "Pip", "install"]

EVERY: Final = 4.0
"""Seconds between two lines; on a terminal one line is written anew, four times as often."""
_KEPT: Final = 40
"""Last lines of a tool that failed, which say why."""


class Progress(Protocol):
    @property
    def command(self) -> list[str]: ...

    def read(self, line: str) -> None:
        """One line of the tool's output."""

    def now(self) -> str:
        """What it does and how far it is, without a line break."""


class Pip:
    """`lock` is a requirements file with one pinned package a line; `installed` counts those that
    are in place, because pip says nothing while it unpacks them."""

    def __init__(self, lock: Path, installed: Callable[[], int]) -> None:
        self.command = [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check"),
            *("--progress-bar", "off", "--require-hashes", "-r", str(lock)),
        ]
        self._total = len(re.findall(r"^[\w.\[\]-]+==", lock.read_text(), re.MULTILINE))
        self._found = 0
        self._does = "reads the lock"
        self._unpack = 0
        self._installed = installed
        self._before = 0

    def read(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "Ignoring":  # for another platform or Python
            self._total -= 1
        elif word == "Collecting":
            self._found += 1
            self._does = f"looks for {rest.split('==')[0]}"
        elif word == "Processing" or line.startswith("Requirement already satisfied"):
            self._found += 1
            self._does = "reads local files" if word == "Processing" else "compares"
        elif word == "Downloading":
            file, _, size = rest.rpartition("/")[2].partition(" ")
            self._does = f"downloads {file.split('-')[0]} {size.partition(' eta')[0]}".rstrip()
        elif word == "Building":
            self._does = f"builds {rest.split()[2] if len(rest.split()) > 2 else 'a package'}"
        elif line.startswith("Installing collected packages"):
            self._unpack = line.count(",") + 1
            self._before = self._installed()

    def now(self) -> str:
        if self._unpack:
            done = min(max(self._installed() - self._before, 0), self._unpack)
            return f"{done} of {self._unpack} packages unpacked"
        return f"{self._found} of {self._total} packages: {self._does}"


class Npm:
    """`lock` is a package-lock.json; its folder is where `npm ci` runs."""

    def __init__(self, lock: Path) -> None:
        self.command = [
            *("npm", "ci", "--no-audit", "--no-fund", "--loglevel", "http"),
            *("--prefix", str(lock.parent)),
        ]
        self._fetched = 0

    def read(self, line: str) -> None:
        self._fetched += line.startswith("npm http ")

    def now(self) -> str:
        return f"{self._fetched} packages fetched" if self._fetched else "reads the lock"


def install(name: str, progress: Progress, out: TextIO, *, every: float = EVERY) -> int:
    """Run it and give its exit code; `every` in seconds. What it printed is shown if it failed."""
    began = time.monotonic()
    terminal = out.isatty()
    done = threading.Event()

    def show(text: str, end: str) -> None:
        seconds = f"{time.monotonic() - began:.0f} s"
        out.write(f"{chr(13) if terminal else ''}{name}: {text}, {seconds}")
        out.write(f"{f'{chr(27)}[K' if terminal else ''}{end}")
        out.flush()

    def tick() -> None:
        while True:
            show(progress.now(), "" if terminal else "\n")
            if done.wait(every / 4 if terminal else every):
                return

    printed: list[str] = []
    with subprocess.Popen(
        progress.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as tool:
        clock = threading.Thread(target=tick, daemon=True)
        clock.start()
        assert tool.stdout is not None
        for line in tool.stdout:
            progress.read(line)
            printed.append(line)
    done.set()
    clock.join()
    if tool.returncode:
        show(f"failed with exit code {tool.returncode}", "\n")
        said = [line for line in printed if not line.startswith("npm http ")]
        out.write("".join(said[-_KEPT:]))
        out.flush()
    else:
        show("done", "\n")
    return tool.returncode


def _installed() -> int:
    return sum(1 for _ in Path(sys.prefix).glob("lib/python*/site-packages/*.dist-info"))


def main(tool: str, lock: str) -> int:
    progress = Pip(Path(lock), _installed) if tool == "pip" else Npm(Path(lock))
    return install(tool, progress, sys.stdout)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
