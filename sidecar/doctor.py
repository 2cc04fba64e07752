"""`crew-sidecar doctor`: what keeps a crew from being served here, each with the way out of it.

Nothing is started, made or changed: the user's crews are built once, in a process of their own, and
none is kicked off.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp

from sidecar import __version__
from sidecar.pool import command
from sidecar.prices import PriceTable
from sidecar.runs import look_of, said
from sidecar.settings import Settings

__all__ = ["Finding", "as_text", "doctor", "examine"]

State = Literal["ok", "note", "wrong"]

_PYTHONS: Final = ((3, 11), (3, 13))
_LOOK_SECONDS: Final = 120.0
"""For CrewAI to be imported, cold, and for what the user's modules do while they are."""
_PROBE_SECONDS: Final = 3.0
_MARKS: Final = {"ok": "ok", "note": "?", "wrong": "FAIL"}
_SAID: Final = 2_000
"""Characters of one line at most."""
_INDENT: Final = " " * 19


@dataclass(frozen=True)
class Finding:
    """One check. `note` is worth knowing, and nothing that keeps a crew from being served."""

    check: str
    state: State
    says: str
    fix: str = ""


async def doctor(settings: Settings, *, as_json: bool) -> int:
    """Print what is found. Exit code 1 when something is wrong."""
    found = await examine(settings)
    wrong = any(finding.state == "wrong" for finding in found)
    if as_json:
        findings = [asdict(finding) for finding in found]
        print(json.dumps({"version": __version__, "ok": not wrong, "findings": findings}))
    else:
        print(as_text(found), end="")
    return 1 if wrong else 0


async def examine(settings: Settings) -> list[Finding]:
    installed, port = await asyncio.gather(_installed(settings), _port(settings))
    return [
        _python(sys.version_info[:3]),
        *installed,
        *_prices(settings),
        *_folders(settings),
        port,
    ]


def as_text(found: Sequence[Finding]) -> str:
    """For a person at a terminal: no control characters, whoever said something."""
    lines = [f"crew-sidecar {__version__}, {os.getcwd()}"]
    for one in found:
        lines.append(f"  {_MARKS[one.state]:<4}  {one.check:<9}  {_printable(one.says)}")
        lines += [f"{_INDENT}{_printable(line)}" for line in one.fix.splitlines()]
    wrong = sum(one.state == "wrong" for one in found)
    sums = ["Nothing is wrong.", "One thing is wrong."]
    lines += ["", sums[wrong] if wrong < len(sums) else f"{wrong} things are wrong."]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)[:_SAID]


def _python(version: Sequence[int]) -> Finding:
    here = ".".join(map(str, version))
    oldest, newest = (".".join(map(str, one)) for one in _PYTHONS)
    if _PYTHONS[0] <= tuple(version[:2]) <= _PYTHONS[1]:
        return Finding("python", "ok", f"{here}, {sys.executable}")
    fix = f"make a venv with another one: python{newest} -m venv .venv"
    return Finding("python", "wrong", f"{here}; crewai needs {oldest} to {newest}", fix)


async def _installed(settings: Settings) -> list[Finding]:
    """What CrewAI there is, and what crews: asked of a process that may import both."""
    process = await asyncio.create_subprocess_exec(
        *command("doctor"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of the user's modules, and nobody has looked for keys in it
    )
    look = json.dumps(look_of(settings)).encode()
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            answer, _ = await process.communicate(look)
        told: dict[str, Any] = json.loads(answer)
    except TimeoutError:
        process.kill()
        await process.wait()
        why = f"importing crewai and your modules takes more than {_LOOK_SECONDS:g} s"
        return [Finding("crewai", "wrong", why, "see what they do while they are imported")]
    except ValueError:
        why = "importing crewai and your modules ended the process that did it, with exit code "
        return [Finding("crewai", "wrong", f"{why}{process.returncode}", _BY_HAND)]
    found = [Finding(**finding) for finding in told["findings"]]
    for crew in told["crews"]:
        found += _of_crew(crew)
    return found


def _of_crew(crew: dict[str, Any]) -> Iterator[Finding]:
    told = said(crew).removeprefix("crew ")
    if "error" in crew:
        yield Finding("crew", "wrong", told, _NO_CREW)
        return
    yield Finding("crew", "ok", told)
    if crew["model"] == "offline":
        says = f"{crew['name']} has the offline model: its replies are made up, and say so"
        fix = "put OPENAI_API_KEY=… or OPENROUTER_API_KEY=… into the environment or into .env"
        yield Finding("model", "note", says, fix)


_BY_HAND: Final = "import them by hand, python -c 'import crewai' first: that says more"
_NO_CREW: Final = "mend that, or name another one: --crew package.module:name, or SIDECAR_CREW"


def _folders(settings: Settings) -> Iterator[Finding]:
    data = settings.data.resolve()
    for check, folder, fix in (
        ("data", data, "choose another with --data or SIDECAR_DATA"),
        ("temp", Path(tempfile.gettempdir()), "choose another with TMPDIR"),
    ):
        if (why := _unwritable(folder)) is None:
            yield Finding(check, "ok", str(folder))
        else:
            yield Finding(check, "wrong", f"{folder} {why}", fix)


def _prices(settings: Settings) -> Iterator[Finding]:
    table = PriceTable(settings.config)
    models = table.current()["models"]
    if table.problem is not None:
        fix = "mend that; until then nothing has a price"
        yield Finding("prices", "note", table.problem, fix)
    elif models:
        yield Finding("prices", "ok", f"of {', '.join(models)}, in {table.path}")


def _unwritable(folder: Path) -> str | None:
    """Why nothing can be written there; None where it can, also if the folder has to be made."""
    nearest = next(one for one in (folder, *folder.parents) if one.exists())
    if not nearest.is_dir():
        return f"can't be a folder, as {nearest} is a file"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"can't be written by this user ({nearest} is not theirs)"
    return None


async def _port(settings: Settings) -> Finding:
    host, port = settings.host, settings.port
    try:
        _listen(host, port)
        return Finding("port", "ok", f"{port} is free" if port else "any that is free")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            why = f"cannot listen on {host}:{port}: {error.strerror}"
            return Finding("port", "wrong", why, "choose another with --host or --port")
    timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{settings.url}/readyz") as response,
        ):
            told = await response.json()
            ready = told["ready"]
    except (aiohttp.ClientError, TimeoutError, ValueError, TypeError, KeyError):
        fix = f"choose another: --port {port + 1 if port < 65_535 else port - 1}, or SIDECAR_PORT"
        return Finding("port", "wrong", f"{port} on {host} is taken by another program", fix)
    if ready:
        return Finding("port", "ok", f"a sidecar is at {settings.url}, and ready")
    why = f"a sidecar is at {settings.url}, and not ready: {told.get('why')}"
    return Finding("port", "note", why, "wait, or stop it and start it again")


def _listen(host: str, port: int) -> None:
    """For a moment, as the gateway does. Raises OSError."""
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(info[0], info[1], info[2]) as sock:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(info[4])
        sock.listen(1)
