"""What providers answer when they don't: bodies as their documentation and their servers have them.

What runs then fail with is in tests/vectors/errors.json, which TypeScript reads, so that no text
that a page explains is made up. `RECORD=1 LONG=1` writes it anew where tests call `held`.

Each is of a provider's wire (tests/worker/provided.py). A client's own tries are told not to be
made, by the header that OpenAI's and Anthropic's obey; CrewAI's own are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support.openai_server import Script

__all__ = ["REFUSALS", "Refusal", "held"]

_VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors" / "errors.json"
_ONCE: Final = (("x-should-retry", "false"),)


class Refusal(NamedTuple):
    wire: str
    status: int
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = _ONCE

    @property
    def script(self) -> Script:
        return Script(status=self.status, body=self.body, headers=self.headers)


def _openai(status: int, code: str | None, message: str, type: str | None = None) -> Refusal:
    error = {"message": message, "type": type or "invalid_request_error", "param": None}
    return Refusal("openai", status, {"error": {**error, "code": code}})


def _anthropic(status: int, type: str, message: str) -> Refusal:
    body = {"type": "error", "error": {"type": type, "message": message}}
    return Refusal("anthropic", status, body)


def _gemini(code: int, status: str, message: str) -> Refusal:
    body = {"error": {"code": code, "message": message, "status": status}}
    return Refusal("gemini", code, body)


def _bedrock(status: int, type: str, message: str) -> Refusal:
    return Refusal("bedrock", status, {"message": message}, (("x-amzn-errortype", type),))


def held(name: str, error: Mapping[str, Any], folder: Path) -> None:
    """That is what the vectors have of that name, ports and the test's folder apart."""
    text = json.dumps(error).replace(str(folder), "/crew")
    told = json.loads(re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:8000", text))
    known = json.loads(_VECTORS.read_text())
    if os.environ.get("RECORD"):
        known[name] = told
        _VECTORS.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    assert known.get(name) == told


REFUSALS: Final[Mapping[str, Refusal]] = {
    # https://platform.openai.com/docs/guides/error-codes
    "OpenAI: wrong key": _openai(
        401,
        "invalid_api_key",
        "Incorrect API key provided: sk-test-*****6789. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
    ),
    "OpenAI: nothing left to spend": _openai(
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, read the docs: "
        "https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "insufficient_quota",
    ),
    "OpenAI: too many requests": _openai(
        429,
        "rate_limit_exceeded",
        "Rate limit reached for any-model in organization org-0123 on tokens per min (TPM): Limit "
        "30000, Used 29000, Requested 2000. Please try again in 2s.",
        "tokens",
    ),
    "OpenAI: no such model": _openai(
        404,
        "model_not_found",
        "The model `any-model` does not exist or you do not have access to it.",
    ),
    "OpenAI: too long": _openai(
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9000 tokens. Please reduce the length of the messages.",
    ),
    "OpenAI: its server fails": _openai(
        500, None, "The server had an error while processing your request.", "server_error"
    ),
    # https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    "Azure by OpenAI's client: filtered": _openai(
        400,
        "content_filter",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy. Please modify your prompt and retry.",
    ),
    # https://openrouter.ai/docs/api-reference/errors
    "OpenRouter: no credits": Refusal(
        "openai",
        402,
        {"error": {"message": "Insufficient credits. Add more to continue.", "code": 402}},
    ),
    # Ollama 0.5's own words, on its OpenAI-compatible path.
    "Ollama: no such model": Refusal(
        "ollama",
        404,
        {
            "error": {
                "message": 'model "llama3" not found, try pulling it first',
                "type": "api_error",
                "param": None,
                "code": None,
            }
        },
    ),
    # https://docs.anthropic.com/en/api/errors
    "Anthropic: wrong key": _anthropic(401, "authentication_error", "invalid x-api-key"),
    "Anthropic: nothing left to spend": _anthropic(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits.",
    ),
    "Anthropic: no such model": _anthropic(404, "not_found_error", "model: claude-sonnet-4"),
    "Anthropic: too long": _anthropic(
        400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"
    ),
    "Anthropic: overloaded": _anthropic(529, "overloaded_error", "Overloaded"),
    # https://ai.google.dev/gemini-api/docs/troubleshooting
    "Gemini: wrong key": _gemini(
        400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."
    ),
    "Gemini: no such model": _gemini(
        404,
        "NOT_FOUND",
        "models/gemini-2.5-flash is not found for API version v1beta, or is not supported for "
        "generateContent. Call ListModels to see the list of available models and their supported "
        "methods.",
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
    "Bedrock: wrong key": _bedrock(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "Bedrock: no access": _bedrock(
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    "Azure: wrong key": Refusal(
        "azure",
        401,
        {
            "error": {
                "code": "401",
                "message": "Access denied due to invalid subscription key or wrong API endpoint. "
                "Make sure to provide a valid key for an active subscription and use a correct "
                "regional API endpoint for your resource.",
            }
        },
    ),
}
