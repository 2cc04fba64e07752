"""Which crews there are, and what they want: looked up by a worker that is thrown away, since the
gateway imports none of them.

Looked up at the start, and again when somebody asks and a file that it was read from has changed;
never by itself, so that what can't be imported is told once.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections.abc import Mapping
from typing import Any, Final

import orjson

from sidecar.channel import WORKER_DESCRIBED, LineTooLong, Look, Order
from sidecar.errors import CommandError
from sidecar.inputs import fill_in, lacking, refusal, standing_in
from sidecar.pool import KILL, CannotImport, Pool, Worker, WorkerLost
from sidecar.protocol import Start
from sidecar.settings import SYNTHETIC, Settings
from sidecar.tasks import Tasks

__all__ = ["Crews", "look_of", "said"]

logger = logging.getLogger("sidecar.crews")

_LOOK_SECONDS: Final = 60.0
"""For a worker to import what the user has and to say what it is."""

_PATIENCE_SECONDS: Final = 15.0
"""How long a start waits to hear what its crew wants; then it goes on, and its run may say so."""

_SYNTHETIC: Final[Mapping[str, Any]] = {
    "name": SYNTHETIC,
    "kind": "crew",
    "tasks": [{"name": "synthetic", "agent": "Synthetic"}],
    "inputs": ["events", "rate", "size", "burst", "delay"],
    "model": SYNTHETIC,
}
_OURS: Final = frozenset({"needs", "lenient"})
"""Fields of a description that are not for the outside."""


class Crews:
    """The catalogue of crews."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._known: dict[str, dict[str, Any]] = {}
        self._files: dict[str, int | None] = {}
        self._names: tuple[str, ...] | None = None
        """Those that were looked up."""
        self._looking: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    def open(self) -> None:
        """Have workers import the crews ahead of need, and look them up unless none is kept."""
        self._pool.brief = self._brief
        if self._settings.warm:
            self._look_again()

    async def close(self) -> None:
        await self._tasks.close()

    @property
    def names(self) -> tuple[str, ...]:
        return self._settings.crews

    def name(self, asked: str) -> str:
        """The crew that a start means. Raises CommandError `unknown_crew`."""
        names = self.names
        if asked in names:
            return asked
        if asked == "default":
            return names[0]
        raise CommandError("unknown_crew", f"no crew {asked[:40]!r}; there are {', '.join(names)}")

    def target(self, crew: str) -> str | None:
        return self._settings.targets.get(crew)

    def config(self, crew: str) -> str:
        """The folder of its agents.yaml and tasks.yaml, absolute."""
        return _config(self._settings, crew)

    async def all(self) -> list[dict[str, Any]]:
        """As `GET /crews` has them; waits for what is being looked up."""
        await self.settled(_LOOK_SECONDS)
        names = [name for name in self.names if name != SYNTHETIC]
        crews = [self._known.get(name) or self._unknown(name) for name in names]
        shown = [{k: v for k, v in crew.items() if k not in _OURS} for crew in crews]
        return [*shown, dict(_SYNTHETIC)] if self._settings.synthetic else shown

    async def settled(self, timeout: float = _PATIENCE_SECONDS) -> None:
        """Return when the catalogue is up to date, or there is no making it so in that time."""
        if self._stale():
            self._look_again()
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=timeout)

    def check(self, start: Start, crew: str) -> None:
        """Raises CommandError `bad_request` for inputs that the crew wants and nobody gave."""
        known = self._known.get(crew)
        if known is None or "error" in known:
            return
        needs = known["needs"]
        given = fill_in(standing_in(start.inputs, known["inputs"]), needs, datetime.date.today())
        left = lacking(given, needs)
        # Nothing at all leaves the templates of a crew of files as they are, as CrewAI does.
        if left and (start.inputs or not known["lenient"]):
            raise CommandError("bad_request", refusal(start.inputs, left, needs))

    def _stale(self) -> bool:
        return self._names != self.names or any(
            _modified(file) != when for file, when in self._files.items()
        )

    def _look_again(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.spawn(self._look_up(), name="looking at the crews")

    async def _look_up(self) -> None:
        names = self.names
        look = look_of(self._settings)
        if not look["crews"]:
            self._names = names
            return
        try:
            worker = await self._pool.make()
        except CannotImport:  # so can't the pool's own workers, and that is told once
            self._names = None
            return
        except WorkerLost as error:
            self._names = None
            if isinstance(error, CannotImport):
                return  # of which the sidecar ends, saying so itself
            logger.warning("the crews could not be looked at: %s", error)
            return
        try:
            worker.order({"order": "describe", "look": look})
            async with asyncio.timeout(_LOOK_SECONDS):
                data = await _answer(worker)
        except (TimeoutError, WorkerLost, LineTooLong) as error:
            why = str(error) or f"importing it takes more than {_LOOK_SECONDS:g} s"
            found = [self._unknown(named["crew"]) | {"error": why} for named in look["crews"]]
            data = {"crews": found, "files": {}}
        finally:
            worker.signal(KILL)
            worker.close()
        self._names, self._files = names, data["files"]
        self._learn({crew["name"]: crew for crew in data["crews"]})

    def _learn(self, found: dict[str, dict[str, Any]]) -> None:
        before, self._known = self._known, found
        for name, crew in found.items():
            if crew != before.get(name):
                log = logger.error if "error" in crew else logger.info
                log("%s", said(crew))
        if not any("error" in crew for crew in found.values()):
            self._pool.brief = self._brief

    def _unknown(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "kind": "crew",
            "tasks": [],
            "inputs": [],
            "model": None,
            "error": f"it could not be looked at: {self._pool.trouble or 'ask again'}",
        }

    def _brief(self) -> Order:
        return {"order": "prepare", "look": look_of(self._settings)}


def look_of(settings: Settings) -> Look:
    """All crews of those settings, with the environment and the working folder as they are now."""
    return {
        "folder": os.getcwd(),
        "environ": dict(os.environ),
        "crews": [
            {"crew": name, "config": _config(settings, name), "target": settings.targets.get(name)}
            for name in settings.crews
            if name != SYNTHETIC
        ],
    }


def _config(settings: Settings, crew: str) -> str:
    config = settings.config
    return str((config if crew == "default" else config / crew).resolve())


def said(crew: Mapping[str, Any]) -> str:
    """A description in words."""
    where = f"crew {crew['name']} ({crew.get('found') or crew['name']})"
    if "error" in crew:
        return f"{where} can't be built: {crew['error']}"
    tasks = ", ".join(
        f"{task['name']} ({task['agent']})" if task["agent"] else task["name"]
        for task in crew["tasks"]
    )
    inputs = ", ".join(f"{{{name}}}" for name in crew["inputs"])
    parts = [
        f"a {crew['kind']}" + (f" with the tasks {tasks}" if tasks else ""),
        f"inputs {inputs}" if inputs else "no inputs",
        f"model {crew['model']}" + (f", its key from {crew['key']}" if crew.get("key") else ""),
    ]
    return f"{where} is {'; '.join(parts)}"


async def _answer(worker: Worker) -> dict[str, Any]:
    """Raises WorkerLost for one that leaves without any."""
    while lines := await worker.facts():
        for line in lines:
            told = orjson.loads(line)
            if told.get("type") == WORKER_DESCRIBED:
                data: dict[str, Any] = told["data"]
                return data
    code = await worker.exit_code()
    raise WorkerLost(f"the process that imported it ended with exit code {code}")


def _modified(file: str) -> int | None:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return None
