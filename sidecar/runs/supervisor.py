"""The supervisor: owner of all runs, their workers and their logs; every command ends here.

Commands address runs, not connections, so it does not know which transport one came by.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from sidecar.channel import RunSpec
from sidecar.clock import now_ms
from sidecar.datafolder import DataFolder
from sidecar.errors import CommandError, StoreError
from sidecar.log import Feed, Log, LogStore
from sidecar.pool import Pool
from sidecar.protocol import (
    LIVE_STATES,
    Answer,
    Cancel,
    Command,
    List,
    Modify,
    Pause,
    Ping,
    Reply,
    Resume,
    Start,
    Status,
    ack_ok,
)
from sidecar.runs.controls import already_answered
from sidecar.runs.crews import Crews
from sidecar.runs.execution import Ending, Execution
from sidecar.runs.forks import Forks
from sidecar.runs.listing import Query, states_of
from sidecar.runs.lists import Lists
from sidecar.runs.once import Once
from sidecar.runs.recorder import illegal
from sidecar.runs.run import Run
from sidecar.runs.slots import Slots
from sidecar.runs.threads import Threads
from sidecar.settings import SYNTHETIC, Settings
from sidecar.tasks import Tasks

__all__ = ["Supervisor", "new_run_id"]

logger = logging.getLogger("sidecar.runs")

_CLOSE_SECONDS: Final = 10.0
"""For the final events of the runs that are live when the gateway stops. Only a log that can't be
written takes longer; what it lacks is made up for at the next start."""

_REMOVE_SECONDS: Final = 2.0
"""For folders that are being removed when the gateway stops; what is left of them then stays."""

_MAX_STANDING: Final = 50
"""Runs that stand still with a worker each, beyond which none begins. They cost no slot, but their
memory: 20 MB of its own for a forked worker that asks about a task, 165 MB for a spawned one."""

T = TypeVar("T")

_MAX_LIVE: Final = 100_000
_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id() -> str:
    """`r_` and a ULID in lower case: 48 bits of Unix ms, 80 random; sorts by time."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "r_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


