"""The user's folder: where a crew of their own and its tools are imported from."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

__all__ = ["enter"]


def enter(folder: Path) -> None:
    """Work in `folder`, with it and PYTHONPATH first in line for imports, as `python` itself would,
    and then its `src`, which a project's own tools have installed (`uv run`, `crewai run`).

    For the user's code only, so as late as possible: what is imported by then can't be shadowed.
    """
    os.chdir(folder)
    python_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    first = [str(folder), *(os.path.abspath(entry) for entry in python_path if entry)]
    if (folder / "src").is_dir():
        first.append(str(folder / "src"))
    sys.path[:] = first + [entry for entry in sys.path if os.path.abspath(entry) not in first]
    importlib.invalidate_caches()
