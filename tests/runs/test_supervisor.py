"""The owner of all runs: what each command is answered, and how runs begin and end with it.

test_whatever_happens.py has it under random commands.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sidecar.channel import RunSpec
from sidecar.datafolder import DataFolder
from sidecar.errors import CommandError, StoreError
from sidecar.log import LogStore, StoredAck
from sidecar.log.memory import MemoryStore
from sidecar.protocol import (
    Answer,
    Cancel,
    Command,
    List,
    Modify,
    Pause,
    Ping,
    Reply,
    Resume,
    Start,
    Status,
    Subscribe,
)
from sidecar.runs import Supervisor, supervisor
from sidecar.runs.supervisor import new_run_id
from sidecar.settings import Settings
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedPool, ScriptedWorker


class Unreadable(MemoryStore):
    """A store that can't be read while it has a `trouble`."""

    trouble: str | None = None

    async def ack(self, id: str) -> StoredAck | None:
        self._check()
        return await super().ack(id)

    async def snapshot(self, run: str) -> dict[str, Any] | None:
        self._check()
        return await super().snapshot(run)

    def _check(self) -> None:
        if self.trouble is not None:
            raise StoreError(self.trouble)


class House:
    """A supervisor on a log in memory, with scripted workers."""

    def __init__(self, folder: Path, store: LogStore | None = None, **chosen: Any) -> None:
        self.folder = DataFolder(folder)
        self.settings = Settings(config=folder, **chosen)
        self.store = store or Unreadable(retain=1_000, keep_runs=10)
        self.pool = ScriptedPool()
        self.synthetic = ScriptedPool()
        self.supervisor = Supervisor(
            self.settings,
            self.store,
            self.pool,
            self.folder,
            self.synthetic if self.settings.synthetic else None,
        )

    async def ask(self, asked: Command) -> Reply:
        return await self.supervisor.handle(asked)

    async def start(self, **fields: object) -> str:
        ack = await self.ask(command(Start, None, **fields))
        assert ack["ok"], ack
        await settle()
        return ack["run"]

    async def running(self) -> tuple[str, ScriptedWorker]:
        run = await self.start()
        worker = self.pool.taken[-1]
        worker.say("run.started", STARTED)
        await settle()
        return run, worker

    async def completed(self) -> str:
        run, worker = await self.running()
        worker.say("run.completed", {"output": "o"})
        worker.leave()
        await settle()
        assert await self.state(run) == "completed"
        return run

    async def state(self, run: str) -> str:
        return str((await self.supervisor.snapshot(run))["state"])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, max_runs=2, queue=1)
    await made.supervisor.open()
    yield made
    await made.supervisor.end_runs()
    await made.supervisor.close()


def refused(reply: Reply) -> tuple[str | bool, str | bool]:
    assert not reply["ok"]
    return reply["error"]["code"], reply["error"]["message"]


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
    assert await house.supervisor.snapshots(None, 10) == []
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


async def test_a_repeated_command_gets_its_ack_again_and_has_no_second_effect(
    house: House,
) -> None:
    start = command(Start, "s")
    first = await house.ask(start)
    assert await house.ask(start) == {**first, "duplicate": True}
    assert len(await house.supervisor.snapshots(None, 10)) == 1


async def test_two_of_the_same_at_once_have_one_effect(house: House) -> None:
    start = command(Start, "s")
    first, second = await asyncio.gather(house.ask(start), house.ask(start))
    assert (first["run"], "duplicate" in first) == (second["run"], False)
    assert second["duplicate"]


async def test_an_id_that_was_used_for_another_command_is_refused(house: House) -> None:
    await house.ask(command(Start, "s"))
    with pytest.raises(CommandError, match="mint a new one") as reused:
        await house.ask(command(Start, "s", inputs={"message": "tea"}))
    assert (reused.value.code, reused.value.id) == ("id_reused", "s")


async def test_a_refusal_that_lasts_and_a_noop_are_remembered(house: House) -> None:
    run, _ = await house.running()
    answer = command(Answer, run=run, input="in_1", text="")
    reply = await house.ask(answer)
    assert refused(reply)[0] == "illegal_state"
    assert await house.ask(answer) == {**reply, "duplicate": True}
    resume = command(Resume, run=run)
    reply = await house.ask(resume)
    assert reply["noop"]
    assert await house.ask(resume) == {**reply, "duplicate": True}


async def test_every_control_reaches_its_run(house: House) -> None:
    run, worker = await house.running()
    for control in (
        command(Modify, run=run, instruction="x"),
        command(Pause, run=run),
        command(Resume, run=run),
    ):
        assert (await house.ask(control))["run"] == run
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    await settle()
    assert (await house.ask(command(Answer, run=run, input="in_1", text="")))["ok"]
    assert (await house.ask(command(Cancel, run=run)))["ok"]
    await settle()
    assert [order["order"] for order in worker.orders] == [
        "start",
        "modify",
        "pause",
        "resume",
        "answer",
        "cancel",
    ]
    assert await house.state(run) == "cancelled"


async def test_what_comes_too_late_is_refused_by_the_state_that_the_run_ended_in(
    house: House,
) -> None:
    run = await house.completed()
    for control in (
        command(Pause, run=run),
        command(Cancel, run=run),
        command(Modify, run=run, instruction="x"),
    ):
        verb = type(control).__name__.lower()
        message = f"a run that is completed can't take {verb!r}"
        assert refused(await house.ask(control)) == ("illegal_state", message)


