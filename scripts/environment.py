"""The environment of `make dev`: two ports, and what follows from them. Pure.

Runs on any Python 3 that can say that it is too old.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

__all__ = ["PAGE_PORT", "SIDECAR_PORT", "development"]

PAGE_PORT = "3000"
SIDECAR_PORT = "8770"


def development(environ: Mapping[str, str], dotenv: str) -> dict[str, str]:
    """`environ` over the text of `.env` over the defaults; a blank variable counts as unset.

    `PORT`, `SIDECAR_HOST` and `SIDECAR_PORT` decide `NEXT_PUBLIC_CREW_URL` (where the page looks
    for the sidecar) and `SIDECAR_ORIGINS` (which pages the sidecar lets in), unless these are set.
    """
    result = dict(environ)

    def default(name: str, value: str) -> str:
        if not result.get(name, "").strip():
            result[name] = value
        return result[name].strip()

    for name, value in _pairs(dotenv):
        default(name, value)
    page = default("PORT", PAGE_PORT)
    port = default("SIDECAR_PORT", SIDECAR_PORT)
    host = result.get("SIDECAR_HOST", "").strip() or "127.0.0.1"
    default("NEXT_PUBLIC_CREW_URL", f"http://{f'[{host}]' if ':' in host else host}:{port}")
    default("SIDECAR_ORIGINS", f"http://localhost:{page},http://127.0.0.1:{page}")
    return result


def _pairs(dotenv: str) -> list[tuple[str, str]]:
    """`NAME=value` lines as python-dotenv reads them: quotes, comments and `export` are dropped."""
    found = []
    for line in dotenv.splitlines():
        name, equals, value = line.strip().partition("=")
        name = name[7:] if name.startswith("export ") else name
        if equals and name.strip().isidentifier():
            try:
                value = " ".join(shlex.split(value, comments=True))
            except ValueError:  # a lone apostrophe
                value = value.strip()
            found.append((name.strip(), value))
    return found
