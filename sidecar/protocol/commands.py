"""Commands: what a client sends is parsed into one of a few immutable ones, or refused with a code
(docs/PROTOCOL.md). Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from sidecar.errors import CommandError

__all__ = [
    "MAX_COMMAND",
    "MAX_TITLE",
    "Answer",
    "Cancel",
    "Command",
    "List",
    "Modify",
    "Origin",
    "Pause",
    "Ping",
    "Resume",
    "Start",
    "Status",
    "Subscribe",
    "Unsubscribe",
    "one_line",
    "parse_command",
    "parse_title",
    "too_large",
]

MAX_COMMAND: Final = 256 * 1024
"""Longest command, in bytes, over either transport; beyond it is `too_large`."""

MAX_DEPTH: Final = 32
"""Deepest nesting of a start's inputs (RFC 8259 section 9 leaves the limit to who reads)."""

_MAX_NESTING: Final = 128
"""The same of a whole command, fields that are ignored included: the digest writes them all, and
orjson writes 254 levels but reads 1,024."""

MAX_TEXT: Final = 60_000
"""Longest instruction, description or answer, in characters."""

MAX_TITLE: Final = 200
"""Longest title of a thread, in characters."""

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
_OF_AN_ID: Final = "1 to 64 characters of A-Z a-z 0-9 . _ : -"
_MAX_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Command:
    """One request of a client; `id` is the client's own, `digest` tells a repeat from a reuse."""

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fork begins: a run, and a task of its by name or `tid`."""

    run: str
    task: str


@dataclass(frozen=True, slots=True)
class Start(Command):
    crew: str = "default"
    """Empty for that of the run that is forked."""
    inputs: dict[str, Any] = field(default_factory=dict)
    review: tuple[str, ...] = ()
    thread: str | None = None
    """The conversation that the run belongs to."""
    title: str | None = None
    """Of the thread, where the run makes it; without blanks around it, and never empty."""
    after: str | None = None
    """The run of the thread that it follows; empty for none, None for the newest."""
    parallel: bool = False
    """Whether it may begin beside another run of the thread."""
    origin: Origin | None = None
    """What `from` says."""


@dataclass(frozen=True, slots=True)
class Cancel(Command):
    run: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Pause(Command):
    run: str


@dataclass(frozen=True, slots=True)
class Resume(Command):
    run: str


@dataclass(frozen=True, slots=True)
class Modify(Command):
    run: str
    change: dict[str, Any]
    """instruction (+ now, task), or task + description, or inputs; as `run.modifying` tells it."""


@dataclass(frozen=True, slots=True)
class Answer(Command):
    run: str
    input: str
    text: str
    """Empty accepts."""


@dataclass(frozen=True, slots=True)
class Status(Command):
    run: str


@dataclass(frozen=True, slots=True)
class List(Command):
    state: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    run: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    run: str


@dataclass(frozen=True, slots=True)
class Ping(Command):
    pass


class _Fields:
    """Reads the fields of one command's body, refusing wrong types by name."""

    def __init__(self, id: str, body: dict[str, Any]) -> None:
        self._id = id
        self._body = body

    def _refuse(self, name: str, wanted: str) -> CommandError:
        return CommandError("bad_request", f"{name!r} must be {wanted}", id=self._id)

    def text(self, name: str, *, limit: int = 200, least: int = 1) -> str:
        value = self._body.get(name)
        if not isinstance(value, str) or not least <= len(value) <= limit:
            raise self._refuse(name, f"a string of {least} to {limit} characters")
        return value

    def flag(self, name: str) -> bool:
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            raise self._refuse(name, "true or false")
        return value

    def one_of(self, *names: str) -> str:
        given = [name for name in names if self._body.get(name) is not None]
        if len(given) != 1:
            raise CommandError("bad_request", f"give one of {', '.join(names)}", id=self._id)
        return given[0]

    def optional_text(self, name: str, *, limit: int = 200) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > limit:
            raise self._refuse(name, f"a string of at most {limit} characters")
        return value

    def optional_id(self, name: str) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        # A path's own steps are in the alphabet, and no URL can name them (RFC 3986 section 5.2.4).
        if not isinstance(value, str) or not _ID.match(value) or value in (".", ".."):
            raise self._refuse(name, f"{_OF_AN_ID}, and neither '.' nor '..'")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._body.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._refuse(name, "an object")
        if _deeper_than(value, MAX_DEPTH):
            raise self._refuse(name, f"nested at most {MAX_DEPTH} deep")
        return value

    def origin(self, name: str) -> Origin | None:
        value = self._body.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._refuse(name, 'an object {"run", "task"}')
        inner = _Fields(self._id, value)
        return Origin(inner.text("run"), inner.text("task"))

    def names(self, name: str) -> tuple[str, ...]:
        value = self._body.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._refuse(name, "a list of names")
        return tuple(value)

    def limit(self, name: str, default: int) -> int:
        value = self._body.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_LIMIT:
            raise self._refuse(name, f"a whole number from 1 to {_MAX_LIMIT}")
        return value


