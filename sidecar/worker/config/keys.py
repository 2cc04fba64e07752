"""What an agent and a task may say, as pydantic models: importing this takes 0.1 s. Pure.

They are strict: a number is no text, and a misspelt key is a mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PureWindowsPath
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import ErrorDetails
from yaml.nodes import Node, ScalarNode

from sidecar.worker.config.problems import suggest
from sidecar.worker.config.reserved import is_reserved
from sidecar.worker.config.yamlfile import Place, YamlFile, described

__all__ = ["AgentConfig", "TaskConfig", "check"]


def _known(noun: str, there_are: str) -> AfterValidator:
    """Lets through the names of agents, tasks or tools that there are, except one's own."""

    def check(name: str, info: ValidationInfo) -> str:
        context: Any = info.context
        if noun == "task" and name == context["own"]:
            raise ValueError("a task can't wait for itself", "")
        if name not in context[noun]:
            raise ValueError(f"unknown {noun} {name!r}", suggest(name, context[noun], there_are))
        return name

    return AfterValidator(check)


def _several(value: Any) -> Any:
    """A lone name is a list of one, and nothing an empty list."""
    if value is None or isinstance(value, str):
        return () if value is None else (value,)
    return tuple(value) if isinstance(value, list) else value


def _inside(path: str) -> str:
    # Windows knows all that must not be: either slash, drives, and a root without a drive.
    parts = PureWindowsPath(path)
    if not path.strip() or parts.anchor or ".." in parts.parts or path.startswith("~"):
        raise ValueError(
            f"{path!r} must be a path inside the run's directory",
            "write it relative and without '..', for example plan.md",
        )
    if is_reserved(path):
        raise ValueError(f"{path!r} is a file of the run's own", "call it something else")
    return path


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Count = Annotated[int, Field(ge=1)]
_Agent = Annotated[_Text, _known("agent", "agents.yaml has")]
_Task = Annotated[str, _known("task", "tasks.yaml has")]
_Tool = Annotated[str, _known("tool", "there are")]
_Tools = Annotated[tuple[_Tool, ...], BeforeValidator(_several)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    _OWN: ClassVar[frozenset[str]]
    """The fields that are no `options`."""
    _name: str = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._name = context["own"]

    @property
    def name(self) -> str:
        return self._name

    @property
    def options(self) -> dict[str, Any]:
        """Further arguments of CrewAI's own class, named as there."""
        return self.model_dump(exclude=set(self._OWN), exclude_none=True)


class AgentConfig(_Entry):
    """One agent; tests hold the options against the fields of `crewai.Agent`."""

    _OWN = frozenset({"role", "goal", "backstory", "tools", "llm"})

    role: _Text
    goal: _Text
    backstory: _Text
    tools: _Tools = ()
    llm: str | None = None

    allow_delegation: bool | None = None
    cache: bool | None = None
    date_format: str | None = None
    inject_date: bool | None = None
    max_execution_time: _Count | None = None
    max_iter: _Count | None = None
    max_retry_limit: _Count | None = None
    max_rpm: _Count | None = None
    max_tokens: _Count | None = None
    planning: bool | None = None
    prompt_template: str | None = None
    respect_context_window: bool | None = None
    response_template: str | None = None
    system_template: str | None = None
    use_system_prompt: bool | None = None
    verbose: bool | None = None


class TaskConfig(_Entry):
    """One task; tests hold the options against the fields of `crewai.Task`."""

    _OWN = frozenset({"description", "expected_output", "agent", "context", "tools", "output_file"})

    description: _Text
    expected_output: _Text
    agent: _Agent
    context: Annotated[tuple[_Task, ...] | None, BeforeValidator(_several)] = Field(
        None, validation_alias=AliasChoices("context_from", "context")
    )
    """None means CrewAI's default: the results of all tasks before."""
    tools: _Tools = ()
    output_file: Annotated[str, AfterValidator(_inside)] | None = None
    """Relative to the run's own directory."""

    async_execution: bool | None = None
    guardrail: str | None = None
    guardrail_max_retries: _Count | None = None
    human_input: bool | None = None
    markdown: bool | None = None


_Kind = TypeVar("_Kind", bound=_Entry)

# By pydantic's names of errors.
_WORDS: Final = {
    "missing": "missing",
    "extra_forbidden": "unknown key",
    "string_too_short": "must not be blank",
    "string_type": "must be text, not {described}",
    "bool_type": "must be true or false, not {described}",
    "int_type": "must be a whole number, not {described}",
    "tuple_type": "must be a list of names, not {described}",
    "greater_than_equal": "must be at least 1, not {node.value}",
}


def check(
    file: YamlFile,
    place: Place,
    keys: Mapping[str, Any],
    kind: type[_Kind],
    known: Mapping[str, Collection[str]],
) -> _Kind | None:
    """The agent or task at `place`; None after noting in `file` all that is wrong with it.

    `known` has the names that there are, by "agent", "task" and "tool".
    """
    try:
        return kind.model_validate(keys, context={**known, "own": place[-1]})
    except ValidationError as error:
        for one in error.errors(include_url=False)[: file.room]:
            at = (*place, *one["loc"])
            node = file.node(at, name=one["type"] in ("missing", "extra_forbidden"))
            file.add(node, at, *_told(one, node, kind))
        return None


def _told(error: ErrorDetails, node: Node, kind: type[_Entry]) -> tuple[str, str]:
    """What is wrong, and a hint or ""."""
    wrong, last = error["type"], error["loc"][-1]
    if wrong == "value_error":
        message, hint = error["ctx"]["error"].args
        return message, hint
    if wrong == "string_type" and isinstance(last, int):
        return f"must be a name, not {described(node)}", ""
    hint = ""
    if wrong == "extra_forbidden":
        names = {*kind.model_fields} | ({"context_from"} if kind is TaskConfig else set())
        if last in names:
            return "context and context_from mean the same; keep one", ""
        hint = suggest(str(last), names)
    elif wrong == "string_type" and isinstance(node, ScalarNode) and node.value:
        hint = f"put it in quotes: '{node.value}'"
    if wrong not in _WORDS:
        return error["msg"], ""
    return _WORDS[wrong].format(described=described(node), node=node), hint
