"""Forked workers: of a zygote of one's own, or of one that others use too.

The zygote is the real one, with the crew `synthetic` in place of CrewAI; where it matters how one
breaks, a test speaks in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import random
import select
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.pool import KILL, CannotImport, Pool
from sidecar.pool import fork as module
from sidecar.pool.fork import ForkPool
from sidecar.pool.pool import WorkerLost
from sidecar.settings import Settings
from tests.pool.talk import BOUND, hear, idle_of, start
from tests.support import light
from tests.support.clock import settle
from tests.worker.harness import Zygote, gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork is for Linux")

Make = Callable[..., ForkPool]


@pytest.fixture
async def make(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """A started pool: `make(zygote=path)`."""
    monkeypatch.setattr(module, "command", light.command)
    made: list[ForkPool] = []

    def one(zygote: Path | None = None) -> ForkPool:
        made.append(ForkPool(Settings(data=settings.data, zygote=zygote)))
        made[-1].start()
        return made[-1]

    yield one
    for pool in made:
        await pool.stop()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """Where a zygote listens for everybody."""
    path = tmp_path / "zygote"
    with Zygote(dict(os.environ), listen=path, command=light.command):
        yield path


def zygote_of(pool: ForkPool) -> int:
    assert pool._zygote is not None
    assert pool._zygote._process is not None
    return pool._zygote._process.pid


async def take(pool: Pool) -> Any:
    return await asyncio.wait_for(pool.take(), BOUND)


async def test_a_forked_worker_does_its_run_and_its_exit_is_told(
    make: Make, tmp_path: Path
) -> None:
    pool = make()
    worker = await take(pool)
    assert os.getpgid(worker.pid) == worker.pid
    worker.order(start(tmp_path, events=2))
    assert (await hear(worker))[-1]["type"] == "run.completed"
    assert await asyncio.wait_for(worker.exit_code(), BOUND) == 0
    worker.close()


async def test_a_signal_is_an_exit_code_below_zero(make: Make) -> None:
    worker = await take(make())
    worker.signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.exit_code(), BOUND) == -signal.SIGTERM
    worker.close()


async def test_the_number_of_a_worker_is_nobody_elses_until_the_pool_has_heard_of_its_end(
    make: Make,
) -> None:
    """Else a signal that is sent before that would hit whoever has the number now."""
    pool = make()
    worker = await take(pool)
    await idle_of(pool)
    assert pool._zygote is not None
    assert pool._zygote._sock is not None
    os.kill(worker.pid, signal.SIGKILL)
    # The zygote has told, and this loop, which has no turn, has not heard.
    assert select.select([pool._zygote._sock], [], [], BOUND)[0]
    process = Path(f"/proc/{worker.pid}")
    assert (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    assert await asyncio.wait_for(worker.exit_code(), BOUND) == -signal.SIGKILL
    worker.close()
    await pool._make()  # by then the zygote knows that it was heard
    assert not process.exists()


async def test_workers_made_at_the_same_time_have_one_zygote(make: Make) -> None:
    pool = make()
    workers = await asyncio.gather(*(take(pool) for _ in range(4)))
    assert len({worker.pid for worker in workers}) == 4
    stats = [Path(f"/proc/{worker.pid}/stat").read_text() for worker in workers]
    parents = {int(stat.rpartition(")")[2].split()[1]) for stat in stats}
    assert parents == {zygote_of(pool)}
    for worker in workers:
        worker.close()


async def test_when_the_pool_stops_its_zygote_and_all_workers_are_gone(
    make: Make, tmp_path: Path
) -> None:
    pool = make()
    running = await take(pool)
    running.order(start(tmp_path, events=10_000_000))
    (idle,) = await idle_of(pool)
    zygote = zygote_of(pool)
    await pool.stop()
    assert gone(zygote, patience=0)
    assert gone(running.pid)
    assert gone(idle.pid)
    # By whom, nobody could tell any more.
    assert await running.exit_code() is None
    running.close()


async def test_a_zygote_that_died_is_begun_anew_for_the_next_worker(make: Make) -> None:
    pool = make()
    first = await take(pool)
    await idle_of(pool)
    before = zygote_of(pool)
    os.kill(before, signal.SIGKILL)
    assert await asyncio.wait_for(first.exit_code(), BOUND) is None
    second = await take(pool)
    assert zygote_of(pool) != before
    assert second.alive
    first.close()
    second.close()


async def test_what_the_zygote_prints_is_kept_in_the_file_that_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complain(*_: str) -> list[str]:
        return ["sh", "-c", "echo 'no such interpreter' >&2; exit 3"]

    monkeypatch.setattr(module, "command", complain)
    pool = make()
    with pytest.raises(WorkerLost, match=r"the zygote did not start: it exited; see .*zygote\.log"):
        await pool._make()
    assert Path(pool.log_hint).read_text() == "no such interpreter\n"


async def test_a_zygote_that_is_never_ready_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    monkeypatch.setattr(module, "command", lambda *_: ["sleep", "600"])
    pool = ForkPool(settings)
    with pytest.raises(WorkerLost, match=r"the zygote did not start: not ready within 0\.05 s"):
        await pool._make()
    assert gone(zygote_of(pool), patience=0)


async def test_a_zygote_that_does_not_leave_when_it_is_told_to_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.05)
    pool = make()
    worker = await take(pool)
    zygote = zygote_of(pool)
    os.kill(zygote, signal.SIGSTOP)
    await pool.stop()
    assert gone(zygote, patience=0)
    assert gone(worker.pid)
    worker.close()


async def test_pools_share_a_zygote_and_one_that_leaves_takes_its_own_workers_along(
    make: Make, shared: Path, tmp_path: Path
) -> None:
    ours, theirs = make(shared), make(shared)
    mine, other = await take(ours), await take(theirs)
    for worker in (mine, other):
        worker.order(start(tmp_path, events=10_000_000))
    await theirs.stop()
    assert gone(other.pid)
    assert mine.alive
    mine.order({"order": "cancel", "cause": "c-1"})
    assert (await hear(mine))[-1]["type"] == "run.cancelled"
    mine.close()
    other.close()


async def test_a_socket_on_which_no_zygote_listens_is_named(make: Make, tmp_path: Path) -> None:
    pool = make(tmp_path / "nobody")
    with pytest.raises(WorkerLost, match=r"no zygote listens at .*nobody: No such file"):
        await pool._make()


class Spoken:
    """A zygote whose words are the test's, as one that is shared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        self._open: list[socket.socket] = [self._listener]

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        self.control, _ = await asyncio.wait_for(loop.sock_accept(self._listener), BOUND)
        self._open.append(self.control)

    def say(self, **message: Any) -> None:
        self.control.send(json.dumps(message).encode())

    async def asked(self) -> str:
        """The tag of the next fork that is asked for."""
        data = await asyncio.get_running_loop().sock_recv(self.control, 4096)
        return str(json.loads(data)["fork"])

    def heard(self) -> list[int]:
        """The numbers in the answers to `exited` that have come."""
        numbers: list[int] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                numbers += json.loads(self.control.recv(4096))["heard"]
        return numbers

    def close(self) -> None:
        for sock in self._open:
            sock.close()


