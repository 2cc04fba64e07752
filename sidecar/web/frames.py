"""What a browser sends on a WebSocket, read by RFC 6455. Pure: bytes in, messages out."""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "BadFrame", "FrameReader", "Message"]

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_PROTOCOL_ERROR: Final = 1002
_BAD_DATA: Final = 1007
_TOO_BIG: Final = 1009

_LONGEST_CONTROL: Final = 125
"""Bytes; section 5.5."""

_REGISTERED: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
"""Close codes that a peer may send (section 7.4, and IANA's registry: 1012 to 1014)."""


class Message(NamedTuple):
    """A whole message, its fragments joined. TEXT is known to be UTF-8."""

    opcode: int
    payload: bytes
    dropped: int = 0
    """Bytes of one that was too long to be kept, and not looked at; `payload` is empty then."""


class BadFrame(Exception):
    """The peer broke the rules; `code` is the one to close with (section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.before: list[Message] = []
        """What came whole in front of it, in the same read."""


class _Frame:
    """One whose head is known and whose payload is on its way."""

    __slots__ = ("first", "left", "mask")

    def __init__(self, first: int, left: int, mask: bytes) -> None:
        self.first = first
        self.left = left
        """Bytes of the payload that lack."""
        self.mask = mask
        """For the next of them."""


class FrameReader:
    """Frames of a client, in whatever pieces they arrive, read in turns as large as is asked for.

    Holds what was fed and has not had its turn, and at most `keeps` bytes of one message: of a
    longer one it counts the bytes. One of more than `largest` is refused before it is taken in.
    """

    __slots__ = (
        "_control",
        "_count",
        "_data",
        "_dropped",
        "_frame",
        "_keeps",
        "_largest",
        "_opcode",
        "_parts",
        "_place",
        "more",
    )

    def __init__(self, largest: int, keeps: int | None = None) -> None:
        self._largest = largest
        self._keeps = largest if keeps is None else keeps
        self._data = b""
        """What was fed, of which all before `_place` is read. Between turns of which there are no
        more it is the beginning of a frame: less than 14 bytes."""
        self._place = 0
        self.more = False
        """The last turn ended before what was fed did."""
        self._frame: _Frame | None = None
        self._control: bytearray | None = None
        """Payload of the control frame that is on its way."""
        self._opcode = CONTINUATION
        """Of the message that is on its way; CONTINUATION when there is none."""
        self._parts: bytearray | None = None
        """Its payload so far. Grows in place: one that drips in is not copied each time."""
        self._dropped = 0
        """Bytes of it, once it was too long to be kept."""
        self._count = 0
        """Of messages begun, those of control too, if not between the fragments of another."""

    @property
    def unfinished(self) -> int:
        """The number of the message that has begun and is not whole; 0 when there is none, as far
        as it was read."""
        if self._frame is not None or self._opcode != CONTINUATION:
            return self._count
        return self._count + 1 if self._data and not self.more else 0

    def feed(
        self, data: bytes, frames: int = sys.maxsize, size: int = sys.maxsize
    ) -> list[Message]:
        """The messages that are whole with `data`, if its turn comes: one of at most `frames`
        frames, and `size` bytes of their payload. While there is `more`, b"" is the next turn.

        Raises BadFrame, after which it is of no use.
        """
        if data:
            self._data, self._place = self._data[self._place :] + data, 0
        messages: list[Message] = []
        try:
            self.more = self._read(messages, frames, size)
        except BadFrame as error:
            error.before = messages
            raise
        if not self.more:
            self._data, self._place = self._data[self._place :], 0
        return messages

    def _read(self, messages: list[Message], frames: int, size: int) -> bool:
        """Whether it ended for `frames` or `size`, and not for want of data."""
        while self._frame is not None or self._begin():
            assert self._frame is not None
            chunk = self._data[self._place : self._place + min(self._frame.left, size)]
            self._place += len(chunk)
            size -= len(chunk)
            self._take(self._frame, chunk)
            if not self._frame.left:
                frames -= 1
                first, self._frame = self._frame.first, None
                if (message := self._end(first)) is not None:
                    messages.append(message)
            if self._place == len(self._data):
                return False
            if frames <= 0 or size <= 0:
                return True
        return False

    def _begin(self) -> bool:
        """Read the head of the next frame, if it is whole.

        Section 5.2.
        """
        data, start = self._data, self._place
        left = len(data) - start
        if left < 2:
            return False
        first, second = data[start], data[start + 1]
        opcode, size = first & 0x0F, second & 0x7F
        if first & 0x70:
            raise BadFrame(_PROTOCOL_ERROR, "reserved bits are set, and no extension was agreed on")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise BadFrame(_PROTOCOL_ERROR, f"there is no opcode {opcode}")
        if not second & 0x80:
            raise BadFrame(_PROTOCOL_ERROR, "frames of a client are masked")
        if opcode >= CLOSE and (size > _LONGEST_CONTROL or not first & 0x80):
            raise BadFrame(_PROTOCOL_ERROR, "a control frame is short and in one piece")
        head, least = 2, 0
        if size == 126:
            head, least = 4, 126
        elif size == 127:
            head, least = 10, 65_536
        if left < head + 4:
            return False
        if head > 2:
            size = int.from_bytes(data[start + 2 : start + head], "big")
            if size < least or size >> 63:
                raise BadFrame(_PROTOCOL_ERROR, "a length is told in as few bytes as it takes")
        self._place = start + head + 4
        if self._opcode == CONTINUATION:
            self._count += 1
        if opcode >= CLOSE:
            self._control = bytearray()
        else:
            self._begin_part(opcode, size)
        self._frame = _Frame(first, size, data[self._place - 4 : self._place])
        return True

    def _begin_part(self, opcode: int, size: int) -> None:
        if (opcode == CONTINUATION) is (self._opcode == CONTINUATION):
            raise BadFrame(_PROTOCOL_ERROR, "fragments of a message come in one row")
        if opcode != CONTINUATION:
            self._opcode, self._parts, self._dropped = opcode, bytearray(), 0
        so_far = self._dropped if self._parts is None else len(self._parts)
        if so_far + size > self._largest:
            raise BadFrame(_TOO_BIG, f"a message has at most {self._largest} bytes")
        if so_far + size > self._keeps and self._parts is not None:
            self._parts, self._dropped = None, so_far

    def _take(self, frame: _Frame, chunk: bytes) -> None:
        """The next bytes of the payload; one by one or all at once."""
        if not chunk:
            return
        frame.left -= len(chunk)
        into = self._control if frame.first & 0x0F >= CLOSE else self._parts
        if into is None:
            self._dropped += len(chunk)
            return
        into += _unmask(chunk, frame.mask)
        turned = len(chunk) % 4
        frame.mask = frame.mask[turned:] + frame.mask[:turned]

    def _end(self, first: int) -> Message | None:
        """The message that is whole with the frame that just was."""
        opcode = first & 0x0F
        if opcode >= CLOSE:
            assert self._control is not None
            payload, self._control = bytes(self._control), None
            return Message(opcode, _checked_close(payload) if opcode == CLOSE else payload)
        if not first & 0x80:
            return None
        opcode, self._opcode = self._opcode, CONTINUATION
        if self._parts is None:
            return Message(opcode, b"", self._dropped)
        payload, self._parts = bytes(self._parts), None
        if opcode == TEXT:
            _check_utf8(payload)
        return Message(opcode, payload)


def _checked_close(payload: bytes) -> bytes:
    """Section 5.5.1: nothing, or a code and a reason."""
    if payload:
        if len(payload) == 1 or int.from_bytes(payload[:2], "big") not in _REGISTERED:
            raise BadFrame(_PROTOCOL_ERROR, "that is no close code")
        _check_utf8(payload[2:])
    return payload


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise BadFrame(_BAD_DATA, "text is UTF-8") from None


def _unmask(payload: bytes, mask: bytes) -> bytes:
    """Section 5.3, as one XOR of two long numbers: linear in the size."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
