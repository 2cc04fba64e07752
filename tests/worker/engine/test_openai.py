"""The real OpenAI client inside a worker, talking to a small server on loopback."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Zygote, clean_environment, spec_for

ROUTER_KEY: Final = "sk-or-v1-0123456789"
PROJECT_KEY: Final = "sk-proj-0123456789"
ROUTER_PATH: Final = "/api/v1/chat/completions"
OPENAI_PATH: Final = "/v1/chat/completions"


def test_a_run_streams_from_an_openai_compatible_server(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    last = openai_worker.run(spec_for(tmp_path))
    assert last["data"] == {"output": "A real client heard this."}
    assert openai_worker.of("run.started")[0]["data"]["model"] == "openai/any-model"
    outputs = [fact["data"]["output"] for fact in openai_worker.of("task.completed")]
    assert outputs == ["A real client heard this."] * 3
    text = "".join(fact["data"]["text"] for fact in openai_worker.of("llm.delta"))
    assert text == "A real client heard this." * 3
    assert {fact["data"]["finish_reason"] for fact in openai_worker.of("llm.completed")} == {"stop"}
    # CrewAI warns at each call that it estimates the prompt's size; nobody asked.
    assert openai_worker.of("log") == []


def test_the_server_is_asked_to_stream_with_usage_and_the_key(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_worker.run(spec_for(tmp_path))
    assert len(openai_server.requests) == 3
    request = openai_server.requests[0]
    assert request["authorization"] == "Bearer sk-test-0123456789"
    assert request["body"]["model"] == "any-model"
    assert request["body"]["stream"] is True
    usage = [fact["data"]["usage"] for fact in openai_worker.of("llm.completed")]
    assert [one["completion_tokens"] for one in usage] == [5, 5, 5]
    assert "A bamboo cup" in json.dumps(request["body"]["messages"])


def test_later_tasks_are_given_the_results_in_their_context(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_worker.run(spec_for(tmp_path))
    given = [
        "A real client heard this." in json.dumps(request["body"]["messages"])
        for request in openai_server.requests
    ]
    assert given == [False, True, True]


@pytest.mark.parametrize("history", ["", "User: Sell cups\n\nCrew: A plan with {braces}"])
def test_every_agent_is_told_what_was_said_before_and_then_the_brief(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, history: str
) -> None:
    inputs = {"message": "make it shorter", **({"history": history} if history else {})}
    last = openai_worker.run(spec_for(tmp_path, inputs=inputs))
    assert last["type"] == "run.completed", last
    for request in openai_server.requests:
        prompt = request["body"]["messages"][-1]["content"]
        before, _, brief = prompt.partition(f"<history>\n{history}\n</history>")
        assert "{" not in before
        assert "<brief>\nmake it shorter\n</brief>" in brief


def test_the_key_is_in_no_fact(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tokens=("the key is ", "sk-test-0123456789", "."))
    last = openai_worker.run(spec_for(tmp_path))
    assert last["data"]["output"] == "the key is ***."
    assert "sk-test-0123456789" not in repr(openai_worker.facts)


def test_tool_calls_are_streamed_made_and_answered(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tool_first=True, tool_arguments={"text": "one two"})
    last = openai_worker.run(spec_for(tmp_path))
    assert last["type"] == "run.completed"
    pieces = [
        f["data"]["text"] for f in openai_worker.of("llm.delta") if f["data"]["kind"] == "tool"
    ]
    assert json.loads("".join(pieces)) == {"text": "one two"}
    assert openai_worker.of("tool.started")[0]["data"]["args"] == {"text": "one two"}
    assert openai_worker.of("tool.completed")[0]["data"]["output"].startswith("2 words")
    answered = openai_server.requests[-1]["body"]["messages"]
    assert any(m["role"] == "tool" and m["content"].startswith("2 words") for m in answered)


def test_a_wrong_key_fails_the_run_with_what_the_server_said(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(status=401)
    last = openai_worker.run(spec_for(tmp_path))
    assert last["type"] == "run.failed"
    assert last["data"]["error"]["code"] == "error"
    assert "Incorrect API key provided." in last["data"]["error"]["message"]
    assert openai_worker.of("llm.failed")
    assert openai_worker.of("task.failed")[0]["task"] == "create_content_plan"


def test_a_rate_limit_that_passes_does_not_fail_the_run(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(status=429, failures=2)
    assert openai_worker.run(spec_for(tmp_path))["type"] == "run.completed"


def test_a_connection_cut_in_a_reply_is_told(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(ending="drop")
    last = openai_worker.run(spec_for(tmp_path))
    assert last["type"] == "run.failed"
    assert openai_worker.of("llm.failed")


def test_cancel_does_not_wait_for_a_silent_server(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(ending="stall")
    openai_worker.start(spec_for(tmp_path))
    heard = ""
    while heard != "A real client heard this.":
        heard += openai_worker.until("llm.delta")["data"]["text"]
    asked = time.monotonic()
    openai_worker.order(order="cancel", cause="c-1")
    assert openai_worker.rest()["type"] == "run.cancelled"
    assert time.monotonic() - asked < 0.5
    assert openai_worker.exit_code() == 0


def test_the_first_tokens_arrive_before_the_reply_has_ended(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(ending="stall")
    openai_worker.start(spec_for(tmp_path))
    assert openai_worker.until("llm.delta")["data"]["text"] == "A "


def test_openrouter_is_spoken_natively(
    zygote: Zygote, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    environment = clean_environment(
        OPENROUTER_API_KEY="sk-or-v1-0123456789",
        OPENROUTER_BASE_URL=openai_server.base_url.replace("/v1", "/api/v1"),
        OPENROUTER_MODEL="vendor/model:free",
    )
    child = zygote.make(environment)
    last = child.run(spec_for(tmp_path))
    assert last["data"] == {"output": "A real client heard this."}
    assert child.of("run.started")[0]["data"]["model"] == "openrouter/vendor/model:free"
    request = openai_server.requests[0]
    assert request["path"] == "/api/v1/chat/completions"
    assert request["authorization"] == "Bearer sk-or-v1-0123456789"
    assert request["body"]["model"] == "vendor/model:free"
    child.kill()


@pytest.mark.parametrize(
    ("environment", "path", "key", "model"),
    [
        # As the documentation of the app that was looked at says.
        (
            {"OPENROUTER_API_KEY": ROUTER_KEY, "OPENAI_BASE_URL": "{router}"}
            | {"OPENAI_MODEL": "vendor/model"},
            *(ROUTER_PATH, ROUTER_KEY, "vendor/model"),
        ),
        (
            {"OPENAI_API_KEY": ROUTER_KEY, "OPENAI_API_BASE": "{router}"}
            | {"OPENAI_MODEL_NAME": "vendor/model"},
            *(ROUTER_PATH, ROUTER_KEY, "vendor/model"),
        ),
        # A route that copies any key into OPENROUTER_API_KEY.
        (
            {"OPENROUTER_API_KEY": PROJECT_KEY, "OPENAI_API_KEY": PROJECT_KEY}
            | {"OPENROUTER_BASE_URL": "{router}", "OPENAI_BASE_URL": "{openai}"}
            | {"OPENAI_MODEL": "any-model"},
            *(OPENAI_PATH, PROJECT_KEY, "any-model"),
        ),
    ],
)
def test_a_key_goes_to_whom_it_belongs_whatever_its_variable(
    zygote: Zygote,
    openai_server: OpenAIServer,
    tmp_path: Path,
    environment: dict[str, str],
    path: str,
    key: str,
    model: str,
) -> None:
    at = {
        "{openai}": openai_server.base_url,
        "{router}": openai_server.base_url.replace("/v1", "/api/v1"),
    }
    said = {name: at.get(value, value) for name, value in environment.items()}
    child = zygote.make(clean_environment(**said))
    try:
        assert child.run(spec_for(tmp_path))["type"] == "run.completed"
    finally:
        child.kill()
    asked = {(one["path"], one["authorization"]) for one in openai_server.requests}
    assert asked == {(path, f"Bearer {key}")}
    assert {one["body"]["model"] for one in openai_server.requests} == {model}


def test_an_agent_that_names_a_bare_provider_gets_the_environments_model_of_it(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "agents.yaml").write_text("a: {role: A, goal: G, backstory: B, llm: openai}")
    (config / "tasks.yaml").write_text("t: {description: D, expected_output: E, agent: a}")
    last = openai_worker.run(spec_for(tmp_path, config=str(config)))
    assert last["data"] == {"output": "A real client heard this."}
    assert [one["body"]["model"] for one in openai_server.requests] == ["any-model"]


def test_a_run_says_the_model_that_its_first_agent_has(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "agents.yaml").write_text(
        "a: {role: A, goal: G, backstory: B, llm: {model: openai/other, temperature: 1}}"
    )
    (config / "tasks.yaml").write_text("t: {description: D, expected_output: E}")
    openai_worker.run(spec_for(tmp_path, config=str(config)))
    assert openai_worker.of("run.started")[0]["data"]["model"] == "openai/other"
    assert [one["body"]["model"] for one in openai_server.requests] == ["other"]


def test_the_server_lists_its_requests_and_answers_whole_when_not_asked_to_stream(
    openai_server: OpenAIServer,
) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"{openai_server.base_url}/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        message = json.load(response)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "A real client heard this."}
    with urllib.request.urlopen(f"{openai_server.base_url}/requests", timeout=10) as response:
        assert [entry["body"] for entry in json.load(response)] == [body]
