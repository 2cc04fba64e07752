"""`crew-sidecar run --open`: the page of a run, in the browser of whoever sits there."""

from __future__ import annotations

import asyncio
import os
import webbrowser
from typing import Final
from urllib.parse import quote

import aiohttp

__all__ = ["open_run"]

_PATIENCE_SECONDS: Final = 5.0
"""For the sidecar to say whether it has a page."""


async def open_run(url: str, run: str) -> str | None:
    """None once a browser was told to show it; else why not, and what to do."""
    address = f"{url}/run/?id={quote(run, safe='')}"
    if not await _has_page(url):
        return (
            f"the sidecar at {url} has no page to open: build it with `make page`, install a wheel "
            "of `make wheel`, or open that of `make dev`"
        )
    # It may wait for its browser.
    if not await asyncio.to_thread(_show, address):
        return f"there is no browser here to open it with: {address}"
    return None


async def _has_page(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.head(f"{url}/run/") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _show(address: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # One that runs in the terminal, as lynx, would take it from the run; who wants that says so.
    if type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER"):
        return False
    return browser.open(address)
