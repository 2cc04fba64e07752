"""GET /runs/{id}/export: a run as one HTML file that replays without a server (PROTOCOL.md, P72).

The file is the built template with the run's title in it and, where the template has its place, ::

    <script type="application/json" class="events">[event, …]</script>    as many as it takes
    <script type="application/json" id="about">{"run", "exported", "first", "cut", …}</script>

Browsers run no script of that type, so that the template's policy, which names its own script by
its digest, holds for whatever a crew has written.
"""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
from html import escape
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sidecar import __version__, protocol
from sidecar.clock import now_ms
from sidecar.errors import CommandError, StoreError
from sidecar.log import Log
from sidecar.runs import title_of
from sidecar.web.keys import SUPERVISOR
from sidecar.web.site import FOLDER, TEMPLATE

__all__ = ["EVENTS", "TITLE", "add_routes", "embedded", "file_name"]

logger = logging.getLogger("sidecar.web")

TITLE: Final = "<!--crew:title-->"
EVENTS: Final = "<!--crew:events-->"
"""Where the two go; the template has each once."""

_PIECE: Final = 10_000
_PIECE_BYTES: Final = 1_048_576
"""Events at a time, and their bytes (one may be more): what an export holds in memory of a run."""

_MOST_BYTES: Final = 128 * 1024 * 1024
"""Of events in one file, at which browsers still open it at once; `about` says that there is more.
100,000 events of a real crew are 30 MB."""

_MOST_SLUG: Final = 40

_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    # For whoever shows it instead of saving it: then it is a page of nowhere, without this origin.
    "Content-Security-Policy": "sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def add_routes(app: web.Application, folder: Path = FOLDER) -> None:
    async def export(request: web.Request) -> web.StreamResponse:
        return await _export(request, folder / TEMPLATE)

    app.router.add_get("/runs/{run}/export", export, allow_head=False)


async def _export(request: web.Request, template: Path) -> web.StreamResponse:
    run = request.match_info["run"]
    supervisor = request.app[SUPERVISOR]
    snapshot = await supervisor.snapshot(run)
    log = (await supervisor.feed(run)).log
    before, between, after = await asyncio.to_thread(_read, template)
    title = title_of(snapshot["inputs"], snapshot["crew"])
    named = f'attachment; filename="{file_name(title, run)}"'
    response = web.StreamResponse(headers={**_HEADERS, "Content-Disposition": named})
    await response.prepare(request)
    await response.write(before + escape(title).encode() + between)
    about = {"run": run, "exported": now_ms(), "sidecar": __version__}
    try:
        about |= await _write_events(response, log)
    except StoreError as error:
        logger.error("an export of %s breaks off: %s", run, error)
        # It has begun, and can only be seen to have no end.
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write(_script('id="about"', protocol.encode(about)) + after)
    await response.write_eof()
    return response


async def _write_events(response: web.StreamResponse, log: Log) -> dict[str, Any]:
    """All up to what is the newest now: a live run would go on for ever. What the file lacks:
    `first` is the seq of the oldest that it has, `cut` whether there are newer ones."""
    head, seq, left = log.head, 0, _MOST_BYTES
    first = 0
    while seq < head and left > 0:
        events = [e for e in await log.read(seq, _PIECE, _PIECE_BYTES) if e.seq <= head]
        if not events:
            break
        first = first or events[0].seq
        seq = events[-1].seq
        piece = _script('class="events"', b"[%b]" % b",".join([event.json for event in events]))
        left -= len(piece)
        await response.write(piece)
    return {"first": first, "cut": seq < head}


def _script(mark: str, json: bytes) -> bytes:
    return b'<script type="application/json" %b>%b</script>\n' % (mark.encode(), embedded(json))


def embedded(json: bytes) -> bytes:
    """The same JSON, which ends no script and begins no comment (HTML, section 4.12.1.3), and
    holds no line end that JavaScript knows and JSON doesn't."""
    return (
        json.replace(b"<", b"\\u003c")
        .replace(b"\xe2\x80\xa8", b"\\u2028")
        .replace(b"\xe2\x80\xa9", b"\\u2029")
    )


def file_name(title: str, run: str) -> str:
    """What a run is saved as: plain letters on any system, and no two runs alike."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:_MOST_SLUG].strip("-")
    return "-".join(filter(None, ("crew", slug, run.removeprefix("r_")[-6:]))) + ".html"


def _read(template: Path) -> tuple[bytes, bytes, bytes]:
    """What is before the title, between the two, and after the events. Raises CommandError."""
    try:
        text = template.read_text()
    except FileNotFoundError:
        raise CommandError(
            "not_found",
            "what a run is exported in was not built here: run `make page`, "
            "or install a wheel of `make wheel`",
        ) from None
    before, _, rest = text.partition(TITLE)
    between, _, after = rest.partition(EVENTS)
    return before.encode(), between.encode(), after.encode()
