"""One run in this process: orders in, facts out, over one socket.

`main` is what a forked child of the zygote runs; the program `main` is the same in a
process of its own, where fork is unsafe or missing.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from sidecar.channel import (
    WORKER_BROKEN,
    WORKER_DESCRIBED,
    WORKER_READY,
    Fact,
    Order,
    RunSpec,
    encode_line,
    fact,
)
from sidecar.worker import ahead, environment, memory, process
from sidecar.worker.engine.failures import failure
from sidecar.worker.engine.gates import Gates
from sidecar.worker.engine.versions import Unsupported
from sidecar.worker.journal import Journal
from sidecar.worker.line.capture import Capture
from sidecar.worker.line.orders import Orders
from sidecar.worker.line.outbox import Outbox
from sidecar.worker.line.redact import Redactor
from sidecar.worker.outputs import Output
from sidecar.worker.work import Work

__all__ = ["main", "told_of"]

_CANCEL_SECONDS: Final = 0.3
"""How long a cancelled crew may take to reach a gate before the process ends without it; a model
that streams reaches one at its next token. PROTOCOL.md promises the end within 0.5 s."""
_CANCEL_TOOL_SECONDS: Final = 2.5
"""The same while a tool is at work, so that it isn't cut off in the middle of a write; PROTOCOL.md
promises the end within 3.5 s."""
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
        self._orders = orders
        self._hearing = threading.Lock()
        self._redactor = Redactor(environment.secret_values(os.environ))
        self._outbox = Outbox(sock, self._redactor)
        self._capture = Capture(
            lambda stream, text: self._say(fact("log", {"stream": stream, "text": text})),
            self._redactor,
        )
        self._gates = Gates(self._halt, self._outbox.go)
        self._ending = threading.Lock()
        self._directory = Path(spec["directory"])
        self._work = Work(
            spec,
            self._gates,
            Journal(self._directory, self._redactor.text),
            say=self._say,
            fatal=self._fail,
            hear=self._hear,
            heard=self._capture.start,
            say_again=say_again,
        )
        self._reader = threading.Thread(target=self._listen, name="orders", daemon=True)

    def execute(self) -> NoReturn:
        try:
            self._reader.start()
            self._settle()
            output = self._work.do()
        except BaseException as error:  # a SystemExit from a tool must not end the run unsaid
            self._fail(error)
        self._complete(output)

    def _settle(self) -> None:
        """Make this process the run's own: directory, storage, randomness, memory."""
        self._directory.mkdir(parents=True, exist_ok=True)
        os.environ["SIDECAR_RUN_DIR"] = str(self._directory)
        random.seed()
        memory.limit(self._spec["memory_mb"])
        threading.excepthook = self._thread_failed

    def _say(self, said: Fact) -> None:
        try:
            self._outbox.put(said)
        except OSError:
            process.abandon()

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
        memory.lift()
        self._gates.hold()
        if self._gates.cancelled:
            self._cancelled()
        code = _code_of(error, self._spec["memory_mb"])
        self._note(error)
        told = told_of(error)
        if code == "out_of_memory":
            most = self._spec["memory_mb"]
            why = f"used more than its {most} MiB of memory" if most else "ran out of memory"
            told = {"message": f"the crew {why}"}
        self._end(fact("run.failed", {"error": {"code": code, **told}}))

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


def told_of(error: BaseException) -> dict[str, Any]:
    """`error` in words for the user, as `message` and what failures.py has beside it: no traceback;
    our own errors without their class."""
    if ahead.problem(error) or isinstance(error, Unsupported):
        return {"message": str(error).strip()}
    return failure(error)


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
