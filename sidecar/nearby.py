"""The sidecar that a command speaks to: one that runs already, or one of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp

from sidecar.gateway import Gateway
from sidecar.settings import Settings

__all__ = ["Nearby", "answers", "one_nearby"]

_PROBE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Nearby:
    url: str
    own: bool
    """Whether it ends with the command, and all that it knows with it."""


@contextlib.asynccontextmanager
async def one_nearby(settings: Settings, url: str | None) -> AsyncIterator[Nearby]:
    """The one at `url`; without that, the one that the settings name, or else one of our own."""
    address = url or settings.url
    if url is not None or await answers(address):
        yield Nearby(address, own=False)
        return
    with tempfile.TemporaryDirectory(prefix="crew-sidecar-") as data:
        async with Gateway(replace(settings, port=0, data=Path(data), log="memory")) as gateway:
            yield Nearby(gateway.url, own=True)


async def answers(url: str) -> bool:
    """Whether a sidecar runs there, asked for a second."""
    timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/healthz") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
