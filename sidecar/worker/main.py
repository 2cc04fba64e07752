"""One run in this process: orders in, facts out, over one socket.

`main` is what a forked child of the zygote runs; the program `main` is the same in a
process of its own, where fork is unsafe or missing.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import random
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sidecar.channel import (
    WORKER_BROKEN,
    WORKER_DESCRIBED,
    WORKER_READY,
    Fact,
    Kept,
    Order,
    RunSpec,
    encode_line,
    fact,
)
from sidecar.inputs import fill_in, placeholders
from sidecar.worker import ahead, environment, process, project
from sidecar.worker import config as configs
from sidecar.worker.engine import models
from sidecar.worker.engine.gates import Gates
from sidecar.worker.engine.tap import Tap
from sidecar.worker.engine.versions import Unsupported
from sidecar.worker.journal import Journal
from sidecar.worker.line.capture import Capture
from sidecar.worker.line.orders import Orders
from sidecar.worker.line.outbox import Outbox
from sidecar.worker.line.redact import Redactor
from sidecar.worker.outputs import Output, output_of
from sidecar.worker.started import kept_of, planned, started

if TYPE_CHECKING:
    from sidecar.worker.engine.build import Job

__all__ = ["main", "message_of"]

_CANCEL_SECONDS: Final = 0.3
"""How long a cancelled crew may take to reach a gate before the process ends without it; a model
that streams reaches one at its next token. PROTOCOL.md promises the end within 0.5 s."""
_CANCEL_TOOL_SECONDS: Final = 2.5
"""The same while a tool is at work, so that it isn't cut off in the middle of a write; PROTOCOL.md
promises the end within 3.5 s."""
_OF_MAKING: Final = "skill."
"""What an agent already says as it is made (crewai/agent/core.py): nothing has begun by that."""
_MAX_EARLY: Final = 1_000
_DRAIN_SECONDS: Final = 2.0
"""Limit for hearing the rest of what the crew printed, which is in the pipe already."""
_CANCEL_DRAIN_SECONDS: Final = 0.05


def main(sock: socket.socket) -> NoReturn:
    """Say that this worker is ready, wait for `start`, run it, say how it ended, and exit.

    Never returns: the process ends with `os._exit`, because a cancelled model's HTTP stream and
    CrewAI's exit handlers can hold an orderly exit up for seconds.
    """
    sock.setblocking(True)
    sock.sendall(encode_line(fact(WORKER_READY, {"pid": os.getpid()})))
    orders = Orders(sock)
    before = ahead.Ahead()
    rehearsed = False
    try:
        while True:
            if not rehearsed and not orders.wait(0):
                _rehearse()
                rehearsed = True
            if (order := orders.first())["order"] != "prepare":
                break
            before.prepare(order["look"])
    except EOFError:  # the gateway wants no run of it
        process.leave(0)
    if order["order"] == "describe":
        described = fact(WORKER_DESCRIBED, ahead.described(order["look"]))
        redactor = Redactor(environment.secret_values(os.environ))
        with contextlib.suppress(OSError):
            sock.sendall(b"".join(map(encode_line, redactor.facts(described))))
        process.leave(0)
    spec = order["spec"]
    before.enter(spec["folder"], spec["environ"])
    _Run(sock, spec, orders, before.say).execute()


def _rehearse() -> None:
    from sidecar.worker.engine import warm

    with contextlib.suppress(Exception):  # then the run is slower, and says itself what is wrong
        warm.rehearse()


class _Run:
    """One run: the owner of its threads, its ending and its exit."""

    def __init__(
        self,
        sock: socket.socket,
        spec: RunSpec,
        orders: Orders,
        say_again: Callable[[], None] = lambda: None,
    ) -> None:
        """`say_again` prints what the user's modules printed before there was a run."""
        self._spec = spec
        self._say_again = say_again
        self._orders = orders
        self._hearing = threading.Lock()
        self._redactor = Redactor(environment.secret_values(os.environ))
        self._outbox = Outbox(sock, self._redactor)
        self._capture = Capture(
            lambda stream, text: self._tell(fact("log", {"stream": stream, "text": text})),
            self._redactor,
        )
        self._gates = Gates(self._halt, self._outbox.go)
        self._ending = threading.Lock()
        self._directory = Path(spec["directory"])
        self._journal = Journal(self._directory, self._redactor.text)
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
        """Those of them that an earlier attempt finished."""
        self._reader = threading.Thread(target=self._listen, name="orders", daemon=True)

    def execute(self) -> NoReturn:
        try:
            self._reader.start()
            self._settle()
            output = self._work()
            self._say_unasked()
        except BaseException as error:  # a SystemExit from a tool must not end the run unsaid
            self._fail(error)
        self._complete(output)

    def _settle(self) -> None:
        """Make this process the run's own: directory, storage, randomness, memory."""
        self._directory.mkdir(parents=True, exist_ok=True)
        os.environ["SIDECAR_RUN_DIR"] = str(self._directory)
        random.seed()
        _limit_memory(self._spec["memory_mb"])
        threading.excepthook = self._thread_failed

    def _work(self) -> Output:
        spec = self._spec
        choice = models.choose(os.environ)
        tap = Tap(self._tell, self._gates, self._fail, spec["attempt"])
        found = project.choose(
            spec["target"], spec["crew"], Path(spec["config"]), Path(spec["folder"])
        )
        if found is not None:
            return self._own(found.target, tap, choice)
        crew = configs.load(Path(spec["config"]), configs.toolbox())
        inputs = fill_in(spec["inputs"], placeholders(crew.texts), datetime.date.today())
        from sidecar.worker.engine.build import check_review, fill, from_config

        check_review(spec["review"], [task.name for task in crew.tasks])
        named = [
            {"name": task.name, "agent": (role := crew.role_of(task)) and fill(role, inputs)}
            for task in crew.tasks
        ]
        # Before anything slow, so that a browser sees life within milliseconds.
        llms = (agent.llm for agent in crew.agents.values())
        self._started(models.for_crew(llms, choice, os.environ).label, named, tap)
        self._capture.start()
        self._keep_outputs()
        job = from_config(crew, choice, inputs, self._directory)
        self._listen_to(tap, choice)
        return self._kickoff(job, inputs, tap)

    def _own(self, target: str, tap: Tap, choice: models.ModelChoice) -> Output:
        """A crew of the user's own Python, listened to from the first line of its module."""
        from sidecar.worker.engine import targets
        from sidecar.worker.engine.build import check_review, fill
        from sidecar.worker.engine.executions import task_list

        spec = self._spec
        self._capture.start()
        self._say_again()
        self._keep_outputs()
        crews: list[Any] = []

        def starting(source: Any) -> None:
            crews.append(source)
            if not self._told:
                self._started(choice.label, task_list(getattr(source, "tasks", ())), tap)
                if self._planned:
                    tap.mapper.own(source, self._planned, kept_told=False)
                    self._planned = []  # nothing of it is known beforehand: see finished.py
                self._stand()

        self._listen_to(tap, choice, starting)
        # A flow, or a model that is called without a crew, has no tasks to be told beforehand.
        self._begin = lambda: self._started(choice.label, [], tap)
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
            self._started(made.model or choice.label, named, tap)
        return self._kickoff(made, inputs, tap)

    def _keep_outputs(self) -> None:
        from sidecar.worker.engine import storage

        storage.keep_in(self._directory / "crewai")

    def _listen_to(
        self,
        tap: Tap,
        choice: models.ModelChoice,
        starting: Callable[[Any], None] = lambda _source: None,
    ) -> None:
        """Hear, hold, change and ask whatever starts in this process; `starting` is told of it."""
        from sidecar.worker.engine import asking, storage
        from sidecar.worker.engine.build import attach, review
        from sidecar.worker.engine.finished import Finished
        from sidecar.worker.engine.modifications import Modifications
        from sidecar.worker.engine.questions import Questions
        from sidecar.worker.engine.standin import stand_in

        spec = self._spec
        finished = Finished(self._journal, spec["attempt"])
        modifications = Modifications(self._gates, tap.say, tap.mapper.known_as)

        def prepare(source: Any, event: Any) -> None:
            if source is self._crew:
                self._crew = None  # kicked off once more it is a crew like any other
            else:
                finished.begins(source, getattr(event, "inputs", None) or {})
            starting(source)
            storage.attach(source)
            attach(source, tap.step)
            self._unasked.difference_update(review(source, spec["review"]))

        def ended(what: Any, event: Any) -> None:
            try:
                finished.ended(what, event)
            except OSError as error:
                self._say_unkept(str(what.name or "a task"), error)

        asking.install(stand_in(choice))
        tap.install(prepare, modifications.interrupt, ended)
        modifications.install()
        questions = Questions(
            self._gates, tap.say, spec["input_timeout"], spec["attempt"], finished
        )
        questions.install()

    def _kickoff(self, job: Job, inputs: Mapping[str, Any], tap: Tap) -> Output:
        from sidecar.worker.engine.kept import put_back

        if job.crew is not None:
            self._crew = job.crew
            if self._planned:
                tap.mapper.own(job.crew, self._planned)
            whole = {one["name"]: one["output"] for one in self._journal.restore(self._kept)}
            put_back(job.crew, whole, inputs)
        self._stand()
        return output_of(job.run(dict(inputs)))

    def _stand(self) -> None:
        """A gate before anything of the crew's: CrewAI's own first one is after task.started."""
        self._hear()
        self._gates.stand("task")
        self._gates.check()

    def _say_unasked(self) -> None:
        for name in sorted(self._unasked):
            text = f"nobody was asked about {name!r}: no task of this name came up"
            self._tell(fact("log", {"stream": "sidecar", "text": text}))

    def _started(self, model: str, tasks: Sequence[Mapping[str, Any]], tap: Tap) -> None:
        self._told = True
        self._kept = kept_of(self._spec, [task["name"] for task in tasks])
        known = planned(tasks, self._kept, tap.mapper.places.new_tid)
        self._planned = [task["tid"] for task in known]
        self._tell(started(self._spec, model, known, self._kept))
        early, self._early = self._early, []
        for said in early:
            self._tell(said)

    def _tell(self, said: Fact) -> None:
        if not self._told and said["type"] not in ("log", "run.started"):
            if said["type"].startswith(_OF_MAKING) and len(self._early) < _MAX_EARLY:
                self._early.append(said)
                return
            self._begin()
        if said["type"] == "task.completed" and said.get("tid") in self._planned:
            # Before the fact: what the gateway takes for finished can be restored.
            self._keep(said)
        try:
            self._outbox.put(said)
        except OSError:
            process.abandon()

    def _keep(self, said: Fact) -> None:
        name, output = said["data"]["name"], said["data"]["output"]
        try:
            self._journal.write(said["tid"], output)
        except OSError as error:
            self._say_unkept(name, error)

    def _say_unkept(self, task: str, error: OSError) -> None:
        text = f"the whole output of {task} can't be kept for a later attempt: {error.strerror}"
        self._tell(fact("log", {"stream": "sidecar", "text": text}))

    def _halt(self, paused: Fact) -> None:
        try:
            self._outbox.halt(paused)
        except OSError:
            process.abandon()

    def _complete(self, output: Output) -> NoReturn:
        self._gates.hold()
        if self._gates.cancelled:
            self._cancelled()
        said = {"output": output.text}
        self._end(
            fact("run.completed", said if output.json is None else said | {"json": output.json})
        )

    def _cancelled(self) -> NoReturn:
        self._end(fact("run.cancelled", {}, cause=self._gates.cause), _CANCEL_DRAIN_SECONDS)

    def _fail(self, error: BaseException) -> NoReturn:
        """End the run because of `error`; from any thread."""
        _lift_memory_limit()
        self._gates.hold()
        if self._gates.cancelled:
            self._cancelled()
        code = _code_of(error, self._spec["memory_mb"])
        self._note(error)
        message = (
            f"the crew used more than its {self._spec['memory_mb']} MiB of memory"
            if code == "out_of_memory" and self._spec["memory_mb"]
            else message_of(error)
        )
        self._end(fact("run.failed", {"error": {"code": code, "message": message}}))

    def _end(self, last: Fact, drain: float = _DRAIN_SECONDS) -> NoReturn:
        """Say the run's last word and exit. The first thread to come here speaks for all."""
        self._ending.acquire()
        try:
            self._capture.finish(drain)
            self._outbox.close(last)
        except OSError:
            process.abandon()
        finally:
            process.leave(0)

    def _listen(self) -> None:
        while True:
            self._hear()
            self._orders.wait()

    def _hear(self) -> None:
        """Obey all that has been ordered by now."""
        try:
            with self._hearing:
                while order := self._orders.take(0):
                    self._obey(order)
        except EOFError:
            process.abandon()

    def _obey(self, order: Order) -> None:
        gates, cause = self._gates, order.get("cause")
        if order["order"] == "cancel":
            gates.cancel(cause)
            patience = _CANCEL_TOOL_SECONDS if gates.in_tool else _CANCEL_SECONDS
            deadline = threading.Timer(patience, self._cancelled)
            deadline.daemon = True
            deadline.start()
        elif order["order"] == "pause":
            gates.pause(cause)
        elif order["order"] == "resume":
            gates.resume()
        elif order["order"] == "modify":
            gates.modify(order["change"], cause)
        elif order["order"] == "answer":
            gates.answer(order["input"], order["text"])
        elif order["order"] == "expire":
            gates.answer(order["input"], None)

    def _thread_failed(self, args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, MemoryError):
            self._fail(args.exc_value)
        threading.__excepthook__(args)

    def _note(self, error: BaseException) -> None:
        """The traceback, for whoever runs the sidecar; clients get one line."""
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        with contextlib.suppress(OSError):
            log = self._directory / "worker.log"
            log.write_text(self._redactor.text(lines), encoding="utf-8", errors="replace")


