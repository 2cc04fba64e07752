"""The synthetic crew: an instrument that must say exactly what it was told, and obey meanwhile."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.pool.pool import command
from sidecar.protocol.events import Draft, encode_event
from tests.worker.harness import PROJECT, Child, Spawner, clean_environment, gone, spec_for

ENDLESS = 10_000_000
"""Events that nobody waits for."""


@pytest.fixture
def worker() -> Iterator[Child]:
    child = Spawner(clean_environment(), program="synthetic").make()
    yield child
    child.kill()


def spec(directory: Path, attempt: int = 1, kept: str | None = None, **inputs: Any) -> Any:
    finished = [] if kept is None else [{"tid": "1.1", "name": "synthetic", "output": kept}]
    return spec_for(directory, inputs={"delay": 0, **inputs}, attempt=attempt, kept=finished)


def numbers(child: Child) -> list[int]:
    return [int(fact["data"]["text"].rstrip(". ")) for fact in child.of("llm.delta")]


def births(child: Child) -> list[int]:
    """Nanoseconds of CLOCK_MONOTONIC."""
    return [fact["data"]["t"] for fact in child.of("llm.delta")]


def test_it_tells_a_runs_whole_story(worker: Child, tmp_path: Path) -> None:
    before = time.monotonic_ns()
    last = worker.run(spec(tmp_path, events=1000, message="ignored"))
    assert last["data"] == {"output": "1000 events"}
    assert worker.exit_code() == 0
    facts = [fact for fact in worker.facts if fact["type"] != "llm.delta"]
    assert [fact["type"] for fact in facts] == [
        *("worker.ready", "run.started", "task.started", "llm.started"),
        *("llm.completed", "task.completed", "run.completed"),
    ]
    assert facts[0]["data"] == {"pid": worker.pid}
    assert facts[1]["data"] == {
        "model": "synthetic",
        "attempt": 1,
        "tasks": [{"name": "synthetic", "agent": "Synthetic", "tid": "1.1"}],
    }
    assert facts[2]["data"] == {"name": "synthetic", "index": 1, "of": 1}
    assert facts[4]["data"]["usage"]["completion_tokens"] == 1000
    assert facts[5]["data"] == {"name": "synthetic", "output": "1000 events"}
    placed = [fact for fact in worker.facts if not fact["type"].startswith(("run.", "worker."))]
    assert {(fact["task"], fact["agent"]) for fact in placed} == {("synthetic", "Synthetic")}
    assert numbers(worker) == list(range(1000))
    call = facts[3]["data"]["call"]
    for fact in worker.of("llm.delta"):
        assert fact["data"].keys() == {"call", "text", "kind", "t"}
        assert (fact["data"]["call"], fact["data"]["kind"]) == (call, "text")
    assert births(worker) == sorted(births(worker))
    assert before < births(worker)[0]
    assert births(worker)[-1] < time.monotonic_ns()
    times = [fact["ts"] for fact in worker.facts]
    assert abs(times[-1] - time.time() * 1000) < 60_000
    assert all(a <= b + 0.001 for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("size", [250, 300, 1000, 65536])
def test_an_event_has_about_the_size_that_was_asked_for(
    worker: Child, tmp_path: Path, size: int
) -> None:
    worker.run(spec(tmp_path, events=20, size=size))
    for seq, said in enumerate(worker.of("llm.delta"), 5):
        place = {"task": said["task"], "agent": said["agent"], "tid": said["tid"]}
        draft = Draft(said["type"], said["ts"], said["data"], **place)
        event = encode_event(draft, run="r_test", epoch="k3f9ab", seq=seq, at=1763841600123.789)
        assert abs(len(event.json) - size) <= 8


def test_an_event_that_can_t_be_so_small_has_its_number_and_birth_alone(
    worker: Child, tmp_path: Path
) -> None:
    worker.run(spec(tmp_path, events=2, size=0))
    assert [fact["data"]["text"] for fact in worker.of("llm.delta")] == ["00000000 ", "00000001 "]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"events": -1}, "inputs.events must be a whole number from 0 to 10000000, not -1"),
        ({"events": 1.5}, "inputs.events must be a whole number from 0 to 10000000, not 1.5"),
        ({"events": "9"}, "inputs.events must be a whole number from 0 to 10000000, not '9'"),
        ({"events": None}, "inputs.events must be a whole number from 0 to 10000000, not None"),
        ({"events": True}, "inputs.events must be a whole number from 0 to 10000000, not True"),
        ({"rate": 1_000_001}, "inputs.rate must be a number from 0 to 1000000, not 1000001"),
        ({"rate": [1]}, "inputs.rate must be a number from 0 to 1000000, not [1]"),
        ({"size": 65_537}, "inputs.size must be a whole number from 0 to 65536, not 65537"),
        ({"burst": 0}, "inputs.burst must be a whole number from 1 to 10000, not 0"),
        ({"burst": float("nan")}, "inputs.burst must be a whole number from 1 to 10000, not nan"),
        ({"delay": 3600.5}, "inputs.delay must be a number from 0 to 3600, not 3600.5"),
        ({"delay": float("inf")}, "inputs.delay must be a number from 0 to 3600, not inf"),
    ],
)
def test_an_input_that_is_out_of_its_range_is_named(
    worker: Child, tmp_path: Path, inputs: dict[str, Any], message: str
) -> None:
    last = worker.run(spec(tmp_path, **inputs))
    assert last["type"] == "run.failed"
    assert last["data"] == {"error": {"code": "bad_crew", "message": message}}
    assert worker.of("run.started") == []


def test_whole_numbers_may_come_as_floats(worker: Child, tmp_path: Path) -> None:
    assert worker.run(spec(tmp_path, events=2.0, rate=0.0))["data"] == {"output": "2 events"}


def test_no_event_is_born_before_its_burst_is_due(worker: Child, tmp_path: Path) -> None:
    before = time.monotonic_ns()
    worker.run(spec(tmp_path, events=12, rate=100, burst=5, delay=0.1))
    due = [before + int((0.1 + number // 5 * 5 / 100) * 1e9) for number in range(12)]
    assert all(born >= then for born, then in zip(births(worker), due, strict=True))


def test_a_burst_of_any_size_arrives_whole_and_in_order(worker: Child, tmp_path: Path) -> None:
    worker.run(spec(tmp_path, events=100, burst=10_000, size=65_536))
    assert numbers(worker) == list(range(100))


def test_a_cancel_is_its_last_word_while_it_speaks_flat_out(worker: Child, tmp_path: Path) -> None:
    worker.start(spec(tmp_path, events=ENDLESS, burst=16))
    worker.until("llm.delta")
    worker.order(order="cancel", cause="c-7")
    last = worker.rest()
    assert (last["type"], last["cause"], last["data"]) == ("run.cancelled", "c-7", {})
    assert numbers(worker) == list(range(len(worker.of("llm.delta"))))
    assert worker.exit_code() == 0


def test_a_cancel_is_its_last_word_while_it_waits(worker: Child, tmp_path: Path) -> None:
    worker.start(spec(tmp_path, rate=0.001, burst=1))
    worker.until("llm.delta")
    worker.order(order="cancel", cause="c-7")
    assert worker.rest()["cause"] == "c-7"
    assert len(worker.of("llm.delta")) == 1


@pytest.mark.parametrize("rate", [0, 2000])
def test_a_pause_is_silent_and_loses_nothing(worker: Child, tmp_path: Path, rate: int) -> None:
    worker.start(spec(tmp_path, events=20_000 if rate == 0 else 1000, rate=rate))
    worker.until("llm.delta")
    worker.order(order="pause", cause="c-1")
    paused = worker.until("run.paused")
    assert (paused["data"], paused["cause"]) == ({"boundary": "token"}, "c-1")
    said = len(worker.of("llm.delta"))
    assert worker.silent(0.3)
    resumed = time.monotonic_ns()
    worker.order(order="resume", cause="c-2")
    assert worker.rest()["type"] == "run.completed"
    assert numbers(worker) == list(range(20_000 if rate == 0 else 1000))
    assert all(born > resumed for born in births(worker)[said:])


def test_a_pause_puts_the_schedule_off(worker: Child, tmp_path: Path) -> None:
    worker.start(spec(tmp_path, events=3, rate=10))
    worker.until("llm.delta")
    worker.order(order="pause", cause="c-1")
    worker.until("run.paused")
    paused = time.monotonic_ns()
    assert worker.silent(0.5)
    resumed = time.monotonic_ns()
    worker.order(order="resume")
    worker.rest()
    first, _, last = births(worker)
    # Without it the two that were missed would come at once.
    assert last - first >= 200_000_000 + (resumed - paused)


def test_a_pause_that_comes_with_the_start_comes_before_the_task(
    worker: Child, tmp_path: Path
) -> None:
    lines = [{"order": "start", "spec": spec(tmp_path, 2)}, {"order": "pause", "cause": "c-1"}]
    worker.send(*lines)
    worker.until("run.paused", boundary="token")
    types = [fact["type"] for fact in worker.facts]
    assert types == ["worker.ready", "run.started", "run.paused"]
    worker.order(order="resume")
    assert worker.rest()["type"] == "run.completed"


def test_a_pause_right_after_a_resume_is_told_again(worker: Child, tmp_path: Path) -> None:
    worker.start(spec(tmp_path, events=ENDLESS, burst=16))
    worker.order(order="pause", cause="c-1")
    worker.until("run.paused")
    worker.send({"order": "resume", "cause": "c-2"}, {"order": "pause", "cause": "c-3"})
    assert worker.until("run.paused")["cause"] == "c-3"
    worker.send({"order": "cancel", "cause": "c-4"})
    assert worker.rest()["cause"] == "c-4"


def test_an_instruction_is_told_before_the_next_delta_and_other_changes_never(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec(tmp_path, events=2, rate=1000, delay=3600))
    worker.until("llm.started")
    worker.send({"order": "pause", "cause": "c-p"})
    worker.until("run.paused")
    for cause, change in (
        ("c-1", {"instruction": "louder", "now": True}),
        (None, {"instruction": "told before"}),
        ("c-2", {"task": "synthetic", "description": "another"}),
        ("c-3", {"inputs": {"events": 3}}),
    ):
        worker.send({"order": "modify", "change": change, **({"cause": cause} if cause else {})})
    worker.send({"order": "answer", "input": "in_1_1", "text": ""}, {"order": "expire"})
    assert worker.silent(0.3)
    worker.send({"order": "resume"})
    modified = next(iter(worker))
    assert (modified["type"], modified["cause"]) == ("run.modified", "c-1")
    assert modified["data"] == {"instruction": "louder", "now": True, "applied": "model_call"}
    worker.send({"order": "cancel", "cause": "c-9"})
    assert worker.rest()["type"] == "run.cancelled"
    assert len(worker.of("run.modified")) == 1


def test_a_later_attempt_begins_again(worker: Child, tmp_path: Path) -> None:
    assert worker.run(spec(tmp_path, 2, events=3))["data"] == {"output": "3 events"}
    started = worker.of("run.started")[0]["data"]
    assert (started["attempt"], started["kept"]) == (2, [])
    assert numbers(worker) == [0, 1, 2]


def test_an_attempt_after_its_task_was_finished_completes(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec(tmp_path, 3, "1000 events"))
    assert last["data"] == {"output": "1000 events"}
    types = [fact["type"] for fact in worker.facts]
    assert types == ["worker.ready", "run.started", "run.completed"]


@pytest.mark.parametrize("inputs", [{"events": ENDLESS}, {"rate": 0.001}], ids=["flat", "waiting"])
def test_it_does_not_outlive_its_gateway(
    worker: Child, tmp_path: Path, inputs: dict[str, Any]
) -> None:
    worker.start(spec(tmp_path, **inputs))
    worker.until("llm.delta")
    worker.hang_up()
    assert gone(worker.pid)


def test_without_a_run_it_leaves_with_its_gateway(worker: Child) -> None:
    worker.hang_up()
    assert worker.exit_code() == 0


def test_a_channel_with_a_number_beyond_select_is_no_trouble(tmp_path: Path) -> None:
    """As a gateway with thousands of streams hands it over (FD_SETSIZE is 1024)."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ours, theirs = socket.socketpair()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    try:
        high = fcntl.fcntl(theirs, fcntl.F_DUPFD, 2000)
        process = subprocess.Popen(
            command("synthetic", "--channel", str(high)),
            cwd=PROJECT,
            pass_fds=[high],
            start_new_session=True,
        )
        os.close(high)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        theirs.close()
    child = Child(process.pid, ours, lambda: process.wait(60), {}, process)
    assert child.run(spec(tmp_path, events=3))["data"] == {"output": "3 events"}
    child.kill()


def test_it_loads_nothing_that_is_slow() -> None:
    """Asked of the interpreter; it starts in the time that Python and orjson take."""
    script = "import sys, sidecar.worker.synthetic; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {script}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "orjson" in loaded
    assert not loaded & {"crewai", "pydantic", "yaml", "asyncio", "ctypes", "logging"}
