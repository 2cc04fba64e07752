"""What an agent, a task and a crew may say, as pydantic models: importing this takes 0.1 s. Pure.

All that CrewAI's own `Agent`, `Task` and `Crew` take and YAML can say, under the same names; what
is an object there is `package.module:attribute` here. They are strict: a number is no text, and a
misspelt key is a mistake. What is inside a mapping (`planning_config`) CrewAI's own models check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PureWindowsPath
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

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
from sidecar.worker.config.references import Reference
from sidecar.worker.config.reserved import is_reserved
from sidecar.worker.config.yamlfile import Place, YamlFile, described

__all__ = ["AgentConfig", "TaskConfig", "Team", "check"]


def _known(noun: str, there_are: str) -> AfterValidator:
    """Lets through the names of agents, tasks or tools that there are, except one's own."""

    def check(name: str, info: ValidationInfo) -> str:
        context: Any = info.context
        if noun == "task" and name == context["own"]:
            raise ValueError("a task can't wait for itself", "")
        if name not in context[noun] and not (noun == "tool" and Reference.read(name)):
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


def _reference(value: Any) -> Reference:
    found = Reference.read(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be package.module:attribute of your own Python", "")
    return found


def _text_or_reference(value: Any) -> str | Reference:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text that says what to check, or package.module:function", "")
    return Reference.read(value) or value


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,)


def _mappings(value: Any) -> Any:
    if not all(isinstance(one, dict) for one in _listed(value)):
        raise ValueError("must be a mapping, or a list of them", "")
    return value


def _servers(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(one, (str, dict)) for one in value):
        raise ValueError("must be a list of addresses, names or mappings", "")
    return value


def _llm(value: Any) -> Any:
    """A model's name, or CrewAI's mapping with `model` and further settings of its `LLM`."""
    settings = {"model": value} if isinstance(value, str) else value
    model = settings.get("model") if isinstance(settings, dict) else None
    if not isinstance(model, str) or not model.strip():
        raise ValueError("must be a model, a provider, or a mapping with model:", "")
    secrets = [name for name in settings if name.endswith(("key", "secret", "_token"))]
    if secrets:
        raise ValueError(f"{secrets[0]} is a secret", "put it into .env, as the provider names it")
    return {**settings, "model": model.strip()}


