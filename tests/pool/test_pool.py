"""Keeping workers warm and handing them out, with workers that are a socket and no process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import random
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from sidecar.channel import WORKER_BROKEN, WORKER_READY, Look, encode_line, fact
from sidecar.pool import CannotImport, Pool, Worker
from sidecar.pool import pool as module
from sidecar.pool.pool import Process, WorkerLost
from sidecar.settings import Settings
from tests.pool.talk import BOUND, idle_of
from tests.support.clock import Clock, settle

READY = encode_line(fact(WORKER_READY, {"pid": 0}))


def broken(message: str) -> bytes:
    return encode_line(fact(WORKER_BROKEN, {"message": message}))


class Scripted(Pool):
    """Its workers say `says` and no more; an exception in its place is why there is none."""

    def __init__(self, settings: Settings, says: bytes | Exception = READY) -> None:
        super().__init__(settings)
        self.says = says
        self.launched = 0
        self.ends: list[socket.socket] = []
        self.exits: list[asyncio.Future[int | None]] = []

    @property
    def log_hint(self) -> str:
        return "workers.log"

    async def _launch(self, theirs: socket.socket) -> Process:
        self.launched += 1
        if isinstance(self.says, Exception):
            raise self.says
        end = theirs.dup()
        end.sendall(self.says)
        self.ends.append(end)
        self.exits.append(asyncio.get_running_loop().create_future())
        # Beyond any process's number, so that a signal hits nobody.
        return 1 << 30, self.exits[-1]

    def leave(self, number: int, code: int) -> None:
        """The worker of that number exits."""
        self.ends[number].close()
        self.exits[number].set_result(code)


Make = Callable[..., Scripted]


@pytest.fixture
async def make(settings: Settings) -> AsyncIterator[Make]:
    """A pool, not started yet: `make(says, warm=1)`."""
    made: list[Scripted] = []

    def one(says: bytes | Exception = READY, *, warm: int = 1) -> Scripted:
        made.append(Scripted(Settings(data=settings.data, warm=warm), says))
        return made[-1]

    yield one
    for pool in made:
        await pool.stop()
        for end in pool.ends:
            end.close()


async def take(pool: Pool) -> Worker:
    return await asyncio.wait_for(pool.take(), BOUND)


async def told(pool: Pool) -> str:
    """Its trouble, which it has by now."""
    await settle()
    assert pool.trouble is not None
    return pool.trouble


async def test_it_has_as_many_ready_as_are_kept_warm(make: Make) -> None:
    pool = make(warm=3)
    pool.start()
    assert len(await idle_of(pool)) == 3
    assert pool.ready
    assert pool.launched == 3


async def test_it_is_not_ready_while_the_first_worker_is_made(make: Make) -> None:
    pool = make(b"")
    pool.start()
    await settle()
    assert pool.launched == 1
    assert not pool.ready


async def test_what_is_taken_is_replaced(make: Make) -> None:
    pool = make()
    pool.start()
    first = await take(pool)
    (second,) = await idle_of(pool)
    assert second is not first
    assert pool.launched == 2
    first.close()


async def test_without_warm_workers_one_is_made_when_it_is_asked_for(make: Make) -> None:
    pool = make(warm=0)
    pool.start()
    assert pool.ready
    assert pool.launched == 0
    worker = await take(pool)
    assert worker.alive
    assert pool.launched == 1
    worker.close()


async def test_many_who_wait_get_one_each(make: Make) -> None:
    pool = make(warm=0)
    pool.start()
    workers = await asyncio.gather(*(take(pool) for _ in range(5)))
    assert len(set(workers)) == 5
    for worker in workers:
        worker.close()


async def test_a_worker_that_died_while_it_was_idle_is_given_to_nobody(make: Make) -> None:
    pool = make()
    pool.start()
    (idle,) = await idle_of(pool)
    pool.leave(0, -9)
    assert not pool.ready
    worker = await take(pool)
    assert worker is not idle
    assert worker.alive
    worker.close()


async def test_who_gives_up_waiting_leaves_the_worker_to_the_next(make: Make) -> None:
    pool = make(WorkerLost("no room"), warm=0)
    pool.start()
    waiting = asyncio.create_task(pool.take())
    await told(pool)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert not pool._takers


async def test_trouble_is_said_and_tried_again_until_it_is_over(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", (0.01,))
    pool = make(WorkerLost("no room"))
    pool.start()
    assert await told(pool) == "no room"
    pool.says = READY
    worker = await take(pool)
    await idle_of(pool)
    assert pool.trouble is None
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert set(errors) == {"no worker: no room"}
    worker.close()


async def test_waits_between_attempts_grow_to_the_longest_and_begin_anew_after_a_success(
    make: Make, clock: Clock
) -> None:
    pool = make(WorkerLost("no room"))
    pool.start()
    await settle()
    for attempts, seconds in enumerate((0.2, 1.0, 5.0, 15.0, 15.0), 1):
        await clock.turn(seconds - 0.001)
        assert pool.launched == attempts
        await clock.turn(0.001)
        assert pool.launched == attempts + 1
    pool.says = READY
    await clock.turn(15.0)
    assert pool.ready
    pool.says = WorkerLost("no room again")
    (await take(pool)).close()
    await settle()
    before = pool.launched
    await clock.turn(0.2)
    assert pool.launched == before + 1


async def test_a_first_worker_that_lacks_what_it_imports_breaks_the_pool(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make(broken("ImportError: no crewai"))
    pool.start()
    with pytest.raises(CannotImport, match="ImportError: no crewai"):
        await take(pool)
    assert pool.broken.is_set()
    assert pool.trouble == "ImportError: no crewai (see workers.log)"
    assert pool.launched == 1
    with pytest.raises(CannotImport, match="ImportError: no crewai"):
        await take(pool)
    # Whoever serves says it, once.
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_who_waits_hears_of_a_broken_pool(make: Make) -> None:
    pool = make(broken("ImportError: no crewai"), warm=0)
    pool.start()
    waiting = [asyncio.create_task(pool.take()) for _ in range(3)]
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), BOUND)
    assert [type(one) for one in answers] == [CannotImport] * 3


async def test_a_pool_that_has_had_a_worker_is_not_broken_by_a_later_one(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while crewai is being upgraded under a sidecar that runs."""
    monkeypatch.setattr(module, "_RETRY_SECONDS", (0.01,))
    pool = make()
    pool.start()
    await idle_of(pool)
    pool.says = broken("ImportError: half of it")
    (await take(pool)).close()
    assert await told(pool) == "ImportError: half of it (see workers.log)"
    assert not pool.broken.is_set()
    pool.says = READY
    (await take(pool)).close()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b'{"type": "run.started"}\n', "worker said 'run.started' instead of 'worker.ready'"),
        (b"{}\n", "worker said None instead of 'worker.ready'"),
    ],
)
async def test_a_worker_that_says_something_else_first_is_none(
    make: Make, says: bytes, why: str
) -> None:
    pool = make(says)
    with pytest.raises(WorkerLost, match=why):
        await pool._make()
    # It was hung up on.
    pool.ends[0].setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(pool.ends[0], 1) == b""


