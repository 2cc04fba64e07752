from __future__ import annotations

import asyncio

from sidecar.web.rounds import Rounds


async def test_rounds_visit_every_member_again_and_again_in_the_order_of_joining() -> None:
    visits: list[str] = []
    enough = asyncio.Event()

    def visit(member: str) -> None:
        visits.append(member)
        if len(visits) == 9:
            enough.set()

    rounds = Rounds[str](0.02, visit)
    for member in ("a", "b", "c"):
        rounds.join(member)
    assert visits == []
    await asyncio.wait_for(enough.wait(), 30)
    assert visits[:9] == ["a", "b", "c"] * 3


async def test_who_has_left_is_visited_no_more_and_rounds_without_members_rest() -> None:
    loop = asyncio.get_running_loop()
    visits: list[str] = []
    last = asyncio.Event()

    def visit(member: str) -> None:
        visits.append(member)
        rounds.leave(member)
        rounds.leave("b")
        last.set()

    rounds = Rounds[str](0.01, visit)
    rounds.join("a")
    rounds.join("b")
    await asyncio.wait_for(last.wait(), 30)
    later = asyncio.Event()
    loop.call_later(0.05, later.set)
    await later.wait()
    assert visits == ["a"]
    rounds.join("c")
    last.clear()
    await asyncio.wait_for(last.wait(), 30)
    assert visits == ["a", "c"]


async def test_a_visit_that_fails_does_not_end_the_rounds() -> None:
    visits = 0
    again = asyncio.Event()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def visit(_: str) -> None:
        nonlocal visits
        visits += 1
        if visits == 2:
            again.set()
            return
        raise ValueError

    rounds = Rounds[str](0.01, visit)
    rounds.join("a")
    await asyncio.wait_for(again.wait(), 30)
    rounds.leave("a")
    assert len(complaints) == 1


async def test_a_crowd_is_visited_in_parts() -> None:
    """So that the loop sees to other work in between."""
    visits = 0
    seen: list[int] = []
    everybody = asyncio.Event()

    def visit(_: int) -> None:
        nonlocal visits
        visits += 1
        if visits == 1_000:
            everybody.set()

    rounds = Rounds[int](0.01, visit)
    for member in range(1_000):
        rounds.join(member)

    async def watch() -> None:
        while not everybody.is_set():
            seen.append(visits)
            await asyncio.sleep(0)

    await asyncio.wait_for(watch(), 30)
    for member in range(1_000):
        rounds.leave(member)
    assert len({count for count in seen if 0 < count < 1_000}) >= 2
