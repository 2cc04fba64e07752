"""What handlers find in the application, by typed key."""

from __future__ import annotations

from aiohttp import web

from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web.connections import Connections
from sidecar.web.gatekeeper import Gatekeeper

__all__ = ["CONNECTIONS", "GATEKEEPER", "SETTINGS", "SUPERVISOR"]

SETTINGS = web.AppKey("settings", Settings)
SUPERVISOR = web.AppKey("supervisor", Supervisor)
GATEKEEPER = web.AppKey("gatekeeper", Gatekeeper)
CONNECTIONS = web.AppKey("connections", Connections)
