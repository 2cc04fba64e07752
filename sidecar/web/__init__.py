"""The gateway's face: aiohttp routes over the supervisor. From the bottom up::

gatekeeper, refusals   which hosts and origins are let in; errors on their way out
rounds, frames, inbox  many members visited by one timer; RFC 6455 frames read, and what waits
stall, socket          who takes nothing; a socket taken over from aiohttp, with flow control
answers                what aiohttp itself sends, in our words and not for ever
connections            the open streams, their heartbeat and their end
keys                   what handlers find in the application
peer                   one WebSocket: handshake, messages in turns, pings, close
sse, ws                the two transports
echo                   a peer as a mirror, for tests from the outside
requests, pages        commands and questions over plain HTTP; GET /compare
site, front            the built page in memory, with its policy; GET / and what belongs to the page
exporting              a run as one HTML file
app                    routes, and what every answer carries
"""

from __future__ import annotations

from sidecar.web.app import make_app, make_runner
from sidecar.web.front import has_page
from sidecar.web.keys import CONNECTIONS

__all__ = ["CONNECTIONS", "has_page", "make_app", "make_runner"]