async def test_cancelling_a_run_that_was_cancelled_asks_for_what_is(house: House) -> None:
    run, _ = await house.running()
    await house.ask(command(Cancel, run=run))
    await settle()
    reply = await house.ask(command(Cancel, run=run))
    seq = (await house.supervisor.snapshot(run))["seq"]
    assert (reply["ok"], reply["noop"], reply["seq"]) == (True, True, seq)


async def test_a_question_that_was_answered_stays_so_when_its_run_has_ended(house: House) -> None:
    run, worker = await house.running()
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    await settle()
    await house.ask(command(Answer, run=run, input="in_1", text="a"))
    worker.say("run.completed", {})
    worker.leave()
    await settle()
    answer = command(Answer, run=run, input="in_1", text="b")
    assert refused(await house.ask(answer))[0] == "already_answered"


async def test_a_run_that_there_never_was_is_unknown_to_all(house: House) -> None:
    assert refused(await house.ask(command(Pause, run="r_0"))) == ("unknown_run", "no run 'r_0'")
    for question in (
        house.ask(command(Status, run="r_0")),
        house.supervisor.snapshot("r_0"),
        house.supervisor.feed("r_0"),
    ):
        with pytest.raises(CommandError, match="no run 'r_0'") as unknown:
            await question
        assert unknown.value.code == "unknown_run"


async def test_what_only_asks_is_answered_with_a_result(house: House) -> None:
    run, _ = await house.running()
    status = await house.ask(command(Status, run=run))
    assert (status["run"], status["result"]["state"]) == (run, "running")
    listed = await house.ask(command(List, state="running"))
    assert [found["run"] for found in listed["result"]["runs"]] == [run]
    assert (await house.ask(command(Ping)))["result"]["server_time"] > 0


async def test_subscribing_is_no_business_of_its(house: House) -> None:
    reply = await house.ask(command(Subscribe, run="r_0"))
    assert refused(reply) == ("bad_request", "this command belongs on a WebSocket")


async def test_runs_are_listed_newest_first_by_state_and_up_to_a_limit(house: House) -> None:
    over = await house.completed()
    first, _ = await house.running()
    second, _ = await house.running()
    third = await house.start()

    async def listed(state: str | None, limit: int = 10) -> list[str]:
        return [str(found["run"]) for found in await house.supervisor.snapshots(state, limit)]

    assert await listed(None) == [third, second, first, over]
    assert await listed(None, 2) == [third, second]
    assert await listed("running") == [second, first]
    assert await listed("running", 1) == [second]
    assert await listed("completed") == [over]
    assert await listed("failed") == []
    with pytest.raises(CommandError, match="no state 'asleep'; there are cancelled, cancelling"):
        await listed("asleep")


async def test_a_live_run_is_listed_as_it_is_and_not_as_it_was_stored(house: House) -> None:
    run, worker = await house.running()
    worker.say("llm.delta", {"text": "x"})
    await settle()
    [listed] = await house.supervisor.snapshots(None, 10)
    stored = await house.store.snapshot(run)
    assert stored is not None
    assert (listed["seq"], stored["seq"]) == (3, 2)


async def test_a_feed_reads_a_run_that_lives_and_one_that_is_over(house: House) -> None:
    over = await house.completed()
    live, _ = await house.running()
    for run, state in ((over, "completed"), (live, "running")):
        feed = await house.supervisor.feed(run)
        assert (feed.log.run, feed.state(), feed.log.sealed) == (run, state, run == over)


async def test_a_command_takes_effect_though_its_sender_has_left(house: House) -> None:
    asking = asyncio.create_task(house.ask(command(Start, "s")))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await settle()
    assert asking.cancelled()
    assert len(house.pool.taken) == 1


async def test_a_log_that_cannot_be_read_makes_commands_unavailable(house: House) -> None:
    assert isinstance(house.store, Unreadable)
    house.store.trouble = "disk is gone"
    for asked in (command(Start, "s"), command(Status, "q", run="r_0")):
        with pytest.raises(CommandError, match="nothing was done: the log cannot be") as refusal:
            await house.ask(asked)
        assert (refusal.value.code, refusal.value.id) == ("unavailable", asked.id)
    house.store.trouble = None
    assert (await house.ask(command(Start, "s")))["ok"]


async def test_it_is_ready_when_its_log_and_its_workers_are(house: House) -> None:
    def trouble() -> str | None:
        return house.supervisor.trouble

    assert trouble() is None
    house.pool.warm = False
    assert trouble() == "a worker is warming up"
    house.pool.trouble = "no memory"
    assert trouble() == "no memory"
    house.store.health.failed("disk is full")
    assert trouble() == "disk is full"
    await house.supervisor.end_runs()
    assert trouble() == "shutting down"


async def test_it_tells_why_there_can_be_no_workers_once_that_turns_out(house: House) -> None:
    waiting = asyncio.create_task(house.supervisor.broken())
    await settle()
    assert not waiting.done()
    house.pool.ruin("crewai is not installed")
    assert await waiting == "crewai is not installed"


async def test_at_its_end_every_live_run_is_interrupted_and_no_more_commands_are_taken(
    house: House,
) -> None:
    run, _ = await house.running()
    await house.supervisor.end_runs()
    snapshot = await house.supervisor.snapshot(run)
    assert (snapshot["state"], snapshot["reason"]) == ("interrupted", "the sidecar was stopped")
    with pytest.raises(CommandError) as refusal:
        await house.ask(command(Start))
    assert refusal.value.code == "shutting_down"
    assert (await house.ask(command(Status, run=run)))["ok"]
