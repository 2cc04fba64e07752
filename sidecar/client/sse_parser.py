"""An incremental parser of server-sent events (WHATWG HTML section 9.2.6). Pure."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_BLOCK", "BlockTooLong", "SseFrame", "SseParser"]

MAX_BLOCK: Final = 16 * 1024 * 1024
"""Most characters of one unfinished block; events are far smaller, a broken peer is not."""


class BlockTooLong(ValueError):
    """The peer sent more than `MAX_BLOCK` characters without ending a block."""


@dataclass(frozen=True, slots=True)
class SseFrame:
    """One dispatched block; `event` and `id` only if this very block carried them."""

    data: str
    event: str | None = None
    id: str | None = None


class SseParser:
    """Bytes in, cut anywhere; frames out. `last_event_id` is the reader's place, `retry` in ms."""

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._started = False
        self._after_cr = False
        self._data: list[str] = []
        self._event: str | None = None
        self._id: str | None = None
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[SseFrame]:
        """Yield each frame that `chunk` completes. Raises BlockTooLong."""
        text = self._decode(chunk)
        if not self._started and text:
            self._started = True
            text = text.removeprefix("\ufeff")
        if self._after_cr and text:
            # The LF of a CRLF that was cut between its halves ends no second line.
            text = text.removeprefix("\n")
            self._after_cr = False
        self._after_cr = self._after_cr or text.endswith("\r")
        *lines, self._text = _split_lines(self._text + text)
        for line in lines:
            if line:
                self._held += len(line)
                self._field(line)
            else:
                frame = self._dispatch()
                if frame is not None:
                    yield frame
        if self._held + len(self._text) > MAX_BLOCK:
            raise BlockTooLong(f"a block of more than {MAX_BLOCK} characters")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)

    def _dispatch(self) -> SseFrame | None:
        if self._id is not None:
            self.last_event_id = self._id
        frame = None
        if self._data:
            frame = SseFrame("\n".join(self._data), self._event or None, self._id)
        self._clear()
        return frame

    def _clear(self) -> None:
        self._data = []
        self._event = self._id = None
        self._held = 0


def _split_lines(text: str) -> list[str]:
    """Lines that ended in LF, CR or CRLF, then what is left. str.splitlines knows too many ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
