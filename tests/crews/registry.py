"""All crews and flows of this folder, found in its files: whatever a theme's module defines at its
top and does not begin with an underscore is one, so that none can be left out of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["CREWS", "FAILING"]

_THEMES: Final = (
    *("processes", "agents", "tasks", "tools", "outputs", "flows", "people", "remembering"),
    *("threads", "entries"),
)


def _defined(theme: str) -> Iterator[tuple[str, str]]:
    """The name and the docstring of each."""
    path = Path(__file__).with_name(f"{theme}.py")
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign):
            yield from ((one.id, "") for one in node.targets if isinstance(one, ast.Name))


_FOUND: Final = {
    (theme, name): text
    for theme in _THEMES
    for name, text in _defined(theme)
    if not name.startswith("_")
}

CREWS: Final = {f"{theme}.{name}": f"tests.crews.{theme}:{name}" for theme, name in _FOUND}
"""`theme.name` to what `SIDECAR_CREW` would say."""

FAILING: Final = frozenset(
    f"{theme}.{name}" for (theme, name), text in _FOUND.items() if text.startswith("Fails")
)
"""Those that fail by CrewAI alone, and say so. No other does: it would show nothing."""
