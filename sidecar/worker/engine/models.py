"""Which model a crew talks to, decided from the environment and an agent's own `llm`.

Pure, except for `create`, which makes CrewAI's LLM for the choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sidecar.worker.environment import setting

if TYPE_CHECKING:
    from crewai import BaseLLM

    from sidecar.worker.config import CrewConfig

__all__ = ["OFFLINE", "ModelChoice", "Models", "choose", "create", "for_agent", "for_crew", "named"]

OFFLINE: Final = "offline"
_DEFAULT_OPENAI: Final = "gpt-4o-mini"
_DEFAULT_OPENROUTER: Final = "openai/gpt-4o-mini"
_OPENAI_URL: Final = "https://api.openai.com/v1"
_OPENAI_URLS: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
_OPENAI_MODELS: Final = ("OPENAI_MODEL", "OPENAI_MODEL_NAME")
_KEYS: Final = ("OPENROUTER_API_KEY", "OPENAI_API_KEY")
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#]*@)?([^/:?#]*)", re.IGNORECASE)
_OPENAI_NAME: Final = re.compile(r"gpt-|chatgpt-|o\d")
"""How OpenAI's models are called; CrewAI's `LLM._matches_provider_pattern` has the same."""


@dataclass(frozen=True)
class _Provider:
    """Of those that CrewAI knows natively (`PROVIDER_ALIASES` in crewai/llm.py)."""

    keys: tuple[str, ...] = ()
    """Variables that let it in, one of them; none where it needs none."""
    model: str | None = None
    """Its model where a variable names none, as ANTHROPIC_MODEL or ANTHROPIC_MODEL_NAME does."""


_AWS: Final = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN"),
    *("AWS_BEARER_TOKEN_BEDROCK", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
)
_PROVIDERS: Final[Mapping[str, _Provider]] = {
    "anthropic": _Provider(("ANTHROPIC_API_KEY",), "claude-sonnet-4-6"),
    "azure": _Provider(("AZURE_API_KEY", "AZURE_CLIENT_ID")),
    "bedrock": _Provider(_AWS),
    "cerebras": _Provider(("CEREBRAS_API_KEY",)),
    "dashscope": _Provider(("DASHSCOPE_API_KEY",), "qwen-plus"),
    "deepinfra": _Provider(("DEEPINFRA_API_KEY",)),
    "deepseek": _Provider(("DEEPSEEK_API_KEY",), "deepseek-chat"),
    "gemini": _Provider(("GOOGLE_API_KEY", "GEMINI_API_KEY"), "gemini-2.5-flash"),
    "hosted_vllm": _Provider(),
    "ollama": _Provider(),
    "snowflake": _Provider(("SNOWFLAKE_PAT", "SNOWFLAKE_TOKEN", "SNOWFLAKE_JWT")),
}
_ALIASES: Final = {
    "claude": "anthropic",
    "aws": "bedrock",
    "azure_openai": "azure",
    "google": "gemini",
    "ollama_chat": "ollama",
}


@dataclass(frozen=True)
class ModelChoice:
    """One model.

    `provider` None lets CrewAI read it from the model's name. `label` is what `run.started` says,
    `source` the variable that its key stands in.
    """

    model: str
    label: str
    provider: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    source: str | None = None

    @property
    def offline(self) -> bool:
        return self.model == OFFLINE


def choose(environ: Mapping[str, str]) -> ModelChoice:
    """The model for this environment; blanks and placeholders count as unset.

    1. `CREW_MODEL`: any name CrewAI knows (`openai/gpt-4o`, `openrouter/meta-llama/…`,
       `ollama/llama3`), a bare provider, or `offline`.
    2. A key of OpenRouter, with `OPENROUTER_MODEL` and `OPENROUTER_BASE_URL`; where no key of
       OpenAI's lays claim to them, with those of OpenAI's names instead.
    3. A key of OpenAI or of any server that speaks its API, with `OPENAI_MODEL` (or
       `OPENAI_MODEL_NAME`) as that server names it, and `OPENAI_BASE_URL` (or `OPENAI_API_BASE`).
    4. The offline model.

    Whose a key is says its prefix, then its variable: `sk-or-` is OpenRouter's in either, and any
    other `sk-` is never sent there.
    """
    model = setting(environ, "CREW_MODEL")
    if model:
        return named(model, environ)
    return _of_openrouter(environ) or _of_openai(environ) or named(OFFLINE)


def named(model: str, environ: Mapping[str, str] | None = None) -> ModelChoice:
    """The choice for a model written out by name, as in `CREW_MODEL` or an agent's `llm:`.

    An OpenAI model is OpenRouter's of that name where there is a key for OpenRouter alone.
    """
    environ = environ or {}
    if model.lower() == OFFLINE:
        return ModelChoice(OFFLINE, OFFLINE)
    if (bare := _of_provider(model, environ)) is not None:
        return bare
    prefix, _, name = model.partition("/")
    found: ModelChoice | None = None
    if prefix == "openrouter" and name:
        found = _of_openrouter(environ, name if "/" in name else model)
    elif (prefix == "openai" and name) or _OPENAI_NAME.match(model):
        name = name if prefix == "openai" else model
        found = _of_openai(environ, name) or _of_openrouter(environ, f"openai/{name}")
    return found or ModelChoice(model, model, source=_key_of(prefix, environ))


def for_agent(llm: str | None, choice: ModelChoice, environ: Mapping[str, str]) -> ModelChoice:
    """The model for an agent whose `llm:` this is, in a crew whose model is `choice`.

    A bare provider (`openai`, `anthropic`) is the environment's model of it, or `choice` where the
    environment has none. So is a model without a key for it, where there is no key at all.
    """
    said = setting(environ, "CREW_MODEL")
    if llm is None or (said and said.lower() == OFFLINE):
        return choice
    if _is_provider(llm):
        return (None if said else _of_provider(llm, environ)) or choice
    made = named(llm, environ)
    known = _PROVIDERS.get(_ALIASES.get(prefix := llm.partition("/")[0], prefix))
    may_work = made.source or (known and not known.keys) or not choice.offline
    return made if may_work else choice


def for_crew(crew: CrewConfig, choice: ModelChoice, environ: Mapping[str, str]) -> ModelChoice:
    """The model of the first of a crew's agents: what a run says it has."""
    first = next((agent.llm for agent in crew.agents.values()), None)
    return for_agent(first["model"] if first else None, choice, environ)


