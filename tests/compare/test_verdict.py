"""The verdict's words, in Python; tests/browser/test_compare.py has the page say the same."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.compare.figures import Figures
from sidecar.compare.verdict import number, verdict

Changes = dict[str, Any]

FIX = (
    "pass `Cache-Control: no-transform` and `X-Accel-Buffering: no` on, and switch compression off"
)

VERDICTS: list[tuple[Changes, Changes, str, str]] = [
    (
        {"p50": 0.21},
        {"p50": 0.22, "bytes_per_event": 331.2},
        "equal",
        "WebSocket and SSE serve you equally here: p50 0.21 / 0.22 ms; "
        "SSE costs 31 bytes more per event.",
    ),
    (
        {"bytes_per_event": None},
        {},
        "equal",
        "WebSocket and SSE serve you equally here: p50 0.50 / 0.50 ms.",
    ),
    # Less than a millisecond is the order in which sockets are read.
    (
        {"p50": 0.2},
        {"p50": 1.1},
        "equal",
        "WebSocket and SSE serve you equally here: p50 0.20 / 1.10 ms.",
    ),
    # Flooded, both are late, and a tenth more says nothing.
    (
        {"p50": 70.0, "p90": 90.0},
        {"p50": 78.0, "p90": 99.0},
        "equal",
        "WebSocket and SSE serve you equally here: p50 70.0 / 78.0 ms.",
    ),
    # The rarest events decide nothing.
    (
        {"p99": 3.0},
        {"p99": 120.0},
        "equal",
        "WebSocket and SSE serve you equally here: p50 0.50 / 0.50 ms.",
    ),
    (
        {"p50": 0.9},
        {"p50": 14.2},
        "faster",
        "WebSocket serves you better here: p50 0.90 against 14.2 ms.",
    ),
    (
        {"p50": 5.0, "bytes_per_event": 340.0},
        {"p50": 1.0},
        "faster",
        "SSE serves you better here: p50 1.00 against 5.00 ms; "
        "WebSocket costs 40 bytes more per event.",
    ),
    (
        {"p90": 2.0},
        {"p90": 40.0},
        "faster",
        "WebSocket serves you better here: p90 2.00 against 40.0 ms.",
    ),
    (
        {"p50": 0.9},
        {"p50": 2500.0, "max": 5010.0, "held": 0.98},
        "buffered",
        "Buffered! Something between you and the sidecar holds SSE back: its events come up to "
        "5010 ms late, in clumps, while WebSocket gets through in 0.90 ms. "
        f"Take WebSocket, or {FIX}.",
    ),
    (
        {"max": 900.0, "held": 0.6},
        {"max": 5010.0, "held": 0.98},
        "buffered",
        "Buffered! Something between you and the sidecar holds both transports back: "
        "events come up to 5010 ms late, in clumps.",
    ),
    # Half is what a stall of the machine may do.
    (
        {},
        {"held": 0.5},
        "equal",
        "WebSocket and SSE serve you equally here: p50 0.50 / 0.50 ms.",
    ),
    (
        {"failure": "it did not open within 5 s", "samples": 0},
        {},
        "broken",
        "Only SSE gets through here: WebSocket failed: it did not open within 5 s.",
    ),
    (
        {"failure": "refused"},
        {"failure": "reset"},
        "broken",
        "Nothing gets through here: WebSocket failed: refused; SSE failed: reset.",
    ),
    (
        {"lost": 1},
        {"lost": 3, "duplicates": 2, "held": 0.9},
        "lossy",
        "WebSocket lost 1 event, SSE lost 3 events, SSE told 2 events twice: "
        "that must never happen; please report it.",
    ),
    (
        {"samples": 0, "p50": None, "p90": None, "p99": None, "max": None},
        {},
        "nothing",
        "Too few events came live to compare: ask for more of them.",
    ),
]

NUMBERS = [(0.0, "0.00"), (0.123, "0.12"), (9.876, "9.88"), (12.34, "12.3"), (1234.6, "1235")]


def side(changes: Changes) -> Figures:
    plain: Changes = {
        "samples": 100,
        "p50": 0.5,
        "p90": 0.9,
        "p99": 2.0,
        "max": 3.0,
        "held": 0.0,
        "bytes_per_event": 300.0,
        "connect": 2.0,
        "recover": 2.0,
        "lost": 0,
        "duplicates": 0,
        "failure": None,
    }
    return Figures(**{**plain, **changes})


@pytest.mark.parametrize(("ws", "sse", "kind", "text"), VERDICTS)
def test_the_verdict_names_the_transport_and_the_reason(
    ws: Changes, sse: Changes, kind: str, text: str
) -> None:
    found = verdict(side(ws), side(sse))
    assert (found.kind, found.text) == (kind, text)


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_a_number_has_three_digits_at_most_before_it_is_a_thousand(value: float, text: str) -> None:
    assert number(value) == text
