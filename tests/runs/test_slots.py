"""Who works and who waits in line."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sidecar.runs.slots import Slots
from tests.support.long import examples


def test_those_beyond_the_count_stand_in_line_in_the_order_they_came() -> None:
    slots = Slots(2)
    places = [slots.place() for _ in range(5)]
    for place in places:
        place.ask()
    assert [place.position for place in places] == [0, 0, 1, 2, 3]
    places[1].give_back()
    assert [place.held for place in places] == [True, False, True, False, False]
    assert [place.position for place in places[3:]] == [1, 2]


def test_those_that_have_begun_go_before_those_that_have_not() -> None:
    slots = Slots(1)
    working, first, second, begun, later = (slots.place() for _ in range(5))
    for place in (working, first, second):
        place.ask()
    begun.ask(begun=True)
    later.ask(begun=True)
    assert [p.position for p in (begun, later, first, second)] == [1, 2, 3, 4]
    working.give_back()
    assert (begun.held, first.position) == (True, 2)


def test_asking_again_neither_moves_nor_takes_a_second_one() -> None:
    slots = Slots(1)
    one, two, three = (slots.place() for _ in range(3))
    for place in (one, two, three, one, two):
        place.ask()
    assert [place.position for place in (one, two, three)] == [0, 1, 2]
    one.give_back()
    one.give_back()
    assert (two.held, three.held) == (True, False)


def test_one_that_leaves_the_line_is_passed_over() -> None:
    slots = Slots(1)
    one, two, three = (slots.place() for _ in range(3))
    for place in (one, two, three):
        place.ask()
    two.give_back()
    assert (two.position, three.position) == (0, 1)
    one.give_back()
    assert (two.held, three.held) == (False, True)


async def test_each_is_told_when_it_comes_to_have_one() -> None:
    slots = Slots(1)
    told: list[str] = []
    one = slots.place(lambda: told.append("one"))
    two = slots.place(lambda: told.append("two"))
    one.ask()
    two.ask()
    waiting = asyncio.create_task(two.wait())
    await asyncio.sleep(0)
    assert (told, waiting.done()) == (["one"], False)
    one.give_back()
    await waiting
    assert told == ["one", "two"]


moves = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["begin", "go on", "give back"])), max_size=60
)


@examples(200, 5_000)
@given(st.integers(1, 3), moves)
def test_never_more_than_the_count_work_and_nobody_waits_beside_a_free_slot(
    count: int, moves: list[tuple[int, str]]
) -> None:
    slots = Slots(count)
    places = [slots.place() for _ in range(6)]
    for number, move in moves:
        if move == "give back":
            places[number].give_back()
        else:
            places[number].ask(begun=move == "go on")
        held = sum(place.held for place in places)
        line = sorted(place.position for place in places if place.position)
        assert held <= count
        assert line == list(range(1, len(line) + 1))
        assert not line or held == count
