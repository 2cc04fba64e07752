"""A crew for each provider's own client: one tool, one structured output, a model on loopback.

For `SIDECAR_CREW`; imported only by workers. `WIRE` names the provider, `WIRES` is the address of a
`WireServer`.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from crewai import LLM, Agent, BaseLLM, Crew, Task
from crewai.flow import Flow
from crewai.flow.flow import start
from crewai.tools import tool
from pydantic import BaseModel

WIRES: Final = os.environ.get("WIRES", "")


class Title(BaseModel):
    title: str
    words: int


@tool("shout")
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def _chat(model: str, **options: Any) -> BaseLLM:
    return LLM(model, api_key="sk-test-0123456789", base_url=f"{WIRES}/v1", **options)


def _anthropic(**options: Any) -> BaseLLM:
    return LLM("anthropic/claude-sonnet-4", api_key="k", base_url=WIRES, **options)


def _gemini() -> BaseLLM:
    os.environ["GOOGLE_GEMINI_BASE_URL"] = WIRES
    return LLM("gemini/gemini-2.5-flash", api_key="k")


def _bedrock() -> BaseLLM:
    os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = WIRES
    return LLM(
        "bedrock/anthropic.claude-3-sonnet",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        region_name="us-east-1",
    )


def _azure() -> BaseLLM:
    return LLM("azure/gpt-4o", api_key="k", endpoint=f"{WIRES}/openai/deployments/gpt-4o")


class Own(BaseLLM):
    """Somebody's own: it has never heard of streaming."""

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        body = {"model": "any-model", "messages": messages}
        request = urllib.request.Request(
            f"{WIRES}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)["choices"][0]["message"]["content"]

    def supports_function_calling(self) -> bool:
        return False


LLMS: Final[dict[str, Callable[[], BaseLLM]]] = {
    "openai": partial(_chat, "openai/any-model"),
    "openai_nowhere": lambda: LLM(
        "openai/any-model", api_key="k", base_url="http://127.0.0.1:9/v1"
    ),
    "openai_keyless": lambda: LLM("openai/any-model", base_url=f"{WIRES}/v1"),
    "openai_hurried": partial(_chat, "openai/any-model", timeout=0.5, max_retries=0),
    "openai_responses": partial(_chat, "openai/any-model", api="responses"),
    "openai_compatible": partial(_chat, "deepseek/deepseek-chat"),
    "ollama": lambda: LLM("ollama/llama3", base_url=f"{WIRES}/v1"),
    "anthropic": _anthropic,
    "anthropic_thinking": partial(_anthropic, thinking={"type": "enabled", "budget_tokens": 1024}),
    "gemini": _gemini,
    "bedrock": _bedrock,
    "azure": _azure,
    "own": partial(Own, model="own"),
}


def crew() -> Crew:
    name = os.environ["WIRE"]
    options: dict[str, Any] = {"llm": LLMS[name](), "tools": [] if name == "own" else [shout]}
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", **options)
    first = Task(
        name="first",
        description="On {message}",
        expected_output="A title",
        agent=writer,
        output_pydantic=Title,
    )
    return Crew(agents=[writer], tasks=[first])


def plain() -> Crew:
    """Its model with nothing but text to write."""
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=LLMS[os.environ["WIRE"]]())
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first])


class Direct(Flow[dict[str, Any]]):
    """A flow that asks its model itself."""

    _skip_auto_memory: bool = True

    @start()
    def write(self) -> str:
        return str(LLMS[os.environ["WIRE"]]().call("Write about {message}"))
