"""Messages of one peer that wait for their answer, and when that is enough of them."""

from __future__ import annotations

from collections import deque
from typing import Final

from sidecar.web.frames import Message

__all__ = ["Inbox"]

_MESSAGES: Final = 64
_BYTES: Final = 524_288
"""Above either, the peer is not read on until half of it is answered."""


class Inbox:
    """First in, first out. It takes what it is given: to stop giving is its owner's."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        return len(self._messages) > _MESSAGES or self._bytes > _BYTES

    @property
    def roomy(self) -> bool:
        """At most half full."""
        return len(self._messages) <= _MESSAGES // 2 and self._bytes <= _BYTES // 2

    def put(self, message: Message) -> None:
        self._messages.append(message)
        self._bytes += len(message.payload)

    def take(self) -> Message:
        message = self._messages.popleft()
        self._bytes -= len(message.payload)
        return message
