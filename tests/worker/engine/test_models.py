"""Which model the environment asks for."""

from __future__ import annotations

import pytest

from sidecar.worker.engine.models import ModelChoice, choose, for_agent
from sidecar.worker.environment import is_placeholder, secret_values

OFFLINE = ModelChoice("offline", "offline")
KEY = "sk-abcdef0123456789"
PROJECT_KEY = "sk-proj-abcdef0123456789"
ROUTER_KEY = "sk-or-v1-abcdef0123456789"
LOCAL = "http://127.0.0.1:9/v1"
OWN = "OPENAI_API_KEY"
ROUTER = "https://openrouter.ai/api/v1"
OPENAI = "https://api.openai.com/v1"


def of_openai(
    model: str, key: str = KEY, url: str | None = None, source: str = "OPENAI_API_KEY"
) -> ModelChoice:
    return ModelChoice(model, f"openai/{model}", "openai", key, url, source)


def of_openrouter(
    model: str,
    key: str = ROUTER_KEY,
    url: str | None = None,
    source: str = "OPENROUTER_API_KEY",
) -> ModelChoice:
    return ModelChoice(model, f"openrouter/{model}", "openrouter", key, url, source)


@pytest.mark.parametrize(
    ("environment", "choice"),
    [
        ({}, OFFLINE),
        ({"OPENAI_API_KEY": ""}, OFFLINE),
        ({"OPENAI_API_KEY": "  "}, OFFLINE),
        ({"OPENAI_API_KEY": "sk-..."}, OFFLINE),
        ({"OPENAI_API_KEY": "your-key-here", "OPENROUTER_API_KEY": "changeme"}, OFFLINE),
        ({"OPENAI_API_KEY": KEY}, of_openai("gpt-4o-mini")),
        ({"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "openai/gpt-5"}, of_openai("gpt-5")),
        ({"OPENAI_API_KEY": KEY, "OPENAI_MODEL_NAME": "gpt-5"}, of_openai("gpt-5")),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_MODEL_NAME": "gpt-5", "OPENAI_MODEL": "gpt-6"},
            of_openai("gpt-6"),
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": LOCAL, "OPENAI_MODEL": "vendor/m"},
            of_openai("vendor/m", url=LOCAL),
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_API_BASE": "localhost:9/v1", "OPENAI_MODEL": "mine"},
            of_openai("mine", url="localhost:9/v1"),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_API_KEY": KEY},
            of_openrouter("openai/gpt-4o-mini"),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENROUTER_MODEL": "openrouter/meta/llama:free"},
            of_openrouter("meta/llama:free"),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENROUTER_MODEL": "openrouter/auto"},
            ModelChoice(
                *("openrouter/auto", "openrouter/auto", "openrouter", ROUTER_KEY, None),
                "OPENROUTER_API_KEY",
            ),
        ),
        # As its own documentation says, with OpenAI's names.
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_BASE_URL": ROUTER, "OPENAI_MODEL": "a/b"},
            of_openrouter("a/b", url=ROUTER),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_API_BASE": LOCAL, "OPENAI_MODEL": "mine"},
            of_openrouter("mine", url=LOCAL),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_MODEL_NAME": "gpt-5"},
            of_openrouter("openai/gpt-5"),
        ),
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENROUTER_MODEL": "a/b", "OPENAI_MODEL": "c/d"},
            of_openrouter("a/b"),
        ),
        # Those names are the OpenAI key's where there is one.
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_API_KEY": KEY}
            | {"OPENAI_MODEL": "gpt-5", "OPENAI_BASE_URL": LOCAL},
            of_openrouter("openai/gpt-4o-mini"),
        ),
        # A key is whose its prefix says, wherever it stands.
        (
            {"OPENAI_API_KEY": ROUTER_KEY, "OPENAI_MODEL": "gpt-5"},
            of_openrouter("openai/gpt-5", source="OPENAI_API_KEY"),
        ),
        (
            {"OPENAI_API_KEY": ROUTER_KEY, "OPENAI_BASE_URL": OPENAI},
            of_openrouter("openai/gpt-4o-mini", source="OPENAI_API_KEY"),
        ),
        (
            {"OPENROUTER_API_KEY": PROJECT_KEY, "OPENAI_MODEL": "gpt-5"},
            of_openai("gpt-5", PROJECT_KEY, source="OPENROUTER_API_KEY"),
        ),
        (
            {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": LOCAL},
            of_openai("gpt-4o-mini", url=LOCAL),
        ),
        (
            {"OPENROUTER_API_KEY": PROJECT_KEY, "OPENROUTER_BASE_URL": LOCAL},
            of_openai("gpt-4o-mini", PROJECT_KEY, source="OPENROUTER_API_KEY"),
        ),
        (
            {"OPENAI_API_KEY": PROJECT_KEY, "OPENAI_BASE_URL": "https://eu.openrouter.ai/api/v1"},
            of_openai("gpt-4o-mini", PROJECT_KEY, OPENAI),
        ),
        (
            {"OPENAI_API_KEY": ROUTER_KEY, "OPENROUTER_API_KEY": PROJECT_KEY},
            of_openrouter("openai/gpt-4o-mini", source="OPENAI_API_KEY"),
        ),
        (
            {"OPENROUTER_API_KEY": "a-proxys-own", "OPENROUTER_BASE_URL": LOCAL},
            of_openrouter("openai/gpt-4o-mini", "a-proxys-own", LOCAL),
        ),
        ({"CREW_MODEL": "offline", "OPENAI_API_KEY": KEY}, OFFLINE),
        ({"CREW_MODEL": "Offline"}, OFFLINE),
        (
            {"CREW_MODEL": "ollama/llama3", "OPENAI_API_KEY": KEY},
            ModelChoice("ollama/llama3", "ollama/llama3"),
        ),
        ({"CREW_MODEL": "openai/gpt-5", "OPENAI_API_KEY": KEY}, of_openai("gpt-5")),
        (
            {"CREW_MODEL": "openai/gpt-5", "OPENROUTER_API_KEY": ROUTER_KEY},
            of_openrouter("openai/gpt-5"),
        ),
        (
            {"CREW_MODEL": "openrouter/a/b", "OPENAI_API_KEY": ROUTER_KEY},
            of_openrouter("a/b", source="OPENAI_API_KEY"),
        ),
        (
            {"CREW_MODEL": "anthropic/claude-x", "ANTHROPIC_API_KEY": "sk-ant-0123456789"},
            ModelChoice("anthropic/claude-x", "anthropic/claude-x", source="ANTHROPIC_API_KEY"),
        ),
    ],
)
def test_the_model_follows_the_environment(
    environment: dict[str, str], choice: ModelChoice
) -> None:
    assert choose(environment) == choice


