"""GET /compare: the page that measures WebSocket against SSE in the browser itself.

Plain modules and CSS from `static/`, addressed relative to the page, so that it works behind any
prefix that a proxy puts in front.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["add_routes"]

_FOLDER: Final = Path(__file__).parent / "static"
_PAGE: Final = "compare.html"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_HEADERS: Final = {
    # Cross-origin isolation, without which the browser's timers step by 100 µs instead of 5.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # It connects to whatever address it is to measure through, and does nothing else elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        "img-src 'self'; connect-src http: https: ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def add_routes(app: web.Application) -> None:
    app.router.add_get("/compare", _page)
    app.router.add_get("/compare/{name}", _asset)


async def _page(_: web.Request) -> web.Response:
    return _file(_PAGE)


async def _asset(request: web.Request) -> web.Response:
    """One file of the folder, by its exact name; read anew each time, since it is asked for
    rarely."""
    name = request.match_info["name"]
    assets = {entry.name for entry in _FOLDER.iterdir() if entry.suffix in _TYPES} - {_PAGE}
    if name not in assets:
        raise web.HTTPNotFound
    return _file(name)


def _file(name: str) -> web.Response:
    path = _FOLDER / name
    return web.Response(
        body=path.read_bytes(),
        content_type=_TYPES[path.suffix],
        charset="utf-8",
        headers=_HEADERS,
    )
