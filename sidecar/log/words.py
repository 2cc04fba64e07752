"""The words that a run is found by, taken from what it was given. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["words_of"]

_MOST: Final = 16_384
"""Characters kept of a run's inputs, which may be 256 KB: a look through 1,000 runs is then one
through 16 MB at most."""


def words_of(snapshot: Mapping[str, Any]) -> str:
    """The texts in a run's inputs, those in lists and objects too, folded for comparing without
    regard to case; a line each, and of all the first `_MOST` characters."""
    texts, size = list[str](), 0
    for text in _texts(snapshot.get("inputs")):
        texts.append(text[: _MOST - size].casefold())
        size += len(text) + 1
        if size >= _MOST:
            break
    return "\n".join(texts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
