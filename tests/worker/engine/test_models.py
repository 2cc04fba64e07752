"""Which model the environment asks for."""

from __future__ import annotations

import pytest

from sidecar.worker.engine.models import ModelChoice, choose
from sidecar.worker.environment import is_placeholder, secret_values

OFFLINE = ModelChoice("offline", "offline")
KEY = "sk-abcdef0123456789"


@pytest.mark.parametrize(
    ("environment", "choice"),
    [
        ({}, OFFLINE),
        ({"OPENAI_API_KEY": ""}, OFFLINE),
        ({"OPENAI_API_KEY": "  "}, OFFLINE),
        ({"OPENAI_API_KEY": "sk-..."}, OFFLINE),
        ({"OPENAI_API_KEY": "your-key-here", "OPENROUTER_API_KEY": "changeme"}, OFFLINE),
        (
            {"OPENAI_API_KEY": KEY},
            ModelChoice("gpt-4o-mini", "openai/gpt-4o-mini", "openai", KEY),
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_MODEL": "openai/gpt-5"},
            ModelChoice("gpt-5", "openai/gpt-5", "openai", KEY),
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://x/v1", "OPENAI_MODEL": "vendor/m"},
            ModelChoice("vendor/m", "openai/vendor/m", "openai", KEY, "http://x/v1"),
        ),
        (
            {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY},
            ModelChoice("openai/gpt-4o-mini", "openrouter/openai/gpt-4o-mini", "openrouter", KEY),
        ),
        (
            {"OPENROUTER_API_KEY": KEY, "OPENROUTER_MODEL": "openrouter/meta/llama:free"},
            ModelChoice("meta/llama:free", "openrouter/meta/llama:free", "openrouter", KEY),
        ),
        ({"CREW_MODEL": "offline", "OPENAI_API_KEY": KEY}, OFFLINE),
        ({"CREW_MODEL": "Offline"}, OFFLINE),
        (
            {"CREW_MODEL": "ollama/llama3", "OPENAI_API_KEY": KEY},
            ModelChoice("ollama/llama3", "ollama/llama3"),
        ),
    ],
)
def test_the_model_follows_the_environment(
    environment: dict[str, str], choice: ModelChoice
) -> None:
    assert choose(environment) == choice


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
