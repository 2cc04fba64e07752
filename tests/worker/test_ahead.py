"""What a worker does before it has a run: modules imported ahead of need, and crews looked at."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.worker.harness import Child, Zygote, spec_for

TEAM = """
    import os
    {first}
    from crewai import Agent, Crew, Task
    from sidecar.worker.engine.offline import OfflineLLM

    def build():
        llm = OfflineLLM(model="offline", provider="offline")
        writer = Agent(role="Writer", goal="G", backstory="B", llm=llm)
        task = Task(
            name="write", description="{text} {{message}}", expected_output="T", agent=writer
        )
        return Crew(agents=[writer], tasks=[task])
"""
SLOW = 2.0


def team(folder: Path, first: str = "", text: str = "On") -> Path:
    file = folder / "team.py"
    file.write_text(textwrap.dedent(TEAM.format(first=first, text=text)))
    return file


def look(folder: Path, target: str | None = "team:build") -> dict[str, Any]:
    named = {"crew": "default", "config": str(folder / "config"), "target": target}
    return {"folder": str(folder), "environ": {}, "crews": [named]}


def announce(folder: Path) -> str:
    """What a module does to say that it is being imported."""
    os.mkfifo(folder / "imported")
    return "open('imported', 'w').close()"


def await_announcement(folder: Path) -> None:
    assert (folder / "imported").read_text() == ""


def describe(worker: Child, folder: Path, target: str | None = "team:build") -> dict[str, Any]:
    worker.order(order="describe", look=look(folder, target))
    said = worker.rest()
    assert said["type"] == "worker.described"
    assert worker.exit_code() == 0
    (crew,) = said["data"]["crews"]
    return {**crew, "files": set(said["data"]["files"])}


def spec(folder: Path, **more: Any) -> Any:
    return spec_for(folder, folder=str(folder), target="team:build", **more)


def started_in(worker: Child) -> float:
    began = time.monotonic()
    worker.until("task.started")
    return time.monotonic() - began


def test_a_module_that_imports_slowly_is_there_when_its_run_comes(
    zygote: Zygote, tmp_path: Path
) -> None:
    team(tmp_path, first=f"import time; time.sleep({SLOW}); print('imported')")
    cold, warm = zygote.make(), zygote.make()
    warm.order(order="prepare", look=look(tmp_path))
    cold.start(spec(tmp_path))
    slowly = started_in(cold)
    warm.start(spec(tmp_path))
    quickly = started_in(warm)
    assert slowly > SLOW
    assert quickly < slowly / 4
    # Said as it would have been by the run itself.
    assert [fact["data"]["text"] for fact in warm.of("log")] == ["imported"]
    for worker in (cold, warm):
        assert worker.rest()["type"] == "run.completed"
        worker.kill()


def test_a_module_that_has_changed_is_imported_again(either: Child, tmp_path: Path) -> None:
    team(tmp_path, first=announce(tmp_path))
    either.order(order="prepare", look=look(tmp_path))
    await_announcement(tmp_path)
    team(tmp_path, text="Sing of")
    last = either.run(spec(tmp_path))
    assert "Sing of" in last["data"]["output"]


def test_a_changed_environment_is_seen_by_the_modules(worker: Child, tmp_path: Path) -> None:
    first = f"shown = os.environ.get('SHOWN'); print('key', shown); shown or {announce(tmp_path)}"
    team(tmp_path, first=first)
    worker.order(order="prepare", look=look(tmp_path))
    await_announcement(tmp_path)
    (tmp_path / ".env").write_text("SHOWN=later\n")
    assert worker.run(spec(tmp_path))["type"] == "run.completed"
    assert [fact["data"]["text"] for fact in worker.of("log")] == ["key later"]


def test_what_kicks_off_when_it_is_imported_costs_nothing_ahead(
    worker: Child, tmp_path: Path
) -> None:
    file = team(tmp_path)
    file.write_text(file.read_text() + "\nbuild().kickoff(inputs={'message': 'early'})\n")
    worker.order(order="prepare", look=look(tmp_path))
    assert worker.run(spec(tmp_path))["type"] == "run.completed"
    # Once for the module and once for the run, which heard both.
    assert len(worker.of("llm.completed")) == 2


def test_a_module_that_fails_ahead_is_told_by_its_run(worker: Child, tmp_path: Path) -> None:
    team(tmp_path, first="raise RuntimeError('no luck')")
    worker.order(order="prepare", look=look(tmp_path))
    error = worker.run(spec(tmp_path))["data"]["error"]
    assert error["code"] == "bad_crew"
    assert error["message"] == ("importing 'team' failed: RuntimeError: no luck (team.py, line 3)")


def test_a_package_without_an_init_is_imported_again_with_all_in_it(
    worker: Child, tmp_path: Path
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    team(inner, first="raise RuntimeError('no luck')")
    worker.order(order="prepare", look=look(tmp_path, "outer.inner.team:build"))
    last = worker.run(spec_for(tmp_path, folder=str(tmp_path), target="outer.inner.team:build"))
    assert "RuntimeError: no luck" in last["data"]["error"]["message"]


def test_a_crew_is_described_with_what_its_templates_want(worker: Child, tmp_path: Path) -> None:
    file = team(tmp_path, text="On {{topic}} and")
    seen = describe(worker, tmp_path)
    assert (seen["name"], seen["kind"], seen["model"]) == ("default", "crew", "offline")
    assert seen["tasks"] == [{"name": "write", "agent": "Writer"}]
    assert seen["inputs"] == seen["needs"] == ["topic", "message"]
    assert "error" not in seen
    assert {str(file), str(tmp_path / ".env")} <= seen["files"]


@pytest.mark.parametrize(
    ("body", "inputs", "tasks"),
    [
        ("def crew(topic, words=3): return _team(f'On {topic}')", ["topic", "words"], ["t"]),
        ("def crew(inputs): return _team(f\"On {inputs['topic']}\")", ["topic"], ["t"]),
        ("async def crew(): return _team('On {topic}')", ["topic"], ["t"]),
        ("def crew(topic): return _team('x').kickoff()", ["topic"], []),
        ("def _go(c): return c.kickoff()\ndef crew(topic): return _go(_team('x'))", ["topic"], []),
        ("def crew(**inputs): return _team(f\"On {inputs['topic']}\")", [], []),
        ("def crew(): return _team('On {topic} after {history}')", ["topic"], ["t"]),
        ("def crew(topic, history=''): return _team('x')", ["topic"], ["t"]),
    ],
)
def test_a_function_is_described_by_its_signature_and_what_it_returns(
    worker: Child, tmp_path: Path, body: str, inputs: list[str], tasks: list[str]
) -> None:
    (tmp_path / "team.py").write_text(
        "from crewai import Agent, Crew, Task\n"
        "def _team(text):\n"
        "    a = Agent(role='R', goal='G', backstory='B')\n"
        "    t = Task(name='t', description=text, expected_output='E', agent=a)\n"
        f"    return Crew(agents=[a], tasks=[t])\n{body}\n"
    )
    seen = describe(worker, tmp_path, "team:crew")
    assert "error" not in seen, seen
    assert seen["inputs"] == inputs
    assert [task["name"] for task in seen["tasks"]] == tasks


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = (\n", "importing 'team' failed: SyntaxError: '(' was never closed (team.py, line 1)"),
        ("def build():\n    return 1 / 0\n", "division by zero (team.py, line 2)"),
        ("build = 7\n", "team:build is a int; it must be"),
    ],
)
def test_what_cannot_be_built_is_said_with_file_and_line(
    worker: Child, tmp_path: Path, source: str, error: str
) -> None:
    (tmp_path / "team.py").write_text(source)
    seen = describe(worker, tmp_path)
    assert error in seen["error"]
    assert str(tmp_path / "team.py") in seen["files"]


def test_no_secret_is_in_what_is_said_of_a_crew(worker: Child, tmp_path: Path) -> None:
    (tmp_path / "team.py").write_text("import os\nraise ValueError(os.environ['CANARY_API_KEY'])\n")
    assert describe(worker, tmp_path)["error"] == (
        "importing 'team' failed: ValueError: *** (team.py, line 2)"
    )


def test_a_config_that_does_not_load_is_said_with_file_line_and_key(
    worker: Child, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "agents.yaml").write_text("a: {role: A, goal: B, backstory: C, colour: red}\n")
    (config / "tasks.yaml").write_text("t: {description: D, expected_output: E, agent: a}\n")
    seen = describe(worker, tmp_path, None)
    assert "agents.yaml:1" in seen["error"]
    assert "colour" in seen["error"]
    assert str(config / "agents.yaml") in seen["files"]
