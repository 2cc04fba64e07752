"""What handlers find in the application, by typed key."""

from __future__ import annotations

from aiohttp import web

from sidecar.prices import PriceTable
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web.connections import Connections
from sidecar.web.gatekeeper import Gatekeeper

__all__ = ["CONNECTIONS", "GATEKEEPER", "PRICES", "SETTINGS", "SUPERVISOR"]

SETTINGS = web.AppKey("settings", Settings)
SUPERVISOR = web.AppKey("supervisor", Supervisor)
GATEKEEPER = web.AppKey("gatekeeper", Gatekeeper)
PRICES = web.AppKey("prices", PriceTable)
CONNECTIONS = web.AppKey("connections", Connections)
