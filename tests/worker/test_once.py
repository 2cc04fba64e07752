"""`python -m crew.run`: the contract that a Next route relies on."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.worker.once import BadInput, inputs_from
from tests.support.openai_server import OpenAIServer
from tests.worker.harness import PROJECT, clean_environment

HI = {"user_input": "hi", "message": "hi", "campaign_context": "hi"}
"""However it was named."""
FAST = {"CREW_MODEL": "offline", "OFFLINE_TOKEN_MS": "0"}


def crew_run(
    *arguments: str, stdin: str | None = None, folder: Path = PROJECT, **environment: str
) -> tuple[int, dict[str, Any], list[str]]:
    """Exit code, the JSON on stdout (which must be all of it), and stderr's lines."""
    done = subprocess.run(
        [sys.executable, "-m", "crew.run", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        cwd=folder,
        env=clean_environment(**{**FAST, **environment}),
        check=False,
    )
    assert done.stdout.count("\n") == 1, done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer, done.stderr.splitlines()


def test_json_in_json_out_with_progress_on_stderr() -> None:
    code, answer, lines = crew_run("--stdin", stdin='{"message": "Ein Café am Meer"}')
    assert code == 0
    assert list(answer) == ["status", "output", "task_outputs", "token_usage"]
    assert answer["status"] == "complete"
    assert answer["output"] == answer["task_outputs"][-1]["output"]
    assert "Café" in answer["output"]
    assert {tuple(task) for task in answer["task_outputs"]} == {("task", "agent", "output", "name")}
    assert all(task["name"] == task["task"] for task in answer["task_outputs"])
    assert [(task["task"], task["agent"]) for task in answer["task_outputs"]] == [
        ("create_content_plan", "Content Planner"),
        ("analyze_sentiment", "Sentiment Analyst"),
        ("research_trends", "Trend Researcher"),
    ]
    usage = answer["token_usage"]
    assert usage["successful_requests"] == 4
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert usage["input_tokens"] == usage["prompt_tokens"] > 0
    assert usage["output_tokens"] == usage["completion_tokens"] > 0
    progress = [json.loads(line) for line in lines if line.startswith("{")]
    assert {tuple(line) for line in progress} == {("type", "agent", "task", "timestamp")}
    assert {line["type"] for line in progress} == {"progress"}
    steps = [(line["agent"], line["task"]) for line in progress]
    assert list(dict.fromkeys(steps)) == [
        ("Content Planner", "create_content_plan"),
        ("Sentiment Analyst", "analyze_sentiment"),
        ("Trend Researcher", "research_trends"),
    ]
    times = [datetime.datetime.fromisoformat(line["timestamp"]) for line in progress]
    assert times == sorted(times)


@pytest.mark.parametrize("target", ["kicks_off", "kicks_off_silently", "one_text", "an_agent"])
def test_any_way_in_that_the_sidecar_takes_is_taken_here(target: str) -> None:
    code, answer, _ = crew_run("tulips", "--crew", f"tests.worker.entries:{target}")
    assert (code, answer["status"]) == (0, "complete"), answer
    assert "tulips" in answer["output"]


@pytest.mark.parametrize(
    ("target", "argument", "stdin"),
    [
        ("with_a_history", "tulips", None),
        ("with_a_history_among_inputs", "--stdin", '{"message": "tulips"}'),
    ],
)
def test_a_crew_that_wants_what_was_said_before_has_nothing_here(
    target: str, argument: str, stdin: str | None
) -> None:
    code, answer, _ = crew_run(argument, "--crew", f"tests.worker.entries:{target}", stdin=stdin)
    assert (code, answer["status"]) == (0, "complete"), answer
    assert "tulips after <>" in answer["output"]


def test_a_projects_crew_is_found_here_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.crewai]\ntype = "crew"\n')
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text(
        "import crewai\nfrom tests.worker.entries import kicks_off\n\n"
        "def run(message):\n    return kicks_off(message)\n"
    )
    code, answer, _ = crew_run("tulips", folder=tmp_path, PYTHONPATH=str(PROJECT))
    assert (code, answer["status"]) == (0, "complete"), answer
    assert "tulips" in answer["output"]