class Models:
    """The LLMs of one crew, whose own model is `choice`.

    One for all agents that use it: a hosted model's client takes 40 ms to make, most of it for
    certificates, and its connections are worth keeping. CrewAI's own count of tokens is wrong then,
    once for each agent; ours comes from the events.
    """

    def __init__(self, choice: ModelChoice, environ: Mapping[str, str]) -> None:
        self._choice = choice
        self._environ = environ
        self._made: list[tuple[ModelChoice, dict[str, Any], BaseLLM]] = []

    def of(self, llm: Mapping[str, Any] | None) -> BaseLLM:
        """For an agent's `llm`: `model`, and further arguments of CrewAI's LLM. Raises ValueError
        as `create` does."""
        settings = {name: value for name, value in (llm or {}).items() if name != "model"}
        choice = for_agent(llm["model"] if llm else None, self._choice, self._environ)
        for made_for, made_with, made in self._made:
            if (made_for, made_with) == (choice, settings):
                return made
        new = create(choice, settings)
        self._made.append((choice, settings, new))
        return new


def create(choice: ModelChoice, settings: Mapping[str, Any] | None = None) -> BaseLLM:
    """A new LLM for `choice`, with those arguments of CrewAI's LLM over its own.

    Raises ValueError with the reason when CrewAI can't make it (unknown provider, missing key).
    """
    if choice.offline:
        from sidecar.worker.engine.offline import OfflineLLM

        return OfflineLLM(model=OFFLINE, provider=OFFLINE, stream=True)
    from crewai import LLM

    options: dict[str, Any] = {
        name: value
        for name, value in (
            ("provider", choice.provider),
            ("api_key", choice.api_key),
            ("base_url", choice.base_url),
        )
        if value is not None
    }
    try:
        return LLM(choice.model, **{**options, **(settings or {})})
    except Exception as error:
        raise ValueError(f"the model {choice.label!r} can't be used: {error}") from error