@pytest.mark.parametrize(
    ("llm", "environment", "choice"),
    [
        (None, {"OPENAI_API_KEY": KEY}, of_openai("gpt-4o-mini")),
        ("openai", {"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "gpt-5"}, of_openai("gpt-5")),
        ("openai", {"OPENROUTER_API_KEY": ROUTER_KEY}, of_openrouter("openai/gpt-4o-mini")),
        (
            "openai",
            {"OPENAI_API_KEY": KEY, "OPENROUTER_API_KEY": ROUTER_KEY},
            of_openai("gpt-4o-mini"),
        ),
        ("openrouter", {"OPENAI_API_KEY": KEY}, of_openai("gpt-4o-mini")),
        (
            "openrouter",
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENROUTER_MODEL": "a/b"},
            of_openrouter("a/b"),
        ),
        (
            "claude",
            {"ANTHROPIC_API_KEY": "sk-ant-0123456789", "ANTHROPIC_MODEL": "anthropic/c"},
            ModelChoice("c", "anthropic/c", "anthropic", source="ANTHROPIC_API_KEY"),
        ),
        ("anthropic", {"OPENAI_API_KEY": KEY}, of_openai("gpt-4o-mini")),
        (
            "ollama",
            {"OLLAMA_MODEL": "llama3"},
            ModelChoice("llama3", "ollama/llama3", "ollama"),
        ),
        ("ollama", {"OPENAI_API_KEY": KEY}, of_openai("gpt-4o-mini")),
        ("openai", {"OPENAI_API_KEY": KEY, "CREW_MODEL": "openai/x"}, of_openai("x")),
        ("gpt-5", {"OPENAI_API_KEY": KEY}, of_openai("gpt-5")),
        ("gpt-5", {"OPENAI_API_KEY": ROUTER_KEY}, of_openrouter("openai/gpt-5", source=OWN)),
        # Without any key the offline model stands in, but for what has one or needs none.
        ("openai", {}, OFFLINE),
        ("openai/gpt-5", {}, OFFLINE),
        ("anthropic/c", {}, OFFLINE),
        ("ollama/llama3", {}, ModelChoice("ollama/llama3", "ollama/llama3")),
        (
            "gemini/g",
            {"GEMINI_API_KEY": "0123456789"},
            ModelChoice("gemini/g", "gemini/g", source="GEMINI_API_KEY"),
        ),
        ("gemini/g", {"GEMINI_API_KEY": "0123456789", "CREW_MODEL": "offline"}, OFFLINE),
    ],
)
def test_an_agents_own_llm_is_read_beside_the_environment(
    llm: str | None, environment: dict[str, str], choice: ModelChoice
) -> None:
    assert for_agent(llm, choose(environment), environment) == choice


def test_a_choice_does_not_print_its_key() -> None:
    assert KEY not in repr(choose({"OPENAI_API_KEY": KEY}))


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "sk-...", "sk-xxx", "sk-proj-xxxx", "xxx", "...", "***", "'sk-...'", "<key>"),
        *("your-key-here", "YOUR_API_KEY", "sk-your-key", "changeme", "insert key here"),
        "${OPENAI_API_KEY}",
    ],
)
def test_placeholders_are_known(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value", [KEY, "sk-or-v1-9f8e7d6c", "ollama", "http://localhost:1/v1", "gpt-4o", "llama3"]
)
def test_real_settings_are_not_taken_for_placeholders(value: str) -> None:
    assert not is_placeholder(value)


def test_secrets_are_the_values_of_telling_names_the_longest_first() -> None:
    environment = {
        "OPENAI_API_KEY": "0123456789",
        "db_password": "0123456789-and-more",
        "MY_TOKEN": "short",
        "GITHUB_TOKEN": "xxxxxxxxxx",
        "GOOGLE_CREDENTIALS": "0123456789",
        "HOME": "/home/somebody",
    }
    assert secret_values(environment) == ("0123456789-and-more", "0123456789")
