"""The built page: its files in memory, each with what it is sent with.

`make page` writes them, `make wheel` packs them. A request names a key of a table, so that nothing
but what the folder had when it was read can be asked for.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

__all__ = ["FOLDER", "TEMPLATE", "File", "Site", "inline_scripts", "policy"]

FOLDER: Final = Path(__file__).parent / "page"
_INDEX: Final = "index.html"
TEMPLATE: Final = "replay.html"
"""What a run is exported in (`exporting`): no page of its own."""

_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all files together, which are kept for as long as the sidecar runs; a build has 2 MB."""

_LEAST_GAIN: Final = 0.9
"""Zipped is what becomes shorter than this part of it."""

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    # What Next fetches when a link is followed.
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_HASHED: Final = "/_next/static/"
"""Below it a name has a digest of the content, or the build's, and never another content."""


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    zipped: bytes | None
    """With gzip, where that makes it shorter."""
    digest: str
    """For its ETag."""
    headers: Mapping[str, str]
    scripts: tuple[str, ...] | None
    """Of a page: the sources that its policy lets in besides its own origin."""


class Site:
    """The files of `folder`, read at the first request and again once it was built anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, File] = {}
        self._stamp: tuple[int, int] | None = None
        self._lock = asyncio.Lock()

    async def find(self, address: str) -> File | None:
        """By its path in a URL: `/runs/` is `runs/index.html`. Raises ValueError when the folder
        has more than is ever built."""
        if _stamp(self._folder) != self._stamp:
            async with self._lock:
                # Before it is read: what changes meanwhile is read the next time.
                stamp = _stamp(self._folder)
                if stamp != self._stamp:
                    self._files = await asyncio.to_thread(_read, self._folder)
                    self._stamp = stamp
        return self._files.get(address)


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Of the build that is there; None where there is none."""
    try:
        index = (folder / _INDEX).stat()
    except OSError:
        return None
    return index.st_ino, index.st_mtime_ns


def _read(folder: Path) -> dict[str, File]:
    files: dict[str, File] = {}
    left = _MOST_BYTES
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix not in _TYPES or name == TEMPLATE or not path.is_file():
            continue
        body = path.read_bytes()
        left -= len(body)
        if left < 0:
            raise ValueError(f"{folder} has more than {_MOST_BYTES} bytes: make page")
        address = f"/{name.removesuffix(_INDEX)}"
        files[address] = _file(address, path.suffix, body)
    return files


def _file(address: str, suffix: str, body: bytes) -> File:
    zipped = gzip.compress(body, compresslevel=9, mtime=0)
    immutable = address.startswith(_HASHED)
    return File(
        body=body,
        zipped=zipped if len(zipped) < _LEAST_GAIN * len(body) else None,
        digest=hashlib.sha256(body).hexdigest()[:20],
        headers={
            "Content-Type": _TYPES[suffix],
            "Cache-Control": "public, max-age=31536000, immutable" if immutable else "no-cache",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        },
        scripts=tuple(map(source_of, inline_scripts(body.decode()))) if suffix == ".html" else None,
    )


def source_of(text: str) -> str:
    """How a policy names a script or style that stands in the page (CSP 3, section 2.3.1)."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy(host: str, scripts: tuple[str, ...] = (), styles: tuple[str, ...] = ()) -> str:
    """The Content-Security-Policy of a page that is asked for at `host[:port]`.

    `data:` is an icon that the page draws. WebSockets are named by their own schemes, since
    'self' is http's alone to older browsers (CSP 3, section 6.7.2.8); for an address of IPv6 there
    is no name (section 2.3.1), and 'self' has to do.
    """
    sockets = () if host.startswith("[") else (f"ws://{host}", f"wss://{host}")
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *scripts)),
            " ".join(("style-src 'self'", *styles)),
            "img-src 'self' data:",
            "font-src 'self'",
            " ".join(("connect-src 'self'", *sockets)),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and all(name != "src" for name, _ in attrs):
            self._inside = True
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def inline_scripts(html: str) -> list[str]:
    """The text of each script that stands in the page itself, in order."""
    parser = _Scripts()
    parser.feed(html)
    parser.close()
    return parser.found
