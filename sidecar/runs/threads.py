"""Threads: where a run joins one, and what there is to see and to do of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from sidecar.datafolder import DataFolder
from sidecar.errors import CommandError
from sidecar.inputs import HISTORY
from sidecar.log import LogStore, StoredThread
from sidecar.protocol import Start
from sidecar.runs.execution import Execution
from sidecar.runs.history import History, title_of
from sidecar.runs.listing import Listing

__all__ = ["Place", "Threads"]

_MAX_RUNS: Final = 1_000
"""Of a thread, in one answer."""


class Place(NamedTuple):
    """Where a run stands in its thread, if it is in one."""

    title: str = ""
    """Of the thread, if this run makes it."""
    after: str | None = None
    """The run that it follows."""
    history: str | None = None
    """What was said on the way to it; None where its client tells that itself, or none is."""


class Threads:
    """Of the runs in `store`, and in `live` as far as those are under way; `newer` gives a stored
    snapshot as it is by now."""

    def __init__(
        self,
        store: LogStore,
        live: dict[str, Execution],
        folder: DataFolder,
        newer: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        self._store = store
        self._live = live
        self._folder = folder
        self._newer = newer
        self.turn = asyncio.Lock()
        """Of who begins a run in a thread, or changes one: apart from that of the commands, of
        which a cancel can't wait until a thousand runs are forgotten."""

    async def place(self, start: Start, crew: str) -> Place:
        """Raises CommandError `bad_request` for an `after` that is no run of the thread, and
        `illegal_state` where another run is live and nobody asked for two."""
        thread = start.thread
        if thread is None:
            return Place()
        if not start.parallel and (other := next(self._running(thread), None)) is not None:
            raise CommandError(
                "illegal_state",
                f"run {other.run.id} of this thread is {other.run.state}; wait for its end, "
                "cancel it, or send 'parallel': true",
            )
        after = await self._after(thread, start.after)
        history = None if HISTORY in start.inputs else await self.history(after)
        return Place(start.title or title_of(start.inputs, crew), after, history)

    async def page(self, limit: int, before: str | None) -> dict[str, Any]:
        """As `GET /threads` has it. Raises CommandError `unknown_thread` for `before`."""
        # One more tells whether there is another page.
        found = await self._store.threads(limit=limit + 1, before=before)
        if found is None:
            raise _unknown(str(before))
        live = {execution.run.thread: execution for execution in self._live.values()}
        shown = [self._shown(one, live.get(one.thread)) for one in found[:limit]]
        return {"threads": shown, "next": found[limit - 1].thread if len(found) > limit else None}

    async def show(self, thread: str) -> dict[str, Any]:
        """A thread with its newest `_MAX_RUNS` runs, the oldest of them first and cut first.
        Raises CommandError `unknown_thread`."""
        head = self._shown(await self._find(thread), next(self._running(thread), None))
        listing = Listing()
        stored = self._store.snapshots(thread=thread, limit=_MAX_RUNS)
        runs = [listing.shown(self._newer(record)) async for record in stored]
        left_out = head["runs"] - len(runs)
        return {**head, "runs": runs[::-1], **({"left_out": left_out} if left_out > 0 else {})}

    async def rename(self, thread: str, title: str) -> dict[str, Any]:
        """What `page` says of it then. Raises CommandError `unknown_thread`."""
        async with self.turn:
            await self._find(thread)
            await self._store.rename(thread, title)
            return self._shown(await self._find(thread), next(self._running(thread), None))

    async def remove(self, thread: str) -> None:
        """With all its runs and their files. Raises CommandError `unknown_thread`, and
        `illegal_state` while one is live."""
        async with self.turn:
            await self._find(thread)
            for execution in self._running(thread):
                raise _is_live(execution)
            runs = await self._store.forget(thread=thread)
        await self._remove_files(runs)

    async def remove_run(self, run: str) -> None:
        """With its files. Raises CommandError `unknown_run`, and `illegal_state` for a live one."""
        async with self.turn:
            if (execution := self._live.get(run)) is not None:
                raise _is_live(execution)
            runs = await self._store.forget(run=run)
        if not runs:
            raise CommandError("unknown_run", f"no run {run[:80]!r}")
        await self._remove_files(runs)

    async def _remove_files(self, runs: list[str]) -> None:
        # Nobody waits for that but who asked: ids don't come again.
        await asyncio.to_thread(self._folder.remove, runs)

    async def _after(self, thread: str, after: str | None) -> str | None:
        if after is None:
            found = await self._store.thread(thread)
            return None if found is None else found.newest
        if after == "":
            return None
        run = await self._store.snapshot(after)
        if run is None or run["thread"] != thread:
            raise CommandError("bad_request", f"'after': no run {after[:80]!r} in this thread")
        return after

    async def history(self, after: str | None) -> str:
        """What was said up to the run `after`."""
        history = History()
        while after is not None:
            stored = await self._store.snapshot(after)
            if stored is None or not history.add(self._newer(stored)):
                break
            after = stored["after"]
            await asyncio.sleep(0)  # a snapshot may have 200 KB
        return history.text

    def _running(self, thread: str) -> Iterator[Execution]:
        """The live runs of a thread, the newest first."""
        newest = reversed(self._live.values())
        return (e for e in newest if e.run.thread == thread)

    async def _find(self, thread: str) -> StoredThread:
        found = await self._store.thread(thread)
        if found is None:
            raise _unknown(thread)
        return found

    def _shown(self, stored: StoredThread, live: Execution | None) -> dict[str, Any]:
        return {
            "thread": stored.thread,
            "title": stored.title,
            "created": stored.created,
            "updated": stored.updated,
            "runs": stored.runs,
            "state": stored.state if live is None else live.run.state,
        }


def _is_live(execution: Execution) -> CommandError:
    run = execution.run
    return CommandError("illegal_state", f"run {run.id} is {run.state}; cancel it first")


def _unknown(thread: str) -> CommandError:
    return CommandError("unknown_thread", f"no thread {thread[:80]!r}")
