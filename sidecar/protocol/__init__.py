"""What goes over the wire (docs/PROTOCOL.md). Pure::

commands   what a client sends, parsed or refused
replies    what answers it: acks, control frames, close codes
events     an event, its cursor and its JSON
compact    JSON that is kept, in as many bytes as it has
framing    events as WebSocket frames and SSE blocks, shared by all readers
states     the states of a run and the one table of steps between them
"""

from __future__ import annotations

from sidecar.protocol.commands import (
    MAX_COMMAND,
    MAX_TITLE,
    Answer,
    Cancel,
    Command,
    List,
    Modify,
    Origin,
    Pause,
    Ping,
    Resume,
    Start,
    Status,
    Subscribe,
    Unsubscribe,
    one_line,
    parse_command,
    parse_title,
    too_large,
)
from sidecar.protocol.events import Cursor, Draft, Event, encode_event, format_cursor, parse_cursor
from sidecar.protocol.framing import (
    Piece,
    http_chunk,
    pieces,
    sse_control,
    unchunked,
    ws_close,
    ws_frame,
    ws_text,
)
from sidecar.protocol.replies import (
    CLOSE_CUT_SHORT,
    CLOSE_SHUTTING_DOWN,
    CLOSE_SILENT,
    CLOSE_TOO_MANY,
    CLOSE_TOO_SLOW,
    SUBPROTOCOL,
    VERSION,
    Reply,
    ack_error,
    ack_ok,
    as_duplicate,
    control,
    encode,
    new_error_id,
)
from sidecar.protocol.states import FINAL_STATES, FINAL_TYPES, LIVE_STATES, TABLE, State, step

__all__ = [
    "CLOSE_CUT_SHORT",
    "CLOSE_SHUTTING_DOWN",
    "CLOSE_SILENT",
    "CLOSE_TOO_MANY",
    "CLOSE_TOO_SLOW",
    "FINAL_STATES",
    "FINAL_TYPES",
    "LIVE_STATES",
    "MAX_COMMAND",
    "MAX_TITLE",
    "SUBPROTOCOL",
    "TABLE",
    "VERSION",
    "Answer",
    "Cancel",
    "Command",
    "Cursor",
    "Draft",
    "Event",
    "List",
    "Modify",
    "Origin",
    "Pause",
    "Piece",
    "Ping",
    "Reply",
    "Resume",
    "Start",
    "State",
    "Status",
    "Subscribe",
    "Unsubscribe",
    "ack_error",
    "ack_ok",
    "as_duplicate",
    "control",
    "encode",
    "encode_event",
    "format_cursor",
    "http_chunk",
    "new_error_id",
    "one_line",
    "parse_command",
    "parse_cursor",
    "parse_title",
    "pieces",
    "sse_control",
    "step",
    "too_large",
    "unchunked",
    "ws_close",
    "ws_frame",
    "ws_text",
]
