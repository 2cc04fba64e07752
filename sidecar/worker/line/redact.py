"""The last look at a fact before it leaves: no secret, no oversize, nothing but JSON. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from sidecar.channel import MAX_STRING, Fact, truncate

__all__ = ["MASK", "Redactor"]

MASK: Final = "***"
_MAX_TEXT: Final = 1024 * 1024
"""Most bytes of text in one fact, over all its strings."""
_MAX_ITEMS: Final = 1_000
_MAX_DEPTH: Final = 32


class Redactor:
    """Makes facts fit to be sent."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets` are replaced by `***` wherever they appear, also in their JSON-escaped form.

        Give the longest first.
        """
        forms = dict.fromkeys(
            form
            for secret in secrets
            for form in (
                secret,
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            )
        )
        pattern = re.compile("|".join(map(re.escape, forms))) if forms else None
        self.text: Callable[[str], str] = (
            (lambda text: pattern.sub(MASK, text)) if pattern else (lambda text: text)
        )
        """Replaces the secrets in a text."""

    def facts(self, fact: Fact) -> list[Fact]:
        """`fact` made fit, usually alone.

        Strings over 64 KiB are cut and `data.truncated` says so; a delta's text is never cut but
        spread over several facts. Whatever is not JSON becomes its `str()`.
        """
        walk = _Walk(self.text)
        whole: str | None = None
        if fact["type"] == "llm.delta":
            text = fact["data"].get("text")
            if isinstance(text, str) and len(text) * 4 > MAX_STRING:
                whole = self.text(text)
                fact = cast(Fact, {**fact, "data": {**fact["data"], "text": ""}})
        clean = cast(
            Fact,
            {
                key: value if key in ("type", "ts") else walk.value(value)
                for key, value in fact.items()
            },
        )
        if walk.cut:
            clean["data"]["truncated"] = True
        if whole is None:
            return [clean]
        return [
            cast(Fact, {**clean, "data": {**clean["data"], "text": piece}})
            for piece in _pieces(whole)
        ]


def _pieces(text: str) -> list[str]:
    """`text` in pieces of at most 64 KiB of UTF-8."""
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
