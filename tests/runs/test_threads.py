"""Runs that belong to one conversation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sidecar.channel import RunSpec
from sidecar.errors import CommandError
from sidecar.log.memory import MemoryStore
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol import Cancel, Pause, Start
from sidecar.runs import threads as module
from tests.runs.house import House, refused
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedWorker


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    store = (
        MemoryStore(retain=1_000, keep_runs=10)
        if request.param == "memory"
        else SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=10)
    )
    made = House(tmp_path, store, max_runs=9)
    await made.supervisor.open()
    yield made
    await made.supervisor.end_runs()
    await made.supervisor.close()


async def begin(house: House, **fields: object) -> tuple[str, ScriptedWorker]:
    run = await house.start(**{"thread": "t", **fields})
    worker = house.pool.taken[-1]
    worker.say("run.started", STARTED)
    await settle()
    return run, worker


async def turn(house: House, message: str, output: str = "done", **fields: object) -> str:
    """A run of thread `t` that is over."""
    run, worker = await begin(house, **{"inputs": {"message": message}, **fields})
    worker.say("run.completed", {"output": output})
    worker.leave()
    await settle()
    return run


def spec(house: House, worker: ScriptedWorker | None = None) -> RunSpec:
    """What the worker, or the newest, was started with."""
    order = next(o for o in (worker or house.pool.taken[-1]).orders if o["order"] == "start")
    found: RunSpec = order["spec"]
    return found


async def test_a_run_says_which_thread_it_is_in_and_which_run_it_follows(house: House) -> None:
    first = await turn(house, "tea")
    second = await turn(house, "shorter")
    alone = await turn(house, "coffee", thread=None)
    shown = [await house.supervisor.snapshot(run) for run in (first, second, alone)]
    assert [(one["thread"], one["after"]) for one in shown] == [
        ("t", None),
        ("t", first),
        (None, None),
    ]
    told = []
    for run in (second, alone):
        [queued, *_] = await (await house.supervisor.feed(run)).log.read(0)
        told.append(orjson.loads(queued.json)["data"])
    assert (told[0]["thread"], told[0]["after"]) == ("t", first)
    assert told[1].keys() == {"crew", "inputs", "review", "position"}


async def test_a_crew_is_told_what_was_said_before_and_nobody_else_is(house: House) -> None:
    await turn(house, "tea", "a plan")
    assert spec(house)["inputs"] == {"message": "tea", "history": ""}
    run = await turn(house, "shorter", "plan!")
    said = "User: tea\n\nCrew: a plan"
    assert spec(house)["inputs"] == {"message": "shorter", "history": said}
    # What lists, streams and the log have of it would grow with every turn.
    for told in (
        await house.supervisor.snapshot(run),
        await house.store.snapshot(run),
        *map(
            orjson.loads,
            [e.json for e in await (await house.supervisor.feed(run)).log.read(0)],
        ),
    ):
        assert "a plan" not in str(told)
    await turn(house, "in French")
    assert spec(house)["inputs"]["history"] == f"{said}\n\nUser: shorter\n\nCrew: plan!"
    await turn(house, "coffee", thread=None)
    assert spec(house)["inputs"] == {"message": "coffee"}


async def test_a_history_that_the_client_gives_is_left_as_it_is(house: House) -> None:
    await turn(house, "tea")
    given = {"message": "shorter", "history": "my own"}
    run = await turn(house, "", inputs=given)
    assert spec(house)["inputs"] == given
    assert (await house.supervisor.snapshot(run))["inputs"] == given


async def test_a_run_can_follow_any_of_its_thread_or_none(house: House) -> None:
    first = await turn(house, "tea", "one")
    await turn(house, "shorter", "two")
    again = await turn(house, "longer", "three", after=first)
    assert spec(house)["inputs"]["history"] == "User: tea\n\nCrew: one"
    await turn(house, "anew", "four", after="")
    assert spec(house)["inputs"]["history"] == ""
    await turn(house, "go on", after=again)
    assert spec(house)["inputs"]["history"] == (
        "User: tea\n\nCrew: one\n\nUser: longer\n\nCrew: three"
    )


@pytest.mark.parametrize("other", ["r_none", "elsewhere"])
async def test_a_run_that_is_not_of_the_thread_can_not_be_followed(
    house: House, other: str
) -> None:
    await turn(house, "tea")
    if other == "elsewhere":
        other = await turn(house, "coffee", thread="u")
    reply = await house.ask(command(Start, None, thread="t", after=other))
    assert refused(reply) == ("bad_request", f"'after': no run '{other}' in this thread")


async def test_a_second_live_run_of_a_thread_wants_to_be_asked_for(house: House) -> None:
    first, worker = await begin(house)
    reply = await house.ask(command(Start, None, thread="t"))
    assert refused(reply) == (
        "illegal_state",
        f"run {first} of this thread is running; wait for its end, cancel it, or send "
        "'parallel': true",
    )
    other = await house.start(thread="u")
    beside = await house.start(thread="t", parallel=True, inputs={"message": "x"})
    assert (await house.supervisor.snapshot(beside))["after"] == first
    assert spec(house)["inputs"]["history"] == "User: {}\n\nCrew: (not finished)"
    assert await house.state(other) == "starting"
    worker.give_up()
    await settle()
    reply = await house.ask(command(Start, None, thread="t"))
    assert refused(reply)[0] == "illegal_state"
    assert beside in str(refused(reply)[1])


async def test_the_next_turn_may_begin_as_soon_as_the_last_was_seen_to_end(house: House) -> None:
    run, worker = await begin(house)
    feed = await house.supervisor.feed(run)
    worker.say("run.completed", {"output": "o"})
    worker.leave()
    for _ in range(100):
        if feed.log.sealed:
            break
        await asyncio.sleep(0)
    await house.start(thread="t")


async def page(house: House, limit: int = 50, before: str | None = None) -> dict[str, Any]:
    return await house.supervisor.threads.page(limit, before)


async def test_threads_are_listed_with_the_state_of_their_live_run_or_their_newest(
    house: House,
) -> None:
    await turn(house, "A tea shop  opens")
    await begin(house)
    await turn(house, "beside", parallel=True)
    made = await turn(house, "", thread="u", title=" Coffee ", inputs={})
    assert await house.state(made) == "completed"
    found = await page(house)
    assert [(t["thread"], t["title"], t["runs"], t["state"]) for t in found["threads"]] == [
        ("u", "Coffee", 1, "completed"),
        ("t", "A tea shop opens", 3, "running"),
    ]
    assert found["next"] is None
    first = await page(house, 1)
    assert (first["threads"], first["next"]) == (found["threads"][:1], "u")
    assert await page(house, 1, "u") == {"threads": found["threads"][1:], "next": None}
    with pytest.raises(CommandError, match="no thread 'none'") as unknown:
        await page(house, 1, "none")
    assert unknown.value.code == "unknown_thread"


async def test_a_thread_has_its_runs_oldest_first_and_the_newest_of_them_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await turn(house, f"brief {n}", "x" * 400_000) for n in range(4)]
    shown = await house.supervisor.threads.show("t")
    assert [one["run"] for one in shown["runs"]] == runs
    assert [one.get("truncated", False) for one in shown["runs"]] == [True, True, False, False]
    assert shown["runs"][-1] == await house.supervisor.snapshot(runs[-1])
    assert shown.keys() == {"thread", "title", "created", "updated", "runs", "state"}
    monkeypatch.setattr(module, "_MAX_RUNS", 3)
    shown = await house.supervisor.threads.show("t")
    assert ([one["run"] for one in shown["runs"]], shown["left_out"]) == (runs[1:], 1)
    with pytest.raises(CommandError, match="no thread 'none'"):
        await house.supervisor.threads.show("none")


async def test_a_live_run_is_shown_as_it_is_now(house: House) -> None:
    await begin(house)
    [run] = (await house.supervisor.threads.show("t"))["runs"]
    assert run["state"] == "running"


async def test_renaming_is_told_at_once(house: House) -> None:
    await turn(house, "tea")
    threads = house.supervisor.threads
    renamed = await house.supervisor.change(lambda: threads.rename("t", "Coffee"))
    assert (renamed["title"], renamed["runs"]) == ("Coffee", 1)
    assert (await page(house))["threads"] == [renamed]
    await turn(house, "tea", title="Tea")
    assert (await threads.show("t"))["title"] == "Coffee"
    with pytest.raises(CommandError, match="no thread 'none'"):
        await house.supervisor.change(lambda: threads.rename("none", "x"))


async def remove(house: House, thread: str) -> None:
    await house.supervisor.change(lambda: house.supervisor.threads.remove(thread))


async def remove_run(house: House, run: str) -> None:
    await house.supervisor.change(lambda: house.supervisor.threads.remove_run(run))


async def test_a_thread_is_removed_with_its_runs_and_their_files(house: House) -> None:
    runs = [await turn(house, "tea") for _ in range(40)]
    kept = await turn(house, "coffee", thread="u")
    # A run that wrote nothing has no folder any more.
    for run in (runs[-1], kept):
        house.folder.make_run_folder(run)
        (house.folder.run_folder(run) / "plan.md").write_text("x")
    await remove(house, "t")
    assert not house.folder.run_folder(runs[-1]).exists()
    assert (house.folder.run_folder(kept) / "plan.md").exists()
    assert [one["thread"] for one in (await page(house))["threads"]] == ["u"]
    assert [one["run"] for one in (await house.page())["runs"]] == [kept]
    with pytest.raises(CommandError, match="no run"):
        await house.supervisor.feed(runs[0])
    with pytest.raises(CommandError, match="no thread 't'"):
        await remove(house, "t")


async def test_what_is_live_can_not_be_removed(house: House) -> None:
    run, _ = await begin(house)
    for removal in (remove(house, "t"), remove_run(house, run)):
        with pytest.raises(CommandError, match=f"run {run} is running; cancel it") as refusal:
            await removal
        assert refusal.value.code == "illegal_state"
    await house.ask(command(Cancel, None, run=run))
    await settle()
    await remove_run(house, run)
    with pytest.raises(CommandError, match="no run"):
        await house.supervisor.snapshot(run)


async def test_a_run_is_removed_with_its_files_and_its_thread_if_it_was_the_last(
    house: House,
) -> None:
    first = await turn(house, "tea", "one")
    second = await turn(house, "shorter", "two")
    house.folder.make_run_folder(second)
    await remove_run(house, second)
    assert not house.folder.run_folder(second).exists()
    assert [one["runs"] for one in (await page(house))["threads"]] == [1]
    # The next one follows the newest that is left.
    await turn(house, "longer")
    assert spec(house)["inputs"]["history"] == "User: tea\n\nCrew: one"
    for snapshot in (await house.supervisor.threads.show("t"))["runs"]:
        await remove_run(house, snapshot["run"])
    assert (await page(house))["threads"] == []
    with pytest.raises(CommandError, match=f"no run '{first}'"):
        await remove_run(house, first)


async def test_a_history_ends_where_a_run_of_it_was_removed(house: House) -> None:
    first = await turn(house, "tea", "one")
    await turn(house, "shorter", "two")
    await remove_run(house, first)
    await turn(house, "longer")
    assert spec(house)["inputs"]["history"] == "User: shorter\n\nCrew: two"


async def test_a_removal_and_a_start_in_the_same_moment_come_one_after_the_other(
    house: House,
) -> None:
    """Whichever is first: the thread that is there afterwards has the new run, and no other unless
    the removal was refused."""
    refusals = []
    for lead in range(-6, 7):
        before = await turn(house, "tea")
        start, removal = house.ask(command(Start, None, thread="t")), remove(house, "t")
        tasks = [asyncio.create_task(removal if lead < 0 else start)]
        for _ in range(abs(lead)):
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(start if lead < 0 else removal))
        said = await asyncio.gather(*tasks, return_exceptions=True)
        refusal = next((one for one in said if isinstance(one, CommandError)), None)
        await settle()
        refusals.append(None if refusal is None else refusal.code)
        shown = await house.supervisor.threads.show("t")
        runs = [one["run"] for one in shown["runs"]]
        assert runs[:-1] == ([] if refusal is None else [before])
        assert shown["runs"][-1]["after"] == (None if refusal is None else before)
        assert len(runs) == (await page(house))["threads"][0]["runs"]
        await house.ask(command(Cancel, None, run=runs[-1]))
        await settle()
        await remove(house, "t")
    assert set(refusals) == {None, "illegal_state"}


async def test_a_run_can_be_removed_as_soon_as_it_was_seen_to_end(house: House) -> None:
    for whole in (False, True):
        run, worker = await begin(house)
        house.folder.make_run_folder(run)
        feed = await house.supervisor.feed(run)
        worker.say("run.completed", {"output": "o"})
        worker.leave()
        for _ in range(100):
            if feed.log.sealed:
                break
            await asyncio.sleep(0)
        await (remove(house, "t") if whole else remove_run(house, run))
        with pytest.raises(CommandError, match="no run"):
            await house.supervisor.snapshot(run)
        assert not house.folder.run_folder(run).exists()
        assert (await page(house))["threads"] == []


async def test_no_other_command_waits_for_a_removal_and_a_start_for_its_files(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand runs take a second to forget, and a million files longer to delete."""
    await turn(house, "tea")
    other, _ = await begin(house, thread=None)
    forgetting, deleting = asyncio.Event(), threading.Event()
    forget, delete = house.store.forget, house.folder.remove

    async def slowly_forgotten(**which: str | None) -> list[str]:
        await forgetting.wait()
        return await forget(**which)

    def slowly_deleted(runs: Iterable[str]) -> None:
        assert deleting.wait(30)
        delete(runs)

    monkeypatch.setattr(house.store, "forget", slowly_forgotten)
    monkeypatch.setattr(house.folder, "remove", slowly_deleted)
    removal = asyncio.create_task(remove(house, "t"))
    await settle()
    async with asyncio.timeout(5):
        assert (await house.ask(command(Pause, None, run=other)))["ok"]
        start = asyncio.create_task(house.ask(command(Start, None, thread="t")))
        await settle()
        assert not start.done()
        assert (await house.ask(command(Cancel, None, run=other)))["ok"]
        forgetting.set()
        run = (await start)["run"]
    assert not removal.done()
    assert [one["run"] for one in (await house.supervisor.threads.show("t"))["runs"]] == [run]
    deleting.set()
    await removal


async def test_a_removal_whose_client_leaves_is_carried_through(house: House) -> None:
    run = await turn(house, "tea")
    house.folder.make_run_folder(run)
    removal = asyncio.create_task(remove(house, "t"))
    await asyncio.sleep(0)
    removal.cancel()
    await house.supervisor.settled()
    assert not house.folder.run_folder(run).exists()
    assert (await page(house))["threads"] == []


async def test_nothing_is_removed_once_the_sidecar_stops(house: House) -> None:
    await turn(house, "tea")
    await house.supervisor.end_runs()
    with pytest.raises(CommandError) as refusal:
        await remove(house, "t")
    assert refusal.value.code == "shutting_down"