def _of_openrouter(environ: Mapping[str, str], model: str | None = None) -> ModelChoice | None:
    """`model`, or else the environment's, of OpenRouter; None without a key for it."""
    source = _first(environ, _KEYS, _is_openrouters)
    if source is None:
        return None
    url = setting(environ, "OPENROUTER_BASE_URL")
    named_here = model or setting(environ, "OPENROUTER_MODEL")
    if _first(environ, _KEYS, _is_openais) is None:
        url = url or _url(environ, unless_at="api.openai.com")
        if named_here is None and (name := _any(environ, _OPENAI_MODELS)):
            # OpenRouter has no model without a vendor; another server has names of its own.
            bare = "/" not in name and (url is None or _leads_to(url, "openrouter.ai"))
            named_here = f"openai/{name}" if bare else name
    name = named_here or _DEFAULT_OPENROUTER
    without = name.removeprefix("openrouter/")
    if "/" in without:  # else a model of OpenRouter's own, `openrouter/auto`
        name = without
    label = name if name.startswith("openrouter/") else f"openrouter/{name}"
    return ModelChoice(name, label, "openrouter", setting(environ, source), url, source)


def _of_openai(environ: Mapping[str, str], model: str | None = None) -> ModelChoice | None:
    """`model`, or else the environment's, of OpenAI or a server like it; None without a key."""
    source = _first(environ, _KEYS[::-1], _is_openais)
    if source is None:
        return None
    key = setting(environ, source) or ""
    url = _url(environ, unless_at="openrouter.ai" if key.startswith("sk-") else None)
    name = model or _any(environ, _OPENAI_MODELS) or _DEFAULT_OPENAI
    if url is None:
        name = name.removeprefix("openai/")
        # Said, since CrewAI would take the address that was refused from the environment itself.
        url = _OPENAI_URL if any(environ.get(one, "").strip() for one in _OPENAI_URLS) else None
    label = name if name.startswith("openai/") else f"openai/{name}"
    return ModelChoice(name, label, "openai", key, url, source)


def _of_provider(llm: str, environ: Mapping[str, str]) -> ModelChoice | None:
    """The environment's model of a provider that is written alone; None if it has none."""
    if llm == "openai":
        return _of_openai(environ)
    if llm == "openrouter":
        return _of_openrouter(environ)
    provider = _ALIASES.get(llm, llm)
    known = _PROVIDERS.get(provider)
    source = _key_of(llm, environ)
    if known is None or (known.keys and source is None):
        return None
    variables = tuple(f"{provider.upper()}_{what}" for what in ("MODEL", "MODEL_NAME"))
    name = _any(environ, variables) or known.model
    if name is None:
        return None
    name = name.removeprefix(f"{llm}/").removeprefix(f"{provider}/")
    return ModelChoice(name, f"{provider}/{name}", provider, source=source)


def _is_provider(llm: str) -> bool:
    return llm in ("openai", "openrouter") or _ALIASES.get(llm, llm) in _PROVIDERS


def _key_of(provider: str, environ: Mapping[str, str]) -> str | None:
    """The variable with a key for that provider."""
    known = _PROVIDERS.get(_ALIASES.get(provider, provider), _Provider())
    return next((name for name in known.keys if setting(environ, name)), None)


def _is_openrouters(name: str, key: str) -> bool:
    """Whether OpenRouter may see `key`, which the variable `name` has."""
    return key.startswith("sk-or-") or (name == "OPENROUTER_API_KEY" and not key.startswith("sk-"))


def _is_openais(name: str, key: str) -> bool:
    return not _is_openrouters(name, key)


def _first(
    environ: Mapping[str, str], names: tuple[str, ...], wanted: Callable[[str, str], bool]
) -> str | None:
    """The first of these variables that is set and, with its value, `wanted`."""
    for name in names:
        value = setting(environ, name)
        if value is not None and wanted(name, value):
            return name
    return None


def _any(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := setting(environ, name))), None)


def _url(environ: Mapping[str, str], *, unless_at: str | None) -> str | None:
    """The address under OpenAI's names, unless it leads to that host."""
    url = _any(environ, _OPENAI_URLS)
    return None if url is None or (unless_at and _leads_to(url, unless_at)) else url


def _leads_to(url: str, host: str) -> bool:
    """Whether `url`, with or without a scheme, is at `host` or a subdomain of it."""
    found = _HOST.match(url)
    name = found[1].lower().rstrip(".") if found else ""
    return name == host or name.endswith(f".{host}")
