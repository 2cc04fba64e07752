"""`crew-sidecar export RUN`: a run as one HTML file, from the sidecar that keeps it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
import orjson

from sidecar.client import Disconnected
from sidecar.errors import CommandError
from sidecar.protocol import FINAL_STATES
from sidecar.settings import Settings

__all__ = ["save_run"]

_CHUNK: Final = 1 << 18
_SILENCE_SECONDS: Final = 30.0
"""Between two pieces of the file."""

STDOUT: Final = "-"
_NAME: Final = re.compile(r'filename="([\w.-]+)"', re.ASCII)


async def save_run(settings: Settings, run: str, *, url: str | None, out: str | None) -> int:
    """Exit code 0. `out` is a path, `-` for stdout, None for a name that the sidecar makes up.

    Raises CommandError, or Disconnected where no sidecar runs or one goes away in the middle; a
    file that is not whole is not left behind, and what was there before stays.
    """
    address = (url or settings.url).rstrip("/")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            there = f"{address}/runs/{quote(run, safe='')}"
            live = await _is_live(session, there)
            async with session.get(f"{there}/export") as response:
                await _refusal(response)
                if out == STDOUT:
                    async for chunk in response.content.iter_chunked(_CHUNK):
                        sys.stdout.buffer.write(chunk)
                    sys.stdout.buffer.flush()
                    return 0
                path = Path(out or _name_of(response, run))
                size = await _write(response, path)
    except aiohttp.ClientConnectorError as error:
        raise Disconnected(
            f"no sidecar is running at {address}, and a run is kept by one: start it "
            "(`crew-sidecar`), or name another with --url"
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Disconnected(f"the sidecar at {address} went away; the run is not saved") from error
    note = "; it is still at work, and what it has done so far is in the file" if live else ""
    print(f"{path} ({size / 1e6:.1f} MB){note}")
    return 0


async def _is_live(session: aiohttp.ClientSession, address: str) -> bool:
    async with session.get(address) as response:
        await _refusal(response)
        return orjson.loads(await response.read())["state"] not in FINAL_STATES


async def _refusal(response: aiohttp.ClientResponse) -> None:
    if response.ok:
        return
    try:
        said = orjson.loads(await response.read())["error"]
        error = CommandError(said["code"], said["message"])
    except (ValueError, KeyError, TypeError):
        raise Disconnected(f"{response.url} answers with {response.status}: no sidecar") from None
    if error.code == "unknown_run":
        hint = f"{response.url.origin()}/runs lists what there is"
        raise CommandError(error.code, f"{error.message}; {hint}")
    raise error


def _name_of(response: aiohttp.ClientResponse, run: str) -> str:
    """As the sidecar calls it, which may be anybody's: a name, and no path."""
    found = _NAME.search(response.headers.get("Content-Disposition", ""))
    name = found[1] if found else f"crew-{run}.html"
    return Path(name).name


async def _write(response: aiohttp.ClientResponse, path: Path) -> int:
    """How many bytes it has."""
    size = 0
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                size += file.write(chunk)
        part.replace(path)
        return size
    except (aiohttp.ClientError, TimeoutError):  # of which some are OSErrors
        raise
    except OSError as error:
        raise CommandError("unavailable", f"{path} can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