def test_what_the_crew_prints_stays_off_stdout() -> None:
    code, answer, lines = crew_run("loud", "--crew", "tests.worker.targets:prints")
    assert (code, answer["status"]) == (0, "complete")
    assert {"from print: grüße", "from a descriptor", "from a child"} <= set(lines)


@pytest.mark.parametrize(
    ("target", "agents"), [("asks_a_critic", ["Poet"]), ("plans", ["Writer", "Writer"])]
)
def test_the_tasks_are_the_crews_own_and_no_nested_ones(target: str, agents: list[str]) -> None:
    code, answer, _ = crew_run("tea", "--crew", f"tests.worker.nested:{target}")
    assert code == 0
    assert [task["agent"] for task in answer["task_outputs"]] == agents


def test_a_crew_that_fails_exits_with_1_and_says_why() -> None:
    code, answer, _ = crew_run("x", SIDECAR_CREW="tests.worker.targets:exits")
    assert code == 1
    assert answer == {"status": "error", "error": "SystemExit: 3"}


def test_a_bad_config_exits_with_1_and_names_the_file(tmp_path: Path) -> None:
    code, answer, _ = crew_run("x", SIDECAR_CONFIG=str(tmp_path))
    assert code == 1
    assert answer == {"status": "error", "error": f"{tmp_path}/agents.yaml: no such file"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "error"),
    [
        ((), None, "no message: python -m crew.run"),
        (("  ",), None, "the message is empty"),
        (("a", "--stdin"), "{}", "give a message or --stdin, not both"),
        (("--stdin",), "", "stdin is not JSON"),
        (("--stdin",), "[1]", "stdin must be"),
    ],
)
def test_bad_input_exits_with_1_and_says_why(
    arguments: tuple[str, ...], stdin: str | None, error: str
) -> None:
    code, answer, _ = crew_run(*arguments, stdin=stdin)
    assert (code, answer["status"]) == (1, "error")
    assert answer["error"].startswith(error)


