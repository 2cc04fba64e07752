"""Both sides of the comparison: a crew run by CrewAI alone, and by a worker of the sidecar's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from sidecar.channel import RunSpec
from tests.crews.model import Model
from tests.worker.harness import PROJECT, Child, Zygote, clean_environment, spec_for

__all__ = ["ANSWERS", "INPUTS", "Answers", "Direct", "Sides"]

INPUTS: Final = {"message": "a tea shop opens"}
ANSWERS: Final = ("Shorter, please.", "", "approved", "", "")
"""What a person says to the questions of a crew, one after the other; "" to all that follow."""

_QUIET: Final = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "OTEL_SDK_DISABLED": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Direct:
    """What came of a crew by CrewAI alone."""

    output: str | None
    json: Any
    error: str | None
    events: list[dict[str, Any]]
    asked: list[dict[str, Any]]
    """The bodies that the model was sent."""


class Sides:
    """A program that runs crews directly, a zygote, and the model of both; a context manager."""

    def __init__(self, zygote: Zygote, model: Model) -> None:
        self._zygote = zygote
        self.model = model
        self._known: dict[str, Direct] = {}
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.crews.direct"],
            env=clean_environment(**_QUIET),
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Sides:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._program.communicate()

    def directly(self, target: str, folder: Path) -> Direct:
        """Raises AssertionError with its output if the process of the crew died."""
        file = folder / "direct.json"
        order = {
            "target": target,
            "inputs": INPUTS,
            "environ": self.environment("direct", folder),
            "answers": [*ANSWERS, *([""] * 20)],
            "folder": str(self._work("direct", folder)),
            "file": str(file),
        }
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        code = self._program.stdout.readline().strip()
        assert code == "0", (code, file.with_suffix(".log").read_text())
        came = json.loads(file.read_text())
        return Direct(**came, asked=self.model.asked("direct"))

    def known(self, target: str, folder: Path) -> Direct:
        """The same, run once."""
        if target not in self._known:
            self._known[target] = self.directly(target, folder)
        return self._known[target]

    def worker(self, word: str, folder: Path) -> Child:
        """One that has said it is ready; its run's model knows it by `word`."""
        return self._zygote.make(self.environment(word, folder))

    def spec(self, target: str, word: str, folder: Path, **more: Any) -> RunSpec:
        given = {"inputs": INPUTS, "folder": str(self._work(word, folder)), **more}
        return spec_for(folder / word, target=target, **given)

    def _work(self, word: str, folder: Path) -> Path:
        """Where the crew is kicked off: some of them write files."""
        work = folder / f"work-{word}"
        work.mkdir(exist_ok=True)
        return work

    def environment(self, word: str, folder: Path) -> dict[str, str]:
        storage = folder / f"storage-{word}"
        storage.mkdir(exist_ok=True)
        return clean_environment(
            **_QUIET,
            OPENAI_API_KEY="sk-test-0123456789",
            OPENAI_BASE_URL=self.model.of(word),
            OPENAI_MODEL_NAME="gpt-4o-mini",
            CREWAI_STORAGE_DIR=str(storage),
            PYTHONPATH=str(PROJECT),
            NO_PROXY="127.0.0.1",
        )


class Answers:
    """A person who hears a worker and has ANSWERS for it, one after the other; one who has seen
    an `earlier` attempt says the same again where the same is asked."""

    def __init__(self, worker: Child, earlier: Answers | None = None) -> None:
        self._worker = worker
        self._before = dict(earlier.given) if earlier else {}
        self.given: dict[tuple[str, str], str] = {}
        """By prompt and output."""
        self._answers = iter(ANSWERS[len(self._before) :])

    def until(self, type: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th fact of that type from now. Raises AssertionError at the end."""
        for said in self._heard():
            count -= said["type"] == type
            if count == 0:
                return said
        raise AssertionError(f"no {type} among {[one['type'] for one in self._worker.facts]}")

    def rest(self) -> dict[str, Any]:
        """Its last word."""
        for _ in self._heard():
            pass
        return self._worker.facts[-1]

    def _heard(self) -> Iterator[dict[str, Any]]:
        for said in self._worker:
            if said["type"] == "input.requested":
                asked = (said["data"]["prompt"], said["data"]["output"])
                text = self._before.pop(asked, None)
                self.given[asked] = next(self._answers, "") if text is None else text
                self._worker.order(
                    order="answer", input=said["data"]["input"], text=self.given[asked]
                )
            yield said
