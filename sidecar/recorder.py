"""The only writer of one run's log: step the state machine, commit, then show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sidecar.channel import now_ms
from sidecar.codec import Draft
from sidecar.errors import CommandError, IllegalTransition
from sidecar.fanout import Feed
from sidecar.log import Log, StoredAck
from sidecar.protocol import Command, Reply, ack_ok, encode
from sidecar.run import Run

__all__ = ["Recorder", "illegal"]

logger = logging.getLogger("sidecar.recorder")


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
        """Under `lock`. What the run's table does not have is dropped and said in our own log."""
        legal, changed = [], False
        for draft in drafts:
            if self._is_stale(draft):
                continue
            try:
                changed |= self.run.apply(draft)
            except IllegalTransition as error:
                # A crew that is being cancelled may have had more to say; else it is a bug.
                level = logging.DEBUG if self.run.state == "cancelling" else logging.ERROR
                logger.log(level, "run %s: %s; dropped", self.run.id, error)
            else:
                legal.append(draft)
        if not legal:
            return
        head = self.log.head + len(legal)
        snapshot = self.run.snapshot(epoch=self.log.epoch, seq=head) if changed else None
        self.feed.publish(await self.log.append(legal, snapshot=snapshot, ack=ack))
        for draft in legal:
            self._noticed(draft)

    async def answer(self, command: Command, type: str, data: dict[str, Any]) -> Reply:
        """Under `lock`. Append what a command leads to, in one transaction with its ack."""
        reply = ack_ok(command.id, run=self.run.id, seq=self.log.head + 1)
        ack = StoredAck(command.id, command.digest, encode(reply))
        await self.append([Draft(type, now_ms(), data, cause=command.id)], ack=ack)
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
