"""GET /: the page for a browser, the list of routes for everyone else.

::

    /  /runs/  /run/?id=RUN    the pages
    /_next/…                   what they are made of
    /….txt  /runs/….txt        what Next fetches to go from one to the other
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web

from sidecar.web.site import FOLDER, File, Site, policy, source_of

__all__ = ["add_routes", "has_page"]

_INDEX: Final = """\
crew-sidecar

GET  /                              the page, in a browser; /runs/ and /run/?id=ID belong to it
GET  /ws[?run=ID&after=CURSOR]      events and commands, WebSocket
GET  /sse?run=ID[&after=CURSOR]     events, server-sent events
POST /control                       one command, JSON
POST /runs                          start a run, JSON
GET  /runs, /runs/ID                runs
GET  /runs/ID/events?after=&limit=  events, a page at a time
GET  /runs/ID/export                the run as one HTML file that replays without a server
GET  /threads, /threads/ID          runs that belong together; PATCH renames, DELETE removes
DELETE /runs/ID                     a finished run and its files
GET  /crews                         what crews there are, and the inputs they want
GET  /prices                        what models cost, from the user's prices.yaml
GET  /compare                       a page that measures WebSocket against SSE
GET  /healthz, /readyz

Try:  curl -N -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \\
           -d '{"id":"hello-1","inputs":{"message":"a tea shop opens"}}' http://HOST/runs
"""

_STYLE: Final = (
    ":root{color-scheme:light dark}body{margin:3rem auto;max-width:46rem;padding:0 1rem;"
    "font:1rem/1.5 system-ui,sans-serif}pre{overflow-x:auto;font-size:.8rem}"
)
_UNBUILT: Final = f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>crew-sidecar</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<h1>The sidecar is running, without its page</h1>
<p>The page is built with Node, and was not built here. In a checkout, <code>make page</code> builds
it for this address, and <code>make dev</code> serves it at <code>http://localhost:3000</code>.
A wheel has it when <code>make wheel</code> made that.</p>
<pre>INDEX</pre>
</html>
"""
_FILES: Final = (
    "/run/",
    "/runs/",
    "/_next/{path:.+}",
    # Before `/runs/{run}`, which no run is called.
    r"/runs/{file:[\w.-]+\.txt}",
    r"/run/{file:[\w.-]+\.txt}",
    r"/{file:[\w.-]+\.(?:txt|svg|png|ico)}",
)


def has_page(folder: Path = FOLDER) -> bool:
    return (folder / "index.html").is_file()


def add_routes(app: web.Application, folder: Path = FOLDER) -> None:
    """To be called before those of `/runs/{run}`."""
    front = _Front(Site(folder))
    app.router.add_get("/", front.index)
    app.router.add_get("/run", front.to_run)
    for route in _FILES:
        app.router.add_get(route, front.file)


class _Front:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def index(self, request: web.Request) -> web.Response:
        index = _INDEX.replace("HOST", request.host)
        if "text/html" not in request.headers.get("Accept", ""):
            return web.Response(text=index, headers={"Vary": "Accept"})
        if (page := await self._site.find("/")) is not None:
            return _answer(request, page)
        return web.Response(
            text=_UNBUILT.replace("INDEX", escape(index)),
            content_type="text/html",
            headers={
                "Content-Security-Policy": policy(request.host, styles=(source_of(_STYLE),)),
                "Vary": "Accept",
            },
        )

    async def to_run(self, request: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect(request.rel_url.with_path("/run/", keep_query=True))

    async def file(self, request: web.Request) -> web.Response:
        found = await self._site.find(request.path)
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)


def _answer(request: web.Request, file: File) -> web.Response:
    body, tag = file.body, file.digest
    headers = {**file.headers, "Vary": "Accept, Accept-Encoding"}
    if file.zipped is not None and _takes_gzip(request.headers.get("Accept-Encoding", "")):
        body, tag = file.zipped, f"{file.digest}-gzip"
        headers["Content-Encoding"] = "gzip"
    headers["ETag"] = f'"{tag}"'
    if file.scripts is not None:
        headers["Content-Security-Policy"] = policy(request.host, file.scripts)
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        headers.pop("Content-Encoding", None)
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """RFC 9110 section 12.5.3; a weight of nothing is a no."""
    for one in accepted.lower().split(","):
        coding, _, weight = one.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or weight == ""
    return False
