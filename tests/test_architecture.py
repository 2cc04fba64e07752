"""The rooms of the house: who may import whom, and what the gateway must never load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sidecar import ROOT

# From the bottom up; a module may import from its own layer's left and from all layers above here.
LAYERS = [
    {"channel", "deadline", "errors", "sse", "tasks"},
    {"codec", "settings", "states"},
    {"protocol", "run", "datafolder"},
    {"log"},
    {"fanout", "workers"},
    {"recorder"},
    {"steering", "attempt"},
    {"execution"},
    {"supervisor"},
    {"web"},
    {"gateway"},
    {"client"},
    {"terminal", "compare"},
    {"__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(p for p in (ROOT / "sidecar").rglob("*.py") if p.parent.name != "__pycache__")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def room(path: Path) -> str:
    parts = path.relative_to(ROOT / "sidecar").with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    if path == ROOT / "sidecar" / "__init__.py":
        assert imports(path) == set()
        return
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] not in ("crew", "crewai"), f"{path.name} imports {name}"
        if parts[0] == "aiohttp":
            allowed = ("web", "gateway", "client", "terminal", "compare")
            assert here in allowed, f"{path.name} imports aiohttp"
        if parts[0] == "sidecar" and len(parts) > 1 and parts[1] in RANK and parts[1] != here:
            assert RANK[parts[1]] < RANK[here], f"{here} imports {parts[1]}"


@pytest.mark.parametrize("path", sorted((ROOT / "crew").glob("*.py")), ids=lambda p: p.name)
def test_crew_knows_of_the_sidecar_only_the_channel(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] == "sidecar"}
    assert {".".join(name.split(".")[:2]) for name in ours} <= {"sidecar.channel"}


def test_the_gateway_loads_no_crewai() -> None:
    """Asked of the interpreter, in a process of its own: everything the gateway imports."""
    script = "import sys, sidecar.__main__, sidecar.gateway; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "sidecar" in loaded
    assert not loaded & {"crew", "crewai", "openai", "pydantic", "litellm"}
