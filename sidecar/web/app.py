"""The application: routes, who may enter, and the headers every answer carries."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sidecar import protocol
from sidecar.errors import CommandError
from sidecar.prices import PriceTable
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web import exporting, front, pages, requests, threads
from sidecar.web.answers import Runner
from sidecar.web.connections import Connections
from sidecar.web.echo import echo
from sidecar.web.gatekeeper import Gatekeeper
from sidecar.web.keys import CONNECTIONS, GATEKEEPER, PRICES, SETTINGS, SUPERVISOR
from sidecar.web.refusals import error_response, errors
from sidecar.web.site import FOLDER
from sidecar.web.sse import sse
from sidecar.web.ws import websocket

__all__ = ["make_app", "make_runner"]


def make_app(
    settings: Settings, supervisor: Supervisor, port: int, page: Path = FOLDER
) -> web.Application:
    """`port` is the one really bound, which the Host and Origin checks need to know; `page` the
    folder of the built page."""
    app = web.Application(middlewares=[_gate, errors], client_max_size=protocol.MAX_COMMAND)
    app[SETTINGS] = settings
    app[SUPERVISOR] = supervisor
    app[GATEKEEPER] = Gatekeeper.build(settings, port)
    app[PRICES] = PriceTable(settings.config)
    app[PRICES].current()  # what is wrong with it is said at the start
    app[CONNECTIONS] = Connections(settings.max_connections, settings.ping)
    front.add_routes(app, page)
    app.router.add_get("/ws", websocket, allow_head=False)
    if settings.echo:
        app.router.add_get("/echo", echo, allow_head=False)
    app.router.add_get("/sse", sse, allow_head=False)
    app.router.add_post("/control", requests.control)
    app.router.add_post("/runs", requests.post_run)
    app.router.add_get("/runs", requests.get_runs)
    app.router.add_get("/crews", requests.get_crews)
    app.router.add_get("/prices", requests.get_prices)
    app.router.add_get("/runs/{run}", requests.get_run)
    app.router.add_get("/runs/{run}/events", requests.page)
    exporting.add_routes(app, page)
    threads.add_routes(app)
    pages.add_routes(app)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.on_response_prepare.append(_headers)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    return Runner(
        app,
        # Without it a handler goes on for a peer that has left.
        handler_cancellation=True,
        shutdown_timeout=2.0,
        keepalive_timeout=20.0,
        max_field_size=4096,
        max_headers=64,
        access_log=None,
    )


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Before anything else: a foreign Host or Origin gets no further."""
    if (why := request.app[GATEKEEPER].refuses(request.headers)) is not None:
        response = error_response(CommandError("forbidden", why))
        response.force_close()
        return response
    if request.method == "OPTIONS" and "Origin" in request.headers:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
                "Access-Control-Max-Age": "600",
            },
        )
    return await handler(request)


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    """CORS for the origins that are let in, exactly, and for no others; no word of versions."""
    response.headers.popall("Server", None)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is not None and request.app[GATEKEEPER].origin_allowed(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Location, Retry-After"


async def _healthz(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _readyz(request: web.Request) -> web.Response:
    supervisor = request.app[SUPERVISOR]
    trouble = supervisor.trouble
    if trouble is None:
        return web.json_response({"ready": True})
    return web.json_response({"ready": False, "why": trouble}, status=503)
