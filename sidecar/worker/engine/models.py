"""Which model a crew talks to, decided from the environment alone.

`choose` is pure; `create` makes CrewAI's LLM for the choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sidecar.worker.environment import setting

if TYPE_CHECKING:
    from crewai import BaseLLM

__all__ = ["OFFLINE", "ModelChoice", "choose", "create", "named"]

OFFLINE: Final = "offline"
_DEFAULT_OPENAI: Final = "gpt-4o-mini"
_DEFAULT_OPENROUTER: Final = "openai/gpt-4o-mini"


@dataclass(frozen=True)
class ModelChoice:
    """One model.

    `provider` None lets CrewAI read it from the model's name. `label` is what `run.started` says.
    """

    model: str
    label: str
    provider: str | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None

    @property
    def offline(self) -> bool:
        return self.model == OFFLINE


def choose(environ: Mapping[str, str]) -> ModelChoice:
    """The model for this environment; blanks and placeholders count as unset.

    1. `CREW_MODEL`: any name CrewAI knows (`openai/gpt-4o`, `openrouter/meta-llama/…`,
       `ollama/llama3`), or `offline`. Keys and addresses are then the provider's own variables.
    2. `OPENROUTER_API_KEY`, with `OPENROUTER_MODEL` and `OPENROUTER_BASE_URL` if set.
    3. `OPENAI_API_KEY`, with `OPENAI_MODEL` and `OPENAI_BASE_URL` if set: any server that speaks
       OpenAI's API, with the model named as that server names it.
    4. The offline model.
    """
    model = setting(environ, "CREW_MODEL")
    if model:
        return named(model)
    key = setting(environ, "OPENROUTER_API_KEY")
    if key:
        model = setting(environ, "OPENROUTER_MODEL") or _DEFAULT_OPENROUTER
        model = model.removeprefix("openrouter/")
        url = setting(environ, "OPENROUTER_BASE_URL")
        return ModelChoice(model, f"openrouter/{model}", "openrouter", key, url)
    key = setting(environ, "OPENAI_API_KEY")
    if key:
        model = setting(environ, "OPENAI_MODEL") or _DEFAULT_OPENAI
        url = setting(environ, "OPENAI_BASE_URL")
        if url is None:
            model = model.removeprefix("openai/")
        label = model if model.startswith("openai/") else f"openai/{model}"
        return ModelChoice(model, label, "openai", key, url)
    return named(OFFLINE)


def named(model: str) -> ModelChoice:
    """The choice for a model written out by name, as in `CREW_MODEL` or an agent's `llm:`."""
    if model.lower() == OFFLINE:
        return ModelChoice(OFFLINE, OFFLINE)
    return ModelChoice(model, model)


def create(choice: ModelChoice) -> BaseLLM:
    """A new LLM for `choice`.

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
        return LLM(choice.model, **options)
    except Exception as error:
        raise ValueError(f"the model {choice.label!r} can't be used: {error}") from error
