"""Lines of several programs on one terminal or pipe, readable and harmless."""

from __future__ import annotations

import json
import os
import re
import select
import stat
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["Screen", "readable"]

_COLOURS: Final = (36, 35, 33, 32, 34)
# ECMA-48: colours pass, what else moves a terminal is dropped, what is left is shown as it is.
_CONTROL: Final = re.compile(r"\x1b\[([0-?]*[ -/]*[@-~])|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class Screen:
    """Whole lines of several threads on one descriptor; `gone` is called when nobody reads."""

    def __init__(self, fd: int, names: list[str], gone: Callable[[], None]) -> None:
        self._fd = fd
        self._gone = gone
        self._lock = threading.Lock()
        self._width = max(map(len, names))
        colourful = os.isatty(fd) and not os.environ.get("NO_COLOR")
        self._colours = dict(zip(names, _COLOURS * len(names), strict=False)) if colourful else {}
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            threading.Thread(target=self._watch, daemon=True).start()

    def say(self, name: str, text: str) -> None:
        colour = self._colours.get(name)
        head = f"{name:<{self._width}} | "
        head = f"\x1b[{colour}m{head}\x1b[0m" if colour else head
        self.show("".join(f"{head}{_harmless(line)}\n" for line in text.splitlines() or [""]))

    def show(self, text: str) -> None:
        data = text.encode(errors="replace")
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:  # EPIPE, or EIO of a terminal that was closed
                self._gone()

    def _watch(self) -> None:
        """The other end of a pipe is gone although nobody writes: POLLERR comes unasked."""
        poll = select.poll()
        poll.register(self._fd, 0)
        poll.poll()
        self._gone()


def readable(line: str) -> str:
    """A line of a JSON log as `level: message`, its traceback below; any other as it is."""
    try:
        entry = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return line
    if not isinstance(entry, dict) or not {"level", "message"} <= entry.keys():
        return line
    message = f"{entry['level']}: {entry['message']}".replace("\n", r"\n").replace("\r", r"\r")
    return f"{message}\n{entry['traceback']}" if entry.get("traceback") else message


def _harmless(text: str) -> str:
    def shown(match: re.Match[str]) -> str:
        if match[1] is None:
            return f"\\x{ord(match[0]):02x}"
        return match[0] if match[1].endswith("m") else ""

    return _CONTROL.sub(shown, text)
