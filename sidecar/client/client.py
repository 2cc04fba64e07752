"""CrewClient: one sidecar as a program sees it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any, overload

from sidecar.client.commands import Commands
from sidecar.client.follow import Follower
from sidecar.client.reach import Frame, Kind, Mode, Reach, refusal
from sidecar.client.rest import Rest, RunPage, ThreadInfo, ThreadPage, ThreadRuns

__all__ = ["CrewClient"]


class CrewClient:
    """A connection to one sidecar. `transport` is `auto` (WebSocket, else SSE), `ws` or `sse`.

    `patience` is how many seconds of nothing but failures `follow` sits through. A connection that
    says nothing for `silence` seconds, which must be more than the sidecar's SIDECAR_PING, gets
    another one beside it. On SSE, `auto` tries WebSocket again after `probe` seconds, then each
    time after twice as long, up to five minutes.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8770",
        *,
        transport: Mode = "auto",
        patience: float = 60.0,
        silence: float = 12.0,
        probe: float = 15.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._reach = Reach(self.url, transport, patience=patience, silence=silence, probe=probe)
        self._commands = Commands(self._reach)
        self._rest = Rest(self._reach)

    async def __aenter__(self) -> CrewClient:
        self._reach.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reach.close()

    @property
    def transport(self) -> Kind:
        """The one that `follow` uses, or used last."""
        return self._reach.kind

    async def start(
        self,
        inputs: dict[str, Any] | None = None,
        *,
        crew: str | None = None,
        review: Sequence[str] = (),
        thread: str | None = None,
        title: str | None = None,
        after: str | None = None,
        parallel: bool = False,
        from_: tuple[str, str] | None = None,
    ) -> str:
        """Queue a run and return its id; `review` names the tasks to be asked about.

        `thread` is the conversation that it belongs to, which its first run makes, with `title` if
        there is one. It follows the run `after`, "" for none of them, else the newest; `parallel`
        lets it begin while another one of the thread is live. `from_` is a run and a task of it
        (name or `tid`) to begin at: what comes before is kept, `inputs` go over that run's. Raises
        CommandError as the sidecar refuses.
        """
        chosen = {"crew": crew, "thread": thread, "title": title, "after": after}
        fields: dict[str, Any] = {
            name: value for name, value in chosen.items() if value is not None
        }
        if review:
            fields["review"] = list(review)
        if parallel:
            fields["parallel"] = True
        if from_ is not None:
            fields["from"] = {"run": from_[0], "task": from_[1]}
        fields["inputs"] = inputs or {}
        return str((await self.command("start", **fields))["run"])

    async def cancel(self, run: str, reason: str | None = None) -> Frame:
        return await self.command("cancel", run=run, **({"reason": reason} if reason else {}))

    async def pause(self, run: str) -> Frame:
        return await self.command("pause", run=run)

    async def resume(self, run: str) -> Frame:
        return await self.command("resume", run=run)

    async def modify(self, run: str, **change: Any) -> Frame:
        """`instruction=` (and `now=True`, `task=`), or `task=` and `description=`, or `inputs=`."""
        return await self.command("modify", run=run, **change)

    async def answer(self, run: str, input: str, text: str = "") -> Frame:
        """Answer the question `input`; an empty text accepts."""
        return await self.command("answer", run=run, input=input, text=text)

    async def status(self, run: str) -> Frame:
        """The run's snapshot."""
        result: Frame = (await self.command("status", run=run))["result"]
        return result

    async def runs(
        self,
        *,
        state: str | None = None,
        crew: str | None = None,
        q: str | None = None,
        before: str | None = None,
        limit: int = 50,
        brief: bool = False,
    ) -> RunPage:
        """Snapshots, newest first; `before` is the `next` of the page before.

        `state` is one or several by commas, `live` and `final` among them; `q` are words that each
        run has in its inputs, its crew's name or its thread's title. With `brief` they come without
        outputs, and of their inputs the beginnings.
        """
        given = {"state": state, "crew": crew, "q": q, "before": before, "brief": "1" * brief}
        query = {name: value for name, value in given.items() if value}
        page: RunPage = await self._rest.get("runs", limit=str(limit), **query)
        return page

    async def threads(self, *, limit: int = 50, before: str | None = None) -> ThreadPage:
        """Conversations, those updated last first; `before` is the `next` of the page before."""
        query = {"limit": str(limit), **({} if before is None else {"before": before})}
        page: ThreadPage = await self._rest.get("threads", **query)
        return page

    async def thread(self, thread: str) -> ThreadRuns:
        """One conversation with its runs. Raises CommandError `unknown_thread`."""
        found: ThreadRuns = await self._rest.get("threads", thread)
        return found

    async def rename(self, thread: str, title: str) -> ThreadInfo:
        renamed: ThreadInfo = await self._rest.patch("threads", thread, title=title)
        return renamed

    @overload
    async def delete(self, *, thread: str) -> None: ...
    @overload
    async def delete(self, *, run: str) -> None: ...
    async def delete(self, *, thread: str = "", run: str = "") -> None:
        """Forget a finished run, or a conversation and its runs, with all their files.

        Raises CommandError, `illegal_state` while one of them is live.
        """
        await (self._rest.delete("threads", thread) if thread else self._rest.delete("runs", run))

    async def command(self, cmd: str, *, id: str | None = None, **fields: Any) -> Frame:
        """Send one command and return its ack.

        An ack that is lost with its connection is asked for again under the same id, which has no
        second effect. Raises CommandError for a refusal, Disconnected when nobody answers.
        """
        body = {"id": id or f"py-{uuid.uuid4().hex}", "cmd": cmd, **fields}
        ack = await self._commands.ask(body)
        if not ack["ok"]:
            raise refusal(ack["error"], id=body["id"])
        return ack

    async def follow(
        self, run: str, *, after: str | None = None, controls: bool = False
    ) -> AsyncGenerator[Frame, None]:
        """Every event of `run` that follows the cursor `after`, once, in order, to the final one.

        With `controls` the control frames too, as they come. Raises CommandError for an unknown
        run, Disconnected when the sidecar stays away.
        """
        async with contextlib.aclosing(Follower(self._reach, run, after).frames()) as frames:
            async for frame in frames:
                if controls or not frame["type"].startswith("stream."):
                    yield frame
