"""Threads as a Python program has them, at a real gateway, over either transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from sidecar.client import CrewClient
from sidecar.errors import CommandError
from tests.faults.proxy import Connection, FaultProxy, Way
from tests.support.sidecar import Sidecar, TransportName

_names = count(1)
SHORT = {"message": "tea", "events": 2, "delay": 0}
ENDLESS = {"message": "coffee", "events": 1_000_000, "rate": 20, "delay": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    sidecar = Sidecar(
        tmp_path_factory.mktemp("threads") / "data", SIDECAR_SYNTHETIC="1", SIDECAR_WARM="0"
    ).start()
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture
async def crew(running: Sidecar, transport: TransportName) -> AsyncIterator[CrewClient]:
    async with running.client(transport) as client:
        yield client


@pytest.fixture
def thread() -> str:
    return f"t_{next(_names)}"


async def ended(
    crew: CrewClient, thread: str, *, title: str | None = None, after: str | None = None
) -> str:
    """A short run of the thread, once it is over."""
    run = await crew.start(SHORT, crew="synthetic", thread=thread, title=title, after=after)
    async for event in crew.follow(run):
        last = event
    assert last["type"] == "run.completed", last
    return run


async def cancelled(crew: CrewClient, run: str) -> None:
    await crew.cancel(run)
    async for _ in crew.follow(run):
        pass


async def refused(crew: CrewClient, run: str | None = None, thread: str | None = None) -> str:
    """The code with which the sidecar does not know one of these."""
    with pytest.raises(CommandError) as error:
        await (crew.status(run) if run else crew.thread(str(thread)))
    return error.value.code


async def test_runs_of_a_thread_follow_each_other(crew: CrewClient, thread: str) -> None:
    first = await ended(crew, thread, title="Tea")
    second = await ended(crew, thread)
    beside = await ended(crew, thread, after=first)
    anew = await ended(crew, thread, after="")
    found = await crew.thread(thread)
    assert (found["thread"], found["title"], found["state"]) == (thread, "Tea", "completed")
    assert [(run["run"], run["after"]) for run in found["runs"]] == [
        (first, None),
        (second, first),
        (beside, first),
        (anew, None),
    ]
    assert {run["thread"] for run in found["runs"]} == {thread}
    assert (await crew.status(await crew.start(SHORT, crew="synthetic")))["thread"] is None


async def test_what_is_no_run_of_the_thread_is_not_followed(crew: CrewClient, thread: str) -> None:
    stranger = await ended(crew, f"{thread}-other")
    with pytest.raises(CommandError) as error:
        await ended(crew, thread, after=stranger)
    assert error.value.code == "bad_request"


async def test_a_second_live_run_has_to_be_asked_for(crew: CrewClient, thread: str) -> None:
    one = await crew.start(ENDLESS, crew="synthetic", thread=thread)
    with pytest.raises(CommandError, match=one) as error:
        await crew.start(ENDLESS, crew="synthetic", thread=thread)
    assert error.value.code == "illegal_state"
    other = await crew.start(ENDLESS, crew="synthetic", thread=thread, parallel=True)
    for run in (one, other):
        await cancelled(crew, run)
    assert len((await crew.thread(thread))["runs"]) == 2


async def test_threads_are_listed_page_by_page_the_latest_first(
    crew: CrewClient, thread: str
) -> None:
    names = [f"{thread}-{letter}" for letter in "abc"]
    for name in names:
        await ended(crew, name)
    await ended(crew, names[0])
    first = await crew.threads(limit=2)
    assert [one["thread"] for one in first["threads"]] == [names[0], names[2]]
    assert [one["runs"] for one in first["threads"]] == [2, 1]
    assert {one["title"] for one in first["threads"]} == {"tea"}
    assert first["threads"][0]["created"] < first["threads"][0]["updated"]
    second = await crew.threads(limit=1, before=first["next"])
    assert [one["thread"] for one in second["threads"]] == [names[1]]


async def test_a_thread_is_renamed(crew: CrewClient, thread: str) -> None:
    await ended(crew, thread)
    renamed = await crew.rename(thread, "Tee in Köln 🫖")
    assert (renamed["title"], renamed["runs"]) == ("Tee in Köln 🫖", 1)
    assert (await crew.thread(thread))["title"] == "Tee in Köln 🫖"
    with pytest.raises(CommandError) as error:
        await crew.rename(f"{thread}-none", "Tea")
    assert error.value.code == "unknown_thread"


async def test_a_run_is_deleted_and_a_thread_goes_with_its_last_one(
    crew: CrewClient, thread: str
) -> None:
    runs = [await ended(crew, thread) for _ in range(2)]
    await crew.delete(run=runs[0])
    assert await refused(crew, run=runs[0]) == "unknown_run"
    assert [run["run"] for run in (await crew.thread(thread))["runs"]] == [runs[1]]
    await crew.delete(run=runs[1])
    assert await refused(crew, thread=thread) == "unknown_thread"


async def test_a_thread_is_deleted_with_its_runs_unless_one_is_live(
    crew: CrewClient, thread: str
) -> None:
    run = await crew.start(ENDLESS, crew="synthetic", thread=thread)
    for delete in (crew.delete(thread=thread), crew.delete(run=run)):
        with pytest.raises(CommandError) as error:
            await delete
        assert error.value.code == "illegal_state"
    await cancelled(crew, run)
    await crew.delete(thread=thread)
    assert await refused(crew, thread=thread) == "unknown_thread"
    assert await refused(crew, run=run) == "unknown_run"
    with pytest.raises(CommandError) as error:
        await crew.delete(thread=thread)
    assert error.value.code == "unknown_thread"


@pytest.mark.parametrize("name", ["", "../runs", "a/b", "ä", "x" * 65, "?limit=1", "%2e%2e"])
async def test_what_can_be_no_threads_name_harms_nothing(crew: CrewClient, name: str) -> None:
    for ask in (crew.thread(name or "."), crew.delete(thread=name), crew.rename(name, "x")):
        with pytest.raises(CommandError) as error:
            await ask
        assert error.value.status in (400, 404, 405), error.value


async def test_a_deletion_whose_answer_is_lost_is_done_and_no_error(
    running: Sidecar, transport: TransportName, thread: str
) -> None:
    async with running.client(transport) as crew:
        await ended(crew, thread)
    lost: list[str] = []

    def lose_the_first(connection: Connection) -> None:
        if not lost:
            connection.fault(down=Way(cut=0))
        lost.append(connection.request)

    async with FaultProxy(running.url) as proxy, CrewClient(proxy.url, transport=transport) as crew:
        proxy.plan = lose_the_first
        async with asyncio.timeout(10):
            await crew.delete(thread=thread)
        assert lost == [f"DELETE /threads/{thread}"] * 2
        assert await refused(crew, thread=thread) == "unknown_thread"
