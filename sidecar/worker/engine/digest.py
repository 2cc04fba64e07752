"""What an event has to say beside its type: flat and bounded, whatever CrewAI or a user's own class
put into it. Pure."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any, Final

__all__ = ["bounded", "digest"]

_MAX_FIELDS: Final = 32
_MAX_CHARACTERS: Final = 1_000
"""Of one field."""
_MAX_ITEMS: Final = 20
"""Of a list or mapping; the number of all is told where there are more."""

_COMMON: Final = frozenset(
    {
        *("timestamp", "type", "source_fingerprint", "source_type", "fingerprint_metadata"),
        *("task_id", "task_name", "agent_id", "agent_role", "event_id", "parent_event_id"),
        *("previous_event_id", "triggered_by_event_id", "started_event_id", "emission_sequence"),
    }
)
"""Of crewai.events.base_events.BaseEvent: the envelope, whose part that matters is the place."""

_LARGE: Final = frozenset(
    {
        *("from_task", "from_agent", "agent", "task", "crew", "tools", "callbacks"),
        *("available_functions", "messages", "state", "agent_card", "tool_class"),
    }
)
"""CrewAI's own objects and message lists: told elsewhere, or nobody's business."""


def digest(event: Any) -> dict[str, Any]:
    """The event's own fields, but for those that are None."""
    names = getattr(type(event), "model_fields", None) or vars(event)
    found: dict[str, Any] = {}
    for name in names:
        if name in _COMMON or name in _LARGE:
            continue
        value = bounded(getattr(event, name, None))
        if value is not None:
            found[name] = value
        if len(found) == _MAX_FIELDS:
            break
    return found


def bounded(value: Any, characters: int = _MAX_CHARACTERS) -> Any:
    """`value` as a scalar or a list of scalars, with so many characters at most."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        pairs = [f"{key}: {_short(one)}" for key, one in list(value.items())[:_MAX_ITEMS]]
        return _cut(", ".join([*pairs, *_more(value)]), characters)
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes, bytearray)):
        if all(isinstance(one, (str, bool, int, float)) for one in list(value)[:_MAX_ITEMS]):
            return [*map(_short, list(value)[:_MAX_ITEMS]), *_more(value)]
        return f"{len(value)} of {type(next(iter(value))).__name__}"
    return _cut(_text(value), characters)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (PurePath, BaseException)):
        return str(value)
    return _cut(f"{value}", _MAX_CHARACTERS) if _is_plain(value) else f"<{type(value).__name__}>"


def _is_plain(value: Any) -> bool:
    """Whether its text is made by Python: a user's `__str__` may raise, or print a secret."""
    return type(value).__module__ in ("builtins", "decimal", "uuid", "datetime")


def _short(value: Any) -> Any:
    """An item: a scalar, or what kind of thing it is."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return f"{len(value)} of {type(value).__name__}"
    return _cut(_text(value), _MAX_CHARACTERS // _MAX_ITEMS * 2)


def _more(value: Any) -> list[str]:
    return [f"… {len(value)} in all"] if len(value) > _MAX_ITEMS else []


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
