"""Lists of runs: those in the store, and of those under way what they are by now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import CommandError
from sidecar.protocol import List
from sidecar.runs.listing import states_of
from tests.runs.house import House, Unreadable
from tests.support.clock import settle
from tests.support.commands import command


async def listed(house: House, state: str | None = None, **query: Any) -> list[str]:
    states = frozenset[str]() if state is None else states_of(state)
    return [run["run"] for run in (await house.page(states=states, **query))["runs"]]


async def test_runs_are_listed_newest_first_by_state_and_up_to_a_limit(house: House) -> None:
    over = await house.completed()
    first, _ = await house.running()
    second, _ = await house.running()
    third = await house.start()
    assert await listed(house) == [third, second, first, over]
    assert await listed(house, limit=2) == [third, second]
    assert await listed(house, "running") == [second, first]
    assert await listed(house, "running", limit=1) == [second]
    assert await listed(house, "completed") == [over]
    assert await listed(house, "failed") == []
    assert await listed(house, "completed,queued") == [third, over]
    assert await listed(house, "live") == [third, second, first]
    assert await listed(house, "final") == [over]
    assert await listed(house, "live,final", before=second) == [first, over]
    with pytest.raises(CommandError, match="no state 'asleep'; there are cancelled, cancelling"):
        await house.ask(command(List, state="asleep"))
    for state, runs in (("running", [second, first]), ("completed", [over])):
        ack = await house.ask(command(List, state=state))
        assert [run["run"] for run in ack["result"]["runs"]] == runs


async def test_page_after_page_all_are_told_and_the_last_says_that_it_is(house: House) -> None:
    runs = [await house.completed() for _ in range(5)]
    told, before, pages = list[str](), None, 0
    while pages == 0 or before is not None:
        page = await house.page(limit=2, before=before)
        told += [run["run"] for run in page["runs"]]
        before, pages = page["next"], pages + 1
    assert (told, pages) == (runs[::-1], 3)
    assert (await house.page(limit=5))["next"] is None
    assert (await house.page(states=frozenset({"failed"})))["next"] is None


async def test_a_live_run_is_listed_as_it_is_and_not_as_it_was_stored(house: House) -> None:
    run, worker = await house.running()
    worker.say("llm.delta", {"text": "x"})
    await settle()
    [found] = (await house.page())["runs"]
    stored = await house.store.snapshot(run)
    assert stored is not None
    assert (found["seq"], stored["seq"]) == (3, 2)
    # Nobody is told of a start: in the store it is queued.
    begun = await house.start()
    stored = await house.store.snapshot(begun)
    assert stored is not None
    assert stored["state"] == "queued"
    assert await listed(house, "starting") == [begun]
    assert await listed(house, "queued") == []


async def test_a_queued_run_has_its_place_in_line_which_moves_as_others_leave(
    house: House,
) -> None:
    working = [await house.running() for _ in range(2)]
    first = await house.start()
    assert (await house.supervisor.snapshot(first))["position"] == 1
    assert [run.get("position") for run in (await house.page())["runs"]] == [1, None, None]
    run, worker = working[0]
    worker.say("run.completed", {"output": "o"})
    worker.leave()
    await settle()
    assert "position" not in await house.supervisor.snapshot(first)
    assert "position" not in await house.supervisor.snapshot(run)


async def test_runs_are_found_by_crew_and_by_words_in_inputs_crew_and_title(house: House) -> None:
    async def ended(**fields: Any) -> str:
        run = await house.start(**fields)
        worker = house.pool.taken[-1]
        worker.say("run.failed", {"error": {"code": "error", "message": "m"}})
        worker.leave()
        await settle()
        return run

    tea = await ended(inputs={"message": "A TEA shop opens"})
    titled = await ended(inputs={"message": "Now shorter"}, thread="t", title="About tea")
    live = await house.start(inputs={"places": ["the Straße"]})

    async def found(*words: str, **query: Any) -> list[str]:
        return await listed(house, words=words, **query)

    assert await found("tea") == [titled, tea]
    assert await found("tea", "opens") == [tea]
    assert await found("short", "about") == [titled]
    assert await found("strasse") == [live]
    assert await found("nothing") == []
    assert await found("default") == [live, titled, tea]
    assert await found("tea", state="live") == []
    assert await listed(house, crew="default", limit=1, before=live) == [titled]
    assert await listed(house, crew="another") == []

    async def counted(**query: Any) -> dict[str, int]:
        counts: dict[str, int] = (await house.page(counts=True, limit=1, **query))["counts"]
        return counts

    assert await counted() == {"starting": 1, "failed": 2}
    assert await counted(states=frozenset({"failed"}), words=("strasse",)) == {"starting": 1}
    assert await counted(words=("tea",)) == {"failed": 2}
    assert await counted(crew="another") == {}
    assert "counts" not in await house.page()


async def test_a_brief_list_has_no_outputs(house: House) -> None:
    await house.completed()
    [whole] = (await house.page())["runs"]
    [brief] = (await house.page(brief=True))["runs"]
    assert whole["output"] == "o"
    assert brief == {
        **whole,
        "output": None,
        "tasks": [{**task, "output": None} for task in whole["tasks"]],
        "truncated": True,
    }


class Slow(Unreadable):
    """In which something happens between one snapshot and the next."""

    def __init__(self) -> None:
        super().__init__(retain=1_000, keep_runs=10)
        self.meanwhile: Callable[[], None] = lambda: None

    async def snapshots(self, **query: Any) -> AsyncIterator[dict[str, Any]]:
        async for record in super().snapshots(**query):
            yield record
            self.meanwhile()
            await settle()


async def test_a_run_that_ends_while_the_list_is_made_is_not_told_in_a_state_that_it_left(
    tmp_path: Path,
) -> None:
    store = Slow()
    house = House(tmp_path, store)
    await house.supervisor.open()
    ending, worker = await house.running()
    goes_on, _ = await house.running()

    def end() -> None:
        worker.say("run.completed", {"output": "o"})
        worker.leave()

    store.meanwhile = end
    assert await listed(house, "running") == [goes_on]
    assert await house.state(ending) == "completed"
    await house.supervisor.end_runs()
    await house.supervisor.close()
