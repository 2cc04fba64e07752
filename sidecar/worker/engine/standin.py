"""The offline model in the place of one that can't work, so that a crew without a key runs."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sidecar.worker.engine.models import OFFLINE, ModelChoice, create, named
from sidecar.worker.environment import is_placeholder

if TYPE_CHECKING:
    from crewai import BaseLLM

__all__ = ["hopeless", "stand_in"]


def stand_in(choice: ModelChoice) -> Callable[[Any], BaseLLM | None]:
    """Who answers instead of a model: the offline one, or None where the model can answer."""
    offline = functools.cache(lambda: create(named(OFFLINE)))
    return lambda llm: offline() if hopeless(llm, choice) else None


def hopeless(llm: Any, choice: ModelChoice) -> bool:
    """Whether the offline model must stand in for `llm`: for every one when `CREW_MODEL=offline`
    says so, and for CrewAI's default, an OpenAI model, where there is no key for it."""
    if not choice.offline or getattr(llm, "llm_type", "") == OFFLINE:
        return False
    if os.environ.get("CREW_MODEL", "").strip().lower() == OFFLINE:
        return True
    keyless = is_placeholder(getattr(llm, "api_key", None) or "") and not getattr(
        llm, "base_url", None
    )
    return type(llm).__module__.startswith("crewai.llms.providers.openai.") and keyless