@pytest.fixture
def spoken(tmp_path: Path) -> Iterator[Spoken]:
    spoken = Spoken(tmp_path / "spoken")
    yield spoken
    spoken.close()


@pytest.fixture
async def asking(
    settings: Settings, spoken: Spoken
) -> AsyncIterator[tuple[ForkPool, asyncio.Task[Any]]]:
    """A pool and its attempt to get one worker; the zygote is connected and has said nothing."""
    pool = ForkPool(Settings(data=settings.data, zygote=spoken.path))
    making = asyncio.create_task(pool._make())
    await spoken.accept()
    yield pool, making
    making.cancel()
    await asyncio.wait({making})
    await pool.stop()


Asking = tuple[ForkPool, asyncio.Task[Any]]


async def test_a_zygote_that_cannot_import_says_what(asking: Asking, spoken: Spoken) -> None:
    pool, making = asking
    spoken.say(broken="ImportError: no crewai")
    with pytest.raises(CannotImport) as lacking:
        await asyncio.wait_for(making, BOUND)
    assert str(lacking.value) == f"ImportError: no crewai (see {pool.log_hint})"


async def test_a_zygote_that_says_something_else_first_is_none(
    asking: Asking, spoken: Spoken
) -> None:
    _, making = asking
    spoken.say(error="no memory")
    with pytest.raises(WorkerLost, match="the zygote did not start: no memory"):
        await asyncio.wait_for(making, BOUND)


