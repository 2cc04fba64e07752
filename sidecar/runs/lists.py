"""Lists of runs: those in the store, and of those under way what they are by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sidecar.log import LogStore, StoredRun
from sidecar.protocol import FINAL_STATES, LIVE_STATES
from sidecar.runs.execution import Execution
from sidecar.runs.listing import Listing, Query

__all__ = ["Lists"]


class Lists:
    def __init__(self, store: LogStore, live: Mapping[str, Execution]) -> None:
        self._store = store
        self._live = live

    async def page(self, query: Query) -> dict[str, Any]:
        """As `GET /runs` has it: newest first, the long ones cut (`Listing`), and no two long ones
        in memory at a time."""
        states = query.states & FINAL_STATES
        if query.states & LIVE_STATES:
            states |= LIVE_STATES  # the store is told less often than a run moves

        def wanted(run: StoredRun) -> bool:
            return query.admits(self._state(run)) and query.finds(run)

        listing = Listing(-1) if query.brief else Listing()
        shown = list[dict[str, Any]]()
        next = None
        async for record in self._store.snapshots(
            states=sorted(states) if states else None,
            before=query.before,
            wanted=wanted if query.states or query.chooses else None,
            limit=query.limit + 1,  # one more tells whether there is another page
        ):
            if len(shown) == query.limit:
                next = shown[-1]["run"]
                break
            snapshot = self.newer(record)
            # It may have moved on since it was chosen.
            if query.admits(snapshot["state"]):
                shown.append(listing.shown(snapshot))
        counts = {"counts": await self._counts(query)} if query.counts else {}
        return {"runs": shown, "next": next, **counts}

    def newer(self, stored: dict[str, Any]) -> dict[str, Any]:
        """A stored snapshot as it is by now."""
        execution = self._live.get(stored["run"])
        return stored if execution is None else execution.snapshot()

    async def _counts(self, query: Query) -> Counter[str]:
        if query.chooses:
            return await self._store.tally(lambda r: self._state(r) if query.finds(r) else None)
        counts = await self._store.tally()
        for state in LIVE_STATES:
            del counts[state]
        return counts + Counter(execution.run.state for execution in self._live.values())

    def _state(self, run: StoredRun) -> str:
        execution = self._live.get(run.run)
        return run.state if execution is None else execution.run.state
