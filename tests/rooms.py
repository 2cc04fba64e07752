"""The rooms of `sidecar/` as the code has them; `python -m tests.rooms` draws who imports whom.

A room is a folder, or a module at the root. `worker/` is a house of its own in the same manner.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "sidecar"

FLOORS: Final = (
    # From the bottom up; a room imports from floors below its own.
    {"errors", "clock", "tasks", "inputs", "keyboard", "labels", "prices", "root"},
    {"channel", "settings"},
    {"protocol", "datafolder"},
    {"log", "pool"},
    {"runs"},
    {"web"},
    {"gateway"},
    {"client"},
    {"columns", "nearby", "opening", "saving"},
    {"terminal", "runlist", "threads", "compare", "doctor"},
    {"__main__"},
    # Another program, which shares the channel with the one above and nothing else.
    {
        "worker",
        "worker/environment",
        "worker/memory",
        "worker/outputs",
        "worker/process",
        "worker/project",
        "worker/user",
    },
    {"worker/journal", "worker/started", "worker/line", "worker/config"},
    {"worker/engine", "worker/synthetic"},
    {"worker/ahead", "worker/work"},
    {"worker/main"},
    {"worker/once", "worker/zygote", "worker/doctor"},
    {"worker/__main__"},
)
DOORLESS: Final = frozenset({"worker/engine", "worker/line"})
"""Rooms whose modules are imported by name: to import one is to import what it needs, and a worker
that lacks crewai, or does without it, takes no more than it must."""


@dataclass(frozen=True)
class Import:
    """`importer` and `imported` are modules; `source` and `room` the rooms they are in."""

    importer: str
    source: str
    imported: str
    room: str
    inside: str | None
    """The module behind the door; None for the door itself."""
    at_import: bool
    """When the importer is imported; else in a function, or for types only."""


@dataclass(frozen=True)
class Module:
    name: str
    room: str
    path: Path

    @property
    def foreign(self) -> set[str]:
        """What it imports from outside the package."""
        return {name for name, _ in _imported(self.path) if name.split(".")[0] != "sidecar"}


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found.append(Module(name, _room(name), path))
    return tuple(found)


def imports(module: Module) -> list[Import]:
    """What `module` imports of the package."""
    known = {one.name for one in modules()}
    found = []
    for name, at_import in sorted(_imported(module.path)):
        target = name if name in known else name.rpartition(".")[0]
        if target in known and target not in ("sidecar", module.name):
            room = _room(target)
            door = "sidecar." + room.replace("/", ".")
            inside = None if target == door else target
            found.append(Import(module.name, module.room, target, room, inside, at_import))
    return found


def _room(name: str) -> str:
    parts = name.split(".")[1:]
    if not parts:
        return "root"
    return "/".join(parts[:2]) if parts[0] == "worker" else parts[0]


def _imported(path: Path) -> set[tuple[str, bool]]:
    tree = ast.parse(path.read_text())
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _for_types(node)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.name, id(node) not in late) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {(name, id(node) not in late) for name in names}
    return found


def _for_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def draw() -> str:
    """Floors from the top, each room with the rooms it imports from and how many imports."""
    lines = []
    arrows: dict[str, dict[str, int]] = {}
    for module in modules():
        for one in imports(module):
            if one.room != one.source:
                rooms = arrows.setdefault(one.source, {})
                rooms[one.room] = rooms.get(one.room, 0) + 1
    for floor in reversed(FLOORS):
        lines.append("-" * 78)
        for room in sorted(floor - {"root", "worker"}):
            count = sum(module.room == room for module in modules())
            to = ", ".join(f"{name} {n}" for name, n in sorted(arrows.get(room, {}).items()))
            lines.append(f"{room:<18} {count:>2} modules   -> {to or 'nothing'}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(draw())
