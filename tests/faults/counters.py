"""What a process holds, from /proc (proc(5))."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["resident", "sockets", "threads", "until"]

_POLL: Final = 0.05


def sockets(pid: int) -> int:
    """Open sockets, those that listen or talk to children included."""
    links = (_link(entry) for entry in Path(f"/proc/{pid}/fd").iterdir())
    return sum(link.startswith("socket:") for link in links)


def _link(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except FileNotFoundError:
        return ""


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def resident(pid: int) -> int:
    """Resident set size in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return once it is true; what the kernel or another process does tells nobody."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(_POLL)
