"""The user's folder: where a crew of their own and its tools are imported from, and which of their
files have been."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = ["Reading", "changed", "enter", "forget", "imported", "modified"]

_MAX_FILES: Final = 500
"""Of the user's, whose times are looked at: 2 ms."""
_THEIRS_NOT: Final = frozenset({"site-packages", "dist-packages", "node_modules", ".git"})
_WRITES: Final = os.O_WRONLY | os.O_RDWR


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


def imported(folder: Path) -> dict[str, int | None]:
    """The files in `folder` that modules have been imported from, and when each was modified."""
    files = (getattr(module, "__file__", None) for name, module in _modules() if _theirs(name))
    found = [file for file in files if file is not None and _inside(file, folder)]
    return {file: modified(file) for file in found[:_MAX_FILES]}


def forget(folder: Path) -> None:
    """Have the modules in `folder` imported again."""
    # All are found before the first goes: the path of a package without __init__.py is made anew
    # at each look from that of the package around it (importlib._bootstrap_external).
    for name in [name for name, module in _modules() if _theirs(name) and _is_in(module, folder)]:
        del sys.modules[name]
    importlib.invalidate_caches()


def changed(files: Mapping[str, int | None]) -> bool:
    return any(modified(file) != when for file, when in files.items())


def modified(file: str) -> int | None:
    """In ns since 1970; None where there is no such file."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return None


class Reading:
    """Which files in `folder` this process opens from now on, and how old each was then.

    For a process that ends soon: an audit hook (PEP 578) can't be taken back.
    """

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, int | None] = {}
        self._folder = folder
        sys.addaudithook(self._hear)

    def add(self, *files: Path) -> None:
        for file in files:
            self.files.setdefault(str(file), modified(str(file)))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or len(self.files) >= _MAX_FILES:
            return
        path, _, flags = arguments
        if isinstance(path, (str, bytes)) and not (flags or 0) & _WRITES:
            file = os.path.abspath(os.fsdecode(path))
            if file.endswith(".pyc"):
                try:
                    file = importlib.util.source_from_cache(file)
                except ValueError:
                    return
            if _inside(file, self._folder) and os.path.isfile(file):
                self.files.setdefault(file, modified(file))


def _modules() -> list[tuple[str, Any]]:
    return list(sys.modules.items())


def _is_in(module: Any, folder: Path) -> bool:
    try:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    except Exception:  # what a lazy module does when it is looked at
        return False
    return any(isinstance(place, str) and _inside(place, folder) for place in places)


def _theirs(name: str) -> bool:
    """A module of ours may lie in the folder too, in this repository."""
    return name.partition(".")[0] not in ("sidecar", "__main__")


def _inside(file: str, folder: Path) -> bool:
    inside = file.startswith(f"{folder}{os.sep}")
    return inside and not file.startswith(sys.prefix) and not _THEIRS_NOT & set(Path(file).parts)