def _own_name(name: str, info: ValidationInfo) -> str:
    own = (info.context or {})["own"]
    if name != own:
        raise ValueError(f"must be {own!r}, as the task is called", "leave it out, or rename one")
    return name


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Count = Annotated[int, Field(ge=1)]
_Agent = Annotated[_Text, _known("agent", "agents.yaml has")]
_Task = Annotated[str, _known("task", "tasks.yaml has")]
_Tool = Annotated[str, _known("tool", "write package.module:attribute, or of crew/tools.py one of")]
_Tools = Annotated[tuple[_Tool, ...], BeforeValidator(_several)]
_Retries = Annotated[int, Field(ge=0)]
_Reference = Annotated[Reference, BeforeValidator(_reference)]
_References = Annotated[tuple[_Reference, ...], BeforeValidator(_listed)]
_Guardrail = Annotated[Any, AfterValidator(_text_or_reference)]
_Guardrails = Annotated[tuple[_Guardrail, ...], BeforeValidator(_listed)]
_LLM = Annotated[Any, AfterValidator(_llm)]
_A2A = Annotated[Any, AfterValidator(_mappings)]
_Servers = Annotated[Any, AfterValidator(_servers)]
_Names = Annotated[tuple[_Text, ...], BeforeValidator(_several)]
_Settings = dict[str, Any]
_Policy = Literal["ignore", "warn", "raise"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    _OWN: ClassVar[frozenset[str]]
    """The fields that are no `options`."""

    @property
    def options(self) -> dict[str, Any]:
        """Further arguments of CrewAI's own class, named as there; References as they are."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: v for name, v in said.items() if v is not None and name not in self._OWN}


class AgentConfig(_Entry):
    """One agent; tests hold the options against the fields of `crewai.Agent`."""

    _OWN = frozenset({"role", "goal", "backstory", "tools", "llm", "function_calling_llm"})
    _name: str = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._name = context["own"]

    @property
    def name(self) -> str:
        return self._name

    role: _Text
    goal: _Text
    backstory: _Text
    tools: _Tools = ()
    llm: _LLM | None = None
    function_calling_llm: _LLM | None = None

    a2a: _A2A | None = None
    allow_code_execution: bool | None = None
    allow_delegation: bool | None = None
    apps: _Names | None = None
    cache: bool | None = None
    callbacks: _References | None = None
    code_execution_mode: Literal["safe", "unsafe"] | None = None
    date_format: str | None = None
    embedder: _Settings | None = None
    guardrail: _Guardrail | None = None
    guardrail_max_retries: _Retries | None = None
    inject_date: bool | None = None
    knowledge: _Reference | None = None
    knowledge_config: _Settings | None = None
    knowledge_sources: _References | None = None
    max_execution_time: _Count | None = None
    max_iter: _Count | None = None
    max_reasoning_attempts: _Count | None = None
    max_retry_limit: _Retries | None = None
    max_rpm: _Count | None = None
    max_tokens: _Count | None = None
    mcps: _Servers | None = None
    memory: bool | None = None
    multimodal: bool | None = None
    planning: bool | None = None
    planning_config: _Settings | None = None
    prompt_template: str | None = None
    reasoning: bool | None = None
    respect_context_window: bool | None = None
    response_template: str | None = None
    security_config: _Settings | None = None
    skills: _Names | None = None
    step_callback: _Reference | None = None
    system_template: str | None = None
    tool_failure_policy: _Policy | None = None
    use_better_compaction: bool | None = None
    use_system_prompt: bool | None = None
    verbose: bool | None = None


class TaskConfig(_Entry):
    """One task; tests hold the options against the fields of `crewai.Task`."""

    _OWN = frozenset(
        {"name", "description", "expected_output", "agent", "context", "tools"}
        | {"output_file", "create_directory", "callback"}
    )

    name: Annotated[str, AfterValidator(_own_name)]
    """What it is called in the file; it may say so again."""
    description: _Text
    expected_output: _Text
    agent: _Agent | None
    """None in a hierarchical crew: its manager decides."""
    context: Annotated[tuple[_Task, ...] | None, BeforeValidator(_several)] = Field(
        None, validation_alias=AliasChoices("context_from", "context")
    )
    """None means CrewAI's default: the results of all tasks before."""
    tools: _Tools = ()
    output_file: Annotated[str, AfterValidator(_inside)] | None = None
    """Relative to the run's own directory."""
    create_directory: bool | None = None
    """Without effect: a run's own directory has no folders but those that are made there."""
    callback: _Reference | None = None

    allow_crewai_trigger_context: bool | None = None
    async_execution: bool | None = None
    converter_cls: _Reference | None = None
    guardrail: _Guardrail | None = None
    guardrail_max_retries: _Retries | None = None
    guardrails: _Guardrails | None = None
    human_input: bool | None = None
    input_files: dict[str, str] | None = None
    markdown: bool | None = None
    max_retries: _Retries | None = None
    output_json: _Reference | None = None
    output_pydantic: _Reference | None = None
    response_model: _Reference | None = None
    security_config: _Settings | None = None
    tool_failure_policy: _Policy | None = None


class Team(_Entry):
    """The crew as a whole; tests hold the options against the fields of `crewai.Crew`."""

    _OWN = frozenset(
        {"process", "manager_agent"}
        | {"manager_llm", "planning_llm", "function_calling_llm", "chat_llm"}
    )

    process: Literal["sequential", "hierarchical"] = "sequential"
    manager_agent: _Agent | None = None
    manager_llm: _LLM | None = None
    planning_llm: _LLM | None = None
    function_calling_llm: _LLM | None = None
    chat_llm: _LLM | None = None

    after_kickoff_callbacks: _References | None = None
    before_kickoff_callbacks: _References | None = None
    cache: bool | None = None
    embedder: _Settings | None = None
    knowledge: _Reference | None = None
    knowledge_sources: _References | None = None
    max_rpm: _Count | None = None
    memory: bool | None = None
    name: _Text | None = None
    planning: bool | None = None
    prompt_file: _Text | None = None
    security_config: _Settings | None = None
    skills: _Names | None = None
    step_callback: _Reference | None = None
    task_callback: _Reference | None = None
    tool_failure_policy: _Policy | None = None
    trained_agents_file: _Text | None = None
    verbose: bool | None = None

    @property
    def llms(self) -> dict[str, Any]:
        """The models that it names, by option."""
        names = ("manager_llm", "planning_llm", "function_calling_llm", "chat_llm")
        return {name: llm for name in names if (llm := getattr(self, name)) is not None}


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
    "list_type": "must be a list, not {described}",
    "dict_type": "must be a mapping, not {described}",
    "literal_error": "must be {ctx[expected]}, not {described}",
    "greater_than_equal": "must be at least {ctx[ge]}, not {node.value}",
}


def check(
    file: YamlFile,
    place: Place,
    keys: Mapping[str, Any],
    kind: type[_Kind],
    known: Mapping[str, Collection[str]],
) -> _Kind | None:
    """The agent, task or crew at `place`; None after noting in `file` all that is wrong with it.

    `known` has the names that there are, by "agent", "task" and "tool".
    """
    try:
        return kind.model_validate(keys, context={**known, "own": place[-1] if place else ""})
    except ValidationError as error:
        for one in error.errors(include_url=False)[: file.room]:
            at = (*place, *one["loc"])
            node = file.node(at, name=one["type"] in ("missing", "extra_forbidden"))
            file.add(node, at, *_told(one, node, kind, known))
        return None


def _told(
    error: ErrorDetails, node: Node, kind: type[_Entry], known: Mapping[str, Collection[str]]
) -> tuple[str, str]:
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
    elif wrong == "missing" and last == "agent":
        hint = f"write who does it: one of {', '.join(sorted(known['agent'])) or 'no agents'}"
    elif wrong == "string_type" and isinstance(node, ScalarNode) and node.value:
        hint = f"put it in quotes: '{node.value}'"
    if wrong not in _WORDS:
        return error["msg"], ""
    words = _WORDS[wrong].format(described=described(node), node=node, ctx=error.get("ctx"))
    return words, hint
