"""What a worker does before it has a run: import the user's modules ahead of need, or look at their
crews and say what they are.

Neither kicks anything off (`targets.unasked`).
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sidecar.channel import Look, Named
from sidecar.inputs import HISTORY, placeholders
from sidecar.worker import config as configs
from sidecar.worker import environment, project, user
from sidecar.worker.engine import models

__all__ = ["Ahead", "described", "problem"]

_MAX_SAID: Final = 64 * 1024
"""Bytes kept of what modules print on each stream while they are imported."""


class Ahead:
    """The user's modules in this process, imported before it has a run."""

    def __init__(self) -> None:
        self._files: dict[str, int | None] = {}
        self._environ: dict[str, str] = {}
        self._said = [b"", b""]

    def prepare(self, look: Look) -> None:
        """Import what the crews of `look` are made from; one that fails is left to its run."""
        began = time.time_ns()
        folder = _enter(look["folder"], look["environ"])
        self._environ = dict(os.environ)
        from sidecar.worker.engine import targets

        try:
            with _heard() as self._said, targets.unasked():
                for named in look["crews"]:
                    found = _chosen(named, folder)
                    if found is not None and ":" in found.target:
                        targets.load(found.target)
        except BaseException:
            self._files, self._said = {}, [b"", b""]
            user.forget(folder)
            return
        files = user.imported(folder)
        # One that was written since may have been read before that.
        self._files = {file: when if (when or 0) < began else None for file, when in files.items()}

    def enter(self, folder: str, environ: dict[str, str]) -> None:
        """Be where the run is; what has been imported by now is as its files are."""
        entered = _enter(folder, environ)
        if self._files and (os.environ != self._environ or user.changed(self._files)):
            self._said = [b"", b""]
            user.forget(entered)

    def say(self) -> None:
        """Print again what the modules printed when they were imported."""
        for number, said in enumerate(self._said, 1):
            with contextlib.suppress(OSError):
                os.write(number, said)


def described(look: Look) -> dict[str, Any]:
    """The data of `worker.described`."""
    folder = _enter(look["folder"], look["environ"])
    reading = user.Reading(folder)
    reading.add(folder / ".env", folder / project.PROJECT_FILE)
    with tempfile.TemporaryDirectory(prefix="crew-look-", ignore_cleanup_errors=True) as own:
        from sidecar.worker.engine import storage

        storage.keep_in(Path(own))
        with _heard():  # for nobody: a run prints it again
            crews = [
                _one(named, folder, look["environ"], reading, Path(own)) for named in look["crews"]
            ]
    return {"crews": crews, "files": reading.files}


def problem(error: BaseException) -> bool:
    """Whether `error` says by itself, in words for the user, what is wrong with their crew."""
    # By name, so that a broken config needs no import of crewai to be told.
    ours = (configs.ConfigError, project.BadProject)
    return isinstance(error, ours) or type(error).__name__ == "BadCrew"


def _enter(folder: str, environ: dict[str, str]) -> Path:
    environment.adopt(environ, Path(folder))
    user.enter(Path(folder))
    return Path(folder)


def _chosen(named: Named, folder: Path) -> project.Found | None:
    return project.choose(named["target"], named["crew"], Path(named["config"]), folder)


def _one(
    named: Named, folder: Path, environ: dict[str, str], reading: user.Reading, own: Path
) -> dict[str, Any]:
    """One crew as `GET /crews` has it, and with `needs` and `lenient`."""
    config = Path(named["config"])
    made: dict[str, Any] = {
        "name": named["crew"],
        "kind": "crew",
        "tasks": [],
        "inputs": [],
        "model": None,
        "key": None,
        "found": named["target"] or _shown(config, folder),
        "needs": [],
        "lenient": False,
    }
    try:
        found = _chosen(named, folder)
        choice = models.choose(os.environ)
        if found is None:
            made |= {"lenient": True, **_of_config(config, choice, own, reading)}
        else:
            made |= {"found": (found.where and f"{found.target} in {found.where}") or found.target}
            made |= {"kind": found.kind, **_of_target(found, choice)}
    except BaseException as error:
        text = str(error).strip()
        made["error"] = text if problem(error) else f"{type(error).__name__}: {text}"
        # What is missing may come.
        reading.add(folder, folder / "src", config, config / "agents.yaml", config / "tasks.yaml")
    made["inputs"] = [name for name in made["inputs"] if name != HISTORY]
    made["key"] = _key(environ, made.pop("secret", None))
    return made


def _of_config(
    config: Path, choice: models.ModelChoice, own: Path, reading: user.Reading
) -> dict[str, Any]:
    files = (config / f"{name}.yaml" for name in ("agents", "tasks", "crew"))
    reading.add(*files, Path("crew", "tools.py").resolve())
    crew = configs.load(config, configs.toolbox())
    from sidecar.worker.engine.build import from_config

    from_config(crew, choice, {}, own)
    wants = placeholders(crew.texts)
    tasks = [{"name": task.name, "agent": crew.role_of(task)} for task in crew.tasks]
    choice = models.for_crew(crew, choice, os.environ)
    return {
        "tasks": tasks,
        "inputs": wants,
        "needs": wants,
        "model": choice.label,
        "secret": choice.api_key or os.environ.get(choice.source or ""),
    }


def _of_target(found: project.Found, choice: models.ModelChoice) -> dict[str, Any]:
    from sidecar.worker.engine import targets

    with targets.unasked():
        seen = targets.look(targets.load(found.target), found.target, choice)
    return {
        "kind": seen.kind or found.kind,
        "tasks": seen.tasks,
        "inputs": [*seen.wants, *seen.knows],
        "needs": list(seen.wants),
        "model": seen.model or choice.label,
        "secret": seen.secret or (choice.api_key if seen.model is None else None),
    }


def _key(environ: dict[str, str], secret: str | None) -> str | None:
    """Where a model's key comes from, in words: the variable, and who set it."""
    for name, value in os.environ.items():
        if secret and value.strip() == secret:
            return f"{name} of {'the environment' if environ.get(name) == value else '.env'}"
    return None


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


@contextlib.contextmanager
def _heard() -> Iterator[list[bytes]]:
    """What is printed in here, on stdout and stderr, kept for later instead."""
    said: list[bytes] = []
    before = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        os.dup2(out.fileno(), 1)
        os.dup2(error.fileno(), 2)
        try:
            yield said
        finally:
            for number, stream in enumerate((sys.stdout, sys.stderr), 1):
                with contextlib.suppress(Exception):
                    stream.flush()
                os.dup2(before[number - 1], number)
                os.close(before[number - 1])
            for file in (out, error):
                file.seek(0)
                said.append(file.read(_MAX_SAID))
