"""What agents.yaml and tasks.yaml say of CrewAI's own Agent and Task, as CrewAI then does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Zygote, spec_for

PARTS: Final = '''
from crewai.tools import BaseTool, tool
from pydantic import BaseModel


class Plan(BaseModel):
    title: str
    points: int


class Search(BaseTool):
    name: str = "search"
    description: str = "Search it."

    def _run(self, what: str) -> str:
        return what


class Picky(BaseTool):
    name: str = "picky"
    description: str = "Needs something."
    needed: str

    def _run(self) -> str:
        return self.needed


def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@tool("whisper")
def whisper(text: str) -> str:
    """Say it more softly."""
    return text.lower()


def mentions_tea(output):
    return ("Tea" in output.raw, output.raw if "Tea" in output.raw else "say Tea")


def into_a_cup(inputs):
    return {**inputs, "message": inputs["message"] + " in a cup"}


def done(output):
    print("done with", output.name)


limit = 3
'''
THEIR_TOOLS: Final = '''
from crewai.tools import BaseTool, tool


def clap(times: int) -> str:
    """Applaud."""
    return "clap " * times


@tool("take a bow")
def bow(times: int) -> str:
    """Bow."""
    return "bow " * times
'''
PLAN: Final = '{"title": "Tea", "points": 3}'


def project(
    folder: Path, agent: str = "", task: str = "", parts: str = PARTS, tools: str | None = None
) -> dict[str, Any]:
    """A user's folder with a crew of one; what a run's spec says of it."""
    (folder / "team").mkdir()
    (folder / "team" / "parts.py").write_text(parts)
    if tools is not None:
        (folder / "crew").mkdir()
        (folder / "crew" / "tools.py").write_text(tools)
    (folder / "config").mkdir()
    (folder / "config" / "agents.yaml").write_text(
        f"writer:\n  role: Writer\n  goal: Write\n  backstory: Writes.\n{agent}"
    )
    (folder / "config" / "tasks.yaml").write_text(
        f"draft:\n  description: On {{message}}\n  expected_output: A plan\n{task}"
    )
    return {"config": str(folder / "config"), "folder": str(folder)}


def test_crewais_own_fields_do_what_they_do_in_python(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tokens=(PLAN,))
    said = project(
        tmp_path,
        "  memory: false\n  llm: {model: openai, temperature: 0.25}\n  multimodal: false\n",
        "  name: draft\n  agent: writer\n  context: []\n  create_directory: true\n"
        "  output_file: plans/plan.json\n  output_pydantic: team.parts:Plan\n"
        "  guardrail: team.parts:mentions_tea\n  callback: team.parts:done\n  markdown: true\n",
    )
    last = openai_worker.run(spec_for(tmp_path, **said))
    assert json.loads(last["data"]["output"]) == json.loads(PLAN)
    assert (tmp_path / "run" / "plans" / "plan.json").read_text() == last["data"]["output"]
    assert "done with draft" in "".join(one["data"]["text"] for one in openai_worker.of("log"))
    asked = openai_server.requests[0]["body"]
    assert (asked["model"], asked["temperature"]) == ("any-model", 0.25)
    assert "Plan" in json.dumps(asked)


def test_a_guardrail_of_the_users_own_has_the_task_done_again(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tokens=("Coffee",))
    said = project(
        tmp_path, task="  guardrail: team.parts:mentions_tea\n  guardrail_max_retries: 1\n"
    )
    last = openai_worker.run(spec_for(tmp_path, **said))
    assert last["type"] == "run.failed"
    assert "say Tea" in last["data"]["error"]["message"]
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize("whose", ["agent", "task"])
def test_tools_are_functions_tools_and_classes_of_them_wherever_they_stand(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, whose: str
) -> None:
    tools = "  tools: [clap, bow, 'team.parts:shout', 'team.parts:whisper', 'team.parts:Search']\n"
    said = project(
        tmp_path,
        **{whose: tools},
        tools=THEIR_TOOLS,
    )
    last = openai_worker.run(spec_for(tmp_path, **said))
    assert last["data"] == {"output": "A real client heard this."}
    offered = [one["function"]["name"] for one in openai_server.requests[0]["body"]["tools"]]
    assert offered == ["clap", "take_a_bow", "shout", "whisper", "search"]


def test_crew_yaml_makes_a_crew_whose_manager_decides(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    said = project(tmp_path, "editor:\n  role: Editor\n  goal: Edit\n  backstory: Edits.\n")
    (tmp_path / "config" / "crew.yaml").write_text(
        "process: hierarchical\nmanager_llm: {model: openai, temperature: 0.5}\n"
        "before_kickoff_callbacks: team.parts:into_a_cup\n"
    )
    last = openai_worker.run(spec_for(tmp_path, **said))
    assert last["data"] == {"output": "A real client heard this."}
    [task] = openai_worker.of("run.started")[0]["data"]["tasks"]
    assert (task["name"], task["agent"]) == ("draft", None)
    [asked] = [one["body"] for one in openai_server.requests]
    assert (asked["model"], asked["temperature"]) == ("any-model", 0.5)
    offered = {one["function"]["name"]: one["function"] for one in asked["tools"]}
    assert offered.keys() == {"delegate_work_to_coworker", "ask_question_to_coworker"}
    assert "Writer, Editor" in offered["delegate_work_to_coworker"]["description"]
    assert "in a cup" in json.dumps(asked["messages"])


def test_a_manager_from_agents_yaml_is_none_of_the_workers(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    said = project(tmp_path, "boss:\n  role: Boss\n  goal: Lead\n  backstory: Leads.\n")
    (tmp_path / "config" / "crew.yaml").write_text("process: hierarchical\nmanager_agent: boss\n")
    assert openai_worker.run(spec_for(tmp_path, **said))["type"] == "run.completed"
    [asked] = [one["body"] for one in openai_server.requests]
    assert "You are Boss" in json.dumps(asked["messages"])
    coworkers = json.dumps(asked["tools"])
    assert "Writer" in coworkers
    assert "Boss" not in coworkers


def test_an_agent_may_delegate_to_one_without_a_task(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    said = project(
        tmp_path,
        "  allow_delegation: true\neditor:\n  role: Editor\n  goal: Edit\n  backstory: Edits.\n",
        "  agent: writer\n",
    )
    assert openai_worker.run(spec_for(tmp_path, **said))["type"] == "run.completed"
    assert "Editor" in json.dumps(openai_server.requests[0]["body"]["tools"])


@pytest.mark.parametrize(
    ("agent", "task", "message"),
    [
        (
            "  tools: ['team.parts:limit']\n",
            "",
            "agents.writer: tools: team.parts:limit: is int; it must be a function with a "
            "docstring and typed arguments, a BaseTool, or a class of one that needs no arguments",
        ),
        (
            "  tools: ['team.parts:Picky']\n",
            "",
            "agents.writer: tools: team.parts:Picky: needed: Field required",
        ),
        (
            "",
            "  output_pydantic: team.parts:Plans\n",
            "tasks.draft: output_pydantic: 'team.parts' has no 'Plans'",
        ),
        (
            "",
            "  output_pydantic: team.part:Plan\n",
            "tasks.draft: output_pydantic: there is no module 'team.part' (looked in {folder} "
            "and the installed packages)",
        ),
        (
            "",
            "  output_json: team.parts:shout\n",
            "tasks.draft: output_json: team.parts:shout must be a class of pydantic's BaseModel",
        ),
        (
            "  planning_config: {max_attempts: many, api_key: canary-in-yaml}\n",
            "",
            "agents.writer: planning_config.max_attempts: Input should be a valid integer, unable "
            "to parse string as an integer",
        ),
    ],
)
def test_what_cannot_be_is_told_with_its_place_and_without_values(
    worker: Child, tmp_path: Path, agent: str, task: str, message: str
) -> None:
    last = worker.run(spec_for(tmp_path, **project(tmp_path, agent, task)))
    assert last["data"]["error"] == {
        "code": "bad_crew",
        "message": message.replace("{folder}", str(tmp_path)),
    }


def test_a_module_that_fails_to_import_is_told_with_its_error(
    worker: Child, tmp_path: Path
) -> None:
    said = project(tmp_path, task="  callback: team.parts:done\n", parts="import nowhere_at_all")
    last = worker.run(spec_for(tmp_path, **said))
    assert last["data"]["error"]["message"] == (
        "tasks.draft: importing 'team.parts' failed: ModuleNotFoundError: No module named "
        "'nowhere_at_all'"
    )


def test_a_model_of_an_agents_own_that_cannot_be_made_is_told_with_the_agent(
    zygote: Zygote, openai_environment: dict[str, str], tmp_path: Path
) -> None:
    child = zygote.make(openai_environment)
    try:
        last = child.run(spec_for(tmp_path, **project(tmp_path, "  llm: openrouter/a/b\n")))
    finally:
        child.kill()
    assert last["data"]["error"]["code"] == "bad_crew"
    assert last["data"]["error"]["message"].startswith(
        "agents.writer: the model 'openrouter/a/b' can't be used: "
    )


def test_an_agent_with_a_memory_of_its_own_works_offline_too(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, **project(tmp_path, "  memory: true\n")))
    assert last["type"] == "run.completed", last
