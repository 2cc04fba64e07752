"""Where CrewAI keeps what: the outputs of this run's tasks with the run, everything else where the
user has it.

Memory, knowledge and `@persist` lie in CrewAI's own folder (`CREWAI_STORAGE_DIR`, else one of the
user's home named like the working folder, crewai_core/paths.py), and are there in the next run. The
database of task outputs can't: each kickoff empties it, those of other runs included.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Final

import appdirs
from crewai import Crew
from crewai.memory.storage.kickoff_task_outputs_storage import KickoffTaskOutputsSQLiteStorage
from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler
from crewai_core.paths import get_project_directory_name

from sidecar.worker.engine import locks

__all__ = ["attach", "keep_in"]

_DATABASE: Final = "latest_kickoff_task_outputs.db"

_READ_AT_IMPORT: Final = (
    ("crewai.rag.chromadb.constants", ""),
    ("crewai.rag.chromadb.config", ""),
    ("crewai.rag.qdrant.constants", "qdrant"),
    ("crewai.rag.qdrant.config", "qdrant"),
)
"""Modules that ask for the folder once, which was in the zygote, and their own folder in it."""


def keep_in(folder: Path) -> None:
    """Have the task outputs of all crews that are made from now on in `folder`, with the locks of
    what lies there. The environment must be the run's by now."""
    locks.keep_in(folder)
    users = Path(appdirs.user_data_dir(get_project_directory_name(), "CrewAI"))
    for name, own in _READ_AT_IMPORT:
        if (module := sys.modules.get(name)) is not None:
            module.DEFAULT_STORAGE_PATH = str(users / own)  # type: ignore[attr-defined]
    make: Any = KickoffTaskOutputsSQLiteStorage.__init__
    make = getattr(make, "__wrapped__", make)

    @functools.wraps(make)
    def made(self: KickoffTaskOutputsSQLiteStorage, db_path: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        make(self, str(folder / _DATABASE) if db_path is None else db_path)

    KickoffTaskOutputsSQLiteStorage.__init__ = made  # type: ignore[method-assign]


def attach(starting: Any) -> None:
    """The same for a crew that was made before, as the user's module was imported."""
    if isinstance(starting, Crew):
        users = str(Path(starting._task_output_handler.storage.db_path).parent)
        fresh = TaskOutputStorageHandler()
        if users != str(Path(fresh.storage.db_path).parent):
            starting._task_output_handler = fresh
