"""A command has one effect at most, however often and in whatever way it comes."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.errors import CommandError
from sidecar.protocol import Answer, Resume, Start, Status
from tests.runs.house import House, Unreadable, refused
from tests.support.clock import settle
from tests.support.commands import command


async def test_a_repeated_command_gets_its_ack_again_and_has_no_second_effect(
    house: House,
) -> None:
    start = command(Start, "s")
    first = await house.ask(start)
    assert await house.ask(start) == {**first, "duplicate": True}
    assert len((await house.page())["runs"]) == 1


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