async def test_a_fork_that_fails_is_told_to_who_asked_and_logged(
    asking: Asking, spoken: Spoken, caplog: pytest.LogCaptureFixture
) -> None:
    _, making = asking
    spoken.say(ready=True, seconds=0.1)
    await spoken.asked()
    spoken.say(error="fork: OSError: no memory")
    with pytest.raises(WorkerLost, match="fork: OSError: no memory"):
        await asyncio.wait_for(making, BOUND)
    errors = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert errors == ["zygote: fork: OSError: no memory"]


async def test_a_zygote_that_does_not_answer_is_given_up(
    settings: Settings, spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ForkPool(Settings(data=settings.data, zygote=spoken.path))
    making = asyncio.create_task(pool._make())
    await spoken.accept()
    spoken.say(ready=True, seconds=0.1)
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    with pytest.raises(WorkerLost, match="the zygote does not answer"):
        await asyncio.wait_for(making, BOUND)
    await pool.stop()


async def test_a_zygote_that_dies_before_it_has_forked_is_told(
    asking: Asking, spoken: Spoken
) -> None:
    _, making = asking
    spoken.say(ready=True, seconds=0.1)
    await spoken.asked()
    spoken.control.close()
    with pytest.raises(WorkerLost, match=r"the zygote is gone; see .*zygote\.log"):
        await asyncio.wait_for(making, BOUND)


async def test_a_fork_that_nobody_waits_for_any_more_is_no_trouble(
    asking: Asking, spoken: Spoken, caplog: pytest.LogCaptureFixture
) -> None:
    pool, making = asking
    spoken.say(ready=True, seconds=0.1)
    tag = await spoken.asked()
    making.cancel()
    await asyncio.wait({making})
    spoken.say(forked=tag, pid=1 << 30)
    spoken.say(exited=1 << 30, status=KILL)
    spoken.say(exited=1 << 29, status=0)
    await settle()
    assert pool._zygote is not None
    assert not pool._zygote.lost
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_of_ends_that_could_not_be_answered_at_once_the_next_answer_tells(
    asking: Asking, spoken: Spoken
) -> None:
    """As when many workers end at once, and a zygote that tells of them reads nothing."""
    spoken.say(ready=True, seconds=0.1)
    await spoken.asked()
    for pid in range(1_000):
        spoken.say(exited=pid, status=0)
        await settle()
    heard = spoken.heard()
    assert len(heard) < 1_000
    while len(heard) < 1_000:
        spoken.say(exited=1_000, status=0)
        await settle()
        more = spoken.heard()
        assert more
        heard += more
    assert heard[:1_000] == list(range(1_000))


async def test_a_zygote_that_cannot_be_launched_is_tried_again_and_it_is_said_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while there are no descriptors, no memory or no processes left."""
    monkeypatch.setattr(module, "command", light.command)
    monkeypatch.setattr("sidecar.pool.pool._RETRY_SECONDS", (0.01,))
    launch, failed = asyncio.create_subprocess_exec, 0
    refused = asyncio.Event()

    async def full(*arguments: Any, **options: Any) -> Any:
        nonlocal failed
        if failed < 10:
            failed += 1
            refused.set()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await launch(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
    pool = ForkPool(settings)
    pool.start()
    taking = asyncio.create_task(pool.take())
    await asyncio.wait_for(refused.wait(), BOUND)
    await settle()
    assert str(pool.trouble) == "the zygote can't be started: Too many open files"
    worker = await asyncio.wait_for(taking, BOUND)
    assert failed == 10
    assert worker.alive
    await idle_of(pool)
    assert pool.ready
    assert pool.trouble is None
    worker.close()
    await pool.stop()


async def test_a_zygote_whose_log_cannot_be_made_is_tried_again_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "command", light.command)
    monkeypatch.setattr("sidecar.pool.pool._RETRY_SECONDS", (0.01,))
    folder = tmp_path / "later"
    pool = ForkPool(Settings(data=folder))
    with pytest.raises(WorkerLost, match="the zygote can't be started: No such file or directory"):
        await pool._make()
    folder.mkdir()
    pool.start()
    (await take(pool)).close()
    await pool.stop()


async def test_who_waits_for_a_zygote_that_does_not_come_up_has_its_answer_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = 0

    def broken(*_: str) -> list[str]:
        nonlocal launched
        launched += 1
        return ["false"]

    monkeypatch.setattr(module, "command", broken)
    pool = ForkPool(settings)
    made = await asyncio.gather(*(pool._make() for _ in range(4)), return_exceptions=True)
    assert [type(one) for one in made] == [WorkerLost] * 4
    assert launched == 1
    with pytest.raises(WorkerLost, match="the zygote did not start"):
        await pool._make()
    assert launched == 2
    await pool.stop()


async def test_when_the_zygote_dies_there_is_a_new_one_and_a_warm_worker_though_nobody_asks(
    make: Make,
) -> None:
    pool = make()
    (idle,) = await idle_of(pool)
    before = zygote_of(pool)
    os.kill(before, signal.SIGKILL)
    assert await asyncio.wait_for(idle.exit_code(), BOUND) is None
    await settle()
    (another,) = await idle_of(pool)
    assert another is not idle
    assert zygote_of(pool) != before
    assert pool.ready


async def test_fifty_idle_workers_are_killed_while_others_are_taken_and_it_is_ready_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "command", light.command)
    monkeypatch.setattr("sidecar.pool.pool._AGAIN_SECONDS", 0.0)
    chance = random.Random(12)
    pool = ForkPool(Settings(data=settings.data, warm=4))
    pool.start()
    served = 0
    killed = set()
    for _ in range(50):
        victim = chance.choice(await idle_of(pool))
        killed.add(victim)
        victim.signal(KILL)
        if chance.random() < 0.5:
            worker = await take(pool)
            worker.order(start(tmp_path / str(served), events=2))
            last = await hear(worker)
            # It may be one that was killed, if nobody could know by then.
            assert worker in killed or last[-1]["type"] == "run.completed"
            worker.close()
            served += 1
        else:
            await asyncio.wait_for(victim.exit_code(), BOUND)
    while len(await idle_of(pool)) < 4 or not all(worker.alive for worker in pool._idle):
        await asyncio.wait(set(pool._makers._running) or {asyncio.ensure_future(settle())})
    assert pool.ready
    assert served > 15
    await pool.stop()


async def test_a_fork_that_fails_is_told_to_nobody_else(settings: Settings, spoken: Spoken) -> None:
    pool = ForkPool(Settings(data=settings.data, zygote=spoken.path))
    making = [asyncio.create_task(pool._make()) for _ in range(2)]
    await spoken.accept()
    spoken.say(ready=True, seconds=0.1)
    first, second = await spoken.asked(), await spoken.asked()
    spoken.say(error="fork: BlockingIOError: no processes", fork=first)
    spoken.say(forked=second, pid=1 << 30)
    with pytest.raises(WorkerLost, match="no processes"):
        await asyncio.wait_for(making[0], BOUND)
    await settle()
    assert not making[1].done()
    making[1].cancel()
    await asyncio.wait(making)
    await pool.stop()
