"""What following and commanding share: one sidecar, the ways to it, and how it says no."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any, Final, Literal, cast

import aiohttp
import orjson

from sidecar import protocol
from sidecar.errors import STATUS, Code, CommandError
from sidecar.tasks import Tasks

__all__ = [
    "UNREACHED",
    "Disconnected",
    "Frame",
    "Kind",
    "Mode",
    "Reach",
    "Sent",
    "Socket",
    "answer_of",
    "backoff",
    "refusal",
]

Frame = dict[str, Any]
"""One event or control frame, as PROTOCOL.md has it."""

Kind = Literal["ws", "sse"]
Mode = Literal["auto", "ws", "sse"]
Socket = aiohttp.ClientWebSocketResponse[Literal[False]]

UNREACHED: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What a connection that is no use raises; ValueError: what came was not of this protocol."""

_ANSWER_SECONDS: Final = 5.0
_START_SECONDS: Final = 20.0
"""The same for a start, which waits up to 15 s until what its crew wants is known (P51)."""
_CLOSE_SECONDS: Final = 1.0
_MAX_MESSAGE: Final = 16 * 1024 * 1024


class Disconnected(Exception):
    """The sidecar could not be reached for as long as the client was willing to try."""

    @classmethod
    def at(cls, url: str) -> Disconnected:
        return cls(f"no answer from {url}; is the sidecar running? `make serve`")


class Sent:
    """How often a request went out that has this as its `trace_request_ctx`: aiohttp sends one
    again by itself, where that has no second effect and its connection was cut."""

    times = 0


def _noting_what_is_sent() -> aiohttp.TraceConfig:
    async def note(_session: object, context: Any, _params: object) -> None:
        if isinstance(context.trace_request_ctx, Sent):
            context.trace_request_ctx.times += 1

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    return trace


def backoff(failures: int, *, base: float = 0.1, most: float = 5.0) -> float:
    """Seconds to wait after `failures` in a row: full jitter, so that clients don't come in step.

    Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0.0, min(most, base * 2.0 ** min(failures, 20)))


class Reach:
    """One sidecar as one client reaches it. Times in seconds, as CrewClient tells them."""

    def __init__(
        self, url: str, mode: Mode, *, patience: float, silence: float, probe: float
    ) -> None:
        self.url = url
        self.mode: Mode = mode
        self.kind: Kind = "sse" if mode == "sse" else "ws"
        """The transport that worked last, to be tried first."""
        self.patience = patience
        self.silence = silence
        self.probe = probe
        self.answer = min(_ANSWER_SECONDS, silence)
        """Longest wait for a connection's first frame, or for an ack."""
        self.start = max(_START_SECONDS, self.answer)
        self.tasks = Tasks()
        self._sockets: set[Socket] = set()
        """Open ones: a task that is cancelled may not have come to close its own."""
        self._http: aiohttp.ClientSession | None = None

    def open(self) -> None:
        # Without bounds of its own: a stream is bounded in silence, and how many there are by
        # how many runs the caller follows.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
            trace_configs=[_noting_what_is_sent()],
        )

    async def close(self) -> None:
        await self.tasks.close()
        await asyncio.gather(*(self.close_socket(ws) for ws in tuple(self._sockets)))
        await self.http.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("use it as `async with CrewClient() as crew:`")
        return self._http

    async def open_socket(self, query: dict[str, str]) -> Socket:
        """A WebSocket; its caller bounds the time. Raises CommandError or one of UNREACHED."""
        try:
            ws = await self.http.ws_connect(
                f"{self.url}/ws",
                params=query,
                protocols=(protocol.SUBPROTOCOL,),
                max_msg_size=_MAX_MESSAGE,
                decode_text=False,
            )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == STATUS["forbidden"]:
                raise CommandError("forbidden", "the sidecar does not let this host in") from error
            raise
        self._sockets.add(ws)
        return ws

    async def close_socket(self, ws: Socket) -> None:
        """Say goodbye, and don't insist: a dead peer never answers."""
        self._sockets.discard(ws)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await ws.close()


def refusal(error: dict[str, Any], *, id: str | None = None) -> CommandError:
    """A newer sidecar's codes that this client does not know read as `internal`."""
    code = next((known for known in STATUS if known == error["code"]), "internal")
    return CommandError(cast(Code, code), error["message"], id=id)


async def answer_of(response: aiohttp.ClientResponse) -> Frame:
    """The JSON object of an HTTP answer: an ack, or an error {code, message, temporary}.

    Raises ConnectionError for anything else: a proxy in between speaks for a sidecar that is away.
    """
    try:
        body = orjson.loads(await response.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not ("ok" in body or isinstance(body.get("error"), dict)):
        raise ConnectionError(f"{response.url} answered {response.status} and no more")
    return body
