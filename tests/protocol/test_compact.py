"""What is kept for long costs the bytes that it has."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from sidecar.protocol import Draft, ack_ok, encode, encode_event


def token() -> bytes:
    draft = Draft("llm.delta", 1.0, {"text": "tea"})
    return encode_event(draft, run="r_1", epoch="k3f9", seq=1, at=2.0).json


def long_reply() -> bytes:
    draft = Draft("llm.delta", 1.0, {"text": "tea" * 300})
    return encode_event(draft, run="r_1", epoch="k3f9", seq=1, at=2.0).json


def ack() -> bytes:
    return encode(ack_ok("c-1", run="r_1", seq=7))


@pytest.mark.parametrize("make", [token, long_reply, ack])
def test_a_thousand_of_them_take_little_more_memory_than_they_have_bytes(
    make: Callable[[], bytes],
) -> None:
    make()
    tracemalloc.start()
    try:
        kept = [make() for _ in range(1_000)]
        traced, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert traced < 1.2 * sum(map(len, kept)) + 100_000
