"""Real workers for tests: forked from a zygote or spawned, driven as the gateway drives them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sidecar.channel import TERMINAL, LineSplitter, RunSpec
from sidecar.pool.pool import command

__all__ = ["PROJECT", "Child", "Spawner", "Zygote", "clean_environment", "spec_for"]

PROJECT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 60.0
"""Seconds before a test gives up on a process: a bound, never a wait."""

Fact = dict[str, Any]


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without anything that chooses a model, plus `extra`."""
    chosen = ("OPENAI_", "OPENROUTER_", "OFFLINE_", "SIDECAR_", "CREW_", "CREWAI_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "CREWAI_STORAGE_DIR" or not name.startswith(chosen)
    }
    return {**kept, **extra}


def spec_for(directory: Path, message: str = "A bamboo cup for commuters", **more: Any) -> RunSpec:
    """What the gateway would send with `start`."""
    spec: dict[str, Any] = {
        "run": "r_test",
        "crew": "default",
        "inputs": {"message": message},
        "config": str(PROJECT / "config"),
        "target": None,
        "directory": str(directory / "run"),
        "environ": {},
        "folder": str(PROJECT),
        "attempt": 1,
        "kept": [],
        "forked": None,
        "superseded": None,
        "memory_mb": 0,
        "review": [],
        "input_timeout": 0.0,
        **more,
    }
    return spec  # type: ignore[return-value]


class Child:
    """The gateway's side of one worker: its channel and its process."""

    def __init__(
        self,
        pid: int,
        sock: socket.socket,
        ended: Callable[[], int],
        environment: dict[str, str],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.pid = pid
        self._process = process
        self._environment = environment
        self.facts: list[Fact] = []
        """All heard so far."""
        self._sock = sock
        self._ended = ended
        self._splitter = LineSplitter()
        self._unread: list[bytes] = []
        sock.settimeout(PATIENCE)

    def send(self, *orders: Any) -> None:
        """Orders in one breath; one that has an environment gets what this worker was made with."""
        for one in orders:
            if one["order"] == "start":
                one["spec"] = {**one["spec"], "environ": self._environment}
            elif "look" in one:
                one["look"] = {**one["look"], "environ": self._environment}
        self._sock.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in orders))

    def order(self, **order: Any) -> None:
        self.send(order)

    def start(self, spec: RunSpec) -> None:
        self.order(order="start", spec=spec)

    def __iter__(self) -> Iterator[Fact]:
        while True:
            while self._unread:
                fact = json.loads(self._unread.pop(0))
                self.facts.append(fact)
                yield fact
            data = self._sock.recv(65536)
            if not data:
                return
            self._unread += self._splitter.feed(data)

    def silent(self, seconds: float) -> bool:
        """Whether nothing has arrived yet, and nothing does for so long."""
        return not self._unread and not select.select([self._sock], [], [], seconds)[0]

    def until(self, type: str, **data: Any) -> Fact:
        """The next fact of this type whose data has these values."""
        for fact in self:
            if fact["type"] == type and data.items() <= fact["data"].items():
                return fact
        raise AssertionError(f"no {type} {data} among {[fact['type'] for fact in self.facts]}")

    def text(self, task: str | None = None) -> str:
        """What the model has written so far: all of it, or for one task."""
        return "".join(
            fact["data"]["text"]
            for fact in self.of("llm.delta")
            if task in (None, fact.get("task")) and fact["data"]["kind"] == "text"
        )

    def rest(self) -> Fact:
        """Hear the worker out; the last thing it said."""
        for _ in self:
            pass
        return self.facts[-1]

    def run(self, spec: RunSpec) -> Fact:
        """Start, hear out; returns the terminal fact."""
        self.start(spec)
        last = self.rest()
        assert last["type"] in TERMINAL, last
        return last

    def of(self, type: str) -> list[Fact]:
        return [fact for fact in self.facts if fact["type"] == type]

    def exit_code(self) -> int:
        """As in subprocess: negative for a signal."""
        return self._ended()

    def hang_up(self) -> None:
        """Close the channel, as a gateway that dies does."""
        self._sock.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process is None or self._process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(PATIENCE)
        self.hang_up()


class Gateway:
    """What a zygote's gateway does: its end of a control socket."""

    def __init__(self, control: socket.socket, environment: dict[str, str]) -> None:
        self.control = control
        self.control.settimeout(PATIENCE)
        self.ready = self.receive()
        self._environment = environment
        self._ended: dict[int, int] = {}

    def receive(self) -> dict[str, Any]:
        data = self.control.recv(65536)
        message: dict[str, Any] = json.loads(data) if data else {}
        return message

    def make(self, environment: dict[str, str] | None = None) -> Child:
        """A forked worker that has said it is ready; its run has the gateway's environment, or
        another."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b'{"fork": "t"}'], [theirs.fileno()])
        while "forked" not in (message := self.receive()):
            self._note(message)
        pid = message["pid"]
        child = Child(pid, ours, lambda: self._wait(pid), environment or self._environment)
        child.until("worker.ready")
        return child

    def _note(self, message: dict[str, Any]) -> None:
        assert "exited" in message, message
        self._ended[message["exited"]] = os.waitstatus_to_exitcode(message["status"])
        self.control.send(json.dumps({"heard": [message["exited"]]}).encode())

    def _wait(self, pid: int) -> int:
        while pid not in self._ended:
            self._note(self.receive())
        return self._ended[pid]


class Zygote(Gateway):
    """A real zygote and its own gateway; a context manager. Others reach it at `listen`."""

    def __init__(
        self,
        environment: dict[str, str],
        cwd: Path = PROJECT,
        listen: Path | None = None,
        command: Callable[..., list[str]] = command,
    ) -> None:
        self._listen = listen
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        more = () if listen is None else ("--listen", str(listen))
        with theirs:
            self.process = subprocess.Popen(
                command("zygote", "--control", str(theirs.fileno()), *more),
                pass_fds=[theirs.fileno()],
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
            )
        super().__init__(ours, environment)

    def another(self) -> Gateway:
        """A second gateway on the same zygote."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.connect(str(self._listen))
        return Gateway(control, self._environment)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Spawner:
    """Makes spawned workers, one process each."""

    def __init__(
        self,
        environment: dict[str, str],
        cwd: Path = PROJECT,
        program: str = "main",
        command: Callable[..., list[str]] = command,
    ) -> None:
        self._environment = environment
        self._cwd = cwd
        self._program = program
        self._command = command

    def make(self) -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                self._command(self._program, "--channel", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                env=self._environment,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        child = Child(process.pid, ours, lambda: process.wait(PATIENCE), self._environment, process)
        child.until("worker.ready")
        return child


def gone(pid: int, patience: float = PATIENCE) -> bool:
    """Whether no process has this id, or only a zombie; waits up to `patience` seconds for it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
