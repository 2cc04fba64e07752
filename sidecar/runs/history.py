"""What was said in a thread before a run: the turns on the path that leads to it, as a text for its
crew, and a thread's first words. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sidecar.inputs import HISTORY, SAME, standing_in
from sidecar.protocol import MAX_TITLE, encode, one_line

__all__ = ["HISTORY_BYTES", "History", "title_of"]

HISTORY_BYTES: Final = 16 * 1024
"""Most that a history has, in UTF-8."""

_MAX_TITLE: Final = 60
"""Characters of a title that nobody gave: a line of a list."""
assert _MAX_TITLE <= MAX_TITLE

_MORE: Final = "…"
_WITHOUT: Final[Mapping[str, str]] = {
    "completed": "(no output)",
    "failed": "(failed)",
    "cancelled": "(stopped)",
    "interrupted": "(stopped)",
}
"""What a run without an output has said."""


class History:
    """Takes in one run after another, the newest first, and gives the oldest first."""

    def __init__(self, most: int = HISTORY_BYTES) -> None:
        self._left = most
        self._turns: list[str] = []

    def add(self, snapshot: Mapping[str, Any]) -> bool:
        """Whether there was room for it, and an older one may follow.

        A turn has the outputs of all tasks, or if that is too much the run's own. Of the newest,
        which the next brief is most likely about, there is always something."""
        brief = _brief(snapshot["inputs"])
        for reply in _replies(snapshot):
            turn = f"User: {brief}\n\nCrew: {reply}"
            if self._takes(turn):
                return True
        if not self._turns:
            user, crew = "User: ", "\n\nCrew: "
            brief = _cut(brief, (self._left - len(user) - len(crew)) // 4)
            start = f"{user}{brief}{crew}"
            self._takes(start + _cut(reply, self._left - len(start.encode())))
        return False

    @property
    def text(self) -> str:
        return "\n\n".join(reversed(self._turns))

    def _takes(self, turn: str) -> bool:
        size = len(turn.encode()) + (2 if self._turns else 0)
        if size > self._left:
            return False
        self._left -= size
        self._turns.append(turn)
        return True


def title_of(inputs: Mapping[str, Any], crew: str) -> str:
    """The first words of what a run was asked; of a run without any, its crew."""
    others = (value for name, value in inputs.items() if name not in (*SAME, HISTORY))
    asked = (_message(inputs), *others)
    texts = (one_line(text) for text in asked if isinstance(text, str))
    words = next(filter(None, texts), crew)
    if len(words) <= _MAX_TITLE:
        return words
    whole = words[:_MAX_TITLE].rpartition(" ")[0] or words[: _MAX_TITLE - 1]
    return whole + _MORE


def _brief(inputs: Mapping[str, Any]) -> str:
    said = _message(inputs)
    if isinstance(said, str) and said.strip():
        return said.strip()
    return encode({name: value for name, value in inputs.items() if name != HISTORY}).decode()


def _message(inputs: Mapping[str, Any]) -> Any:
    return standing_in(inputs, ("message",)).get("message")


def _replies(snapshot: Mapping[str, Any]) -> Iterator[str]:
    """From the longest on."""
    done = [task for task in snapshot["tasks"] if task["output"] is not None]
    end: str = snapshot["output"] or _WITHOUT.get(snapshot["state"], "(not finished)")
    if len(done) > 1 or (done and snapshot["output"] is None):
        parts = [f"## {task['name']}\n\n{task['output']}" for task in done]
        if done[-1]["output"] != end:
            parts.append(end)
        yield "\n\n".join(parts)
    yield end


def _cut(text: str, most: int) -> str:
    """`text`, or as much of its beginning as fits `most` bytes and says that there was more."""
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: most - len(_MORE.encode())].decode(errors="ignore") + _MORE
