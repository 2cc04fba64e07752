"""What a client gets that is no event of a log: acks, control frames, close codes. Pure."""

from __future__ import annotations

import secrets
from typing import Any, Final, TypedDict

import orjson

from sidecar.clock import now_ms
from sidecar.errors import CommandError
from sidecar.protocol.compact import compact

__all__ = [
    "CLOSE_CUT_SHORT",
    "CLOSE_SHUTTING_DOWN",
    "CLOSE_SILENT",
    "CLOSE_TOO_MANY",
    "CLOSE_TOO_SLOW",
    "SUBPROTOCOL",
    "VERSION",
    "Reply",
    "ack_error",
    "ack_ok",
    "as_duplicate",
    "control",
    "encode",
    "new_error_id",
]

VERSION: Final = 1
SUBPROTOCOL: Final = "crew.v1"

# A close code's range says whether a client comes back: 4000-4499 yes, 4500-4999 no.
CLOSE_SHUTTING_DOWN: Final = 4000
CLOSE_TOO_SLOW: Final = 4001
CLOSE_SILENT: Final = 4002
CLOSE_CUT_SHORT: Final = 4004
CLOSE_TOO_MANY: Final = 4503


class Reply(TypedDict, total=False):
    """A `command.ack`, whichever way the command went."""

    type: str
    id: str | None
    ok: bool
    run: str
    seq: int
    noop: bool
    result: dict[str, Any]
    error: dict[str, str | bool]
    duplicate: bool


def ack_ok(
    id: str,
    *,
    run: str | None = None,
    seq: int | None = None,
    result: dict[str, Any] | None = None,
    noop: bool = False,
) -> Reply:
    """The command is logged (or, with `noop`, was already so)."""
    reply: Reply = {"type": "command.ack", "id": id, "ok": True}
    if run is not None:
        reply["run"] = run
    if seq is not None:
        reply["seq"] = seq
    if noop:
        reply["noop"] = True
    if result is not None:
        reply["result"] = result
    return reply


def ack_error(error: CommandError) -> Reply:
    return {"type": "command.ack", "id": error.id, "ok": False, "error": error.as_dict()}


def as_duplicate(stored: bytes) -> Reply:
    """The ack that was given the first time, marked as given before."""
    reply: Reply = orjson.loads(stored)
    reply["duplicate"] = True
    return reply


def encode(message: Reply | dict[str, Any]) -> bytes:
    return compact(message)


def new_error_id() -> str:
    """What an outsider is told of an internal error; the log has the rest under the same id."""
    return "e_" + secrets.token_hex(6)


def control(type: str, **fields: Any) -> dict[str, Any]:
    """A control frame: `stream.hello`, `stream.live`, `stream.ping`, `stream.reset`, `stream.end`.

    Hello and ping carry the server's clock, so that a client can tell its own clock's offset.
    """
    if type in ("stream.hello", "stream.ping"):
        fields["server_time"] = now_ms()
    return {"type": type, **fields}
