"""Which runs are listed, and their snapshots in one answer: the long ones are cut. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from re import fullmatch
from typing import Any, Final

from sidecar.errors import CommandError
from sidecar.log import StoredRun
from sidecar.protocol import FINAL_STATES, LIVE_STATES, encode

__all__ = ["Listing", "Query", "states_of"]

_WHOLE_BYTES: Final = 1_048_576
"""Of JSON. A thousand runs of 200 KB each were 200 MB in one answer."""

_SHORT: Final = 200
"""Characters of an input that is kept of a run that is cut."""

_FEW: Final = 10
"""Inputs that are kept."""

_MAX_WORDS: Final = 200
"""Characters of the words that are looked for in each run."""

_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}
_GROUPS: Final = {"live": LIVE_STATES, "final": FINAL_STATES}


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs are wanted: those in one of `states` (empty: in any), of that crew, with all of
    the words in what they were given, their crew's name or their thread's title."""

    states: frozenset[str] = frozenset()
    crew: str | None = None
    words: tuple[str, ...] = ()
    """Folded, as `StoredRun.words` is."""
    before: str | None = None
    """The run behind which the page begins."""
    limit: int = 50
    brief: bool = False
    """Each as if it did not fit."""
    counts: bool = False
    """How many there are in each state, `states`, `before` and `limit` left aside."""

    def admits(self, state: str) -> bool:
        return not self.states or state in self.states

    def finds(self, run: StoredRun) -> bool:
        """Whatever state it is in."""
        if self.crew is not None and run.crew != self.crew:
            return False
        if not self.words:
            return True
        texts = (run.words, run.crew.casefold(), run.title.casefold())
        return all(any(word in text for text in texts) for word in self.words)

    @classmethod
    def parse(cls, given: Mapping[str, str], limit: int) -> Query:
        """What the parameters of `GET /runs` say; one that is empty says nothing. Raises
        CommandError."""
        before = given.get("before") or None
        if before is not None and not fullmatch(r"r_[0-9a-z]{26}", before):
            raise CommandError(
                "bad_request",
                f"'before' must be the id of a run, as `next` is; not {before[:40]!r}",
            )
        return cls(
            states=states_of(given["state"]) if given.get("state") else frozenset(),
            crew=given.get("crew") or None,
            words=_words_of(given.get("q", "")),
            before=before,
            limit=limit,
            brief=_flag(given, "brief"),
            counts=_flag(given, "counts"),
        )

    @property
    def chooses(self) -> bool:
        """Whether it matters what a run is beside its state."""
        return self.crew is not None or bool(self.words)


def states_of(text: str) -> frozenset[str]:
    """One state or several, by commas, `live` and `final` standing for all that are. Raises
    CommandError."""
    states = set[str]()
    for name in text.split(","):
        known = name in LIVE_STATES or name in FINAL_STATES
        if not known and name not in _GROUPS:
            names = ", ".join(sorted(LIVE_STATES | FINAL_STATES))
            raise CommandError(
                "bad_request",
                f"no state {name[:40]!r}; there are {names}, and live and final for all that are",
            )
        states |= {name} if known else _GROUPS[name]
    return frozenset(states)


def _words_of(text: str) -> tuple[str, ...]:
    if len(text) > _MAX_WORDS:
        raise CommandError("bad_request", f"'q' must be words of at most {_MAX_WORDS} characters")
    return tuple(dict.fromkeys(text.casefold().split()))


def _flag(given: Mapping[str, str], name: str) -> bool:
    if (value := given.get(name) or "0") not in _FLAGS:
        known = ", ".join(_FLAGS)
        raise CommandError("bad_request", f"{name!r} must be one of {known}; not {value[:40]!r}")
    return _FLAGS[value]


class Listing:
    """One snapshot after another, as they are while they have `most` bytes together; from there on
    without outputs, with the beginnings of their inputs, and `truncated`."""

    def __init__(self, most: int = _WHOLE_BYTES) -> None:
        self._left = most

    def shown(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        if self._left >= 0:
            self._left -= len(encode(snapshot))
        return snapshot if self._left >= 0 else _cut(snapshot)


def _cut(snapshot: dict[str, Any]) -> dict[str, Any]:
    inputs = {
        name: value[:_SHORT] if isinstance(value, str) else value
        for name, value in islice(snapshot["inputs"].items(), _FEW)
        if not isinstance(value, (dict, list)) and len(name) <= _SHORT
    }
    tasks = [{**task, "output": None} for task in snapshot["tasks"]]
    asked = snapshot.get("input") and {**snapshot["input"], "output": None}
    short = {"inputs": inputs, "tasks": tasks, "input": asked, "output": None, "truncated": True}
    return {**snapshot, **short}
