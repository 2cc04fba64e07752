"""Who may talk to the sidecar: exact Origin and Host checks, before anything is upgraded.

A page on any other port of localhost is another site to us: cookies and CORS do not stop it from
opening a WebSocket, only the Origin header does. The Host check stops DNS rebinding, where a
foreign name is made to point at 127.0.0.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sidecar.settings import Settings

__all__ = ["Gatekeeper"]


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Both sets are exact and lower case.

    Origins are compared with their port. Hosts are compared by name alone: rebinding needs a
    foreign name, while the port differs for good reasons (an SSH tunnel, a proxy in front).
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def build(cls, settings: Settings, port: int) -> Gatekeeper:
        """Its own names, those of the allowed origins, and its own origin on `port`."""
        own = {"localhost", "127.0.0.1", "::1", settings.host.lower()}
        foreign = {name for origin in settings.origins if (name := _name(urlsplit(origin).netloc))}
        origins = {f"http://{f'[{name}]' if ':' in name else name}:{port}" for name in own}
        return cls(frozenset(own | foreign), frozenset(origins | set(settings.origins)))

    def host_allowed(self, host: str | None) -> bool:
        return host is not None and _name(host) in self.hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """No Origin at all is a program, not a page; `null` is a page that hides its origin."""
        return origin is None or origin.lower() in self.origins


_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@/\s]+))(?::[0-9]{1,5})?\Z")


def _name(authority: str) -> str | None:
    """The host of `host[:port]` (RFC 3986 section 3.2), None when it is neither."""
    match = _AUTHORITY.match(authority.lower())
    return (match[1] or match[2]) if match else None
