"""A run without the gateway: `python -m crew.run "message"`, or JSON in with `--stdin`.

The contract of docs/PROTOCOL.md section 8, as a Next route calls it. On stdout exactly one JSON
object, `{"status": "complete", "output", "task_outputs": [{task, agent, output, name}],
"token_usage"}`, or with exit code 1 `{"status": "error", "error"}`; on stderr a line
`{"type":"progress","agent":…,"task":…,"timestamp":…}` when an agent starts on a task and at each of
its steps. What the crew prints goes to stderr. Ctrl-C exits with 130.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

from sidecar.channel import Fact
from sidecar.inputs import BRIEF, SAME, fill_in, placeholders, standing_in
from sidecar.worker import config as configs
from sidecar.worker import environment, project, user
from sidecar.worker.engine import models, versions

if TYPE_CHECKING:
    from sidecar.worker.engine.build import Job

__all__ = ["BadInput", "inputs_from", "main"]

_MAX_STDIN: Final = 16 * 1024 * 1024
_PROGRESS: Final = frozenset({"agent.started", "step"})


class BadInput(Exception):
    """What was given on the command line or stdin can't be used; the text says why."""


class _Collected:
    """What a run's facts come to: the parts of the answer."""

    def __init__(self, progress: Callable[[dict[str, Any]], None]) -> None:
        self.own: Sequence[str] = ()
        """The executions of the crew's own tasks, where they are known before kickoff."""
        self._done: list[tuple[str, dict[str, Any]]] = []
        self._prompt = self._completion = self._requests = 0
        self._progress = progress

    def add(self, said: Fact) -> None:
        data, task, agent = said["data"], said.get("task"), said.get("agent")
        if said["type"] in _PROGRESS:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            self._progress({"type": "progress", "agent": agent, "task": task, "timestamp": now})
        elif said["type"] == "task.completed":
            done = {"task": task, "agent": agent, "output": data["output"], "name": task}
            self._done.append((said.get("tid", ""), done))
        elif said["type"] == "llm.completed":
            usage = data["usage"]
            self._prompt += usage.get("prompt_tokens", 0)
            self._completion += usage.get("completion_tokens", 0)
            self._requests += 1

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """As `CrewOutput.tasks_output` has them: without a planner's and those of crews inside."""
        return [done for tid, done in self._done if not self.own or tid in self.own]

    @property
    def usage(self) -> dict[str, int]:
        """In the words of model providers of both kinds, as Next routes read either."""
        return {
            "input_tokens": self._prompt,
            "output_tokens": self._completion,
            "prompt_tokens": self._prompt,
            "completion_tokens": self._completion,
            "total_tokens": self._prompt + self._completion,
            "successful_requests": self._requests,
        }