def _start(id: str, digest: str, f: _Fields) -> Command:
    thread, after = f.optional_id("thread"), f.optional_text("after")
    if after is not None and thread is None:
        raise CommandError("bad_request", "'after' is a run of a thread: give 'thread'", id=id)
    origin = f.origin("from")
    return Start(
        id,
        digest,
        f.optional_text("crew") or ("" if origin else "default"),
        f.mapping("inputs"),
        f.names("review"),
        thread,
        one_line(f.optional_text("title", limit=MAX_TITLE) or "") or None,
        after,
        f.flag("parallel"),
        origin,
    )


def _cancel(id: str, digest: str, f: _Fields) -> Command:
    return Cancel(id, digest, f.text("run"), f.optional_text("reason", limit=2_000))


def _modify(id: str, digest: str, f: _Fields) -> Command:
    run = f.text("run")
    kind = f.one_of("instruction", "description", "inputs")
    task = None if f.optional_text("task") is None else f.text("task")
    if kind == "instruction":
        change: dict[str, Any] = {"instruction": f.text("instruction", limit=MAX_TEXT)}
        if f.flag("now"):
            change["now"] = True
        if task is not None:
            change["task"] = task
    elif kind == "description":
        change = {"task": f.text("task"), "description": f.text("description", limit=MAX_TEXT)}
    elif task is not None:
        raise CommandError("bad_request", "inputs are for every task: leave `task` out", id=id)
    else:
        change = {"inputs": f.mapping("inputs")}
    return Modify(id, digest, run, change)


def _answer(id: str, digest: str, f: _Fields) -> Command:
    return Answer(
        id, digest, f.text("run"), f.text("input"), f.text("text", limit=MAX_TEXT, least=0)
    )


def _list(id: str, digest: str, f: _Fields) -> Command:
    return List(id, digest, f.optional_text("state"), f.limit("limit", 50))


def _subscribe(id: str, digest: str, f: _Fields) -> Command:
    return Subscribe(id, digest, f.text("run"), f.optional_text("after"))


_PARSERS: Final[dict[str, Callable[[str, str, _Fields], Command]]] = {
    "start": _start,
    "pause": lambda id, digest, f: Pause(id, digest, f.text("run")),
    "resume": lambda id, digest, f: Resume(id, digest, f.text("run")),
    "cancel": _cancel,
    "modify": _modify,
    "answer": _answer,
    "status": lambda id, digest, f: Status(id, digest, f.text("run")),
    "list": _list,
    "subscribe": _subscribe,
    "unsubscribe": lambda id, digest, f: Unsubscribe(id, digest, f.text("run")),
    "ping": lambda id, digest, f: Ping(id, digest),
}


def parse_title(raw: bytes) -> str:
    """The new title of a thread, from `{"title": "…"}`. Raises CommandError `bad_request`."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise CommandError("bad_request", f"not JSON: {error}") from None
    title = body.get("title") if isinstance(body, dict) else None
    if not isinstance(title, str) or not one_line(title) or len(title) > MAX_TITLE:
        wanted = f'{{"title": "…"}}, of 1 to {MAX_TITLE} characters'
        raise CommandError("bad_request", f"a thread is renamed by {wanted}")
    return one_line(title)


def one_line(text: str) -> str:
    """`text` with one blank between its words, as a list shows it."""
    return " ".join(text.split())


def too_large() -> CommandError:
    return CommandError("too_large", f"a command may have at most {MAX_COMMAND} bytes")


def parse_command(raw: bytes | str, *, cmd: str | None = None) -> Command:
    """One JSON object to a command. `cmd` fills in the name where the route says it.

    Fields that the protocol does not know are ignored, so that newer clients can talk to an older
    sidecar. Raises CommandError `bad_request`, `unknown_command` or `too_large`, with the
    command's id when it could be read.
    """
    if len(raw) > MAX_COMMAND:
        raise too_large()
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise CommandError("bad_request", f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise CommandError("bad_request", "a command is a JSON object")
    id = body.get("id")
    if not isinstance(id, str) or not _ID.match(id):
        raise CommandError("bad_request", f"'id' must be {_OF_AN_ID}")
    if _deeper_than(body, _MAX_NESTING):
        raise CommandError("bad_request", f"nested more than {_MAX_NESTING} deep", id=id)
    name = cmd or body.get("cmd")
    if not isinstance(name, str):
        raise CommandError("bad_request", "'cmd' must be the name of a command", id=id)
    parser = _PARSERS.get(name)
    if parser is None:
        known = ", ".join(_PARSERS)
        raise CommandError("unknown_command", f"no command {name[:40]!r}; there are {known}", id=id)
    return parser(id, _digest(body, name), _Fields(id, body))


def _digest(body: dict[str, Any], cmd: str) -> str:
    canonical = orjson.dumps({**body, "cmd": cmd}, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return any(isinstance(node, (dict, list)) for node in level)
