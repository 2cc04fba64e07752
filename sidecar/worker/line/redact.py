"""The last look at a fact before it leaves: no secret, no oversize, nothing but JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from sidecar.channel import MAX_STRING, TERMINAL, Fact, truncate
from sidecar.worker.line.masking import Mask, Masking

__all__ = ["Redactor"]

_MAX_TEXT: Final = 1024 * 1024
"""Most bytes of text in one fact, over all its strings."""
_MAX_ITEMS: Final = 1_000
_MAX_DEPTH: Final = 32
_MAX_CALLS: Final = 256
"""Calls whose last delta is remembered: of the oldest beyond it the rest is said."""

_Key = tuple[Any, Any]


class Redactor:
    """Makes facts fit to be sent. The deltas of a call are one text to it, whatever their cut."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets` are replaced by `***` wherever they appear, in the forms that `Mask` knows."""
        self._mask = Mask(secrets)
        self._calls: dict[_Key, tuple[Masking, Fact]] = {}
        """By call and kind: what is held back of its text, and its last delta."""

    def text(self, text: str) -> str:
        """Replaces the secrets in a text."""
        return self._mask.text(text)

    def masking(self) -> Masking:
        """For a text of its own that comes in pieces."""
        return Masking(self._mask)

    def facts(self, fact: Fact) -> list[Fact]:
        """`fact` made fit, usually alone.

        Strings over 64 KiB are cut and `data.truncated` says so; a delta's text is never cut but
        spread over several facts. Whatever is not JSON becomes its `str()`. What a delta ends with
        is held back while it may be the beginning of a secret, and said with a later one, or
        before the end of the call or of the run; a delta of which nothing is left is none.
        """
        if fact["type"] == "llm.delta" and isinstance(fact["data"].get("text"), str):
            return self._delta(fact)
        return [*self._ended_by(fact), self._clean(fact)]

    def _delta(self, fact: Fact) -> list[Fact]:
        key = (fact["data"].get("call"), fact["data"].get("kind"))
        masking = self._calls.pop(key, (self.masking(), fact))[0]
        self._calls[key] = (masking, fact)
        given = fact["data"]["text"]
        text = masking.add(given)
        rest = self._rest(next(iter(self._calls))) if len(self._calls) > _MAX_CALLS else []
        return rest if given and not text else [*rest, *self._spread(fact, text)]

    def _ended_by(self, fact: Fact) -> list[Fact]:
        """The rest of every text that has come to its end with this fact."""
        if fact["type"] in TERMINAL:
            keys = list(self._calls)
        elif fact["type"] in ("llm.completed", "llm.failed"):
            keys = [key for key in self._calls if key[0] == fact["data"].get("call")]
        else:
            return []
        return [rest for key in keys for rest in self._rest(key)]

    def _rest(self, key: _Key) -> list[Fact]:
        masking, last = self._calls.pop(key)
        text = masking.end()
        return self._spread(last, text) if text else []

    def _spread(self, delta: Fact, text: str) -> list[Fact]:
        """`delta` with this text, which is masked, in pieces."""
        clean = self._clean(cast(Fact, {**delta, "data": {**delta["data"], "text": ""}}))
        return [
            cast(Fact, {**clean, "data": {**clean["data"], "text": piece}})
            for piece in _pieces(text)
        ]

    def _clean(self, fact: Fact) -> Fact:
        walk = _Walk(self.text)
        clean = cast(
            Fact,
            {
                key: value if key in ("type", "ts") else walk.value(value)
                for key, value in fact.items()
            },
        )
        if walk.cut:
            clean["data"]["truncated"] = True
        return clean


def _pieces(text: str) -> list[str]:
    """`text` in pieces of at most 64 KiB of UTF-8, at least one."""
    if len(text) * 4 <= MAX_STRING:
        return [text]
    pieces = []
    while text:
        piece, _ = truncate(text)
        # A lone surrogate at the cut would make no progress; it goes alone.
        piece = piece or text[0]
        pieces.append(piece)
        text = text[len(piece) :]
    return pieces


class _Walk:
    """One pass over one fact's values."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self.cut = False
        self._redact = redact
        self._left = _MAX_TEXT

    def value(self, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if depth >= _MAX_DEPTH:
                self.cut = True
                return "…"
            items = list(value.items() if isinstance(value, Mapping) else value)
            if len(items) > _MAX_ITEMS:
                self.cut = True
                items = items[:_MAX_ITEMS]
            if isinstance(value, Mapping):
                return {self._string(str(k)): self.value(v, depth + 1) for k, v in items}
            return [self.value(item, depth + 1) for item in items]
        try:
            return self._string(str(value))
        except Exception:  # a value whose __str__ raises must not cost the fact
            return f"<{type(value).__name__}>"

    def _string(self, text: str) -> str:
        text = self._redact(text)
        # Without encoding: exact enough for the budget, and free.
        text, cut = truncate(text, min(MAX_STRING, max(0, self._left)))
        self._left -= len(text)
        self.cut = self.cut or cut
        return text
