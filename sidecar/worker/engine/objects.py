"""What a config can only name, as CrewAI's objects: tools, and the user's own Python."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from crewai.tools import BaseTool
from crewai.tools import tool as as_tool
from pydantic import BaseModel, ValidationError

from sidecar.worker.config import Reference, Toolbox
from sidecar.worker.engine import versions

__all__ = ["known_to", "placed", "resolved", "tools_of"]

_SHAPES: Final = frozenset({"output_json", "output_pydantic", "response_model"})
"""Options that say what an output looks like."""


@contextlib.contextmanager
def placed(place: str) -> Iterator[None]:
    """Make what is refused inside a ValueError that begins with `place`.

    Without the values, which CrewAI's own text has: there may be a key among them.
    """
    try:
        yield
    except ValidationError as error:
        said = [
            ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"])))
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ValueError(f"{place}: {'; '.join(said)}") from error
    except Exception as error:
        raise ValueError(f"{place}: {error}") from error


def resolved(options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` with what their References lead to. Raises ValueError that names the option."""
    made = {}
    for name, value in options.items():
        with placed(name):
            made[name] = _resolved(value)
            if name in _SHAPES and not _is_shape(made[name]):
                # CrewAI takes anything, and then gives text instead.
                raise ValueError(f"{value} must be a class of pydantic's BaseModel")
    return made


def known_to(kind: type[BaseModel], options: dict[str, Any]) -> dict[str, Any]:
    """`options`, all of which this release's `kind` takes. Raises ValueError that names one that it
    would ignore without a word: our list of keys is that of the newest release."""
    for name in options:
        if name not in kind.model_fields:
            raise ValueError(
                f"{name}: crewai {versions.installed()} has none; leave it out, or take a newer "
                f"one: pip install -U 'crewai{versions.NEEDED}'"
            )
    return options


def tools_of(names: Sequence[str], toolbox: Toolbox) -> list[BaseTool]:
    """Of each name in `toolbox`, or each `package.module:attribute`, the tool.

    Raises ValueError for what can't be one.
    """
    tools = []
    for name in names:
        with placed(f"tools: {name}"):
            tools.append(_tool(name, toolbox))
    return tools


def _tool(name: str, toolbox: Toolbox) -> BaseTool:
    reference = None if name in toolbox else Reference.read(name)
    found: Any = toolbox[name] if reference is None else reference.resolve()
    if inspect.isclass(found) and issubclass(found, BaseTool):
        make: Callable[[], Any] = found
        found = make()
    if isinstance(found, BaseTool):
        return found
    if inspect.isclass(found) or not callable(found):
        kind = f"the class {found.__name__}" if inspect.isclass(found) else type(found).__name__
        raise ValueError(
            f"is {kind}; it must be a function with a docstring and typed arguments, a BaseTool, "
            "or a class of one that needs no arguments"
        )
    return as_tool(name if reference is None else reference.attribute)(found)


def _is_shape(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseModel)


def _resolved(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.resolve()
    return [_resolved(one) for one in value] if isinstance(value, tuple) else value
