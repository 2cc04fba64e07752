"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["describe"]

_PACKAGES: Final = (
    "uvloop",
    "aiohttp",
    "orjson",
    "websockets",
    "sse-starlette",
    "starlette",
    "uvicorn",
    "httptools",
)


def describe() -> dict[str, str]:
    """What to know beside the figures, in reading order."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": platform.python_version(),
        "Node": _node(),
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _node() -> str:
    if shutil.which("node") is None:
        return "not there"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    package = Path(__file__).parent / "peers" / "node_modules" / "ws" / "package.json"
    ws = json.loads(package.read_text())["version"] if package.exists() else "not installed"
    return f"{version.stdout.strip()}, ws {ws}"
