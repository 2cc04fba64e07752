"""The ECDF of several series of latencies as one SVG, on a logarithmic axis. Pure.

Colours come from the page around it: series are drawn in the CSS variables `--ws` and `--sse`, axes
in `--line` and `--soft`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sidecar.compare.figures import ecdf, percentile

__all__ = ["svg"]

_WIDTH: Final = 720
_HEIGHT: Final = 320
_LEFT: Final = 44
_RIGHT: Final = 12
_TOP: Final = 12
_BOTTOM: Final = 32

_TICKS: Final = [float(f"{digit}e{power}") for power in range(-2, 10) for digit in (1, 2, 5)]
"""ms. A logarithm has no zero, and a corrected clock may even give less; the first tick stands for
both."""

_SHARES: Final = (0, 25, 50, 75, 100)


def svg(series: Mapping[str, Sequence[float]], label: str) -> str:
    """`series` are latencies in ms, in order, by the name of their CSS variable; `label` is what
    a screen reader says. Empty if there is nothing to draw."""
    shown = {name: ordered for name, ordered in series.items() if ordered}
    if not shown:
        return ""
    low, high = _range(shown.values())
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" '
        'xmlns="http://www.w3.org/2000/svg" fill="none" font-size="12">',
        *_axes(low, high),
    ]
    for name, ordered in shown.items():
        parts.append(
            f'<path d="{_steps(ordered, low, high)}" stroke="var(--{name})" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )
    return "\n".join([*parts, "</svg>"])


def _range(series: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The axis: the ticks around all but the one per cent of fastest events, which its left edge
    stands for."""
    least = min(percentile(ordered, 1) or 0.0 for ordered in series)
    most = max(ordered[-1] for ordered in series)
    low = max((tick for tick in _TICKS if tick <= least), default=_TICKS[0])
    high = min((tick for tick in _TICKS if tick >= most and tick > low), default=_TICKS[-1])
    return low, high


def _axes(low: float, high: float) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for percent in _SHARES:
        y = _y(percent)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="var(--line)"/>'
        yield (
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="var(--soft)">'
            f"{percent}%</text>"
        )
    for tick in (tick for tick in _TICKS if low <= tick <= high):
        x = _x(tick, low, high)
        anchor = "end" if tick == high else "middle"
        yield f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="var(--line)"/>'
        yield (
            f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="{anchor}" fill="var(--soft)">'
            f"{tick:.10g}</text>"
        )


def _steps(ordered: Sequence[float], low: float, high: float) -> str:
    """One step per pixel at most: more of them nobody sees, and a long run has many."""
    path = [f"M{_x(ordered[0], low, high):.1f} {_y(0):.1f}"]
    drawn = -1.0
    points = ecdf(ordered)
    for value, share in points:
        x = _x(value, low, high)
        if x - drawn >= 1 or share == 1:
            path.append(f"H{x:.1f}V{_y(100 * share):.1f}")
            drawn = x
    return "".join([*path, f"H{_WIDTH - _RIGHT}"])


def _x(ms: float, low: float, high: float) -> float:
    share = math.log10(max(ms, low) / low) / math.log10(high / low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(percent: float) -> float:
    return _TOP + (1 - percent / 100) * (_HEIGHT - _TOP - _BOTTOM)
