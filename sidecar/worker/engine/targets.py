"""A user's own crew: found by its name, made, and kicked off in whichever way it wants.

What a target may be::

    a class with @CrewBase, or any with `crew()`      it is made, and `crew()` called
    a Crew, a Flow or its class, an Agent             kicked off
    a function, async too, with inputs or without     called: what it returns is one of these; or it
                                                      kicks off by itself, and returns its output
    crew.jsonc, flow.yaml                             a project's definition, which CrewAI reads
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from crewai import Agent, Crew, Flow
from crewai.agents.agent_builder.base_agent import BaseAgent
from pydantic import BaseModel, ValidationError

from sidecar.inputs import BRIEF, HISTORY, placeholders
from sidecar.worker.engine.build import BadCrew, Job, model_of, one_line
from sidecar.worker.engine.executions import task_list
from sidecar.worker.engine.models import ModelChoice

__all__ = ["Over", "Seen", "Unasked", "last_output", "load", "look", "make", "unasked"]

_DEFINITIONS: Final = (".json", ".jsonc", ".yaml", ".yml")
_MAX_STEPS: Final = 4
"""From a function to what is kicked off: it may return a class, whose `crew()` is called."""
_WHOLE: Final = frozenset({"inputs", "input", "kwargs", "data", "payload", "params"})
"""What a lone parameter without a type is called where it takes all inputs as one dict."""
_KICKOFFS: Final = tuple(
    (owner, name)
    for kind in (Crew, Flow, Agent)
    for name in ("kickoff", "kickoff_async", "akickoff")
    for owner in kind.__mro__
    if name in vars(owner)
)


@dataclass(frozen=True)
class Over:
    """A function kicked off by itself, and this is what it returned."""

    result: Any


@dataclass(frozen=True)
class Seen:
    """A crew that was only looked at."""

    kind: Literal["crew", "flow"] | None
    tasks: list[dict[str, Any]]
    wants: list[str]
    knows: list[str]
    model: str | None
    secret: str | None
    """The key of its model."""


class Unasked(BaseException):
    """Something was kicked off while a crew was only looked at; past every `except Exception`."""


@dataclass(frozen=True)
class _Defined:
    """A crew in JSON, and the inputs that it has of its own."""

    crew: Crew
    inputs: Mapping[str, Any]


def load(target: str) -> Any:
    """What `package.module:attribute` names, or the definition at that path, from the working
    folder. Raises BadCrew with what was found instead."""
    if target.endswith(_DEFINITIONS):
        return _defined(target)
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise BadCrew(f"{target!r} must look like package.module:attribute")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise BadCrew(
                f"there is no module {module_name!r} (looked in {os.getcwd()} and the installed "
                "packages)"
            ) from error
        raise BadCrew(f"importing {module_name!r} failed: {_told(error)}") from error
    except (Exception, SystemExit) as error:
        raise BadCrew(f"importing {module_name!r} failed: {_told(error)}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise BadCrew(f"{module_name!r} has no {path!r}")
        found = getattr(found, name)
    return found


def make(
    found: Any,
    target: str,
    choice: ModelChoice,
    inputs: Mapping[str, Any],
    begun: Callable[[], bool] = lambda: False,
) -> Job | Over:
    """What is to be kicked off, from what `load` gave.

    Functions are called with what they take of `inputs`; `begun` tells whether anything has been
    kicked off by then. Raises BadCrew, and from a function that has begun whatever it raises.
    """
    for _ in range(_MAX_STEPS):
        job = _job(found, choice)
        if job is not None:
            return job
        step = _step(found)
        if step is None:
            break
        try:
            found = _call(step, inputs)
        except Exception as error:
            if begun() or isinstance(error, BadCrew):
                raise
            raise BadCrew(f"{target} failed to make a crew: {_told(error)}") from error
        if begun():
            return Over(found)
    raise BadCrew(
        f"{target} is {_described(found)}; it must be a @CrewBase class, a Crew, a Flow, an Agent, "
        "a class with crew(), or a function that returns one or kicks one off"
    )


def look(found: Any, target: str, choice: ModelChoice) -> Seen:
    """What there is to know of what `load` gave, inside `unasked`.

    A function that kicks off by itself is not called. Any other is, with `{name}` for each input
    that it takes by name, so that what it makes of them shows in the templates. Raises BadCrew.
    """
    step = _step(found)
    named = [] if step is None or inspect.isclass(found) else _named(step)
    wants = [one.name for one in named if one.default is one.empty]
    knows = [one.name for one in named if one.default is not one.empty]
    blind = Seen(None, [], wants, knows, None, None)
    if inspect.isroutine(found) and _kicks_off(found):
        return blind
    inputs = _Noting({name: f"{{{name}}}" for name in wants})
    try:
        made = make(found, target, choice, inputs)
    except Unasked:
        return blind
    except BadCrew:
        # It may ask `**inputs` for names that nobody can know.
        if step is not None and any(one.kind is one.VAR_KEYWORD for one in _parameters(step)):
            return blind
        raise
    if isinstance(made, Over):
        return blind
    llm = _llm_of(found if isinstance(found, BaseAgent) else made.crew)
    asked = [name for name in inputs.asked if name not in made.wants]
    return Seen(
        "crew" if made.crew is not None or isinstance(found, BaseAgent) else "flow",
        task_list(made.tasks),
        list(dict.fromkeys([*wants, *asked, *made.wants])),
        list(dict.fromkeys([*knows, *made.knows])),
        made.model,
        getattr(llm, "api_key", None),
    )


def _kicks_off(function: Any) -> bool:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and not {"kickoff", "kickoff_async", "akickoff"}.isdisjoint(
        code.co_names
    )


def _llm_of(owner: Any) -> Any:
    agents = owner.agents if isinstance(owner, Crew) else [owner]
    llms = (getattr(agent, "llm", None) for agent in agents)
    return next((llm for llm in llms if llm is not None), None)


class _Noting(dict[str, Any]):
    """Inputs that have every name, and note which ones a function asked for."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        super().__init__(inputs)
        self.asked: list[str] = []

    def __missing__(self, name: str) -> str:
        self.asked.append(name)
        return f"{{{name}}}"


