"""`python -m sidecar`: the command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence

import orjson

from sidecar.client import Disconnected
from sidecar.clock import now_ms
from sidecar.compare import add_arguments, compare
from sidecar.errors import CommandError, SettingsError, StoreError
from sidecar.gateway import Gateway
from sidecar.settings import Settings
from sidecar.terminal import run_in_terminal

_FORCED_EXIT = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a graceful stop, 1 when the sidecar can't start, 2 for a wrong flag;
    `run` gives that of its run, `compare` 1 when an event was lost."""
    arguments = _parser().parse_args(argv)
    serving = arguments.command in (None, "serve")
    _log_json_lines(logging.INFO if serving else logging.ERROR)
    flags = {name: getattr(arguments, name) for name in ("host", "port", "data", "config", "crew")}
    try:
        settings = Settings.load(os.environ, flags, platform=sys.platform)
        if arguments.command == "compare":
            return _on_loop(compare(settings, arguments))
        if arguments.command == "run":
            brief, url, review = arguments.brief, arguments.url, arguments.review
            return _on_loop(run_in_terminal(settings, brief, url=url, review=review))
        return _on_loop(_serve(settings))
    except (SettingsError, StoreError, CommandError, Disconnected) as error:
        print(f"sidecar: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _FORCED_EXIT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sidecar",
        description="Shows and steers a CrewAI crew in the browser, over WebSocket or SSE.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    serve = commands.add_parser("serve", help="serve until stopped (the default)")
    run = commands.add_parser("run", help="run a brief here, in the terminal")
    run.add_argument("brief", help="what the crew is to work on")
    run.add_argument("--url", help="a sidecar that runs elsewhere (one is started if none runs)")
    run.add_argument(
        "--review", action="append", default=[], metavar="TASK", help="ask me about this task"
    )
    add_arguments(
        commands.add_parser("compare", help="measure WebSocket against SSE, side by side")
    )
    for target in (parser, serve, run):
        # A flag before `serve` must survive the sub-parser's own default.
        missing = None if target is parser else argparse.SUPPRESS
        target.add_argument("--host", default=missing, help="address to listen on (127.0.0.1)")
        target.add_argument("--port", default=missing, help="port, 0 = any free one (8770)")
        target.add_argument("--data", default=missing, help="folder of the log (.sidecar)")
        target.add_argument("--config", default=missing, help="folder of the crews (config)")
        target.add_argument("--crew", default=missing, help="your own crew, package.module:name")
    return parser


def _on_loop(main: Coroutine[None, None, int]) -> int:
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    async with Gateway(settings) as gateway:
        print(f"sidecar ready {gateway.url}", flush=True)
        await gateway.serve(stop)
    return 0


def _on_signals(stop: asyncio.Event) -> None:
    """The first SIGINT or SIGTERM asks, the second one forces."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(_FORCED_EXIT)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))


class _JsonLines(logging.Formatter):
    """One JSON object a line; a line break in a message can't forge another line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": now_ms(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _log_json_lines(level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


if __name__ == "__main__":
    sys.exit(main())