async def test_a_worker_that_exits_before_it_is_ready_is_told_with_its_code(make: Make) -> None:
    pool = make(b"")
    making = asyncio.create_task(pool._make())
    await settle()
    pool.leave(0, 3)
    with pytest.raises(WorkerLost, match=r"before it was ready \(exit code 3\); see workers.log"):
        await making


async def test_a_worker_that_is_never_ready_is_given_up(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    pool = make(b"")
    with pytest.raises(WorkerLost, match=r"worker not ready within 0\.05 s"):
        await pool._make()


async def test_a_pool_that_stops_makes_no_more_and_hangs_up_on_the_idle(make: Make) -> None:
    pool = make(warm=2)
    pool.start()
    await idle_of(pool)
    await pool.stop()
    assert not pool.ready
    for end in pool.ends:
        end.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(end, 1) == b""
    assert pool.launched == 2


async def test_a_pool_that_stops_while_it_makes_one_leaves_nothing_open(make: Make) -> None:
    pool = make(b"")
    pool.start()
    await settle()
    await pool.stop()
    pool.ends[0].setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(pool.ends[0], 1) == b""


async def test_a_pool_that_was_never_started_can_be_stopped(make: Make) -> None:
    await make().stop()


async def test_an_idle_worker_that_dies_is_replaced_though_nobody_asks_for_one(make: Make) -> None:
    pool = make(warm=2)
    pool.start()
    await settle()
    assert pool.launched == 2
    pool.leave(0, -9)
    await settle()
    assert pool.launched == 3
    assert len(pool._idle) == 2
    assert all(worker.alive for worker in pool._idle)


async def test_while_a_dead_idle_worker_is_replaced_it_is_said_why_there_is_none(
    make: Make,
) -> None:
    pool = make()
    pool.start()
    await settle()
    pool.says = b""
    pool.leave(0, -9)
    await settle()
    assert pool._idle == []
    assert pool.trouble == ("the worker that was ready died; another one is made (see workers.log)")
    pool.ends[1].sendall(READY)
    await settle()
    assert pool.ready
    assert pool.trouble is None


async def test_workers_that_die_as_soon_as_they_are_ready_do_not_take_all_of_the_processor(
    make: Make, clock: Clock
) -> None:
    pool = make()
    pool.start()
    await settle()
    pool.leave(0, -9)
    await settle()
    assert pool.launched == 2
    for dead in range(1, 6):
        pool.leave(dead, -9)
        await clock.turn(0.999)
        assert pool.launched == dead + 1
        assert not pool.ready
        await clock.turn(0.001)
        assert pool.launched == dead + 2
        assert pool.ready
    # One that has stood for long is replaced at once, and the next one too.
    await clock.turn(10.0)
    for dead in range(6, 8):
        pool.leave(dead, -9)
        await settle()
        assert pool.launched == dead + 2


async def test_fifty_idle_workers_that_die_under_load_cost_no_taker_anything(
    make: Make, clock: Clock
) -> None:
    chance = random.Random(12)
    pool = make(warm=3)
    pool.start()
    taken = 0
    for _ in range(50):
        await clock.turn(1.0)
        idle = [pool.exits.index(worker._exited) for worker in pool._idle]
        pool.leave(chance.choice(idle), -9)
        for _ in range(chance.randrange(3)):
            worker = await take(pool)
            assert worker.alive
            worker.close()
            taken += 1
    await clock.turn(1.0)
    assert pool.ready
    assert len(pool._idle) == 3
    assert all(worker.alive for worker in pool._idle)
    assert taken > 25


async def test_a_worker_is_handed_out_when_it_is_ready_and_not_when_others_are(make: Make) -> None:
    pool = make(b"", warm=0)
    pool.start()
    waiting = [asyncio.create_task(pool.take()) for _ in range(3)]
    await settle()
    assert pool.launched == 3
    pool.ends[1].sendall(READY)
    await asyncio.wait_for(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED), BOUND)
    # Who came first, though it is not the one that was begun first.
    assert [task.done() for task in waiting] == [True, False, False]
    for end in (pool.ends[0], pool.ends[2]):
        end.sendall(READY)
    workers = await asyncio.wait_for(asyncio.gather(*waiting), BOUND)
    assert len(set(workers)) == 3
    for worker in workers:
        worker.close()


