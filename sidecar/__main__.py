"""`crew-sidecar`, which is `python -m sidecar`: the command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import signal
import sys
from collections.abc import Coroutine, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import orjson

from sidecar import __version__
from sidecar.client import Disconnected
from sidecar.clock import now_ms
from sidecar.compare import add_arguments, compare
from sidecar.doctor import doctor
from sidecar.errors import CommandError, SettingsError, StoreError
from sidecar.gateway import Gateway
from sidecar.runlist import runs_in_terminal
from sidecar.saving import save_run
from sidecar.settings import SETTINGS, Settings, markdown
from sidecar.terminal import run_in_terminal
from sidecar.threads import threads_in_terminal
from sidecar.web import has_page

_FORCED_EXIT: Final = 130
_MOST_LISTED: Final = 10_000
_FLAGS: Final = tuple(setting for setting in SETTINGS if setting.flag)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a graceful stop, 1 when the sidecar can't start, 2 for a wrong flag;
    `run` gives that of its run, `compare` 1 when an event was lost, `doctor` 1 when something is
    wrong."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    if arguments.version or arguments.command == "settings":
        print(_versions() if arguments.version else markdown())
        return 0
    serving = arguments.command in (None, "serve")
    _log_json_lines(logging.INFO if serving else logging.ERROR)
    flags = {setting.name: vars(arguments).get(setting.name) for setting in _FLAGS}
    try:
        settings = Settings.load(os.environ, flags, platform=sys.platform)
        if arguments.command == "doctor":
            return _on_loop(doctor(settings, as_json=arguments.json))
        if arguments.command == "compare":
            return _on_loop(compare(settings, arguments))
        if arguments.command == "run":
            run = run_in_terminal(
                settings,
                _inputs_of(arguments),
                url=arguments.url,
                review=arguments.review,
                thread=arguments.thread,
                from_=arguments.from_,
                show=arguments.open,
            )
            return _on_loop(run)
        if arguments.command == "export":
            out = arguments.output
            return _on_loop(save_run(settings, arguments.run, url=arguments.url, out=out))
        if arguments.command == "runs":
            return _on_loop(
                runs_in_terminal(
                    settings,
                    url=arguments.url,
                    words=arguments.words,
                    state=arguments.state,
                    crew=arguments.only,
                    limit=arguments.limit,
                    delete=arguments.delete,
                )
            )
        if arguments.command == "threads":
            return _on_loop(
                threads_in_terminal(
                    settings,
                    url=arguments.url,
                    limit=arguments.limit,
                    delete=arguments.delete,
                    rename=arguments.rename and tuple(arguments.rename),
                )
            )
        return _on_loop(_serve(settings))
    except (SettingsError, StoreError, CommandError, Disconnected) as error:
        print(f"sidecar: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _FORCED_EXIT


def _parse(words: Sequence[str]) -> argparse.Namespace:
    name = Path(sys.argv[0]).name
    prog = "python -m sidecar" if name == "__main__.py" else name
    flags = _flags(prog)
    parser = _parser(prog, flags)
    # argparse takes the value of a flag that it does not know for the command, and blames that.
    first = next(iter(flags.parse_known_args(words)[1]), "")
    if first.startswith("-") and first not in ("-h", "--help", "--version"):
        parser.error(_unknown(first, prog))
    arguments, rest = parser.parse_known_args(words)
    if rest:
        parser.error(_unknown(rest[0], prog))
    if arguments.command == "run" and arguments.from_ is None and not _inputs_of(arguments):
        parser.error("what is the crew to work on? Give a brief, or --inputs")
    return arguments


def _flags(prog: str) -> argparse.ArgumentParser:
    # Without a default of their own, those of a command leave alone those before it.
    flags = argparse.ArgumentParser(
        prog=prog, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    for setting in _FLAGS:
        origin = ", ".join(filter(None, (setting.variable, setting.default)))
        flags.add_argument(f"--{setting.name}", help=f"{setting.says} ({origin})".replace("`", ""))
    return flags


def _parser(prog: str, flags: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Shows and steers a CrewAI crew in the browser, over WebSocket or SSE.",
        epilog=f"`{prog} settings` lists every variable of the environment, with its default.",
        parents=[flags],
    )
    parser.add_argument("--version", action="store_true", help="say the versions and leave")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", parents=[flags], help="serve until stopped (the default)")
    run = commands.add_parser("run", parents=[flags], help="run a brief here, in the terminal")
    run.add_argument("brief", nargs="?", help="what the crew is to work on")
    run.add_argument(
        "--inputs", type=_object, default={}, metavar="JSON", help="further inputs, as an object"
    )
    run.add_argument(
        "--from",
        dest="from_",
        type=_origin,
        metavar="RUN:TASK",
        help="begin at this task of another run: what comes before is kept, with its inputs",
    )
    run.add_argument("--url", help="a sidecar that runs elsewhere (one is started if none runs)")
    run.add_argument(
        "--review", action="append", default=[], metavar="TASK", help="ask me about this task"
    )
    run.add_argument(
        "--thread", metavar="ID", help="go on with this conversation, or begin it: any name"
    )
    run.add_argument(
        "--open", action="store_true", help="show the run in the browser, on the sidecar's own page"
    )
    export = commands.add_parser(
        "export", parents=[flags], help="save a run as one HTML file that replays it anywhere"
    )
    export.add_argument("run", help="its id")
    export.add_argument(
        "-o", "--output", metavar="FILE", help="where to (- for stdout); by default its brief"
    )
    export.add_argument("--url", help="a sidecar that runs elsewhere")
    runs = commands.add_parser("runs", parents=[flags], help="list runs, or delete one")
    runs.add_argument("words", nargs="*", help="only those in which all of these occur")
    runs.add_argument("--url", help="a sidecar that runs elsewhere")
    runs.add_argument("--state", metavar="STATE", help="only these, by commas; live, final: all")
    runs.add_argument("--only", metavar="CREW", help="only those of this crew")
    runs.add_argument("--limit", type=_count, default=50, metavar="N", help="how many (50)")
    runs.add_argument("--delete", metavar="ID", help="forget this finished run and its files")
    threads = commands.add_parser(
        "threads", parents=[flags], help="list the conversations of runs, rename or delete one"
    )
    threads.add_argument("--url", help="a sidecar that runs elsewhere")
    threads.add_argument("--limit", type=_count, default=50, metavar="N", help="how many (50)")
    change = threads.add_mutually_exclusive_group()
    change.add_argument("--delete", metavar="ID", help="forget this one and its runs")
    change.add_argument("--rename", nargs=2, metavar=("ID", "TITLE"), help="give it another title")
    add_arguments(
        commands.add_parser("compare", help="measure WebSocket against SSE, side by side")
    )
    examine = commands.add_parser(
        "doctor", parents=[flags], help="say what keeps a crew from being served here"
    )
    examine.add_argument("--json", action="store_true", help="as JSON, for a program")
    commands.add_parser("settings", help="list all settings, as a Markdown table")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST_LISTED:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {_MOST_LISTED}, not {text}")
    return int(text)


def _object(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"a JSON object; this is none: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'a JSON object, as {{"language": "German"}}, not {text}')
    return found


def _origin(text: str) -> tuple[str, str]:
    run, _, task = text.partition(":")
    if not (run and task):
        raise argparse.ArgumentTypeError(
            f"a run, a colon and a task of it, as r_01m8:write, not {text}"
        )
    return run, task


def _inputs_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """A brief counts as the `message`; a fork has that of its run."""
    brief = {"message": arguments.brief} if (arguments.brief or "").strip() else {}
    return {**arguments.inputs, **brief}


def _unknown(word: str, prog: str) -> str:
    name = word.lstrip("-").partition("=")[0].replace("-", "_")
    for setting in SETTINGS:
        if setting.name == name:
            return f"unknown argument {word}: set {setting.variable} in the environment"
    close = get_close_matches(name, [setting.name for setting in _FLAGS], 1)
    hint = f"did you mean --{close[0]}?" if close else f"`{prog} --help` lists what there is"
    return f"unknown argument {word}: {hint}"


def _versions() -> str:
    from importlib import metadata

    try:
        crewai = metadata.version("crewai")
    except metadata.PackageNotFoundError:
        crewai = "not installed"
    return f"crew-sidecar {__version__}, crewai {crewai}, Python {platform.python_version()}"


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
        if has_page():
            print(f"Open {gateway.url}", flush=True)
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
