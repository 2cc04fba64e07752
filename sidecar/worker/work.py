"""The crew of one run: found, made, told of, kicked off.

What is the run's own and not its crew's, its threads and its ending, is in main.py.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidecar.channel import Fact, Kept, RunSpec, fact
from sidecar.inputs import fill_in, placeholders
from sidecar.worker import config as configs
from sidecar.worker import project
from sidecar.worker.engine import models
from sidecar.worker.engine.gates import Gates
from sidecar.worker.engine.tap import Tap
from sidecar.worker.journal import Journal
from sidecar.worker.outputs import Output, output_of
from sidecar.worker.started import kept_of, planned, started

if TYPE_CHECKING:
    from sidecar.worker.engine.build import Job

__all__ = ["Work"]

_OF_MAKING: Final = "skill."
"""What an agent already says as it is made (crewai/agent/core.py): nothing has begun by that."""
_MAX_EARLY: Final = 1_000


class Work:
    """`do` it once, on the thread that will kick off."""

    def __init__(
        self,
        spec: RunSpec,
        gates: Gates,
        journal: Journal,
        *,
        say: Callable[[Fact], None],
        fatal: Callable[[BaseException], None],
        hear: Callable[[], None],
        heard: Callable[[], None],
        say_again: Callable[[], None],
    ) -> None:
        """`say` tells the gateway a fact, `hear` obeys what it has ordered by now, `fatal` ends
        the run. `heard` begins to hear what the crew prints; `say_again` prints what the user's
        modules printed before there was a run."""
        self._spec = spec
        self._gates = gates
        self._journal = journal
        self._say = say
        self._hear = hear
        self._heard = heard
        self._say_again = say_again
        self._directory = Path(spec["directory"])
        self._tap = Tap(self.tell, gates, fatal, spec["attempt"])
        self._told = False
        """Whether it has started, as far as anybody knows."""
        self._early: list[Fact] = []
        """Told of while the crew was being made; said once it has started."""
        self._begin: Callable[[], None] = lambda: None
        """Says so where something else is told first: a function kicks off by itself."""
        self._unasked = set(spec["review"])
        """Tasks that a person was to be asked about and that have not come up."""
        self._crew: Any = None
        """The run's own, until it is kicked off."""
        self._planned: list[str] = []
        """The tids of the run's own crew's tasks."""
        self._kept: list[Kept] = []
        """Those of them that an earlier attempt, or the run that was forked, finished."""

    def do(self) -> Output:
        """Find the crew, make it, and kick it off; its output. Raises what it raises."""
        output = self._output()
        self._say_unasked()
        return output

    def _output(self) -> Output:
        spec = self._spec
        choice = models.choose(os.environ)
        found = project.choose(
            spec["target"], spec["crew"], Path(spec["config"]), Path(spec["folder"])
        )
        if found is not None:
            return self._own(found.target, choice)
        crew = configs.load(Path(spec["config"]), configs.toolbox())
        inputs = fill_in(spec["inputs"], placeholders(crew.texts), datetime.date.today())
        from sidecar.worker.engine.build import check_review, fill, from_config

        check_review(spec["review"], [task.name for task in crew.tasks])
        named = [
            {"name": task.name, "agent": (role := crew.role_of(task)) and fill(role, inputs)}
            for task in crew.tasks
        ]
        # Before anything slow, so that a browser sees life within milliseconds.
        self._started(models.for_crew(crew, choice, os.environ).label, named)
        self._heard()
        self._keep_outputs()
        job = from_config(crew, choice, inputs, self._directory)
        self._listen_to(choice)
        return self._kickoff(job, inputs)

    def _own(self, target: str, choice: models.ModelChoice) -> Output:
        """A crew of the user's own Python, listened to from the first line of its module."""
        from sidecar.worker.engine import targets
        from sidecar.worker.engine.build import check_review, fill
        from sidecar.worker.engine.executions import task_list

        spec = self._spec
        self._heard()
        self._say_again()
        self._keep_outputs()
        crews: list[Any] = []

        def starting(source: Any, inputs: Mapping[str, Any]) -> None:
            crews.append(source)
            if not self._told:
                self._started(choice.label, task_list(getattr(source, "tasks", ())))
                if self._planned:
                    self._tap.mapper.own(source, self._planned, kept_told=False)
                    self._planned = []  # nothing of it is known beforehand: see finished.py
                    if spec["forked"]:
                        self._put_back(source, inputs)
                self._stand()

        self._listen_to(choice, starting)
        # A flow, or a model that is called without a crew, has no tasks to be told beforehand.
        self._begin = lambda: self._started(choice.label, [])
        found = targets.load(target)
        told, count = self._told, len(crews)  # by a module that kicks off as it is imported

        def begun() -> bool:
            return len(crews) > count or self._told > told

        made = targets.make(found, target, choice, spec["inputs"], begun)
        if isinstance(made, targets.Over):
            last = targets.last_output(crews[-1]) if crews else None
            return output_of(last if made.result is None else made.result)
        named = task_list(made.tasks)
        if named:  # a Flow's tasks are known only when it comes to them
            check_review(spec["review"], [task["name"] for task in named])
        inputs = made.filled(spec["inputs"])
        named = [{**one, "agent": one["agent"] and fill(one["agent"], inputs)} for one in named]
        if not told:
            self._started(made.model or choice.label, named)
        return self._kickoff(made, inputs)

    def _keep_outputs(self) -> None:
        from sidecar.worker.engine import storage

        storage.keep_in(self._directory / "crewai")

    def _listen_to(
        self,
        choice: models.ModelChoice,
        starting: Callable[[Any, Mapping[str, Any]], None] = lambda _source, _inputs: None,
    ) -> None:
        """Hear, hold, change and ask whatever starts in this process; `starting` is told of it and
        its inputs."""
        from sidecar.worker.engine import asking, storage
        from sidecar.worker.engine.build import attach, review
        from sidecar.worker.engine.finished import Finished
        from sidecar.worker.engine.modifications import Modifications
        from sidecar.worker.engine.questions import Questions
        from sidecar.worker.engine.standin import stand_in

        spec = self._spec
        finished = Finished(self._journal, spec["attempt"])
        modifications = Modifications(self._gates, self._tap.say, self._tap.mapper.known_as)

        def prepare(source: Any, event: Any) -> None:
            inputs = getattr(event, "inputs", None) or {}
            if source is self._crew:
                self._crew = None  # kicked off once more it is a crew like any other
            else:
                finished.begins(source, inputs)
            starting(source, inputs)
            storage.attach(source)
            attach(source, self._tap.step)
            self._unasked.difference_update(review(source, spec["review"]))

        def ended(what: Any, event: Any) -> None:
            try:
                finished.ended(what, event)
            except OSError as error:
                self._say_unkept(str(what.name or "a task"), error)

        asking.install(stand_in(choice), self._tap.say)
        self._tap.install(prepare, modifications.interrupt, ended, asking.began)
        modifications.install()
        questions = Questions(
            self._gates, self._tap.say, spec["input_timeout"], spec["attempt"], finished
        )
        questions.install()

    def _kickoff(self, job: Job, inputs: Mapping[str, Any]) -> Output:
        if job.crew is not None:
            self._crew = job.crew
            if self._planned:
                self._tap.mapper.own(job.crew, self._planned)
            self._put_back(job.crew, inputs)
        self._stand()
        return output_of(job.run(dict(inputs)))

    def _put_back(self, crew: Any, inputs: Mapping[str, Any]) -> None:
        from sidecar.worker.engine.kept import put_back

        whole = {one["name"]: one["output"] for one in self._journal.restore(self._kept)}
        put_back(crew, whole, inputs)

    def _stand(self) -> None:
        """A gate before anything of the crew's: CrewAI's own first one is after task.started."""
        self._hear()
        self._gates.stand("task")
        self._gates.check()

    def _say_unasked(self) -> None:
        for name in sorted(self._unasked):
            text = f"nobody was asked about {name!r}: no task of this name came up"
            self.tell(fact("log", {"stream": "sidecar", "text": text}))

    def _started(self, model: str, tasks: Sequence[Mapping[str, Any]]) -> None:
        self._told = True
        self._kept = kept_of(self._spec, [task["name"] for task in tasks])
        known = planned(tasks, self._kept, self._tap.mapper.places.new_tid)
        self._planned = [task["tid"] for task in known]
        try:
            self._journal.adopt(self._kept)
        except OSError as error:
            self._say_unkept("a task", error)
        self.tell(started(self._spec, model, known, self._kept))
        early, self._early = self._early, []
        for said in early:
            self.tell(said)

    def tell(self, said: Fact) -> None:
        if not self._told and said["type"] not in ("log", "run.started"):
            if said["type"].startswith(_OF_MAKING) and len(self._early) < _MAX_EARLY:
                self._early.append(said)
                return
            self._begin()
        if said["type"] == "task.completed" and said.get("tid") in self._planned:
            # Before the fact: what the gateway takes for finished can be restored.
            self._keep(said)
        self._say(said)

    def _keep(self, said: Fact) -> None:
        name, output = said["data"]["name"], said["data"]["output"]
        try:
            self._journal.write(said["tid"], output)
        except OSError as error:
            self._say_unkept(name, error)

    def _say_unkept(self, task: str, error: OSError) -> None:
        text = f"the whole output of {task} can't be kept for a later attempt: {error.strerror}"
        self.tell(fact("log", {"stream": "sidecar", "text": text}))