async def test_who_comes_while_a_worker_is_made_does_not_wait_for_two_in_a_row(make: Make) -> None:
    pool = make(b"")
    pool.start()
    await settle()
    assert pool.launched == 1
    waiting = [asyncio.create_task(pool.take()) for _ in range(2)]
    await settle()
    assert pool.launched == 2
    for end in pool.ends:
        end.sendall(READY)
    for worker in await asyncio.wait_for(asyncio.gather(*waiting), BOUND):
        worker.close()


async def test_workers_that_nobody_waits_for_any_more_are_not_kept(make: Make) -> None:
    pool = make(b"")
    pool.start()
    waiting = [asyncio.create_task(pool.take()) for _ in range(4)]
    await settle()
    assert pool.launched == 4
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for end in pool.ends:
        end.sendall(READY)
    await settle()
    assert len(pool._idle) == 1
    # The others were hung up on.
    hung_up = 0
    for end in pool.ends:
        end.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            hung_up += end.recv(1) == b""
    assert hung_up == 3


async def test_a_worker_given_to_who_gives_up_in_the_same_moment_goes_to_the_next(
    make: Make,
) -> None:
    pool = make(b"", warm=0)
    pool.start()
    first, second = (asyncio.create_task(pool.take()) for _ in range(2))
    await settle()
    pool.says = READY
    pool._idle.append(made := await pool._make())
    pool._tend()
    first.cancel()
    assert await asyncio.wait_for(second, BOUND) is made
    assert first.cancelled()
    made.close()


async def test_ten_launches_fail_and_then_one_works(make: Make, clock: Clock) -> None:
    pool = make(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    pool.start()
    waiting = asyncio.create_task(pool.take())
    for seconds in (0.0, 0.2, 1.0, 5.0, *[15.0] * 6):
        await clock.turn(seconds)
        assert not pool.ready
        assert pool.trouble == "a worker can't be started: Too many open files"
    assert pool.launched == 10
    pool.says = READY
    await clock.turn(15.0)
    assert waiting.done()
    assert pool.ready
    assert pool.trouble is None
    (await waiting).close()


async def test_launches_of_the_same_moment_that_fail_are_one_failure(
    make: Make, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make(WorkerLost("no room"), warm=5)
    pool.start()
    await settle()
    assert pool.launched == 5
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1
    await clock.turn(0.2)
    assert pool.launched == 10


async def test_an_idle_worker_is_told_what_to_import_until_one_dies_of_it(make: Make) -> None:
    pool = make()
    look: Look = {"folder": "f", "environ": {}, "crews": []}
    pool.brief = lambda: {"order": "prepare", "look": look}
    pool.start()
    (first,) = await idle_of(pool)
    assert json.loads(pool.ends[0].recv(4096)) == {"order": "prepare", "look": look}
    pool.leave(0, 7)
    await settle()
    (second,) = await idle_of(pool)
    assert second is not first
    pool.ends[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        pool.ends[1].recv(4096)


async def test_a_worker_for_something_else_is_none_of_those_that_are_kept(make: Make) -> None:
    pool = make()
    pool.start()
    await settle()
    worker = await pool.make()
    assert worker not in await idle_of(pool)
    assert pool.launched == 2
    worker.close()


async def test_none_is_made_for_something_else_while_none_can_be(make: Make) -> None:
    pool = make(WorkerLost("no luck"))
    pool.start()
    await settle()
    assert pool.launched == 1
    for _ in range(3):
        with pytest.raises(WorkerLost, match="no luck"):
            await pool.make()
    assert pool.launched == 1
