"""Who may talk to the sidecar: exact Origin and Host checks, before anything is upgraded.

A page on any other port of localhost is another site to us: cookies and CORS do not stop it from
opening a WebSocket, only the Origin header does. The Host check stops DNS rebinding, where a
foreign name is made to point at 127.0.0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sidecar.settings import Settings

__all__ = ["Gatekeeper"]


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """`hosts` and `origins` are exact, lower case, with the port where it is not the default."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def build(cls, settings: Settings, port: int) -> Gatekeeper:
        """Its own names on its own port, the origins allowed, and those hosts on its own port."""
        names = {"localhost", "127.0.0.1", "[::1]", _bracketed(settings.host)}
        foreign = {urlsplit(origin) for origin in settings.origins}
        names |= {_bracketed(url.hostname) for url in foreign if url.hostname}
        hosts = {f"{name}:{port}" for name in names} | {url.netloc for url in foreign}
        own = {f"http://{name}:{port}" for name in names}
        return cls(frozenset(hosts), frozenset(own | set(settings.origins)))

    def host_allowed(self, host: str | None) -> bool:
        return host is not None and host.lower() in self.hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """No Origin at all is a program, not a page; `null` is a page that hides its origin."""
        return origin is None or origin.lower() in self.origins


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