def message_of(error: BaseException) -> str:
    """`error` in words for the user: no traceback; our own errors without their class."""
    text = str(error).strip()
    if ahead.problem(error) or isinstance(error, Unsupported):
        return text
    line = " ".join(text.split())
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _code_of(error: BaseException, memory_mb: int) -> str:
    if ahead.problem(error):
        return "bad_crew"
    chain: BaseException | None = error
    for _ in range(32):
        if chain is None:
            break
        no_thread = memory_mb > 0 and "can't start new thread" in str(chain)
        if isinstance(chain, MemoryError) or no_thread:
            return "out_of_memory"
        chain = chain.__cause__ or chain.__context__
    return "error"


def _limit_memory(mebibytes: int) -> None:
    """Make allocations beyond the limit raise MemoryError, where the system can."""
    if sys.platform == "win32" or mebibytes <= 0:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    # Only the soft limit, so that the ending can lift it again.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, hard))


def _lift_memory_limit() -> None:
    """Saying that memory ran out takes some."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def spawned(arguments: list[str]) -> NoReturn:
    """The spawned worker's whole life: import crewai ahead of need, then `main`."""
    sock = process.own_channel(arguments, "main")
    process.detach()
    process.guard()
    # A gateway that is gone by now has closed the channel, which ends this worker before any run.
    process.die_with(os.getppid())
    try:
        environment.prepare()
        from sidecar.worker.engine import warm

        warm.up()
    except Unsupported as error:
        said = fact(WORKER_BROKEN, {"message": str(error), "whole": True})
        sock.sendall(encode_line(said))
        process.leave(1)
    except BaseException as error:
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        sock.sendall(encode_line(fact(WORKER_BROKEN, {"message": text})))
        process.leave(1)
    main(sock)
