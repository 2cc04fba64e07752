"""A gateway or a worker that is killed leaves no worker behind, and no child of a tool's."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import light
from tests.worker.harness import (
    PATIENCE,
    PROJECT,
    Child,
    Spawner,
    clean_environment,
    gone,
    spec_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")

TARGETS = "tests.worker.targets"
OFFLINE = clean_environment(CREW_MODEL="offline", OFFLINE_TOKEN_MS="1")

GATEWAY = """
import sys
from pathlib import Path
from tests.worker.harness import Spawner, Zygote, spec_for
from tests.worker.test_orphans import OFFLINE
kind, target, directory = sys.argv[1:]
maker = Zygote(OFFLINE) if kind == "fork" else Spawner(OFFLINE)
worker = maker.make()
worker.start(spec_for(Path(directory), target=target))
print(worker.pid, flush=True)
worker.rest()
"""
"""A gateway as far as a worker can tell; it says its worker's pid."""


class Said:
    """The pipe into which the child of a hung tool writes its pid; see targets.py."""

    def __init__(self, directory: Path) -> None:
        path = directory / "run" / "said"
        path.parent.mkdir()
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._pid: int | None = None

    def pid(self) -> int:
        assert select.select([self._pipe], [], [], PATIENCE)[0]
        self._pid = int(os.read(self._pipe, 100))
        return self._pid

    def close(self) -> None:
        os.close(self._pipe)
        if self._pid is not None and not gone(self._pid, patience=0):
            os.kill(self._pid, signal.SIGKILL)


class Gateway:
    """It, in a process that can be killed."""

    def __init__(self, kind: str, target: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", GATEWAY, kind, target, str(directory)],
            cwd=PROJECT,
            env={**OFFLINE, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.worker = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        if not gone(self.worker, patience=0):
            os.kill(self.worker, signal.SIGKILL)


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Said]:
    said = Said(tmp_path)
    yield said
    said.close()


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_a_worker_and_its_tools_children_die_with_a_gateway_that_is_killed(
    said: Said, tmp_path: Path, kind: str
) -> None:
    gateway = Gateway(kind, f"{TARGETS}:hung_interpreter", tmp_path)
    left = said.pid()
    gateway.kill()
    try:
        assert gone(gateway.worker)
        assert gone(left)
    finally:
        gateway.close()


def test_when_the_channel_closes_the_worker_takes_its_group_along(
    worker: Child, said: Said, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:hung_tool"))
    left = said.pid()
    worker.hang_up()
    assert gone(worker.pid)
    assert gone(left)


@pytest.fixture
def guarded() -> Iterator[Child]:
    """A spawned worker without crewai."""
    worker = Spawner(OFFLINE, program="worker", command=light.command).make()
    yield worker
    worker.kill()


def child_of(worker: Child, directory: Path, target: str = "hear") -> int:
    """Start its run; the pid of the child that a tool of it has started."""
    worker.start(spec_for(directory, target=target))
    return int(worker.until("log")["data"]["text"])


def test_when_the_channel_closes_a_spawned_worker_takes_its_guard_and_group_along(
    guarded: Child, tmp_path: Path
) -> None:
    left = child_of(guarded, tmp_path)
    guarded.hang_up()
    assert guarded.exit_code() == -signal.SIGKILL
    assert gone(left)


def test_what_a_killed_spawned_worker_leaves_goes_without_a_gateways_help(
    guarded: Child, tmp_path: Path
) -> None:
    left = child_of(guarded, tmp_path)
    os.kill(guarded.pid, signal.SIGKILL)
    assert guarded.exit_code() == -signal.SIGKILL
    assert gone(left)


def test_a_spawned_worker_leaves_no_guard_behind_not_even_a_zombie(
    guarded: Child, tmp_path: Path
) -> None:
    children = Path(f"/proc/{guarded.pid}/task/{guarded.pid}/children")
    (guard,) = children.read_text().split()
    left = child_of(guarded, tmp_path, target="leave")
    assert guarded.exit_code() == 0
    assert not Path(f"/proc/{guard}").exists()
    # What a tool has left is the gateway's to kill: see tests/pool/test_spawn.py.
    os.kill(left, signal.SIGKILL)


def test_a_guard_sits_out_the_sigterm_that_its_group_is_sent(
    guarded: Child, tmp_path: Path
) -> None:
    left = child_of(guarded, tmp_path)
    os.killpg(guarded.pid, signal.SIGTERM)
    assert guarded.exit_code() == -signal.SIGTERM
    assert gone(left)


def test_a_worker_that_is_warming_up_dies_with_its_gateway() -> None:
    script = (
        "import socket, subprocess, sys; ours, theirs = socket.socketpair(); fd = theirs.fileno();"
        "from sidecar.pool.pool import command; command = command('main', '--channel', str(fd));"
        "process = subprocess.Popen(command, pass_fds=[fd], start_new_session=True);"
        "print(process.pid, flush=True); process.wait()"
    )
    gateway = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=PROJECT,
        env={**OFFLINE, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert gateway.stdout is not None
    worker = int(gateway.stdout.readline())
    # Its guard is there, so it has come so far; what takes long is to come.
    children = Path(f"/proc/{worker}/task/{worker}/children")
    deadline = time.monotonic() + PATIENCE
    while not children.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    gateway.kill()
    gateway.wait(PATIENCE)
    gateway.stdout.close()
    assert gone(worker)
