"""What a crew, a flow, an agent or a function of the user's gave back, as text and as JSON.

Pure; it reads attributes and imports no crewai, so that whatever a user returns goes the same way:
CrewOutput and TaskOutput (crewai/crews/crew_output.py), LiteAgentOutput, pydantic models, data
classes, plain values, and lists of these as `kickoff_for_each` gives them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["MAX_JSON", "Output", "json_of", "output_of", "text_of"]

MAX_JSON: Final = 1 << 20
"""Longest `json` of a final event, in bytes; a longer one is left out, the text is there still."""

_MAX_DEPTH: Final = 32


class Output(NamedTuple):
    """`text` is None for a result of None; `json` is None where there is no structure."""

    text: str | None
    json: Any = None


def output_of(result: Any) -> Output:
    """A run's output: what `str()` of a crew's result would be, and its structure if it has one."""
    json_value = json_of(result)
    if json_value is not None and len(_dumped(json_value)) > MAX_JSON:
        json_value = None
    return Output(None if result is None else text_of(result), json_value)


def text_of(result: Any) -> str:
    """As text: `raw` of CrewAI's outputs, structures as JSON, everything else as `str` has it; of
    nothing none."""
    if result is None:
        return ""
    if isinstance(result, str):
        return result
    raw = getattr(result, "raw", None)
    if isinstance(raw, str):
        return raw
    if isinstance(result, (list, tuple)) and any(_is_output(one) for one in result):
        return "\n\n".join(text_of(one) for one in result)
    structure = _structure(result)
    return str(result) if structure is None else _dumped(structure)


def json_of(result: Any) -> Any:
    """The structure of a result that has one: an object or a list, else None."""
    if _is_output(result):
        pydantic = getattr(result, "pydantic", None)
        given = getattr(result, "json_dict", None) if pydantic is None else pydantic
        return _structure(given)
    if isinstance(result, (list, tuple)) and any(_is_output(one) for one in result):
        structures = [json_of(one) for one in result]
        return None if all(one is None for one in structures) else structures
    return _structure(result)


def _is_output(value: Any) -> bool:
    return isinstance(getattr(value, "raw", None), str)


def _structure(value: Any) -> Any:
    """JSON of objects and lists alone: a bare number or text is not structured output."""
    plain = _plain(value)
    return plain if isinstance(plain, (dict, list)) else None


def _plain(value: Any, depth: int = 0) -> Any:
    """`value` in JSON's own types; what has none of them as its `str`."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if depth >= _MAX_DEPTH:
        return str(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        return _plain(dump(mode="json"), depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain(named, depth)
    if isinstance(value, Mapping):
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one, depth + 1) for one in value]
    return str(value)


def _dumped(structure: Any) -> str:
    return json.dumps(structure, ensure_ascii=False)
