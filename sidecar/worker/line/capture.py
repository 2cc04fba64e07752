"""What a crew prints, as text in order: file descriptors 1 and 2 read back through pipes.

Descriptors rather than `sys.stdout`, so that C libraries and child processes are heard as well.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Final, TextIO

from sidecar.worker.line.redact import Redactor

__all__ = ["Capture"]

_CHUNK: Final = 16 * 1024
"""Read at once; a line longer than this is handed over in parts of less than 32 KiB."""
_PARTIAL: Final = 0.1
"""Seconds that the beginning of a line waits for its end."""


class Capture:
    """Takes over stdout and stderr; owns a thread for each.

    `heard(stream, text)` is called with whole lines where possible, without the last newline. What
    may be the beginning of a secret is heard when more of it came, or at the end.
    """

    def __init__(self, heard: Callable[[str, str], None], redactor: Redactor) -> None:
        self._heard = heard
        self._redactor = redactor
        self._end = b"\x00" + os.urandom(16).hex().encode() + b"\n"
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        """From now on what is printed is heard."""
        for number, name in ((1, "stdout"), (2, "stderr")):
            read, write = os.pipe()
            os.dup2(write, number)
            os.close(write)
            reader = threading.Thread(
                target=self._read, args=(read, name), name=f"capture-{name}", daemon=True
            )
            reader.start()
            self._readers.append(reader)
        # New ones: what they were before may have been a file, and think that it can seek.
        sys.stdout, sys.stderr = _writer(1), _writer(2)

    def finish(self, timeout: float) -> None:
        """Hear what was printed up to now; what comes later is lost. Waits at most `timeout` s.

        A mark sent through each pipe tells its end: a child process that was left behind may hold
        the pipe open, so waiting for its closing could take for ever.
        """
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        for number, reader in enumerate(self._readers, 1):
            if reader.is_alive():
                with contextlib.suppress(OSError):
                    os.write(number, self._end)
        for reader in self._readers:
            reader.join(timeout)

    def _read(self, pipe: int, name: str) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        masking = self._redactor.masking()
        rest = b""
        while True:
            if rest and not _readable(pipe, _PARTIAL):
                self._say(name, masking.add(decoder.decode(rest)))
                rest = b""
            data = os.read(pipe, _CHUNK)
            rest += data
            ended = self._end in rest
            if ended or not data:
                last = decoder.decode(rest.partition(self._end)[0], final=True)
                self._say(name, masking.add(last) + masking.end())
                return
            lines, newline, tail = rest.rpartition(b"\n")
            if newline:
                self._say(name, masking.add(decoder.decode(lines + newline)))
                rest = tail
            elif len(rest) >= _CHUNK:
                # The end of what was read may be the first half of the mark.
                cut = len(rest) - len(self._end)
                self._say(name, masking.add(decoder.decode(rest[:cut])))
                rest = rest[cut:]

    def _say(self, name: str, text: str) -> None:
        text = text.removesuffix("\n").removesuffix("\r")
        if text:
            self._heard(name, text)


def _writer(number: int) -> TextIO:
    """A line-buffered text stream on a descriptor, for the rest of the process."""
    # Line-buffered, or a print would only be heard when 8 KiB have come together.
    return os.fdopen(
        number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _readable(pipe: int, timeout: float) -> bool:
    """Whether something can be read; on Windows, whose pipes can't be polled, always."""
    if sys.platform == "win32":
        return True
    return bool(select.select([pipe], [], [], timeout)[0])
