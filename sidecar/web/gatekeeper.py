"""Who may talk to the sidecar: exact Origin and Host checks, before anything is upgraded.

A page on any other port of localhost is another site to us: cookies and CORS do not stop it from
opening a WebSocket, only the Origin header does. The Host check stops DNS rebinding, where a
foreign name is made to point at 127.0.0.1; a proxy in front, as Next's rewrites are, puts its own
Host in place of the browser's and hands that on in X-Forwarded-Host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

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

    def refuses(self, headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> str | None:
        """Why a request with these headers gets no further, for whoever sent it; None if it may."""
        forwarded = ",".join(headers.getall("X-Forwarded-Host", [])).split(",")
        names = [headers.get("Host"), *(name.strip() for name in forwarded if name.strip())]
        if not all(self.host_allowed(name) for name in names):
            return "this Host is not served here; use 127.0.0.1 or localhost"
        origins = headers.getall("Origin", [])
        if len(origins) > 1 or not all(self.origin_allowed(origin) for origin in origins):
            return "pages of this origin are not let in; add it to SIDECAR_ORIGINS"
        if not origins and _embedded(headers):
            return "pages of other sites may not embed or load this; ask by fetch, with an Origin"
        return None

    def host_allowed(self, host: str | None) -> bool:
        return host is not None and _name(host) in self.hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """No Origin at all is a program, not a page; `null` is a page that hides its origin."""
        return origin is None or origin.lower() in self.origins


def _embedded(headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> bool:
    """An image, a script, a frame or a no-cors fetch of another site's page: a browser sends no
    Origin with these, but says so itself (W3C Fetch Metadata, section 2). A link that somebody
    follows is a `document`."""
    elsewhere = headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    return elsewhere and headers.get("Sec-Fetch-Dest") != "document"


_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:@/\s]+))(?::[0-9]{1,5})?\Z")


def _name(authority: str) -> str | None:
    """The host of `host[:port]` (RFC 3986 section 3.2), None when it is neither."""
    match = _AUTHORITY.match(authority.lower())
    return (match[1] or match[2]) if match else None
