"""What a browser sends on a WebSocket, read by RFC 6455. Pure: bytes in, messages out."""

from __future__ import annotations

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


class Message(NamedTuple):
    """A whole message, its fragments joined. TEXT is known to be UTF-8."""

    opcode: int
    payload: bytes


class BadFrame(Exception):
    """The peer broke the rules; `code` is the one to close with (section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Frames of a client, in whatever pieces they arrive.

    Holds at most one message of `largest` bytes and a frame's head; what is announced as larger is
    refused before it is taken in.
    """

    __slots__ = ("_fragments", "_largest", "_opcode", "_rest")

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._rest: bytearray | None = None
        """The beginning of a frame. Grows in place: one that drips in is not copied each time."""
        self._opcode = CONTINUATION
        """Of the message whose fragments are being joined."""
        self._fragments: bytearray | None = None

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole with `data`. Raises BadFrame, after which it is of no use."""
        stream: bytes | bytearray = data
        if self._rest is not None:
            self._rest += data
            stream = self._rest
        messages = []
        start = 0
        while (frame := self._frame(stream, start)) is not None:
            first, payload, start = frame
            if (message := self._take(first, payload)) is not None:
                messages.append(message)
        if start == len(stream):
            self._rest = None
        elif start or self._rest is None:
            self._rest = bytearray(stream[start:])
        return messages

    def _frame(self, data: bytes | bytearray, start: int) -> tuple[int, bytes, int] | None:
        """First byte, unmasked payload and end of the frame at `start`; None while it lacks bytes.

        Section 5.2.
        """
        left = len(data) - start
        if left < 2:
            return None
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
        head = 2
        if size == 126:
            head = 4
        elif size == 127:
            head = 10
        if left < head + 4:
            return None
        if head > 2:
            size = int.from_bytes(data[start + 2 : start + head], "big")
        if size + len(self._fragments or b"") > self._largest:
            raise BadFrame(_TOO_BIG, f"a message has at most {self._largest} bytes")
        end = start + head + 4 + size
        if len(data) < end:
            return None
        body = start + head + 4
        return first, _unmask(bytes(data[body:end]), bytes(data[body - 4 : body])), end

    def _take(self, first: int, payload: bytes) -> Message | None:
        opcode, last = first & 0x0F, first & 0x80
        if opcode >= CLOSE:
            return Message(opcode, _checked_close(payload) if opcode == CLOSE else payload)
        if (opcode == CONTINUATION) is (self._fragments is None):
            raise BadFrame(_PROTOCOL_ERROR, "fragments of a message come in one row")
        if self._fragments is None:
            if last:
                return _whole(opcode, payload)
            self._opcode, self._fragments = opcode, bytearray(payload)
            return None
        self._fragments += payload
        if not last:
            return None
        joined, self._fragments = bytes(self._fragments), None
        return _whole(self._opcode, joined)


def _whole(opcode: int, payload: bytes) -> Message:
    if opcode == TEXT:
        _check_utf8(payload)
    return Message(opcode, payload)


def _checked_close(payload: bytes) -> bytes:
    """Section 5.5.1: nothing, or a code and a reason."""
    if payload:
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not (1000 <= code < 5000) or code in (1004, 1005, 1006, 1015):
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
