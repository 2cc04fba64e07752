"""The zygote's control protocol and its promises."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from sidecar.channel import RunSpec
from sidecar.worker import zygote as zygotes
from tests.support import light
from tests.worker.conftest import OFFLINE
from tests.worker.harness import Zygote, clean_environment, gone, spec_for

TARGETS = "tests.worker.targets"
BROKEN_INSTALL = """
import sys

class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "crewai":
            raise ImportError("broken install")

sys.meta_path.insert(0, Broken())
"""


@contextlib.contextmanager
def alone() -> Iterator[tuple[zygotes.Zygote, socket.socket]]:
    """A zygote in this process, with a gateway's end of its control socket; it serves nobody."""
    gateway, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with gateway, control:

        def idle(channel: socket.socket) -> NoReturn:
            os._exit(7)

        yield zygotes.Zygote(control, idle), gateway


def test_a_group_is_killed_and_its_gateway_has_heard_before_its_number_can_be_another_processs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A number is free once its process is reaped; a zombie still holds it."""
    states: list[str] = []

    def look(pid: int) -> None:
        states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])

    monkeypatch.setattr(zygotes, "_kill_group", look)
    with alone() as (zygote, gateway):
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        zygote._gateways[0].children.add(child.pid)
        wake, woken = socket.socketpair()
        with wake, woken:
            wake.setblocking(False)
            zygote._woken(wake)
        assert json.loads(gateway.recv(4096)) == {"exited": child.pid, "status": 0}
        look(child.pid)
        gateway.send(json.dumps({"heard": [child.pid]}).encode())
        assert zygote._receive(zygote._gateways[0])
        child.returncode = 0
    assert states == ["Z", "Z"]
    assert not Path(f"/proc/{child.pid}").exists()


def light_zygote(*arguments: str) -> Zygote:
    """The real one without crewai, for tests that end it; its children are the crew `synthetic`."""
    return Zygote(clean_environment(), command=lambda *given: light.command(*given, *arguments))


def endless(directory: Path) -> RunSpec:
    """A run that the crew `synthetic` does not come to the end of."""
    return spec_for(directory, inputs={"events": 10_000_000, "delay": 0, "rate": 1000})


def test_it_reports_ready_with_the_time_it_took(zygote: Zygote) -> None:
    assert zygote.ready["ready"] is True
    assert 0 < zygote.ready["seconds"] < 120


def test_it_has_exactly_one_thread_even_after_runs(zygote: Zygote, tmp_path: Path) -> None:
    child = zygote.make()
    child.run(spec_for(tmp_path))
    child.kill()
    assert os.listdir(f"/proc/{zygote.process.pid}/task") == [str(zygote.process.pid)]


def test_a_child_that_was_killed_is_reported_with_its_signal(zygote: Zygote) -> None:
    child = zygote.make()
    os.kill(child.pid, signal.SIGKILL)
    assert child.exit_code() == -signal.SIGKILL
    child.hang_up()


def test_a_fork_without_a_descriptor_is_an_error_and_nothing_worse(zygote: Zygote) -> None:
    zygote.control.send(b'{"fork": "x"}')
    answer = zygote.receive()
    while "exited" in answer:
        answer = zygote.receive()
    assert answer == {
        "error": "fork: ValueError: 0 descriptors came with it, not 1",
        "fork": "x",
    }
    zygote.make().kill()


def test_a_message_that_is_not_json_is_an_error_and_nothing_worse(zygote: Zygote) -> None:
    zygote.control.send(b"nonsense")
    answer = zygote.receive()
    while "exited" in answer:
        answer = zygote.receive()
    assert "JSONDecodeError" in answer["error"]
    zygote.make().kill()


def test_a_child_has_no_descriptor_of_the_zygotes(zygote: Zygote) -> None:
    first, second = zygote.make(), zygote.make()
    sockets = [
        target
        for entry in os.listdir(f"/proc/{second.pid}/fd")
        if (target := os.readlink(f"/proc/{second.pid}/fd/{entry}")).startswith("socket:")
    ]
    assert len(sockets) == 1
    first.kill()
    second.kill()


def test_when_the_gateway_goes_the_zygote_and_all_children_go(tmp_path: Path) -> None:
    with light_zygote() as zygote:
        running, idle = zygote.make(), zygote.make()
        running.start(endless(tmp_path))
        running.until("llm.delta")
        zygote.control.close()
        assert zygote.process.wait(30) == 0
        assert gone(running.pid)
        assert gone(idle.pid)
        running.hang_up()
        idle.hang_up()


def test_when_the_zygote_is_killed_its_children_go(tmp_path: Path) -> None:
    with light_zygote() as zygote:
        child = zygote.make()
        child.start(endless(tmp_path))
        child.until("llm.delta")
        zygote.process.kill()
        assert gone(child.pid)
        child.hang_up()


def test_what_a_tool_left_running_goes_with_its_run(zygote: Zygote, tmp_path: Path) -> None:
    child = zygote.make()
    child.run(spec_for(tmp_path, target=f"{TARGETS}:leaves_a_child"))
    left = int(child.of("tool.completed")[0]["data"]["output"].split()[1])
    assert child.exit_code() == 0
    assert gone(left)
    child.hang_up()


def test_a_failed_import_is_told_before_it_exits(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN_INSTALL)
    with Zygote(clean_environment(PYTHONPATH=str(tmp_path))) as zygote:
        assert zygote.ready == {"broken": "ImportError: broken install"}
        assert zygote.process.wait(30) == 1


def test_nothing_of_the_users_stands_in_for_the_product(tmp_path: Path) -> None:
    worked_in, on_path = tmp_path / "worked in", tmp_path / "on PYTHONPATH"
    for folder in (worked_in, on_path):
        for name in ("sidecar", "crew", "config", "tests", "crewai", "pydantic", "socket", "json"):
            (folder / name).mkdir(parents=True)
            text = f"raise SystemExit('{name} of the user, {folder.name}')"
            (folder / name / "__init__.py").write_text(text)
    environ = clean_environment(**OFFLINE, PYTHONPATH=str(on_path))
    with Zygote(environ, cwd=worked_in) as zygote:
        child = zygote.make()
        last = child.run(spec_for(tmp_path))
        assert last["type"] == "run.completed", last
        child.hang_up()


def test_a_zygote_serves_several_gateways_and_ends_the_children_of_who_leaves(
    zygote: Zygote, tmp_path: Path
) -> None:
    other = zygote.another()
    ours, theirs = zygote.make(), other.make()
    theirs.start(spec_for(tmp_path / "theirs", target=f"{TARGETS}:stuck_tool"))
    theirs.until("tool.started")
    ours.start(spec_for(tmp_path / "ours", target=f"{TARGETS}:slow_model"))
    ours.until("llm.delta")
    other.control.close()
    assert gone(theirs.pid)
    theirs.hang_up()
    ours.order(order="cancel", cause="c-1")
    assert ours.rest()["type"] == "run.cancelled"
    ours.hang_up()


def test_what_a_gateway_has_not_heard_of_is_reaped_when_it_leaves(zygote: Zygote) -> None:
    other = zygote.another()
    child = other.make()
    os.kill(child.pid, signal.SIGKILL)
    assert other.receive() == {"exited": child.pid, "status": signal.SIGKILL}
    other.control.close()
    child.hang_up()
    for _ in range(2):  # by the second, it has seen the end of the other's socket
        zygote.make().kill()
    assert not Path(f"/proc/{child.pid}").exists()


def test_it_refuses_to_fork_with_a_second_thread() -> None:
    with light_zygote("--threads") as zygote:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(zygote.control, [b'{"fork": "t"}'], [theirs.fileno()])
            assert zygote.receive() == {
                "error": "fork: RuntimeError: the zygote has 2 threads and can't fork safely",
                "fork": "t",
            }