def inputs_from(text: str) -> dict[str, Any]:
    """The crew's inputs from a JSON text.

    Accepts `{"message": "…", …}` (further keys are inputs too), `{"inputs": {…}}` and a bare JSON
    string, which is the message. Names that mean the same stand in for each other. Raises BadInput.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"stdin is not JSON: {error}") from None
    if isinstance(given, str):
        given = {"message": given}
    if isinstance(given, dict) and isinstance(given.get("inputs"), dict):
        given = {
            **{key: value for key, value in given.items() if key != "inputs"},
            **given["inputs"],
        }
    if not isinstance(given, dict):
        raise BadInput('stdin must be {"message": "…"}, {"inputs": {…}} or a JSON string')
    if not given:
        raise BadInput('no message: give {"message": "…"} or {"inputs": {…}}')
    inputs = standing_in(given, SAME)
    for name in [name for name in BRIEF if name in given]:
        if not isinstance(inputs[name], str):
            raise BadInput(f"{name} must be a string")
        if not inputs[name].strip():
            raise BadInput(f"the {name.replace('_', ' ')} is empty")
    return inputs


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run once and exit: 0 success, 1 failure, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    answer, code = {"status": "error", "error": "interrupted"}, 130
    with _only_answer_on_stdout() as out:
        try:
            answer, code = _run(options), 0
        except KeyboardInterrupt:
            pass
        except BaseException as error:  # a SystemExit from a tool is a failure like any other
            from sidecar.worker.line.redact import Redactor
            from sidecar.worker.main import told_of

            code = 1
            text = str(error) if isinstance(error, BadInput) else told_of(error)["message"]
            secrets = environment.secret_values(os.environ)
            answer = {"status": "error", "error": Redactor(secrets).text(text)}
        # ensure_ascii: a lone surrogate from a model has no UTF-8 form.
        out.write(json.dumps(answer) + "\n")
        out.flush()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    # CrewAI's exit handlers wait for threads that may still read from a model.
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crew.run", description="Run a crew once and print its result as JSON."
    )
    parser.add_argument("message", nargs="?", help="the brief")
    parser.add_argument("--stdin", action="store_true", help="read JSON from stdin instead")
    parser.add_argument(
        "--config",
        default=os.environ.get("SIDECAR_CONFIG", "").strip() or "config",
        help="folder with agents.yaml and tasks.yaml (SIDECAR_CONFIG)",
    )
    parser.add_argument(
        "--crew",
        default=os.environ.get("SIDECAR_CREW", "").strip() or None,
        help="package.module:attribute of a Python crew instead (SIDECAR_CREW)",
    )
    return parser


def _run(options: argparse.Namespace) -> dict[str, Any]:
    inputs = _inputs(options)
    versions.require()
    environment.prepare(Path.cwd())
    user.enter(Path.cwd())
    choice = models.choose(os.environ)
    found = project.choose(options.crew, "default", Path(options.config).resolve(), Path.cwd())
    # Before crewai, so that a mistake in a file is told at once.
    crew = configs.load(Path(options.config), configs.toolbox()) if found is None else None
    collected = _Collected(_say)
    with tempfile.TemporaryDirectory(prefix="crew-run-", ignore_cleanup_errors=True) as own:
        from sidecar.worker.engine import asking, storage, targets
        from sidecar.worker.engine.build import attach, from_config
        from sidecar.worker.engine.gates import Gates
        from sidecar.worker.engine.standin import stand_in
        from sidecar.worker.engine.tap import Tap
        from sidecar.worker.outputs import output_of

        storage.keep_in(Path(own))
        tap = Tap(collected.add, Gates(), _raise)
        begun: list[Any] = []

        def starting(source: Any, _event: Any) -> None:
            begun.append(source)
            storage.attach(source)
            attach(source, tap.step)

        asking.install(stand_in(choice), tap.say)
        tap.install(starting, asked=asking.began)
        made: Job | targets.Over
        if found is not None:
            theirs = targets.load(found.target)
            made = targets.make(theirs, found.target, choice, inputs, lambda: bool(begun))
        else:
            assert crew is not None
            inputs = fill_in(inputs, placeholders(crew.texts), datetime.date.today())
            made = from_config(crew, choice, inputs, Path.cwd())
        if isinstance(made, targets.Over):
            result = made.result
        else:
            if made.crew is not None:
                collected.own = [tap.mapper.places.new_tid() for _ in made.tasks]
                tap.mapper.own(made.crew, list(collected.own))
            result = made.run(made.filled(inputs))
        if result is None and begun:
            result = targets.last_output(begun[-1])
        output = output_of(result).text or ""
    return {
        "status": "complete",
        "output": output,
        "task_outputs": collected.tasks,
        "token_usage": collected.usage,
    }


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    if options.stdin:
        if options.message is not None:
            raise BadInput("give a message or --stdin, not both")
        raw = sys.stdin.buffer.read(_MAX_STDIN + 1)
        if len(raw) > _MAX_STDIN:
            raise BadInput(f"stdin is larger than {_MAX_STDIN >> 20} MiB")
        try:
            return inputs_from(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise BadInput(f"stdin is not UTF-8: {error.reason} at byte {error.start}") from None
    if options.message is None:
        raise BadInput('no message: python -m crew.run "your brief", or --stdin with JSON')
    return inputs_from(json.dumps(options.message))


def _say(progress: dict[str, Any]) -> None:
    # Without blanks: Next routes look for the text `"type":"progress"` before they parse a line.
    print(json.dumps(progress, separators=(",", ":")), file=sys.stderr, flush=True)


def _raise(error: BaseException) -> NoReturn:
    raise error


@contextlib.contextmanager
def _only_answer_on_stdout() -> Any:
    """Yields the real stdout; whatever else writes to descriptor 1 writes to stderr instead."""
    sys.stdout.flush()
    out: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with out:
        yield out
