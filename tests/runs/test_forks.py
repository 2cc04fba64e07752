"""Runs that begin at a task of another one: what is taken over, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from sidecar.channel import RunSpec, encode_line, fact
from sidecar.log.memory import MemoryStore
from sidecar.protocol import MAX_COMMAND, Start
from sidecar.runs.run import Run
from tests.runs.house import House, refused
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import ScriptedWorker

PLAN = [{"name": name, "agent": "a", "tid": f"1.{n}"} for n, name in enumerate("abc", 1)]
OUTPUTS = {"a": "an A", "b": "a B"}


async def begun(house: House, done: str, **fields: object) -> tuple[str, ScriptedWorker]:
    """A live run of tasks a, b and c, with those finished that `done` names."""
    run = await house.start(**fields)
    worker = house.pool.taken[-1]
    worker.say("run.started", {"model": "m", "attempt": 1, "tasks": PLAN})
    for task in PLAN:
        if task["name"] in done:
            name = task["name"]
            worker.say("task.started", {"name": name}, tid=task["tid"], task=name)
            ended = {"name": name, "output": OUTPUTS[name]}
            worker.say("task.completed", ended, tid=task["tid"], task=name)
    await settle()
    return run, worker


async def over(house: House, done: str = "ab", **fields: object) -> str:
    run, worker = await begun(house, done, **fields)
    worker.give_up()
    await settle()
    assert await house.state(run) == "failed"
    return run


def spec(house: House) -> RunSpec:
    order = next(o for o in house.pool.taken[-1].orders if o["order"] == "start")
    found: RunSpec = order["spec"]
    return found


async def ask(house: House, run: str, task: str, **fields: object) -> tuple[str | bool, str | bool]:
    origin = {"run": run, "task": task}
    return refused(await house.ask(command(Start, None, **{"from": origin, **fields})))


@pytest.mark.parametrize("named", ["c", "1.3"])
@pytest.mark.parametrize("live", [True, False])
async def test_a_fork_has_the_inputs_crew_and_finished_tasks_of_its_run(
    house: House, named: str, live: bool
) -> None:
    inputs = {"message": "tea", "language": "German"}
    run = (await begun(house, "ab", inputs=inputs))[0] if live else await over(house, inputs=inputs)
    fork = await house.start(**{"from": {"run": run, "task": named}, "inputs": {"message": "cake"}})
    given = spec(house)
    assert given["inputs"] == {"message": "cake", "language": "German"}
    assert given["forked"] == {"run": run, "task": "c"}
    assert given["kept"] == [
        {"tid": "0.1", "name": "a", "output": "an A", "source": "1.1"},
        {"tid": "0.2", "name": "b", "output": "a B", "source": "1.2"},
    ]
    snapshot = await house.supervisor.snapshot(fork)
    assert (snapshot["forked"], snapshot["inputs"]) == (given["forked"], given["inputs"])
    assert (await house.supervisor.snapshot(run))["forked"] is None
    [queued, *_] = await (await house.supervisor.feed(fork)).log.read(0)
    assert orjson.loads(queued.json)["data"]["forked"] == given["forked"]


async def test_a_fork_at_the_first_task_keeps_nothing(house: House) -> None:
    run = await over(house, "")
    await house.start(**{"from": {"run": run, "task": "a"}, "crew": "default"})
    assert spec(house)["kept"] == []


async def test_a_fork_of_what_is_not_there_is_refused_with_what_is(house: House) -> None:
    run = await over(house, "a")
    for asked, words in (
        (("r_other", "a"), ["no run 'r_other'"]),
        ((run, "d"), ["no task 'd'", "a, b, c"]),
        ((run, "c"), ["'b', before 'c', has no output"]),
    ):
        code, message = await ask(house, *asked)
        assert code == "bad_request"
        assert all(word in str(message) for word in words), message
    code, message = await ask(house, run, "b", crew="another")
    assert (code, "is of crew 'default'" in str(message)) == ("bad_request", True)
    code, message = await ask(house, await house.start(), "a")
    assert (code, "has not begun" in str(message)) == ("bad_request", True)


async def test_what_a_flow_has_done_is_refused_as_a_flows(house: House) -> None:
    run = await house.start()
    worker = house.pool.taken[-1]
    worker.say("run.started", {"model": "m", "attempt": 1, "tasks": []})
    ended = fact("task.completed", {"name": "a", "output": "an A"}, task="a", tid="1.2")
    worker.write(encode_line({**ended, "in": "1.1"}))
    await settle()
    for state in ("live", "over"):
        for task in ("a", "1.2"):
            code, message = await ask(house, run, task)
            assert (code, "in a flow" in str(message)) == ("bad_request", True), (state, message)
        code, message = await ask(house, run, "b")
        assert (code, "no plan of tasks" in str(message)) == ("bad_request", True)
        worker.give_up()
        await settle()


async def test_inputs_of_forks_of_forks_do_not_grow_without_bound(house: House) -> None:
    half = "x" * (MAX_COMMAND // 2)
    run = await over(house, inputs={"one": half})
    code, _ = await ask(house, run, "b", inputs={"two": half})
    assert code == "too_large"


async def test_a_fork_is_told_the_history_that_its_run_was_told(tmp_path: Path) -> None:
    house = House(tmp_path, MemoryStore(retain=1_000, keep_runs=10), max_runs=9)
    await house.supervisor.open()
    told = "User: tea\n\nCrew: ## a\n\nan A\n\n## b\n\na B\n\n(failed)"
    first = await over(house, inputs={"message": "tea"}, thread="t")
    second = await over(house, inputs={"message": "shorter"}, thread="t")
    assert spec(house)["inputs"]["history"] == told

    alone = await house.start(**{"from": {"run": second, "task": "b"}})
    assert spec(house)["inputs"] == {"message": "shorter", "history": told}
    assert (await house.supervisor.snapshot(alone))["thread"] is None
    worker = house.pool.taken[-1]
    worker.say("run.started", {"model": "m", "attempt": 1, "tasks": PLAN})
    await settle()
    of_a_live_one = {"from": {"run": alone, "task": "a"}}
    await house.start(**of_a_live_one)
    assert spec(house)["inputs"]["history"] == told
    worker.give_up()
    await settle()
    await house.start(**of_a_live_one)
    assert spec(house)["inputs"]["history"] == told, "of a fork of it, too, once it is over"

    beside = await house.start(**{"from": {"run": second, "task": "b"}, "thread": "t"})
    assert (await house.supervisor.snapshot(beside))["after"] == first
    assert spec(house)["inputs"]["history"] == told
    house.pool.taken[-1].give_up()
    await settle()

    await house.start(**{"from": {"run": second, "task": "b"}, "thread": "new"})
    assert spec(house)["inputs"]["history"] == ""

    own = {"history": "mine"}
    await house.start(**{"from": {"run": second, "task": "b"}, "inputs": own})
    assert spec(house)["inputs"]["history"] == "mine"
    await house.supervisor.end_runs()
    await house.supervisor.close()


async def test_a_journal_that_may_have_more_than_the_log_stays_for_forks(house: House) -> None:
    def journal(run: str) -> Path:
        return house.folder.run_folder(run) / "journal.ndjson"

    run, worker = await begun(house, "a")
    journal(run).write_text("x" * 70_000)
    short, other = await begun(house, "a")
    journal(short).write_text("x" * 60_000)
    for one in (worker, other):
        one.give_up()
    await settle()
    assert (journal(run).exists(), journal(short).exists()) == (True, False)
    fork = await house.start(**{"from": {"run": run, "task": "b"}})
    lent = house.folder.run_folder(fork) / "forked.ndjson"
    assert lent.read_text() == "x" * 70_000
    await house.supervisor.threads.remove_run(run)
    assert lent.exists()
    house.pool.taken[-1].give_up()
    await settle()
    assert not lent.exists()


def test_what_a_fork_keeps_is_in_its_record_until_it_has_started() -> None:
    run = Run("r", "default", created=0.0, forked={"run": "r_1", "task": "b"})
    run.seed = [{"tid": "0.1", "name": "a", "output": "an A", "source": "1.1"}]
    record: dict[str, Any] = orjson.loads(orjson.dumps(run.record(epoch="e", seq=1)))
    again = Run.restore(record)
    assert (again, again.kept()) == (run, run.seed)
