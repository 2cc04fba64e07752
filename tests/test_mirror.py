"""Rooms whose every module has a test file of its own: sidecar/ROOM/x.py, tests/ROOM/test_x.py."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.rooms import PACKAGE, ROOT

MIRRORED: Final = ("runs", "pool", "web", "worker/line")

COVERED: Final = {
    # Four typed names without a line of behaviour; each route that test_app.py asks finds its own.
    "web/keys.py": "web/test_app.py",
}
"""Modules that another file covers, with the reason above each."""

MODULES: Final = [
    module.relative_to(PACKAGE).as_posix()
    for room in MIRRORED
    for module in sorted((PACKAGE / room).glob("*.py"))
    if module.name != "__init__.py"
]


def imported(path: Path) -> set[str]:
    """The modules that a file imports, and the names that it imports from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("module", [module for module in MODULES if module not in COVERED])
def test_a_module_has_its_own_test_file_which_needs_no_crewai(module: str) -> None:
    room, _, name = module.rpartition("/")
    path = ROOT / "tests" / room / f"test_{name}"
    assert path.is_file(), f"{module} has no {path.relative_to(ROOT)}"
    assert "def test_" in path.read_text()
    foreign = {name.split(".")[0] for name in imported(path)} & {"crewai", "crew"}
    engine = {name for name in imported(path) if name.startswith("sidecar.worker.engine")}
    assert foreign | engine == set()


@pytest.mark.parametrize(("module", "by"), COVERED.items())
def test_what_another_file_covers_is_there(module: str, by: str) -> None:
    assert module in MODULES
    assert (ROOT / "tests" / by).is_file()


def test_no_room_is_empty() -> None:
    assert {module.rpartition("/")[0] for module in MODULES} == set(MIRRORED)