@contextlib.contextmanager
def unasked() -> Iterator[None]:
    """Nothing is kicked off in here, whatever a module does while it is imported: that raises
    Unasked. For looking at a crew, or importing it ahead of need, which must cost nothing."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise Unasked("it kicks off as soon as it is imported: see if __name__ == '__main__'")

    before = [(owner, name, vars(owner)[name]) for owner, name in _KICKOFFS]
    for owner, name, _ in before:
        setattr(owner, name, refuse)
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def last_output(crew: Any) -> Any:
    """What the last task of a crew gave, or None."""
    outputs = [task.output for task in getattr(crew, "tasks", ()) if task.output is not None]
    return outputs[-1] if outputs else None


def _defined(path: str) -> Any:
    try:
        if path.endswith((".json", ".jsonc")):
            from crewai.project.crew_loader import load_crew

            return _Defined(*load_crew(Path(path)))
        return Flow.from_declaration(path=path)
    except (ImportError, AttributeError) as error:
        raise BadCrew(f"{path}: this version of crewai reads no such file: {error}") from error
    except Exception as error:
        raise BadCrew(f"{path}: {one_line(error)}") from error


def _job(found: Any, choice: ModelChoice) -> Job | None:
    """What is kicked off as it stands."""
    if isinstance(found, _Defined):
        return _crew_job(found.crew, choice, found.inputs)
    if isinstance(found, Crew):
        return _crew_job(found, choice, {})
    if isinstance(found, Flow):
        return _flow_job(found)
    if isinstance(found, BaseAgent):
        agent: Any = found
        llm = Crew.model_construct(agents=[agent])
        return Job(
            lambda inputs: agent.kickoff(_asked(inputs)), None, model_of(llm, choice), ("message",)
        )
    return None


def _crew_job(crew: Crew, choice: ModelChoice, own: Mapping[str, Any]) -> Job:
    # Streaming output is an iterator that somebody must drain; the tap has it all anyway.
    crew.stream = False
    texts = [text for task in crew.tasks for text in _texts(task, _OF_TASK)]
    texts += [text for agent in crew.agents for text in _texts(agent, _OF_AGENT)]
    wants = [name for name in placeholders(texts) if name not in own]
    # What such a callback adds to the inputs is not to be told from here.
    certain = not crew.before_kickoff_callbacks
    own = {HISTORY: "", **own} if HISTORY in wants else own
    return Job(
        lambda inputs: crew.kickoff(inputs={**own, **inputs}),
        crew,
        model_of(crew, choice),
        wants if certain else [],
        [*own, *([] if certain else wants)],
    )


def _flow_job(flow: Flow[Any]) -> Job:
    flow.stream = False
    wants, knows = _state_of(flow)
    return Job(lambda inputs: flow.kickoff(inputs=_fit(flow, inputs)), None, None, wants, knows)


def _fit(flow: Flow[Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """`inputs`, without a history that the flow's state has no place for, or another use."""
    state = flow.state
    if HISTORY not in inputs:
        return inputs
    if isinstance(state, BaseModel):
        try:
            validator = type(state).__pydantic_validator__
            validator.validate_assignment(state.model_copy(), HISTORY, inputs[HISTORY])
            return inputs
        except ValidationError:
            pass
    elif isinstance(state.get(HISTORY, ""), str):
        return inputs
    return {name: value for name, value in inputs.items() if name != HISTORY}


