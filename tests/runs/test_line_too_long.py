"""A worker that says a line too long: it is cut off, and the run says that and not the signal."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import cast

from sidecar.channel import MAX_LINE, encode_line, fact
from sidecar.pool import Pool, Worker
from sidecar.pool.lines import WorkerLines
from sidecar.runs.attempt import Attempt


class OneWorker:
    """A pool with one worker to hand out."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def take(self) -> Worker:
        return self._worker


async def test_a_run_whose_worker_said_too_long_a_line_fails_with_that_as_its_reason() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    lines = WorkerLines()
    await lines.open(ours)
    exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    attempt = Attempt("r_1", cast(Pool, OneWorker(Worker(-1, lines, exited))))
    assert await attempt.take()

    lines.data_received(encode_line(fact("log", {"stream": "stdout", "text": "first"})))
    lines.data_received(b"x" * (MAX_LINE + 1))
    theirs.close()
    # What its pool does to it, or the end of its channel.
    exited.set_result(-signal.SIGKILL)

    assert [draft.data["text"] for draft in await attempt.drafts()] == ["first"]
    assert await attempt.drafts() == []
    error = attempt.error()
    assert error["code"] == "crashed"
    assert f"a line of more than {MAX_LINE} bytes" in error["message"]
    assert "SIGKILL" not in error["message"]
    attempt.close()
