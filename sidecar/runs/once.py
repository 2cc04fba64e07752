"""Commands one at a time, each id with at most one effect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sidecar.errors import CommandError, StoreError
from sidecar.log import LogStore, StoredAck
from sidecar.protocol import Command, Reply, ack_error, as_duplicate, encode

__all__ = ["Once"]


class Once:
    """`apply` gives a command its effect and stores its ack with the event that this leads to."""

    def __init__(self, store: LogStore, apply: Callable[[Command], Awaitable[Reply]]) -> None:
        self._store = store
        self._apply = apply
        self._turn = asyncio.Lock()
        """Commands are rare and short; one at a time makes a repeated id a plain look-up."""

    async def answer(self, command: Command) -> Reply | CommandError | StoreError:
        """The ack, of a repeat the one it got first; a temporary refusal, which is not remembered.

        A refusal is a result: its sender may have left, and then it is no news to anybody.
        """
        async with self._turn:
            try:
                return await self._answer(command)
            except (CommandError, StoreError) as error:
                return error

    async def _answer(self, command: Command) -> Reply:
        stored = await self._store.ack(command.id)
        if stored is not None:
            if stored.digest == command.digest:
                return as_duplicate(stored.body)
            raise CommandError(
                "id_reused", "this id was used for another command; mint a new one", id=command.id
            )
        try:
            reply = await self._apply(command)
        except CommandError as error:
            error.id = command.id
            if error.temporary:
                raise
            reply = ack_error(error)
        if reply.get("noop") or not reply["ok"]:
            # What led to an event was stored with it, in one transaction.
            await self._store.record(StoredAck(command.id, command.digest, encode(reply)))
        return reply
