"""agents.yaml and tasks.yaml: what is understood, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.worker.config import ConfigError, CrewConfig, Toolbox, load
from tests.worker.harness import PROJECT

TOOLS: Toolbox = {"text_statistics": str, "content_calendar": str}
AGENTS = """\
agents:
  writer:
    role: Writer
    goal: Write
    backstory: Writes.
"""
TASKS = """\
tasks:
  draft:
    description: Draft it
    expected_output: A draft
    agent: writer
"""


def load_texts(folder: Path, agents: str = AGENTS, tasks: str = TASKS) -> CrewConfig:
    (folder / "agents.yaml").write_text(agents, encoding="utf-8")
    (folder / "tasks.yaml").write_text(tasks, encoding="utf-8")
    return load(folder, TOOLS)


def problems(folder: Path, agents: str = AGENTS, tasks: str = TASKS) -> list[str]:
    """Each problem as `file:line:column: key: message`, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load_texts(folder, agents, tasks)
    return [str(one).splitlines()[0].replace(f"{folder}/", "") for one in caught.value.problems]


def test_the_crew_that_comes_with_the_project_loads() -> None:
    crew = load(PROJECT / "config", TOOLS)
    assert [(task.name, crew.agents[task.agent].role) for task in crew.tasks] == [
        ("create_content_plan", "Content Planner"),
        ("analyze_sentiment", "Sentiment Analyst"),
        ("research_trends", "Trend Researcher"),
    ]
    assert [task.context for task in crew.tasks[1:]] == [("create_content_plan",)] * 2
    assert crew.agents["trend_researcher"].tools == ("text_statistics",)


def test_crewais_own_flat_form_is_the_same_crew(tmp_path: Path) -> None:
    nested = load_texts(tmp_path)
    flat = load_texts(
        tmp_path,
        "writer: {role: Writer, goal: Write, backstory: Writes.}",
        "draft: {description: Draft it, expected_output: A draft, agent: writer}",
    )
    assert flat == nested


def test_context_and_context_from_mean_the_same(tmp_path: Path) -> None:
    one = load_texts(tmp_path, tasks=TASKS + "  b:\n" + _task("context: [draft]"))
    two = load_texts(tmp_path, tasks=TASKS + "  b:\n" + _task("context_from: draft"))
    assert one == two
    assert one.tasks[1].context == ("draft",)


def test_no_context_is_not_an_empty_one(tmp_path: Path) -> None:
    crew = load_texts(tmp_path, tasks=TASKS + "  b:\n" + _task("context_from: []"))
    assert [task.context for task in crew.tasks] == [None, ()]


def test_a_task_written_before_what_it_needs_runs_after_it(tmp_path: Path) -> None:
    tasks = "tasks:\n" + "".join(
        f"  {name}:\n" + _task(f"context_from: [{after}]")
        for name, after in (("last", "middle"), ("free", ""), ("middle", "first"), ("first", ""))
    )
    crew = load_texts(tmp_path, tasks=tasks)
    assert [task.name for task in crew.tasks] == ["free", "first", "middle", "last"]


def test_further_options_are_kept_with_their_types(tmp_path: Path) -> None:
    crew = load_texts(
        tmp_path,
        AGENTS + "    max_iter: 3\n    allow_delegation: true\n    llm: openai/gpt-4o\n",
        TASKS
        + "    human_input: true\n    output_file: out/plan.md\n    tools: content_calendar\n",
    )
    agent, task = crew.agents["writer"], crew.tasks[0]
    assert agent.options == {"max_iter": 3, "allow_delegation": True}
    assert agent.llm == "openai/gpt-4o"
    assert task.options == {"human_input": True}
    assert (task.output_file, task.tools) == ("out/plan.md", ("content_calendar",))


def test_anchors_and_merges_are_understood(tmp_path: Path) -> None:
    crew = load_texts(
        tmp_path,
        "agents:\n  a: &base {role: A, goal: G, backstory: B}\n"
        "  writer: {<<: *base, role: Writer}\n",
    )
    assert (crew.agents["writer"].role, crew.agents["writer"].goal) == ("Writer", "G")


def _task(*lines: str) -> str:
    all_lines = ("description: D", "expected_output: E", "agent: writer", *lines)
    return "".join(f"    {line}\n" for line in all_lines)


