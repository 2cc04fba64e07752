"""What every kind of log must do; one suite, run over all of them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from sidecar.errors import StoreError
from sidecar.log.base import Log, LogStore, StoredAck, StoredRun
from sidecar.log.memory import MemoryStore
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft

MakeStore = Callable[..., LogStore]


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    def make(
        retain: int = 10_000, keep_runs: int = 100, keep_acks: int = 100, keep_refusals: int = 100
    ) -> LogStore:
        bounds = {
            "retain": retain,
            "keep_runs": keep_runs,
            "keep_acks": keep_acks,
            "keep_refusals": keep_refusals,
        }
        if request.param == "memory":
            return MemoryStore(**bounds)
        return SqliteStore(tmp_path / "log.sqlite3", **bounds)

    return make


@pytest.fixture
async def store(make_store: MakeStore) -> AsyncIterator[LogStore]:
    store = make_store()
    await store.open()
    yield store
    await store.close()


def drafts(count: int, *, final: bool = False) -> list[Draft]:
    made = [Draft("llm.delta", 1.0, {"text": f"t{n}"}) for n in range(count)]
    if final:
        made.append(Draft("run.completed", 1.0, {}, final=True))
    return made


def snapshot(run: str, state: str = "running") -> dict[str, Any]:
    return {"run": run, "state": state}


async def stored(
    store: LogStore, states: Sequence[str] | None, limit: int = 10
) -> list[dict[str, Any]]:
    return [found async for found in store.snapshots(states=states, limit=limit)]


async def test_numbers_start_at_one_and_have_no_gap(store: LogStore) -> None:
    log = store.create("r_1")
    first = await log.append(drafts(3), snapshot=snapshot("r_1"))
    second = await log.append(drafts(2))
    assert [e.seq for e in first + second] == [1, 2, 3, 4, 5]
    assert [e.id for e in first] == [f"{log.epoch}-{n}" for n in (1, 2, 3)]
    assert log.head == 5


async def test_what_is_read_is_what_was_appended_byte_for_byte(store: LogStore) -> None:
    log = store.create("r_1")
    appended = await log.append(drafts(1_500, final=True), snapshot=snapshot("r_1", "completed"))
    for reader in (log, await store.find("r_1")):
        assert reader is not None
        read, after = [], 0
        while events := await reader.read(after, 100):
            assert len(events) <= 100
            read += events
            after = events[-1].seq
        assert [(e.seq, e.id, e.json, e.final) for e in read] == [
            (e.seq, e.id, e.json, e.final) for e in appended
        ]


@pytest.mark.parametrize("after", [0, 1, 899, 999, 1_000])
async def test_a_reader_gets_what_follows_its_place(store: LogStore, after: int) -> None:
    log = store.create("r_1")
    await log.append(drafts(1_000), snapshot=snapshot("r_1"))
    assert [e.seq for e in await log.read(after, 5)] == list(range(after + 1, 1_001))[:5]


async def test_a_sealed_log_takes_no_more(store: LogStore) -> None:
    log = store.create("r_1")
    await log.append(drafts(0, final=True), snapshot=snapshot("r_1", "completed"))
    assert log.sealed
    with pytest.raises(RuntimeError):
        await log.append(drafts(1))
    found = await store.find("r_1")
    assert found is not None
    assert found.sealed


async def test_a_log_found_again_goes_on_where_it_was(store: LogStore) -> None:
    log = store.create("r_1")
    await log.append(drafts(2), snapshot=snapshot("r_1"))
    found = await store.find("r_1")
    assert found is not None
    assert (found.epoch, found.first, found.head, found.sealed) == (log.epoch, 1, 2, False)


async def test_an_unknown_run_has_no_log_and_no_snapshot(store: LogStore) -> None:
    assert await store.find("r_none") is None
    assert await store.snapshot("r_none") is None
    assert await store.ack("c-none") is None


async def test_each_run_has_its_own_epoch_and_numbers(store: LogStore) -> None:
    one, two = store.create("r_1"), store.create("r_2")
    await asyncio.gather(*(log.append(drafts(5), snapshot=snapshot(log.run)) for log in (one, two)))
    assert one.epoch != two.epoch
    assert [orjson.loads(e.json)["run"] for e in await two.read(0)] == ["r_2"] * 5


async def test_retention_evicts_the_oldest_and_says_from_where(make_store: MakeStore) -> None:
    store = make_store(retain=100)
    await store.open()
    log = store.create("r_1")
    await log.append(drafts(1), snapshot=snapshot("r_1"))
    for _ in range(60):
        await log.append(drafts(10))
        assert log.head - log.first + 1 <= 110
    assert log.head == 601
    found = await store.find("r_1")
    assert found is not None
    assert found.first == log.first
    oldest = await found.read(0, 1)
    assert [e.seq for e in oldest] == [log.first]
    await store.close()


async def test_snapshots_come_newest_first_and_by_state(store: LogStore) -> None:
    for n, state in enumerate(["completed", "running", "failed", "running"]):
        log = store.create(f"r_{n}")
        await log.append(drafts(1), snapshot=snapshot(f"r_{n}", state))
    everything = await stored(store, None)
    assert [s["run"] for s in everything] == ["r_3", "r_2", "r_1", "r_0"]
    assert [s["run"] for s in await stored(store, None, 2)] == ["r_3", "r_2"]
    running = await stored(store, ["running"])
    assert [s["run"] for s in running] == ["r_3", "r_1"]


async def test_snapshots_go_on_behind_a_run_also_behind_one_that_is_gone(store: LogStore) -> None:
    for n in range(5):
        log = store.create(f"r_{n}")
        await log.append(drafts(0, final=True), snapshot=snapshot(f"r_{n}", "completed"))

    async def behind(run: str) -> list[str]:
        return [s["run"] async for s in store.snapshots(before=run, limit=2)]

    assert await behind("r_4") == ["r_3", "r_2"]
    assert await behind("r_0") == []
    await store.forget(run="r_3")
    assert await behind("r_3") == ["r_2", "r_1"]
    assert await behind("r_none") == ["r_4", "r_2"]


async def test_runs_are_chosen_and_counted_by_what_they_were_given_and_the_title_of_their_thread(
    store: LogStore,
) -> None:
    async def begin(run: str, crew: str, inputs: dict[str, Any], thread: str | None = None) -> Log:
        log = store.create(run, "A Tea Shop")
        given = {**snapshot(run), "crew": crew, "inputs": inputs, "thread": thread}
        await log.append(drafts(1), snapshot=given)
        return log

    await begin("r_1", "blog", {"message": "Straße", "places": [{"at": "The HARBOUR"}], "count": 3})
    ended = await begin("r_2", "blog", {}, "t")
    await begin("r_3", "story", {"long": "x" * 100_000, "behind": "unseen"})
    seen = list[StoredRun]()

    def wanted(run: StoredRun) -> bool:
        seen.append(run)
        return run.crew == "blog"

    chosen = [s["run"] async for s in store.snapshots(wanted=wanted, limit=1)]
    assert chosen == ["r_2"]
    chosen = [s["run"] async for s in store.snapshots(wanted=wanted, before="r_2", limit=9)]
    assert chosen == ["r_1"]
    assert len(seen) == 3
    known = {run.run: run for run in seen}
    assert known["r_1"] == StoredRun("r_1", "running", "blog", "strasse\nthe harbour", "")
    assert known["r_2"] == StoredRun("r_2", "running", "blog", "", "A Tea Shop")
    assert known["r_3"].words == "x" * 16_384

    await store.rename("t", "Coffee")
    told = {**snapshot("r_2", "completed"), "crew": "blog", "inputs": {}, "thread": "t"}
    await ended.append(drafts(0, final=True), snapshot=told)
    assert await store.tally() == {"running": 2, "completed": 1}
    assert await store.tally(lambda run: run.title or None) == {"Coffee": 1}
    await store.forget(run="r_2")
    assert await store.tally(lambda run: run.crew) == {"blog": 1, "story": 1}
    assert await store.tally() == {"running": 2}


async def test_a_later_snapshot_replaces_the_earlier_one(store: LogStore) -> None:
    log = store.create("r_1")
    await log.append(drafts(1), snapshot=snapshot("r_1", "running"))
    await log.append(drafts(1), snapshot=snapshot("r_1", "paused"))
    assert await store.snapshot("r_1") == snapshot("r_1", "paused")


async def test_finished_runs_beyond_the_bound_are_forgotten_live_ones_never(
    make_store: MakeStore,
) -> None:
    store = make_store(keep_runs=2)
    forgotten: asyncio.Queue[str] = asyncio.Queue()

    def told(runs: Sequence[str]) -> asyncio.Future[None]:
        for run in runs:
            forgotten.put_nowait(run)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    store.forgotten = told
    await store.open()
    live = store.create("r_live")
    await live.append(drafts(1), snapshot=snapshot("r_live"))
    for n in range(4):
        log = store.create(f"r_{n}")
        await log.append(drafts(1, final=True), snapshot=snapshot(f"r_{n}", "completed"))
    kept = await stored(store, None)
    assert {s["run"] for s in kept} == {"r_live", "r_2", "r_3"}
    assert await store.find("r_0") is None
    async with asyncio.timeout(30):
        assert [await forgotten.get(), await forgotten.get()] == ["r_0", "r_1"]
    assert forgotten.empty()
    await store.close()


async def begin(store: LogStore, run: str, thread: str | None, title: str = "") -> Log:
    log = store.create(run, title)
    await log.append(drafts(1), snapshot={**snapshot(run), "thread": thread})
    return log


async def end(log: Log, thread: str | None = None, state: str = "completed") -> None:
    told = {**snapshot(log.run, state), "thread": thread}
    await log.append(drafts(0, final=True), snapshot=told)


async def runs_of(store: LogStore, thread: str, limit: int = 10) -> list[str]:
    return [s["run"] async for s in store.snapshots(thread=thread, limit=limit)]


async def pages(store: LogStore, limit: int) -> list[list[str]]:
    found, before = list[list[str]](), None
    while page := await store.threads(limit=limit, before=before):
        found.append([one.thread for one in page])
        before = found[-1][-1]
    return found


async def test_a_thread_is_made_by_its_first_run_and_titled_by_it_alone(store: LogStore) -> None:
    assert await store.thread("t") is None
    await end(await begin(store, "r_1", "t", "Tea"), "t", "failed")
    made = await store.thread("t")
    assert made is not None
    assert (made.thread, made.title, made.runs, made.newest, made.state) == (
        *("t", "Tea", 1, "r_1", "failed"),
    )
    assert 0 < made.created <= made.updated
    await begin(store, "r_2", "t", "Coffee")
    await begin(store, "r_3", "other", "Coffee")
    await begin(store, "r_4", None, "nothing")
    then = await store.thread("t")
    assert then is not None
    assert (then.title, then.runs, then.newest, then.state) == ("Tea", 2, "r_2", "running")
    assert (then.created, then.updated >= made.updated) == (made.created, True)
    assert await runs_of(store, "t") == ["r_2", "r_1"]
    assert await runs_of(store, "t", 1) == ["r_2"]
    assert await runs_of(store, "none") == []
    finished = [s["run"] async for s in store.snapshots(states=["failed"], thread="t", limit=9)]
    assert finished == ["r_1"]


async def test_threads_come_by_when_a_run_of_theirs_began_or_ended_page_by_page(
    store: LogStore,
) -> None:
    logs = [await begin(store, f"r_{n}", f"t_{n}") for n in range(5)]
    assert await pages(store, 9) == [["t_4", "t_3", "t_2", "t_1", "t_0"]]
    await end(logs[1], "t_1")
    # What a run does in between moves nothing.
    await logs[0].append(drafts(1), snapshot={**snapshot("r_0", "paused"), "thread": "t_0"})
    await begin(store, "r_5", "t_3")
    assert await pages(store, 2) == [["t_3", "t_1"], ["t_4", "t_2"], ["t_0"]]
    assert await store.threads(limit=2, before="none") is None


async def test_threads_updated_in_the_same_moment_are_told_once_each(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("memory", "sqlite"):
        monkeypatch.setattr(f"sidecar.log.{module}.now_ms", lambda: 1.5)
    for n in range(7):
        await begin(store, f"r_{n}", f"t_{n}")
    assert await pages(store, 3) == [["t_6", "t_5", "t_4"], ["t_3", "t_2", "t_1"], ["t_0"]]


async def test_a_thread_that_is_renamed_stays_where_it_was(store: LogStore) -> None:
    await begin(store, "r_1", "t_1", "one")
    await begin(store, "r_2", "t_2", "two")
    await store.rename("t_1", "uno")
    await store.rename("none", "nothing")
    found = await store.threads(limit=9)
    assert found is not None
    assert [one.title for one in found] == ["two", "uno"]


async def test_a_thread_goes_with_its_last_run(store: LogStore) -> None:
    for n in range(3):
        await end(await begin(store, f"r_{n}", "t", "Tea"), "t")
    assert await store.forget(run="r_2") == ["r_2"]
    assert await store.find("r_2") is None
    assert await store.snapshot("r_2") is None
    left = await store.thread("t")
    assert left is not None
    assert (left.runs, left.newest) == (2, "r_1")
    assert await store.forget(run="r_0") == ["r_0"]
    assert await store.forget(run="r_1") == ["r_1"]
    assert await store.thread("t") is None
    assert await store.threads(limit=9) == []
    # Its name is free again, for a new one.
    await begin(store, "r_4", "t", "Coffee")
    again = await store.thread("t")
    assert again is not None
    assert (again.title, again.runs) == ("Coffee", 1)


async def test_of_a_thread_that_is_forgotten_live_runs_are_kept(store: LogStore) -> None:
    for n in range(2):
        await end(await begin(store, f"r_{n}", "t"), "t")
    await begin(store, "r_live", "t")
    await end(await begin(store, "r_other", "u"), "u")
    assert await store.forget(run="r_live") == []
    assert await store.forget(run="r_none") == []
    assert await store.forget(thread="none") == []
    assert await store.forget(thread="t") == ["r_0", "r_1"]
    assert await runs_of(store, "t") == ["r_live"]
    assert await store.forget(thread="u") == ["r_other"]
    found = await store.threads(limit=9)
    assert found is not None
    assert [one.thread for one in found] == ["t"]


async def test_a_thread_whose_runs_are_too_old_is_gone_with_them(make_store: MakeStore) -> None:
    store = make_store(keep_runs=2)
    await store.open()
    for n in range(4):
        await end(await begin(store, f"r_{n}", f"t_{n // 2}"), f"t_{n // 2}")
    assert await pages(store, 9) == [["t_1"]]
    await store.close()


async def test_ten_thousand_threads_are_listed_as_quickly_as_a_hundred(
    make_store: MakeStore,
) -> None:
    store = make_store(keep_runs=0)
    await store.open()

    async def fill(first: int, last: int) -> None:
        for n in range(first, last):
            await begin(store, f"r_{n}", f"t_{n}", f"Thread {n}")

    async def cost(before: str | None) -> tuple[float, int]:
        """Seconds, the best of nine, and the most memory that a page of fifty takes."""
        took = []
        for _ in range(9):
            began = time.perf_counter()
            assert len(await store.threads(limit=50, before=before) or ()) == 50
            took.append(time.perf_counter() - began)
        tracemalloc.start()
        await store.threads(limit=50, before=before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return min(took), peak

    await fill(0, 100)
    few = await cost("t_99")
    await fill(100, 10_000)
    for before in ("t_9999", "t_5000", "t_60"):
        many = await cost(before)
        # In SQLite none before the page are looked at. In memory all are passed by, which under
        # coverage takes 0.5 µs each: no worse than there are more of them.
        assert many[0] < few[0] * (4 if isinstance(store, SqliteStore) else 100)
        assert many[1] < few[1] * 3
    await store.close()


async def test_an_ack_is_kept_with_the_event_it_led_to(store: LogStore) -> None:
    ack = StoredAck("c-1", "d1", b'{"ok":true}')
    await store.create("r_1").append(drafts(1), snapshot=snapshot("r_1"), ack=ack)
    assert await store.ack("c-1") == ack
    await store.record(StoredAck("c-2", "d2", b"{}"))
    assert await store.ack("c-2") == StoredAck("c-2", "d2", b"{}")


async def test_acks_have_a_bound(make_store: MakeStore) -> None:
    store = make_store(keep_acks=100)
    await store.open()
    log = store.create("r_1")
    for n in range(600):
        ack = StoredAck(f"c-{n}", "d", b"{}")
        await log.append(drafts(1), snapshot=snapshot("r_1"), ack=ack)
    assert await store.ack("c-0") is None
    assert await store.ack("c-500") is not None
    assert await store.ack("c-599") is not None
    await store.close()


async def test_no_number_of_refusals_makes_it_forget_what_had_an_effect(
    make_store: MakeStore,
) -> None:
    store = make_store(keep_acks=100, keep_refusals=50)
    await store.open()
    start = StoredAck("start", "d", b"{}")
    await store.create("r_1").append(drafts(1), snapshot=snapshot("r_1"), ack=start)
    for n in range(600):
        await store.record(StoredAck(f"c-{n}", "d", b"{}"))
    assert await store.ack("start") == start
    assert await store.ack("c-0") is None
    assert [await store.ack(f"c-{n}") is None for n in (560, 599)] == [False, False]
    await store.close()


async def test_sqlite_goes_on_counting_refusals_where_the_last_gateway_stopped(
    tmp_path: Path,
) -> None:
    def make() -> SqliteStore:
        path = tmp_path / "log.sqlite3"
        return SqliteStore(path, retain=1_000, keep_runs=10, keep_refusals=50)

    for life in range(4):
        store = make()
        await store.open()
        for n in range(200):
            await store.record(StoredAck(f"c-{life}-{n}", "d", b"{}"))
        assert await store.ack(f"c-{life}-199") is not None
        ((count,),) = store.query("SELECT count(*) FROM acks")
        await store.close()
    assert count <= 50 + 256


async def test_a_snapshot_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=10)
    await store.open()
    for run in ("r_0", "r_1", "r_2", "r_3"):
        await store.create(run).append(drafts(1), snapshot=snapshot(run))
    store.query("UPDATE runs SET snapshot = x'7b00' WHERE run = 'r_1'")
    store.query("UPDATE runs SET snapshot = '[]' WHERE run = 'r_2'")
    for states in (None, ["running"]):
        listed = await stored(store, states)
        assert [one["run"] for one in listed] == ["r_3", "r_0"]
    for run in ("r_1", "r_2"):
        with pytest.raises(StoreError, match=f"cannot read the log .*: snapshot of {run}"):
            await store.snapshot(run)
    await store.close()


async def test_sqlite_keeps_everything_over_a_restart(tmp_path: Path) -> None:
    def make() -> SqliteStore:
        return SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=10)

    store = make()
    await store.open()
    log = store.create("r_1")
    ack = StoredAck("c-1", "d", b"{}")
    appended = await log.append(drafts(5), snapshot=snapshot("r_1"), ack=ack)
    await store.close()

    again = make()
    await again.open()
    found = await again.find("r_1")
    assert found is not None
    assert found.epoch == log.epoch
    assert [e.json for e in await found.read(0)] == [e.json for e in appended]
    assert await again.ack("c-1") == ack
    await again.close()


async def test_an_append_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=10)
    await store.open()
    log = store.create("r_1")
    await log.append(drafts(2), snapshot=snapshot("r_1"))
    ack = StoredAck("c-1", "d", b"{}")
    await store.record(ack)
    with pytest.raises(sqlite3.IntegrityError):
        await log.append(drafts(3), snapshot=snapshot("r_1", "paused"), ack=ack)
    assert log.head == 2
    assert await store.snapshot("r_1") == snapshot("r_1")
    assert [e.seq for e in await log.append(drafts(1))] == [3]
    await store.close()


async def test_a_log_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    store = SqliteStore(path, retain=10, keep_runs=10)
    await store.open()
    store.query("PRAGMA user_version = 99")
    await store.close()
    with pytest.raises(StoreError, match="newer version"):
        await SqliteStore(path, retain=10, keep_runs=10).open()


async def test_a_file_that_is_no_log_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    path.write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(StoreError, match=r"log\.sqlite3"):
        await SqliteStore(path, retain=10, keep_runs=10).open()
