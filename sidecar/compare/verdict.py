"""Which transport serves better, and why, in one sentence. Pure.

The page /compare says the same words (sidecar/web/static/verdict.js); both are tested with the same
cases (tests/compare/test_verdict.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sidecar.compare.figures import Figures

__all__ = ["Verdict", "number", "verdict"]

Kind = Literal["nothing", "broken", "lossy", "buffered", "faster", "equal"]

_NOTICED: Final = {"p50": 1.0, "p90": 1000 / 60}
"""ms of difference that count: below 1 ms the order in which two sockets are read decides, and a
slow tenth nobody sees before it costs a picture of a 60 Hz screen. Both are a quarter of the slower
at least, since what is flooded varies more. (p99 rests on too few events to decide anything.)"""

_SHARE: Final = 0.25

_MOST_HELD: Final = 0.5
"""A stall of the whole machine clumps some events; what buffers clumps most."""

_FIX: Final = (
    "pass `Cache-Control: no-transform` and `X-Accel-Buffering: no` on, and switch compression off"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: Kind
    headline: str
    reason: str

    @property
    def text(self) -> str:
        return f"{self.headline}: {self.reason}."


def verdict(ws: Figures, sse: Figures) -> Verdict:
    """The first of these that holds: broken, lossy, nothing, buffered, faster, equal."""
    sides = (("WebSocket", ws), ("SSE", sse))
    for check in (_broken, _lossy, _nothing, _buffered):
        found = check(sides)
        if found is not None:
            return found
    return _compared(ws, sse)


_Sides = tuple[tuple[str, Figures], tuple[str, Figures]]


def _broken(sides: _Sides) -> Verdict | None:
    failures = [
        f"{name} failed: {side.failure}" for name, side in sides if side.failure is not None
    ]
    if not failures:
        return None
    working = [name for name, side in sides if side.failure is None]
    headline = f"Only {working[0]} gets through here" if working else "Nothing gets through here"
    return Verdict("broken", headline, "; ".join(failures))


def _lossy(sides: _Sides) -> Verdict | None:
    faults = []
    for name, side in sides:
        if side.lost:
            faults.append(f"{name} lost {_events(side.lost)}")
        if side.duplicates:
            faults.append(f"{name} told {_events(side.duplicates)} twice")
    if not faults:
        return None
    return Verdict("lossy", ", ".join(faults), "that must never happen; please report it")


def _nothing(sides: _Sides) -> Verdict | None:
    if all(side.samples for _, side in sides):
        return None
    return Verdict("nothing", "Too few events came live to compare", "ask for more of them")


def _buffered(sides: _Sides) -> Verdict | None:
    held = [name for name, side in sides if side.held > _MOST_HELD]
    if not held:
        return None
    worst = number(max(side.max or 0.0 for name, side in sides if name in held))
    what = "both transports" if len(held) == 2 else held[0]
    headline = f"Buffered! Something between you and the sidecar holds {what} back"
    if len(held) == 2:
        return Verdict("buffered", headline, f"events come up to {worst} ms late, in clumps")
    other, side = next(pair for pair in sides if pair[0] not in held)
    return Verdict(
        "buffered",
        headline,
        f"its events come up to {worst} ms late, in clumps, while {other} gets through in "
        f"{number(side.p50 or 0.0)} ms. Take {other}, or {_FIX}",
    )


def _compared(ws: Figures, sse: Figures) -> Verdict:
    cost = _cost(ws, sse)
    for name, noticed in _NOTICED.items():
        mine, theirs = getattr(ws, name), getattr(sse, name)
        better, worse = sorted((mine, theirs))
        if worse - better >= max(noticed, _SHARE * worse):
            winner = "WebSocket" if mine < theirs else "SSE"
            return Verdict(
                "faster",
                f"{winner} serves you better here",
                f"{name} {number(better)} against {number(worse)} ms{cost}",
            )
    return Verdict(
        "equal",
        "WebSocket and SSE serve you equally here",
        f"p50 {number(ws.p50 or 0.0)} / {number(sse.p50 or 0.0)} ms{cost}",
    )


def _cost(ws: Figures, sse: Figures) -> str:
    if ws.bytes_per_event is None or sse.bytes_per_event is None:
        return ""
    more = round(sse.bytes_per_event - ws.bytes_per_event)
    if more == 0:
        return ""
    return f"; {'SSE' if more > 0 else 'WebSocket'} costs {abs(more)} bytes more per event"


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def number(value: float) -> str:
    """Three significant digits at most, and never more than two decimals."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