class Supervisor:
    """Starts and ends with the gateway; `handle` answers every command but the stream's own."""

    def __init__(
        self,
        settings: Settings,
        store: LogStore,
        pool: Pool,
        folder: DataFolder,
        synthetic: Pool | None = None,
    ) -> None:
        """`synthetic` has the workers of the crew of that name, if there is one."""
        self._settings = settings
        self._store = store
        self._pool = pool
        self._synthetic = synthetic
        self._folder = folder
        self.crews = Crews(settings, pool)
        self._chores = Tasks()
        store.forgotten = self._forget
        self._live: dict[str, Execution] = {}
        """Those without a final event: they leave in the very step in which it is stored."""
        self.lists = Lists(store, self._live)
        self.threads = Threads(store, self._live, folder, self.lists.newer)
        self._forks = Forks(self.snapshot, self._live, self.threads, self.crews)
        self._tasks = Tasks()
        self._slots = Slots(settings.max_runs)
        self._once = Once(store, self._apply)
        self._closing = False

    @property
    def trouble(self) -> str | None:
        """Why it is not ready, in words for a person; None when it is."""
        if self._closing:
            return "shutting down"
        if self._store.health.trouble is not None:
            return self._store.health.trouble
        lacking = [pool for pool in self._pools if not pool.ready]
        return (lacking[0].trouble or "a worker is warming up") if lacking else None

    async def open(self) -> None:
        """Raises StoreError. Runs that a dead gateway left unfinished go on from here."""
        await self._store.open()
        try:
            live = self._store.snapshots(states=sorted(LIVE_STATES), limit=_MAX_LIVE)
            left = [record async for record in live]
            for record in reversed(left):  # the oldest gets its worker first
                await self._carry_on(record)
            for pool in self._pools:
                pool.start()
            self.crews.open()
        except BaseException:
            await self.close()
            raise

    async def broken(self) -> str:
        """Wait until it turns out that there can be no workers; why."""
        waits = {asyncio.create_task(pool.broken.wait()): pool for pool in self._pools}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return str(waits[done.pop()].trouble)
        finally:
            for task in waits:
                task.cancel()

    async def end_runs(self) -> None:
        """Take no more commands and end every live run as interrupted."""
        self._closing = True
        await self.crews.close()
        for execution in self._live.values():
            execution.end(Ending("interrupted", "the sidecar was stopped"))
        for task in await self._tasks.settle(_CLOSE_SECONDS):
            logger.error("%s could not be ended: %s", task.get_name(), self._store.health.trouble)
            task.cancel()

    async def settled(self) -> None:
        """Return once every run that is live now has its final event."""
        await self._tasks.settle()

    async def close(self) -> None:
        """Stop the workers and close the log; `end_runs` comes first."""
        await self.crews.close()
        await self._tasks.close()
        await self._chores.settle(_REMOVE_SECONDS)
        await self._chores.close()
        await asyncio.gather(*(pool.stop() for pool in self._pools))
        await self._store.close()

    @property
    def _pools(self) -> list[Pool]:
        return [self._pool] if self._synthetic is None else [self._pool, self._synthetic]

    async def handle(self, command: Command) -> Reply:
        """The ack of a command; refusals are acks too, but see `refuse`.

        Raises CommandError for refusals that say nothing lasting (temporary ones).
        """
        try:
            if isinstance(command, Status):
                return ack_ok(command.id, run=command.run, result=await self.snapshot(command.run))
            if isinstance(command, List):
                states = frozenset() if command.state is None else states_of(command.state)
                page = await self.lists.page(Query(states=states, limit=command.limit))
                return ack_ok(command.id, result={"runs": page["runs"]})
            if isinstance(command, Ping):
                return ack_ok(command.id, result={"server_time": now_ms()})
            return await self._ours(self._answered(command), f"command {command.id}")
        except StoreError as error:
            raise self._unavailable(error, command.id) from error

    async def change(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` on a thread or a finished run gives; it is carried through, whoever asked
        for it leaves. Raises CommandError."""

        async def told() -> T | CommandError | StoreError:
            try:
                return await work()
            except (CommandError, StoreError) as error:
                return error

        if self._closing:
            raise _closed()
        try:
            return await self._ours(told(), "change of a thread")
        except StoreError as error:
            raise self._unavailable(error) from error

    async def feed(self, run: str) -> Feed:
        """What a subscription reads. Raises CommandError `unknown_run`."""
        execution = self._live.get(run)
        if execution is not None:
            return execution.recorder.feed
        log = await self._store.find(run)
        if log is None:
            raise _unknown(run)
        state = (await self.snapshot(run))["state"]
        return Feed(log, lambda: state)

    async def snapshot(self, run: str) -> dict[str, Any]:
        """Raises CommandError `unknown_run`."""
        execution = self._live.get(run)
        if execution is not None:
            return execution.snapshot()
        stored = await self._store.snapshot(run)
        if stored is None:
            raise _unknown(run)
        return stored

    async def _ours(self, work: Coroutine[Any, Any, T | CommandError | StoreError], name: str) -> T:
        # A task of ours: what is under way is not undone by its sender's leaving.
        task = self._tasks.spawn(work, name=name, awaited=True)
        await asyncio.wait({task})
        result = task.result()
        if isinstance(result, (CommandError, StoreError)):
            raise result
        return result

    async def _answered(self, command: Command) -> Reply | CommandError | StoreError:
        if isinstance(command, Start) and command.crew != SYNTHETIC and not self._closing:
            await self.crews.settled()  # before its turn: no other command waits for that
        if isinstance(command, Start) and command.thread is not None:
            async with self.threads.turn:
                return await self._once.answer(command)
        return await self._once.answer(command)

    def _unavailable(self, error: StoreError, id: str | None = None) -> CommandError:
        why = self._store.health.trouble or "the log cannot be read"
        return CommandError("unavailable", f"nothing was done: {why}", id=id)

    async def _apply(self, command: Command) -> Reply:
        if self._closing:
            raise _closed()
        if isinstance(command, Start):
            return await self._start(command)
        if not isinstance(command, (Pause, Resume, Cancel, Modify, Answer)):
            raise CommandError("bad_request", "this command belongs on a WebSocket")
        execution = self._live.get(command.run)
        if execution is None:
            return await self._too_late(command)
        if isinstance(command, Pause):
            return await execution.controls.pause(command)
        if isinstance(command, Resume):
            return await execution.controls.resume(command)
        if isinstance(command, Modify):
            return await execution.controls.modify(command)
        if isinstance(command, Answer):
            return await execution.controls.answer(command)
        return await execution.cancel(command)

    async def _too_late(self, command: Pause | Resume | Cancel | Modify | Answer) -> Reply:
        """The run has ended, or there never was one."""
        snapshot = await self.snapshot(command.run)
        if isinstance(command, Cancel) and snapshot["state"] == "cancelled":
            return ack_ok(command.id, run=command.run, seq=snapshot["seq"], noop=True)
        if isinstance(command, Answer) and command.input in snapshot["answered"]:
            raise already_answered()
        raise illegal(command, snapshot["state"])

    async def _start(self, command: Start) -> Reply:
        fork = None
        if command.origin is not None:
            fork = await self._forks.fork(command, command.origin)
            command = fork.start
        crew = self.crews.name(command.crew)
        if crew != SYNTHETIC:
            self.crews.check(command, crew)
        standing = sum(execution.stands for execution in self._live.values())
        if standing >= _MAX_STANDING:
            raise CommandError(
                "at_capacity",
                f"{standing} runs stand still, paused or waiting for an answer, each with its "
                "worker; resume, answer or cancel one",
            )
        place = await self.threads.place(command, crew)
        run = Run(
            new_run_id(),
            crew,
            created=now_ms(),
            inputs=command.inputs,
            review=list(command.review),
            thread=command.thread,
            after=place.after,
            history=place.history,
        )
        if fork is not None:
            run.forked, run.seed = fork.forked, fork.kept
            if run.thread is None:
                run.history = fork.history
        execution = self._execution(run, self._store.create(run.id, place.title))
        execution.place.ask()
        try:
            self._require_room(execution.place.position)
            self._make_folder(run)
            reply = await execution.queue(command, review=command.review)
        except BaseException:
            execution.place.give_back()
            self._folder.tidy(run.id)
            raise
        self._see_to(execution)
        return reply

    def _require_room(self, position: int) -> None:
        if position > self._settings.queue:
            raise CommandError(
                "at_capacity",
                f"{self._settings.max_runs} runs are going on and {position - 1} wait; "
                "try again when one has ended",
            )

    def _make_folder(self, run: Run) -> None:
        # Before the run is in the log: an ack that is given needs no disk any more.
        try:
            self._folder.make_run_folder(run.id)
            if run.forked is not None and run.seed:
                self._folder.lend_outputs(run.forked["run"], run.id)
        except OSError as error:
            raise CommandError(
                "unavailable",
                f"nothing was done: the run's folder can't be made: {error.strerror}; free some "
                "space, or choose another folder with SIDECAR_DATA",
            ) from error

    async def _carry_on(self, record: dict[str, Any]) -> None:
        """Go on with a run that a dead gateway left unfinished, or end it (SIDECAR_RESUME)."""
        log = await self._store.find(record["run"])
        if log is None:
            return
        try:
            run = Run.restore(record)
        except (KeyError, TypeError, ValueError) as error:
            logger.error("run %s can't be carried on: its snapshot lacks %s", record["run"], error)
            return
        execution = self._execution(run, log)
        if self._settings.resume == "never" and run.state != "cancelling":
            execution.end(Ending("interrupted", "the sidecar died while the run was going on"))
        logger.warning("run %s was left %s by a sidecar that died", run.id, run.state)
        execution.carry_on()
        self._see_to(execution)

    def _execution(self, run: Run, log: Log) -> Execution:
        pool = self._pool
        if run.crew == SYNTHETIC and self._synthetic is not None:
            pool = self._synthetic
        return Execution(
            run,
            log,
            pool,
            self._slots,
            self._spec(run),
            timeout=self._settings.run_timeout,
            retries=self._settings.retries,
        )

    def _see_to(self, execution: Execution) -> None:
        self._live[execution.run.id] = execution
        self._tasks.spawn(self._see_through(execution), name=execution.run.id)

    async def _see_through(self, execution: Execution) -> None:
        try:
            await execution.execute()
        except Exception:
            logger.exception("run %s has no final event", execution.run.id)
        finally:
            del self._live[execution.run.id]
            run = execution.run
            self._folder.tidy(run.id, forkable=bool(run.planned))

    def _forget(self, runs: Sequence[str]) -> asyncio.Future[None]:
        """A run's files go with its log; in a thread, since nobody knows how many there are."""
        removal = asyncio.to_thread(self._folder.remove, runs)
        return self._chores.spawn(removal, name="removing old runs")

    def _spec(self, run: Run) -> RunSpec:
        return {
            "run": run.id,
            "crew": run.crew,
            "inputs": run.given,
            "config": self.crews.config(run.crew),
            "target": self.crews.target(run.crew),
            "directory": str(self._folder.run_folder(run.id)),
            "environ": dict(os.environ),
            "folder": os.getcwd(),
            "attempt": 1,
            "kept": [],
            "forked": run.forked,
            "superseded": None,
            "memory_mb": self._settings.memory_mb,
            "review": list(run.review),
            "input_timeout": self._settings.input_timeout,
        }


def _closed() -> CommandError:
    return CommandError("shutting_down", "the sidecar is stopping")


def _unknown(run: str) -> CommandError:
    return CommandError("unknown_run", f"no run {run[:80]!r}")
