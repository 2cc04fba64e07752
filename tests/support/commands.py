"""Commands as clients send them."""

from __future__ import annotations

from itertools import count
from typing import TypeVar

import orjson

from sidecar.protocol import Command, parse_command

__all__ = ["command"]

C = TypeVar("C", bound=Command)

_ids = count(1)


def command(kind: type[C], id: str | None = None, **fields: object) -> C:
    """One of that kind, parsed from its JSON; a new id unless one is given."""
    body = {"id": id or f"auto-{next(_ids)}", "cmd": kind.__name__.lower(), **fields}
    made = parse_command(orjson.dumps(body))
    assert isinstance(made, kind)
    return made
