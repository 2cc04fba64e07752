"""Secrets in a text become `***`, also where the text comes in pieces. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = ["MASK", "Mask", "Masking"]

MASK: Final = "***"


class Mask:
    """Knows the secrets in every form that they are written in."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """As they are, escaped for JSON and quoted for a URL; in any order."""
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first, so that a secret which contains another is replaced whole.
        by_length = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, by_length)) or r"(?!)")
        self._by_first: dict[str, list[str]] = {}
        for form in by_length:
            self._by_first.setdefault(form[0], []).append(form)
        self._longest = len(by_length[0]) if by_length else 0

    def text(self, text: str) -> str:
        """A whole text without the secrets in it."""
        return self._pattern.sub(MASK, text)

    def begun(self, text: str) -> int:
        """Length of what can be said of `text` while its end may be the beginning of a secret.

        What is held back, at most one character less than the longest form, is neither masked nor
        shown before more of the text, or its end, is known.
        """
        said = 0
        for start in self._beginnings(text):
            # What stands in a secret that is whole is not looked at again, as in `text`.
            for match in self._pattern.finditer(text, said):
                if match.start() >= start:
                    break
                said = match.end()
            if start >= said:
                return start
        return len(text)

    def _beginnings(self, text: str) -> Iterator[int]:
        """Where what is left of `text` is less than one of the forms and begins it."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            forms = self._by_first.get(text[start], ())
            rest = text[start:] if forms else ""
            if any(len(form) > len(rest) and form.startswith(rest) for form in forms):
                yield start


class Masking:
    """One text in pieces. Joined, what comes out is `Mask.text` of all that went in, wherever the
    pieces were cut; what is held back is shorter than the longest secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = ""

    def add(self, piece: str) -> str:
        """What can be shown now."""
        text = self._held + piece
        said = self._mask.begun(text)
        self._held = text[said:]
        return self._mask.text(text[:said])

    def end(self) -> str:
        """The rest: no more comes."""
        text, self._held = self._held, ""
        return self._mask.text(text)


def _forms(secret: str) -> Iterator[str]:
    if secret:
        yield secret
        yield json.dumps(secret)[1:-1]
        yield json.dumps(secret, ensure_ascii=False)[1:-1]
        # A lone surrogate, which a variable that is not UTF-8 has, is no URL's.
        yield quote(secret, errors="replace")
        yield quote(secret, safe="", errors="replace")
        yield quote_plus(secret, errors="replace")