def test_ctrl_c_exits_with_130_and_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "crew.run", "a long one"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=clean_environment(CREW_MODEL="offline", OFFLINE_TOKENS="100000"),
    )
    with process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("{"):
                break
        os.kill(process.pid, signal.SIGINT)
        assert json.loads(process.stdout.read()) == {"status": "error", "error": "interrupted"}
        assert "Traceback" not in process.stderr.read()
        assert process.wait(30) == 130


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ('{"message": "hi"}', HI),
        ('"hi"', HI),
        ('{"user_input": "hi", "message": ""}', HI),
        ('{"campaign_context": "hi", "user_input": null}', HI),
        ('{"inputs": {"message": "hi", "tone": "dry"}}', {**HI, "tone": "dry"}),
        ('{"inputs": {"topic": "tea"}}', {"topic": "tea"}),
        ('{"message": "hi", "inputs": {"tone": "dry"}}', {**HI, "tone": "dry"}),
        (
            '{"message": "hi", "locale": "id"}',
            {**HI, "output_language": "id", "language": "id", "locale": "id"},
        ),
    ],
)
def test_inputs_are_understood(text: str, inputs: dict[str, Any]) -> None:
    assert inputs_from(text) == inputs


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "stdin is not JSON"),
        ("[" * 100_000, "stdin is not JSON"),
        ("null", "stdin must be"),
        ("7", "stdin must be"),
        ("{}", "no message"),
        ('{"inputs": {}}', "no message"),
        ('""', "the message is empty"),
        ('{"message": " \\n"}', "the message is empty"),
        ('{"message": 7}', "message must be a string"),
        ('{"message": null}', "message must be a string"),
        ('{"user_input": 7, "message": "hi"}', "user_input must be a string"),
        ('{"campaign_context": " "}', "the campaign context is empty"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(text: str, error: str) -> None:
    with pytest.raises(BadInput, match=error):
        inputs_from(text)


THEIR_AGENT = """\
{name}:
  role: >
    {role}
  goal: >
    Serve {{user_input}}
  backstory: >
    Answers in {{output_language}}.
  llm: openai
  memory: false
  verbose: true
  allow_delegation: false
  tools: []
"""
THEIR_TASK = """\
{name}:
  name: {name}
  description: >
    {name} for {{user_input}}, in {{output_language}}
  expected_output: Text
  agent: {agent}
  context_from: [{context}]
  output_file: project-context/{name}.md
  create_directory: true
"""


def their_folder(folder: Path) -> Path:
    """An app's folder with a config that was made for CrewAI alone."""
    (folder / "config").mkdir()
    agents = (("content_planner", "Planner"), ("sentiment", "Analyst"), ("trends", "Researcher"))
    tasks = (
        ("create_content_plan", "content_planner", ""),
        ("analyze_sentiment", "sentiment", "create_content_plan"),
        ("research_trends", "trends", "create_content_plan"),
    )
    (folder / "config" / "agents.yaml").write_text(
        "".join(THEIR_AGENT.format(name=name, role=role) for name, role in agents)
    )
    (folder / "config" / "tasks.yaml").write_text(
        "".join(
            THEIR_TASK.format(name=name, agent=agent, context=context)
            for name, agent, context in tasks
        )
    )
    return folder


def next_route(
    payload: dict[str, Any], folder: Path = PROJECT, **environment: str
) -> dict[str, Any]:
    """What a user's Next route and page make of our `crew.run`; see next_route.mjs."""
    node = shutil.which("node")
    assert node is not None, "this test speaks for a Next route and needs node"
    done = subprocess.run(
        [node, str(PROJECT / "tests" / "support" / "next_route.mjs"), sys.executable],
        input=json.dumps(payload),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        cwd=folder,
        env=clean_environment(**{**FAST, "PYTHONPATH": str(PROJECT), **environment}),
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_next_route_reads_status_tasks_and_progress_as_it_always_did() -> None:
    route = next_route({"user_input": "Ein Café am Meer", "message": "", "output_language": "de"})
    assert (route["code"], route["answer"]["status"]) == (0, "complete")
    assert list(route["saved"]) == ["create_content_plan", "analyze_sentiment", "research_trends"]
    assert all("Café" in output for output in route["saved"].values())
    assert {one["agent"] for one in route["progress"]} == {
        "Content Planner",
        "Sentiment Analyst",
        "Trend Researcher",
    }


def test_a_next_route_reads_why_a_run_failed() -> None:
    route = next_route({"campaign_context": "tea"}, SIDECAR_CREW="tests.worker.targets:exits")
    assert route["code"] == 1
    assert route["answer"] == {"status": "error", "error": "SystemExit: 3"}
    assert route["saved"] == {}


def test_a_next_route_runs_its_own_config_with_the_keys_that_its_env_has(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    route = next_route(
        {"message": "Tea by the river", "locale": "id"},
        their_folder(tmp_path),
        CREW_MODEL="",
        OPENROUTER_API_KEY="sk-or-v1-0123456789",
        OPENAI_BASE_URL=openai_server.base_url,
        OPENAI_MODEL="vendor/model",
    )
    assert route["answer"]["status"] == "complete", route["answer"]
    names = ["create_content_plan", "analyze_sentiment", "research_trends"]
    assert route["saved"] == dict.fromkeys(names, "A real client heard this.")
    assert list(dict.fromkeys(one["task"] for one in route["progress"])) == names
    files = {path.name for path in (tmp_path / "project-context").iterdir()}
    assert files == {f"{name}.md" for name in names}
    assert {(one["authorization"], one["body"]["model"]) for one in openai_server.requests} == {
        ("Bearer sk-or-v1-0123456789", "vendor/model")
    }
    asked = json.dumps(openai_server.requests[0]["body"]["messages"])
    assert "create_content_plan for Tea by the river, in id" in asked


def test_only_the_crews_own_tasks_are_in_the_answer(tmp_path: Path) -> None:
    """CrewAI's planner is a task of a crew of its own, and none of `CrewOutput.tasks_output`."""
    their_folder(tmp_path)
    (tmp_path / "config" / "crew.yaml").write_text("planning: true\n")
    route = next_route({"message": "tea", "locale": "id"}, tmp_path)
    names = [one["task"] for one in route["answer"]["task_outputs"]]
    assert names == ["create_content_plan", "analyze_sentiment", "research_trends"]
    assert "Task Execution Planner" in {one["agent"] for one in route["progress"]}