@pytest.mark.parametrize(
    ("tasks", "problem"),
    [
        (
            TASKS.replace("agent: writer", "agent: writter"),
            "tasks.yaml:5:12: tasks.draft.agent: unknown agent 'writter'; did you mean 'writer'?",
        ),
        (
            TASKS.replace("    agent: writer\n", ""),
            "tasks.yaml:2:3: tasks.draft.agent: missing",
        ),
        (
            TASKS.replace("Draft it", "' '"),
            "tasks.yaml:3:18: tasks.draft.description: must not be blank",
        ),
        (
            TASKS.replace("Draft it", ""),
            "tasks.yaml:3:17: tasks.draft.description: must be text, not nothing",
        ),
        (
            TASKS.replace("Draft it", "[a]"),
            "tasks.yaml:3:18: tasks.draft.description: must be text, not a list",
        ),
        (
            TASKS.replace("A draft", "2024"),
            "tasks.yaml:4:22: tasks.draft.expected_output: must be text, not int 2024; "
            "put it in quotes: '2024'",
        ),
        (
            TASKS + "    expected_ouput: x\n",
            "tasks.yaml:6:5: tasks.draft.expected_ouput: unknown key; "
            "did you mean 'expected_output'?",
        ),
        (
            TASKS + "    agent: writer\n",
            "tasks.yaml:6:5: tasks.draft.agent: duplicate key, first on line 5",
        ),
        (
            TASKS + TASKS.partition("\n")[2],
            "tasks.yaml:6:3: tasks.draft: duplicate key, first on line 2",
        ),
        (
            TASKS + "    context_from: [drafd]\n",
            "tasks.yaml:6:20: tasks.draft.context_from: unknown task 'drafd'; "
            "did you mean 'draft'?",
        ),
        (
            TASKS + "    context_from: [draft]\n",
            "tasks.yaml:6:20: tasks.draft.context_from: a task can't wait for itself",
        ),
        (
            TASKS + "    context_from: {a: b}\n",
            "tasks.yaml:6:19: tasks.draft.context_from: must be a list of names, not a mapping",
        ),
        (
            TASKS + "    context_from: [1]\n",
            "tasks.yaml:6:20: tasks.draft.context_from: must be a name, not int 1",
        ),
        (
            TASKS + "    tools: [text_statistic]\n",
            "tasks.yaml:6:13: tasks.draft.tools: unknown tool 'text_statistic'; "
            "did you mean 'text_statistics'?",
        ),
        (
            TASKS + "    tools: [zzz]\n",
            "tasks.yaml:6:13: tasks.draft.tools: unknown tool 'zzz'; "
            "there are content_calendar, text_statistics",
        ),
        (
            TASKS + "    human_input: maybe\n",
            "tasks.yaml:6:18: tasks.draft.human_input: must be true or false, not 'maybe'",
        ),
        (
            TASKS + "    guardrail_max_retries: 0\n",
            "tasks.yaml:6:28: tasks.draft.guardrail_max_retries: must be at least 1, not 0",
        ),
        (
            TASKS + "    output_file: ../x.md\n",
            "tasks.yaml:6:18: tasks.draft.output_file: '../x.md' must be a path inside the run's "
            "directory; write it relative and without '..', for example plan.md",
        ),
        (
            "tasks:\n  draft: do it\n",
            "tasks.yaml:2:10: tasks.draft: expected the keys of a task, not 'do it'",
        ),
        ("tasks:\n", "tasks.yaml:1:7: tasks: expected a name for each of the tasks, not nothing"),
        ("tasks: {}\n", "tasks.yaml:1:1: tasks: needs at least a task"),
        ("- a\n", "tasks.yaml:1:1: expected tasks: with a name for each, not a list"),
        ("tasks: [\n", "tasks.yaml:2:1: not valid YAML: expected the node content, but found"),
        ("a: b: c\n", "tasks.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        ("a: *nowhere\n", "tasks.yaml:1:4: not valid YAML: found undefined alias 'nowhere'"),
        ("", "tasks.yaml: the file is empty"),
        ("# only a comment\n", "tasks.yaml: the file is empty"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(tmp_path: Path, tasks: str, problem: str) -> None:
    assert problems(tmp_path, tasks=tasks)[0].startswith(problem)


@pytest.mark.parametrize("path", ["/etc/x", "C:\\x", "a/../../x", "..\\x", "~/x", " "])
def test_an_output_file_outside_the_runs_directory_is_refused(tmp_path: Path, path: str) -> None:
    found = problems(tmp_path, tasks=TASKS + f"    output_file: '{path}'\n")
    assert "must be a path inside the run's directory" in found[0]


def test_a_cycle_is_told_as_the_way_round_it(tmp_path: Path) -> None:
    tasks = "tasks:\n" + "".join(
        f"  {name}:\n" + _task(f"context_from: [{after}]")
        for name, after in (("start", "c"), ("a", "b"), ("b", "c"), ("c", "a"))
    )
    assert problems(tmp_path, tasks=tasks) == [
        "tasks.yaml:21:19: tasks.c.context_from: tasks wait for each other: c → a → b → c"
    ]


def test_every_mistake_is_told_not_only_the_first(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        AGENTS.replace("    goal: Write\n", ""),
        TASKS.replace("A draft", "").replace("writer", "nobody"),
    )
    assert [line.split(": ")[1] for line in found] == [
        "agents.writer.goal",
        "tasks.draft.expected_output",
        "tasks.draft.agent",
    ]


def test_the_line_is_shown_with_a_caret_under_the_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_texts(tmp_path, tasks=TASKS.replace("agent: writer", "agent: writter"))
    assert str(caught.value).splitlines()[1:] == [
        "     5 |     agent: writter",
        "       |            ^",
    ]


def test_a_missing_file_and_a_file_that_is_not_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"agents\.yaml: no such file"):
        load(tmp_path, TOOLS)
    (tmp_path / "agents.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"agents\.yaml: not UTF-8"):
        load(tmp_path, TOOLS)
    (tmp_path / "agents.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load(tmp_path, TOOLS)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    found = problems(tmp_path, tasks="tasks: !!python/object/apply:os.system ['touch pwned']\n")
    assert "expected a name for each of the tasks" in found[0]
    assert not Path("pwned").exists()


def test_very_deep_yaml_is_told_and_not_followed(tmp_path: Path) -> None:
    assert "not valid YAML" in problems(tmp_path, tasks="[" * 50_000)[0]
