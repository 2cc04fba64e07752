"""How runs begin: what their worker is told, who waits in line, what a refusal leaves behind."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import orjson
import pytest

from sidecar.channel import RunSpec
from sidecar.errors import CommandError, StoreError
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Answer, Cancel, Start
from sidecar.runs import supervisor
from sidecar.runs.supervisor import new_run_id
from tests.runs.house import House, refused
from tests.support.clock import settle
from tests.support.commands import command


def test_ids_of_runs_are_ulids_in_lower_case_and_sort_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_469_918_176_385_000_000
    monkeypatch.setattr("time.time_ns", lambda: now)
    first, other = new_run_id(), new_run_id()
    now += 1_000_000
    # The time of the ULID specification's own example, 01ARYZ6S41….
    assert first.startswith("r_01aryz6s41")
    assert first != other
    assert max(first, other) < new_run_id()
    assert len(first) == 28


async def test_a_start_is_acked_once_its_run_is_in_the_log(house: House) -> None:
    ack = await house.ask(command(Start, "s", inputs={"message": "tea"}))
    assert (ack["ok"], ack["id"], ack["seq"]) == (True, "s", 1)
    stored = await house.store.snapshot(ack["run"])
    assert stored is not None
    assert (stored["seq"], stored["inputs"]) == (1, {"message": "tea"})


async def test_a_worker_is_told_all_that_it_needs_to_know(house: House, tmp_path: Path) -> None:
    run = await house.start(inputs={"message": "tea"}, review=["one"])
    spec = (await house.pool.worker.told("start"))["spec"]
    wanted: RunSpec = {
        "run": run,
        "crew": "default",
        "inputs": {"message": "tea"},
        "config": str(tmp_path),
        "target": None,
        "directory": str(tmp_path / "runs" / run),
        "environ": dict(os.environ),
        "folder": os.getcwd(),
        "attempt": 1,
        "kept": [],
        "forked": None,
        "superseded": None,
        "memory_mb": 0,
        "review": ["one"],
        "input_timeout": 0.0,
    }
    assert spec == wanted
    assert (tmp_path / "runs" / run).is_dir()


async def test_a_crew_in_a_folder_of_its_own_is_configured_there(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "press").mkdir()
    for name in ("agents.yaml", "tasks.yaml"):
        (tmp_path / "press" / name).touch()
    await house.start(crew="press")
    spec = (await house.pool.worker.told("start"))["spec"]
    assert (spec["crew"], spec["config"]) == ("press", str(tmp_path / "press"))


async def test_the_synthetic_crew_has_workers_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path, synthetic=True)
    await house.supervisor.open()
    assert (house.pool.running, house.synthetic.running) == (True, True)
    await house.start(crew="synthetic")
    assert (len(house.pool.taken), len(house.synthetic.taken)) == (0, 1)
    await house.supervisor.end_runs()
    await house.supervisor.close()
    assert (house.pool.running, house.synthetic.running) == (False, False)


async def test_a_crew_that_there_is_not_is_refused_with_those_there_are(house: House) -> None:
    reply = await house.ask(command(Start, crew="nobody"))
    assert refused(reply) == ("unknown_crew", "no crew 'nobody'; there are default")


async def test_runs_beyond_the_limit_wait_in_line_and_beyond_that_are_refused(
    house: House,
) -> None:
    for _ in range(2):
        await house.start()
    waiting = await house.start()
    feed = await house.supervisor.feed(waiting)
    [queued] = await feed.log.read(0)
    assert b'"position":1' in queued.json
    with pytest.raises(CommandError, match="2 runs are going on and 1 wait") as too_many:
        await house.ask(command(Start, "late"))
    assert (too_many.value.code, too_many.value.id) == ("at_capacity", "late")
    house.pool.taken[0].give_up()
    await settle()
    assert len(house.pool.taken) == 3
    # What is temporary is not remembered: the same id may try again.
    assert (await house.ask(command(Start, "late")))["ok"]


async def test_runs_that_wait_for_people_hold_up_nobody(house: House) -> None:
    """As many as run at once, each with a question that nobody answers."""
    asked = []
    for _ in range(2):
        run, worker = await house.running()
        worker.say("input.requested", {"input": "in_1", "prompt": "?"})
        await settle()
        asked.append((run, worker))
    for _ in range(2):
        await house.running()
    queued = await house.start()
    [first] = await (await house.supervisor.feed(queued)).log.read(0)
    assert b'"position":1' in first.json
    run, worker = asked[0]
    assert (await house.ask(command(Answer, run=run, input="in_1", text="")))["ok"]
    assert [order["order"] for order in worker.orders] == ["start"]
    assert await house.state(run) == "running"
    house.pool.taken[2].give_up()
    await settle()
    assert [order["order"] for order in worker.orders] == ["start", "answer"]
    assert await house.state(queued) == "queued"
    house.pool.taken[3].give_up()
    await settle()
    assert await house.state(queued) == "starting"


async def test_of_two_that_are_started_at_once_the_second_knows_that_it_waits(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, max_runs=1)
    await house.supervisor.open()
    acks = await asyncio.gather(*(house.ask(command(Start)) for _ in range(3)))
    feeds = [await house.supervisor.feed(ack["run"]) for ack in acks]
    queued = [(await feed.log.read(0))[0].json for feed in feeds]
    told = [orjson.loads(event)["data"]["position"] for event in queued]
    assert told == [0, 1, 2]
    await house.supervisor.end_runs()
    await house.supervisor.close()


async def test_the_workers_that_stand_still_have_a_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_MAX_STANDING", 3)
    for _ in range(3):
        run, worker = await house.running()
        worker.say("input.requested", {"input": "in_1", "prompt": "?"})
        await settle()
    with pytest.raises(CommandError, match="3 runs stand still") as refusal:
        await house.ask(command(Start))
    assert refusal.value.code == "at_capacity"
    await house.ask(command(Cancel, run=run))
    await settle()
    assert (await house.ask(command(Start)))["ok"]


async def test_a_start_that_is_refused_leaves_the_line(house: House) -> None:
    for _ in range(3):
        await house.start()
    for _ in range(2):
        with pytest.raises(CommandError, match="1 wait"):
            await house.ask(command(Start))
    house.pool.taken[0].give_up()
    house.pool.taken[1].give_up()
    await settle()
    assert len(house.pool.taken) == 3
    await house.running()


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_start_that_is_refused_leaves_nothing_on_the_disk(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await house.start()
    runs = set(tmp_path.glob("runs/*"))
    assert len(runs) == 3
    with pytest.raises(CommandError, match="1 wait"):
        await house.ask(command(Start))
    house.pool.taken[0].give_up()
    await settle()
    monkeypatch.setattr(house.store, "stored", unwritable)
    with pytest.raises(CommandError) as refusal:
        await house.ask(command(Start))
    assert refusal.value.code == "unavailable"
    assert set(tmp_path.glob("runs/*")) < runs


async def unwritable(*_: object) -> None:
    raise StoreError("disk is full")


async def test_a_start_for_whose_folder_there_is_no_space_is_unavailable(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = command(Start, "s")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", full)
        with pytest.raises(CommandError, match="No space left on device; free some") as refusal:
            await house.ask(start)
    assert (refusal.value.code, refusal.value.id) == ("unavailable", "s")
    assert (await house.page())["runs"] == []
    assert (await house.ask(start))["ok"]


async def test_the_folder_of_a_run_that_the_log_forgets_goes_with_it(tmp_path: Path) -> None:
    house = House(tmp_path, MemoryStore(retain=1_000, keep_runs=1))
    await house.supervisor.open()
    runs = []
    for _ in range(3):
        run, worker = await house.running()
        (tmp_path / "runs" / run / "plan.md").touch()
        worker.give_up()
        await house.supervisor.settled()
        runs.append(run)
    await house.supervisor.end_runs()
    await house.supervisor.close()
    assert [path.name for path in tmp_path.glob("runs/*")] == runs[2:]


async def test_a_crew_whose_name_is_no_text_is_none_and_keeps_no_refusal_from_being_told(
    house: House, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for name in ("agents.yaml", "tasks.yaml"):
        (folder / name).touch()
    reply = await house.ask(command(Start, crew="nobody"))
    assert refused(reply) == ("unknown_crew", "no crew 'nobody'; there are default")
