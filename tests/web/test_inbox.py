"""Messages of one peer that wait for their answer, and when that is enough of them."""

from __future__ import annotations

import pytest

from sidecar.web.frames import TEXT, Message
from sidecar.web.inbox import Inbox


@pytest.mark.parametrize(("size", "enough", "half"), [(0, 65, 32), (250_000, 3, 1)])
def test_it_is_full_by_count_or_by_bytes_and_roomy_at_half_of_both(
    size: int, enough: int, half: int
) -> None:
    inbox = Inbox()
    for count in range(1, enough + 1):
        assert not inbox.full
        inbox.put(Message(TEXT, b"%d" % count + bytes(size)))
    assert inbox.full
    while len(inbox) > half:
        assert not inbox.roomy
        inbox.take()
    assert inbox.roomy


def test_who_came_first_is_answered_first() -> None:
    inbox = Inbox()
    for text in (b"a", b"b"):
        inbox.put(Message(TEXT, text))
    assert [inbox.take().payload, inbox.take().payload, len(inbox)] == [b"a", b"b", 0]