def _state_of(flow: Flow[Any]) -> tuple[list[str], list[str]]:
    """Names of a flow's state: what has no value yet, and what has one."""
    state = flow.state
    if isinstance(state, BaseModel):
        fields = type(state).model_fields
        wants = [name for name, field in fields.items() if field.is_required()]
        return wants, [name for name in fields if name not in ("id", *wants)]
    return [], [str(name) for name in state if name != "id"] if isinstance(state, dict) else []


_OF_TASK: Final = ("description", "expected_output", "output_file")
_OF_AGENT: Final = ("role", "goal", "backstory")
"""What CrewAI fills in at kickoff (`interpolate_inputs`)."""


def _texts(owner: Any, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        text = getattr(owner, name, None)
        if isinstance(text, str):
            yield text


def _asked(inputs: Mapping[str, Any]) -> str:
    """What an agent without a task is asked, after what was said before."""
    all = "\n".join(f"{name}: {value}" for name, value in inputs.items() if name != HISTORY)
    named = (inputs[name] for name in BRIEF if isinstance(inputs.get(name), str))
    brief = next(named, all)
    if not inputs.get(HISTORY):
        return brief
    said = f"What was said so far:\n\n<history>\n{inputs[HISTORY]}\n</history>"
    return f"{said}\n\nAnd now:\n\n<brief>\n{brief}\n</brief>"


def _step(found: Any) -> Callable[..., Any] | None:
    """What is called to come from `found` to something that can be kicked off."""
    if inspect.isclass(found):
        flow = issubclass(found, Flow)
        return found if flow or callable(getattr(found, "crew", None)) else None
    if inspect.isroutine(found) or hasattr(found, "func"):
        return found  # type: ignore[no-any-return]
    method = getattr(found, "crew", None)
    return method if callable(method) else None


def _call(step: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """What `step` returns, given what it takes of `inputs`; awaited where that is wanted."""
    positional, named = _arguments(step, inputs)
    result = step(*positional, **named)
    return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


async def _awaited(result: Any) -> Any:
    return await result


def _arguments(
    step: Callable[..., Any], inputs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    if inspect.isclass(step) and (getattr(step, "is_crew_class", False) or issubclass(step, Flow)):
        return [], {}
    parameters = _parameters(step)
    if _takes_whole(parameters):
        return [inputs if isinstance(inputs, _Noting) else {HISTORY: "", **inputs}], {}
    named = _named(step)
    wants = [one.name for one in named if one.default is one.empty]
    given = Job(lambda _: None, None, None, wants, [one.name for one in named]).filled(inputs)
    rest = any(one.kind is one.VAR_KEYWORD for one in parameters) and not inspect.isclass(step)
    names = {one.name for one in named}
    if rest and HISTORY not in names:
        given.setdefault(HISTORY, "")
    return [], {name: value for name, value in given.items() if rest or name in names}


def _named(step: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = _parameters(step)
    if _takes_whole(parameters):
        return []
    return [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]


def _parameters(step: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(step).parameters.values())
    except (TypeError, ValueError):
        return []


def _takes_whole(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether a function has one parameter, for all inputs at once."""
    if len(parameters) != 1 or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        return False
    kind = parameters[0].annotation
    if kind is inspect.Parameter.empty:
        return parameters[0].name in _WHOLE
    text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return text.rpartition(".")[2].lower().startswith(("dict", "mapping", "mutablemapping"))


def _described(value: Any) -> str:
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    return "None" if value is None else f"a {type(value).__name__}"


def _told(error: BaseException) -> str:
    """`error` in a line, with the place in the user's own files where it came up."""
    place = _place(error)
    return one_line(error) + (f" ({place})" if place else "")


def _place(error: BaseException) -> str | None:
    if isinstance(error, SyntaxError):
        return None  # which says it itself
    here = os.getcwd() + os.sep
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(here) and "site-packages" not in frame.filename:
            return f"{frame.filename.removeprefix(here)}, line {frame.lineno}"
    return None
