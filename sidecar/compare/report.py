"""What a measurement looks like: a table for the terminal, JSON for programs, one page of HTML."""

from __future__ import annotations

import html
import os
import platform
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import orjson
from rich import box
from rich.table import Table

from sidecar.compare.chart import svg
from sidecar.compare.figures import Figures
from sidecar.compare.measure import Clock, Measurement, Side
from sidecar.compare.verdict import number, verdict

__all__ = ["clock_words", "table", "title", "to_html", "to_json"]

_Cell = Callable[[Figures], str]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{number(value)} ms"


_ROWS: Final[tuple[tuple[str, _Cell], ...]] = (
    ("p50", lambda side: _ms(side.p50)),
    ("p90", lambda side: _ms(side.p90)),
    ("p99", lambda side: _ms(side.p99)),
    ("max", lambda side: _ms(side.max)),
    (
        "bytes per event",
        lambda side: "–" if side.bytes_per_event is None else f"{side.bytes_per_event:.0f}",
    ),
    ("losses", lambda side: str(side.lost)),
    ("duplicates", lambda side: str(side.duplicates)),
    ("time to connect", lambda side: _ms(side.connect)),
    ("time to recover after a cut", lambda side: _ms(side.recover)),
)


def title(measurement: Measurement) -> str:
    plan = measurement.plan
    pace = f"{plan.rate:g} events/s" if plan.rate else "flat out"
    clients = "1 client" if plan.clients == 1 else f"{plan.clients} clients"
    return f"{plan.events} events, {pace}, {clients} per transport"


def table(measurement: Measurement) -> Table:
    ws, sse = measurement.ws.figures, measurement.sse.figures
    shown = Table(
        title=title(measurement), title_justify="left", title_style="dim", box=box.SIMPLE_HEAD
    )
    shown.add_column("from birth to arrival", header_style="dim")
    shown.add_column("WebSocket", justify="right", header_style="bold green")
    shown.add_column("SSE", justify="right", header_style="bold yellow")
    for label, cell in _ROWS:
        shown.add_row(label, cell(ws), cell(sse), end_section=label in ("max", "duplicates"))
    return shown


def clock_words(clock: Clock) -> str:
    if clock.source == "monotonic":
        return "Births and arrivals were read from the same monotonic clock: times are exact."
    return (
        "The sidecar is on another machine, or behind one: its clock was asked for by ping, and "
        f"times are off by up to {number(clock.error)} ms, the same on both transports."
    )


def to_json(measurement: Measurement) -> bytes:
    """Everything, in ms; nothing that names the machine or its user."""
    said = verdict(measurement.ws.figures, measurement.sse.figures)
    return orjson.dumps(
        {
            "version": 1,
            "unit": "ms",
            "plan": asdict(measurement.plan),
            "clock": asdict(measurement.clock),
            "machine": _machine(),
            "verdict": {"kind": said.kind, "text": said.text},
            "ws": _side(measurement.ws),
            "sse": _side(measurement.sse),
        },
    )


def _side(side: Side) -> dict[str, Any]:
    return {
        **{name: _rounded(value) for name, value in asdict(side.figures).items()},
        "clients": [
            {"seq": [seq for seq, _ in client], "latency": [_rounded(ms) for _, ms in client]}
            for client in side.latencies
        ],
    }


def _rounded(value: Any) -> Any:
    """To 100 ns, which is finer than any of it is true."""
    return round(value, 4) if isinstance(value, float) else value


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


_CAPTION: Final = "Share of events that had arrived, by ms since birth"

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #fdfdfc; --line: #e6e4df; --ink: #1d1c1a;
  --soft: #6b6964; --ws: #0b7a69; --sse: #c2571a }
@media (prefers-color-scheme: dark) { :root { --paper: #171716; --line: #34332f; --ink: #ecebe7;
  --soft: #a5a29b; --ws: #45c4ac; --sse: #f2a65a } }
body { margin: 0 auto; max-width: 45rem; padding: 3rem 1.25rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.3; font-weight: 600; text-wrap: balance }
p, h2, .soft { color: var(--soft); font-size: .875rem }
.reason { margin-top: 0; color: var(--ink); font-size: 1.0625rem }
h2 { margin: 2.5rem 0 .5rem; font-weight: 400 }
svg { display: block; width: 100%; height: auto; margin-bottom: 2rem }
code { font-size: .875em }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .4rem 0; border-bottom: 1px solid var(--line); text-align: end; font-weight: 400 }
th:first-child { text-align: start; color: var(--soft) }
thead th { font-weight: 600 }
.ws { color: var(--ws) } .sse { color: var(--sse) }
"""


def _with_code(text: str) -> str:
    """HTML of `text`, in which code stands between backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def to_html(measurement: Measurement) -> str:
    """One file that needs no other and runs no script."""
    ws, sse = measurement.ws, measurement.sse
    series = {
        name: sorted(ms for client in side.latencies for _, ms in client)
        for name, side in (("ws", ws), ("sse", sse))
    }
    rows = "\n".join(
        f'<tr><th scope="row">{label}</th><td>{cell(ws.figures)}</td>'
        f"<td>{cell(sse.figures)}</td></tr>"
        for label, cell in _ROWS
    )
    said = verdict(ws.figures, sse.figures)
    machine = "{cpus} CPUs, {platform}, Python {python}".format(**_machine())
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>WebSocket and SSE, side by side</title>
<style>{_STYLE}</style>
<h1>{html.escape(said.headline)}</h1>
<p class="reason">{_with_code(said.reason)}.</p>
<p>{title(measurement)}. {machine}.</p>
<h2>{_CAPTION}</h2>
{svg(series, _CAPTION)}
<table>
<thead><tr><th scope="col" class="soft">from birth to arrival</th>
<th scope="col" class="ws">WebSocket</th><th scope="col" class="sse">SSE</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>{clock_words(measurement.clock)}</p>
</html>
"""
