"""The gateway's end of a worker's socket: whole lines in batches, a bound, and an end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from sidecar.channel import MAX_LINE, LineTooLong
from sidecar.pool import lines as module
from sidecar.pool.lines import _BACKLOG_BYTES, _BATCH, WorkerLines
from tests.pool.talk import BOUND


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
async def lines(pair: tuple[socket.socket, socket.socket]) -> AsyncIterator[WorkerLines]:
    lines = WorkerLines()
    await lines.open(pair[0])
    yield lines
    lines.close()


@pytest.fixture
def worker(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The other end."""
    return pair[1]


async def say(worker: socket.socket, data: bytes) -> None:
    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(worker, data), BOUND)


async def test_a_line_cut_in_two_is_taken_whole(lines: WorkerLines, worker: socket.socket) -> None:
    await say(worker, b"one\ntw")
    assert await lines.take() == [b"one"]
    taking = asyncio.create_task(lines.take())
    await say(worker, b"o\n")
    assert await asyncio.wait_for(taking, BOUND) == [b"two"]


async def test_what_came_together_is_taken_in_batches_and_in_order(
    lines: WorkerLines, worker: socket.socket
) -> None:
    expected = [b"%d" % number for number in range(3 * _BATCH + 1)]
    await say(worker, b"\n".join(expected) + b"\n")
    batches = [await lines.take()]
    while sum(map(len, batches)) < len(expected):
        batches.append(await lines.take())
    assert [line for batch in batches for line in batch] == expected
    assert max(map(len, batches)) == _BATCH


async def test_between_two_batches_others_have_their_turn(
    lines: WorkerLines, worker: socket.socket
) -> None:
    await say(worker, b"x\n" * (2 * _BATCH))
    await lines.take()
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    await lines.take()
    assert turns == ["another's"]


async def test_a_worker_stands_still_while_too_much_waits_and_goes_on_when_it_is_taken(
    lines: WorkerLines, worker: socket.socket
) -> None:
    count, said = 4 * _BACKLOG_BYTES // 1024, 0

    async def flood() -> None:
        nonlocal said
        for number in range(count):
            await say(worker, b"%1023d\n" % number)
            said += 1024

    flooding = asyncio.create_task(flood())
    # The kernel's buffers take some more than what waits here.
    assert await asyncio.wait({flooding}, timeout=0.3) == (set(), {flooding})
    assert _BACKLOG_BYTES < said < 3 * _BACKLOG_BYTES
    taken: list[int] = []
    while len(taken) < count:
        taken += map(int, await asyncio.wait_for(lines.take(), BOUND))
    assert taken == list(range(count))
    await flooding


@pytest.mark.parametrize("length", [_BACKLOG_BYTES + 1, 12_000_000, MAX_LINE])
async def test_a_line_that_is_longer_than_what_may_wait_is_taken_whole(
    lines: WorkerLines, worker: socket.socket, length: int
) -> None:
    line = b"x" * length
    saying = asyncio.create_task(say(worker, b"before\n" + line + b"\nafter\n"))
    taken: list[bytes] = []
    while len(taken) < 3:
        taken += await asyncio.wait_for(lines.take(), 5)
    assert taken == [b"before", line, b"after"]
    await saying


async def test_a_death_in_the_middle_of_a_long_line_is_told(
    lines: WorkerLines, worker: socket.socket
) -> None:
    taking = asyncio.create_task(lines.take())
    await asyncio.wait_for(say(worker, b"x" * (4 * _BACKLOG_BYTES)), 5)
    worker.close()
    assert await asyncio.wait_for(taking, 5) == []


async def test_of_long_lines_too_no_more_waits_than_one_and_what_came_with_it(
    lines: WorkerLines, worker: socket.socket
) -> None:
    long = 3 * _BACKLOG_BYTES
    said = 0

    async def flood() -> None:
        nonlocal said
        for _ in range(8):
            await say(worker, b"x" * long + b"\n")
            said += 1

    flooding = asyncio.create_task(flood())
    async with asyncio.timeout(BOUND):
        await lines._arrived.wait()
    assert lines._paused
    assert len(lines._lines) == 1
    assert lines._splitter.unfinished < _BACKLOG_BYTES
    taken = 0
    while taken < 8:
        batch = await asyncio.wait_for(lines.take(), BOUND)
        assert [len(line) for line in batch] == [long] * len(batch)
        taken += len(batch)
        assert said <= taken + 2
    await flooding


async def test_whole_lines_before_one_that_is_too_long_are_taken_before_it_is_told(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 100)
    lines = WorkerLines()
    await lines.open(pair[0])
    await say(pair[1], b"one\ntwo\n" + b"x" * 101)
    assert await asyncio.wait_for(lines.take(), BOUND) == [b"one", b"two"]
    with pytest.raises(LineTooLong):
        await asyncio.wait_for(lines.take(), BOUND)


async def test_what_was_said_before_the_end_is_taken_before_it(
    lines: WorkerLines, worker: socket.socket
) -> None:
    await say(worker, b"one\ntwo\nunfinished")
    worker.close()
    assert await lines.take() == [b"one", b"two"]
    assert await asyncio.wait_for(lines.take(), BOUND) == []
    assert lines.closed
    assert await lines.take() == []


async def test_who_waits_is_told_of_the_end(lines: WorkerLines, worker: socket.socket) -> None:
    taking = asyncio.create_task(lines.take())
    await asyncio.sleep(0)
    assert not taking.done()
    worker.close()
    assert await asyncio.wait_for(taking, BOUND) == []


async def test_a_worker_without_newlines_is_cut_off_and_it_is_said_why(
    lines: WorkerLines, worker: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 100)
    other = WorkerLines()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    with theirs:
        await other.open(ours)
        await say(theirs, b"whole\n")
        assert await other.take() == [b"whole"]
        await say(theirs, b"x" * 101)
        with pytest.raises(LineTooLong, match="a line of more than 100 bytes"):
            await asyncio.wait_for(other.take(), BOUND)
        assert other.closed


async def test_what_is_written_arrives_as_it_is(lines: WorkerLines, worker: socket.socket) -> None:
    lines.write(b"order\n")
    assert await asyncio.get_running_loop().sock_recv(worker, 100) == b"order\n"


async def test_what_is_written_after_the_end_goes_nowhere(
    lines: WorkerLines, worker: socket.socket
) -> None:
    worker.close()
    assert await lines.take() == []
    lines.write(b"order\n")
    lines.close()


async def test_closing_hangs_up_on_the_worker(lines: WorkerLines, worker: socket.socket) -> None:
    lines.close()
    assert await lines.take() == []
    assert await asyncio.get_running_loop().sock_recv(worker, 100) == b""


async def test_what_was_never_opened_can_be_closed_and_written_to() -> None:
    lines = WorkerLines()
    lines.write(b"order\n")
    lines.close()


async def test_an_internet_socket_serves_too() -> None:
    """As on Windows, whose socketpair has no other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.setblocking(False)
    with theirs:
        lines = WorkerLines()
        await lines.open(ours)
        theirs.sendall(b"fact\n")
        assert await lines.take() == [b"fact"]
        lines.close()
