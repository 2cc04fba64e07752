"""`python -m sidecar`: the command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

import orjson

from sidecar.channel import now_ms
from sidecar.errors import SettingsError, StoreError
from sidecar.gateway import Gateway
from sidecar.settings import Settings

_FORCED_EXIT = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a graceful stop, 1 when the sidecar can't start, 2 for a wrong flag."""
    arguments = _parser().parse_args(argv)
    _log_json_lines()
    flags = {name: getattr(arguments, name) for name in ("host", "port", "data", "config", "crew")}
    try:
        settings = Settings.load(os.environ, flags, platform=sys.platform)
        _run(settings)
    except (SettingsError, StoreError) as error:
        print(f"sidecar: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sidecar",
        description="Shows and steers a CrewAI crew in the browser, over WebSocket or SSE.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    serve = commands.add_parser("serve", help="serve until stopped (the default)")
    for target in (parser, serve):
        # A flag before `serve` must survive the sub-parser's own default.
        missing = None if target is parser else argparse.SUPPRESS
        target.add_argument("--host", default=missing, help="address to listen on (127.0.0.1)")
        target.add_argument("--port", default=missing, help="port, 0 = any free one (8770)")
        target.add_argument("--data", default=missing, help="folder of the log (.sidecar)")
        target.add_argument("--config", default=missing, help="folder of the crews (config)")
        target.add_argument("--crew", default=missing, help="your own crew, package.module:name")
    return parser


def _run(settings: Settings) -> None:
    if sys.platform == "win32":
        asyncio.run(_serve(settings))
        return
    import uvloop

    uvloop.install()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    _on_signals(stop)
    async with Gateway(settings) as gateway:
        print(f"sidecar ready {gateway.url}", flush=True)
        await stop.wait()


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


def _log_json_lines() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


if __name__ == "__main__":
    sys.exit(main())
