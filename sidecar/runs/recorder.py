"""The only writer of one run's log: step the state machine, commit, then show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sidecar.clock import now_ms
from sidecar.errors import CommandError, IllegalTransition
from sidecar.log import Feed, Log, StoredAck
from sidecar.protocol import Command, Draft, Reply, ack_ok, encode
from sidecar.runs.run import Run

__all__ = ["Recorder", "illegal"]

logger = logging.getLogger("sidecar.runs")


class Recorder:
    """Whoever writes holds `lock`, from looking at the run's state until the event is in the log.

    `is_stale` drops a fact that a command has overtaken; `noticed` is told of each event once it is
    in the log.
    """

    def __init__(
        self,
        run: Run,
        log: Log,
        *,
        is_stale: Callable[[Draft], bool],
        noticed: Callable[[Draft], None],
    ) -> None:
        self.run = run
        self.log = log
        self.feed = Feed(log, lambda: run.state)
        self.lock = asyncio.Lock()
        self._is_stale = is_stale
        self._noticed = noticed

    def snapshot(self) -> dict[str, Any]:
        return self.run.snapshot(epoch=self.log.epoch, seq=self.log.head)

    async def append(self, drafts: Sequence[Draft], *, ack: StoredAck | None = None) -> None:
        """Under `lock`. What the run's table does not have is dropped and said in our own log.

        Raises StoreError, and nothing has happened, when the log can't be written.
        """
        # The run itself moves only once the events are stored.
        run = self.run if all(map(Run.is_quiet, drafts)) else self.run.fork()
        legal: list[Draft] = []
        changed = False
        for draft in drafts:
            if self._is_stale(draft):
                continue
            try:
                changed |= run.apply(draft, self.log.head + len(legal) + 1)
            except IllegalTransition as error:
                # A crew that is being cancelled may have had more to say; else it is a bug.
                level = logging.DEBUG if run.state == "cancelling" else logging.ERROR
                logger.log(level, "run %s: %s; dropped", run.id, error)
            else:
                legal.append(draft)
        if not legal:
            return
        head = self.log.head + len(legal)
        record = run.record(epoch=self.log.epoch, seq=head) if changed else None
        events = await self.log.append(legal, snapshot=record, ack=ack)
        if run is not self.run:
            self.run.become(run)
        self.feed.publish(events)
        for draft in legal:
            self._noticed(draft)

    async def persist(self, make: Callable[[], Sequence[Draft]]) -> None:
        """Take the lock and append what `make` gives; while the log can't be written, stand still
        and begin anew once it can. Everybody who follows the run is told when that begins and ends.
        """

        async def write() -> None:
            async with self.lock:
                await self.append(make())

        await self.log.health.persist(write, self.feed.ping)

    async def answer(
        self, command: Command, type: str, data: dict[str, Any], *also: Draft
    ) -> Reply:
        """Under `lock`. Append what a command leads to, in one transaction with its ack."""
        reply = ack_ok(command.id, run=self.run.id, seq=self.log.head + 1)
        ack = StoredAck(command.id, command.digest, encode(reply))
        await self.append([Draft(type, now_ms(), data, cause=command.id), *also], ack=ack)
        return reply

    def noop(self, command: Command) -> Reply:
        return ack_ok(command.id, run=self.run.id, seq=self.log.head, noop=True)

    def require(self, type: str, command: Command) -> None:
        """Raise CommandError `illegal_state` when the run's table has no such step now."""
        if not self.run.allows(type):
            raise illegal(command, self.run.state)


def illegal(command: Command, state: str) -> CommandError:
    verb = type(command).__name__.lower()
    return CommandError("illegal_state", f"a run that is {state} can't take {verb!r}")
