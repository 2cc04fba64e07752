"""The command line of `python -m sidecar compare`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sidecar.client import CrewClient
from sidecar.compare import report
from sidecar.compare.measure import Measurement, Plan, measure
from sidecar.compare.verdict import verdict
from sidecar.errors import SettingsError
from sidecar.gateway import Gateway
from sidecar.settings import Settings

__all__ = ["add_arguments", "compare"]

_MAX_EVENTS: Final = 100_000
_MAX_CLIENTS: Final = 100
_MAX_RATE: Final = 1_000_000
_SPARE_SECONDS: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    plan = Plan()
    parser.add_argument("--url", help="a sidecar with SIDECAR_SYNTHETIC=1 (one of its own)")
    parser.add_argument(
        "--events",
        type=_within(int, 1, _MAX_EVENTS),
        default=plan.events,
        help=f"how many, 1 to {_MAX_EVENTS} ({plan.events})",
    )
    parser.add_argument(
        "--rate",
        type=_within(float, 0, _MAX_RATE),
        default=plan.rate,
        help=f"events per second, 0 = flat out ({plan.rate:g})",
    )
    parser.add_argument(
        "--clients",
        type=_within(int, 1, _MAX_CLIENTS),
        default=plan.clients,
        help=f"readers per transport, 1 to {_MAX_CLIENTS} ({plan.clients})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a chart there")


def _within(kind: Callable[[str], Any], low: float, high: float) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value

    parse.__name__ = "number"
    return parse


async def compare(settings: Settings, arguments: argparse.Namespace) -> int:
    """The exit code: 0, or 1 if an event was lost or a transport did not get through.

    Raises CommandError and Disconnected as `measure` does, SettingsError for a file that can't be
    written.
    """
    plan = Plan(arguments.events, arguments.rate, arguments.clients)
    for path in (arguments.json, arguments.html):
        if path is not None:
            _require_writable(path)
    async with _sidecar(settings, plan, arguments.url) as url, CrewClient(url) as crew:
        with _progress(plan) as on_event:
            measurement = await measure(crew, plan, on_event)
    if arguments.json is not None:
        _write(arguments.json, report.to_json(measurement))
    if arguments.html is not None:
        _write(arguments.html, report.to_html(measurement).encode())
    _show(measurement)
    sides = (measurement.ws.figures, measurement.sse.figures)
    return int(any(side.lost or side.duplicates or side.failure for side in sides))


@contextlib.asynccontextmanager
async def _sidecar(settings: Settings, plan: Plan, url: str | None) -> AsyncIterator[str]:
    """The sidecar at `url`, or one in this very process for as long as it takes."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="crew-sidecar-") as data:
        own = replace(
            settings,
            port=0,
            data=Path(data),
            synthetic=True,
            warm=0,
            retain=max(settings.retain, 2 * plan.events),
            run_timeout=max(settings.run_timeout, plan.seconds + _SPARE_SECONDS),
        )
        async with Gateway(own) as gateway:
            yield gateway.url


@contextlib.contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[int], None]]:
    """One line on a terminal, rewritten at every per cent.

    Not rich's: that draws from a thread of its own, which would be in what it shows.
    """
    if not sys.stderr.isatty():
        yield lambda seq: None
        return
    shown = 0

    def on_event(seq: int) -> None:
        nonlocal shown
        percent = min(100, 100 * seq // plan.events)
        if percent > shown:
            shown = percent
            sys.stderr.write(f"\r{percent} % of {plan.events} events")

    try:
        yield on_event
    finally:
        sys.stderr.write("\r\x1b[K")


def _show(measurement: Measurement) -> None:
    console = Console(highlight=False)
    console.print(report.table(measurement))
    said = verdict(measurement.ws.figures, measurement.sse.figures).text
    console.print(report.clock_words(measurement.clock), style="dim", soft_wrap=True)
    console.print(said, style="bold", soft_wrap=True, markup=False)


def _require_writable(path: Path) -> None:
    """Now, and not after the run."""
    target = path if path.exists() else path.absolute().parent
    if path.is_dir() or not os.access(target, os.W_OK):
        raise SettingsError(f"cannot write {path}; choose another file")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}; choose another file") from None
