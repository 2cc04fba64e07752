"""Keys of a terminal as they are pressed, and a line that is typed between what is printed."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["Line", "has_keys", "keys"]

_SEQUENCE: Final = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]")
"""What an arrow or function key sends: ECMA-48 section 5.4, and SS3."""
_MOST: Final = 4_000
"""Characters of a line."""


def has_keys() -> bool:
    return sys.platform != "win32" and sys.stdin.isatty()


@contextlib.contextmanager
def keys(on_keys: Callable[[str], None]) -> Iterator[None]:
    """`on_keys` gets what is pressed or pasted; nothing where stdin is no terminal."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import os
    import termios
    import tty

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    loop = asyncio.get_running_loop()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    loop.add_reader(fd, lambda: on_keys(_SEQUENCE.sub("", decoder.decode(os.read(fd, 1024)))))
    tty.setcbreak(fd)
    # cbreak leaves Ctrl-C a signal; echo is off, so that keys don't litter the stream.
    try:
        yield
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


class Line:
    """What is being typed, echoed by hand: the terminal gives us keys, not lines. `write` goes to
    it as it is."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self.text = ""
        self.open = False
        self._ended = asyncio.Event()
        self._touched = 0.0
        self._in_sight = False
        self._prompt = ""

    def begin(self, prompt: str = "") -> None:
        self.text, self.open, self._in_sight, self._prompt = "", True, True, prompt
        self._ended.clear()
        self._touch()
        self._write(prompt)

    def end(self) -> str:
        """What was typed; there is none any more."""
        text, self.text, self.open = self.text, "", False
        self._ended.set()
        return text

    def covered(self) -> None:
        """Something else is to be printed, on a line of its own."""
        if self.open and self._in_sight and self._prompt + self.text:
            self._write("\n")
            self._in_sight = False

    def press(self, key: str) -> None:
        """A character or a backspace; a line that was covered is shown again first."""
        self._touch()
        if not self._in_sight:
            self._in_sight = True
            self._write(self._prompt + self.text)
        if key in "\x7f\b":
            if self.text:
                self.text = self.text[:-1]
                self._write("\b \b")
        elif key.isprintable() and len(self.text) < _MOST:
            self.text += key
            self._write(key)

    async def ended(self, patience: float) -> None:
        """Return when no line is open, or no key of it was pressed for so many seconds."""
        while self.open and (left := self._touched + patience - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), left)

    def _touch(self) -> None:
        self._touched = time.monotonic()
