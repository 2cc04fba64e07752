"""JSON that is kept, in as many bytes of memory as it has. Pure."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["compact"]


def compact(value: Any) -> bytes:
    """The JSON of `value`, copied: 80 ns more.

    orjson (3.13.0) hands out the buffer it wrote into, of which it gives nothing back: a token's
    event of 120 bytes held 4 KB, one of 1,100 bytes 8 KB.
    """
    return bytes(memoryview(orjson.dumps(value)))
