"""Conversations over plain HTTP, and the end of what is kept of runs."""

from __future__ import annotations

from aiohttp import web

from sidecar import protocol
from sidecar.web.keys import SUPERVISOR
from sidecar.web.requests import as_json, body_of, limit_of

__all__ = ["add_routes"]


def add_routes(app: web.Application) -> None:
    app.router.add_get("/threads", _page)
    app.router.add_get("/threads/{thread}", _show)
    app.router.add_patch("/threads/{thread}", _rename)
    app.router.add_delete("/threads/{thread}", _remove)
    app.router.add_delete("/runs/{run}", _remove_run)


async def _page(request: web.Request) -> web.Response:
    limit = limit_of(request, 50, 1_000)
    threads = request.app[SUPERVISOR].threads
    return as_json(await threads.page(limit, request.query.get("before") or None))


async def _show(request: web.Request) -> web.Response:
    return as_json(await request.app[SUPERVISOR].threads.show(request.match_info["thread"]))


async def _rename(request: web.Request) -> web.Response:
    supervisor, thread = request.app[SUPERVISOR], request.match_info["thread"]
    title = protocol.parse_title(await body_of(request))
    return as_json(await supervisor.change(lambda: supervisor.threads.rename(thread, title)))


async def _remove(request: web.Request) -> web.Response:
    supervisor, thread = request.app[SUPERVISOR], request.match_info["thread"]
    await supervisor.change(lambda: supervisor.threads.remove(thread))
    return web.Response(status=204)


async def _remove_run(request: web.Request) -> web.Response:
    supervisor, run = request.app[SUPERVISOR], request.match_info["run"]
    await supervisor.change(lambda: supervisor.threads.remove_run(run))
    return web.Response(status=204)
