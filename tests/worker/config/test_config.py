"""agents.yaml and tasks.yaml: what is understood, and how mistakes are told."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.worker.config import ConfigError, CrewConfig, Reference, Toolbox, load
from sidecar.worker.config.keys import AgentConfig, TaskConfig
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
    assert [(task.name, crew.role_of(task)) for task in crew.tasks] == [
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
    assert agent.llm == {"model": "openai/gpt-4o"}
    assert task.options == {"human_input": True}
    assert (task.output_file, task.tools) == ("out/plan.md", ("content_calendar",))


def test_a_config_with_crewais_own_fields_loads_as_it_is(tmp_path: Path) -> None:
    """As an app has it that was made for CrewAI alone, in CrewAI's own flat form."""
    crew = load_texts(
        tmp_path,
        "writer:\n  role: >\n    Writer\n  goal: >\n    Write\n  backstory: >\n    Writes.\n"
        "  llm: openai\n  memory: false\n  verbose: true\n  tools: []\n  reasoning: true\n"
        "  max_reasoning_attempts: 2\n  code_execution_mode: safe\n  mcps: [a#b, {url: c}]\n"
        "  knowledge_sources: team.facts:source\n  planning_config: {max_attempts: 2}\n",
        "draft:\n  name: draft\n  agent: writer\n  description: D\n  expected_output: E\n"
        "  context: []\n  output_file: out/plan.md\n  create_directory: true\n"
        "  output_pydantic: team.shapes:Plan\n  guardrail: It is short.\n"
        "  guardrails: [team.checks:is_short, It is kind.]\n  tools: team.tools:search\n",
    )
    agent, task = crew.agents["writer"], crew.tasks[0]
    assert agent.options == {
        "verbose": True,
        "memory": False,
        "reasoning": True,
        "max_reasoning_attempts": 2,
        "code_execution_mode": "safe",
        "mcps": ["a#b", {"url": "c"}],
        "knowledge_sources": (Reference("team.facts", "source"),),
        "planning_config": {"max_attempts": 2},
    }
    assert (task.name, task.context, task.tools) == ("draft", (), ("team.tools:search",))
    assert task.options == {
        "output_pydantic": Reference("team.shapes", "Plan"),
        "guardrail": "It is short.",
        "guardrails": (Reference("team.checks", "is_short"), "It is kind."),
    }


def test_tasks_without_an_agent_are_the_only_agents(tmp_path: Path) -> None:
    crew = load_texts(tmp_path, tasks=TASKS.replace("    agent: writer\n", ""))
    assert crew.tasks[0].agent == "writer"


def test_a_task_without_an_agent_is_told_whom_it_may_name(tmp_path: Path) -> None:
    several = AGENTS + "  editor: {role: E, goal: G, backstory: B}\n"
    assert problems(tmp_path, several, TASKS.replace("    agent: writer\n", "")) == [
        "tasks.yaml:2:3: tasks.draft.agent: missing; write who does it: one of editor, writer"
    ]


def test_crew_yaml_says_who_manages_and_then_tasks_need_no_agent(tmp_path: Path) -> None:
    (tmp_path / "crew.yaml").write_text(
        "process: hierarchical\nmanager_llm: openai\nmemory: true\nmax_rpm: 9\n"
        "before_kickoff_callbacks: team.hooks:before\n"
    )
    crew = load_texts(tmp_path, tasks=TASKS.replace("    agent: writer\n", ""))
    assert (crew.team.process, crew.team.llms) == (
        "hierarchical",
        {"manager_llm": {"model": "openai"}},
    )
    assert crew.team.options == {
        "before_kickoff_callbacks": (Reference("team.hooks", "before"),),
        "max_rpm": 9,
        "memory": True,
    }
    assert [(task.agent, crew.role_of(task)) for task in crew.tasks] == [(None, None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "process: hierarchical\n",
            "crew.yaml:1:10: process: needs a manager; add manager_llm: with a model, or "
            "manager_agent: with a name of agents.yaml",
        ),
        (
            "process: parallel\n",
            "crew.yaml:1:10: process: must be 'sequential' or 'hierarchical', not 'parallel'",
        ),
        (
            "manager_agent: boss\n",
            "crew.yaml:1:16: manager_agent: unknown agent 'boss'; agents.yaml has writer",
        ),
        ("proces: x\n", "crew.yaml:1:1: proces: unknown key; did you mean 'process'?"),
        ("[a]\n", "crew.yaml:1:1: expected the keys of a crew, not a list"),
    ],
)
def test_a_mistake_in_crew_yaml_is_told_like_any_other(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "crew.yaml").write_text(text)
    assert problems(tmp_path) == [problem]


@pytest.mark.parametrize(
    ("llm", "problem"),
    [
        ("[a]", "must be a model, a provider, or a mapping with model:"),
        ("{temperature: 1}", "must be a model, a provider, or a mapping with model:"),
        (
            "{model: m, max_tokens: 9, api_key: canary}",
            "api_key is a secret; put it into .env, as the provider names it",
        ),
    ],
)
def test_a_model_that_cannot_be_is_told(tmp_path: Path, llm: str, problem: str) -> None:
    found = problems(tmp_path, AGENTS + f"    llm: {llm}\n")
    assert found == [f"agents.yaml:6:10: agents.writer.llm: {problem}"]


@pytest.mark.parametrize("key", ["api_key", "'apiKey'", "client_secret", "auth_token", "PASSWORD"])
def test_a_line_that_holds_a_secret_is_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_texts(tmp_path, AGENTS + f"    embedding: {{model: m, {key}: canary}}\n")
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/agents.yaml:6:5: agents.writer.embedding: unknown key; did you mean "
        "'embedder'?"
    ]


def test_anchors_and_merges_are_understood(tmp_path: Path) -> None:
    crew = load_texts(
        tmp_path,
        "agents:\n  a: &base {role: A, goal: G, backstory: B}\n"
        "  writer: {<<: *base, role: Writer}\n",
    )
    assert (crew.agents["writer"].role, crew.agents["writer"].goal) == ("Writer", "G")


def test_of_two_merges_the_first_counts_and_own_keys_before_both(tmp_path: Path) -> None:
    crew = load_texts(
        tmp_path,
        "agents:\n  a: &a {role: A, goal: A, backstory: A}\n"
        "  b: &b {role: B, goal: B, backstory: B, max_iter: 2}\n"
        "  writer: {role: W, <<: [*a, *b]}\n",
    )
    writer = crew.agents["writer"]
    assert (writer.role, writer.goal, writer.options) == ("W", "A", {"max_iter": 2})


def test_merges_within_merges_cost_what_they_give(tmp_path: Path) -> None:
    """Followed one by one, these would be 10^12 copies of a key."""
    levels = "".join(
        f"  x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 10)}]}}\n" for n in range(1, 13)
    )
    base = "agents:\n  x0: &x0 {role: A, goal: G, backstory: B}\n"
    crew = load_texts(tmp_path, base + levels + "  writer: *x12\n")
    assert crew.agents["writer"].goal == "G"


def test_merges_that_copy_too_much_are_refused(tmp_path: Path) -> None:
    wide = ", ".join(f"k{n}: 1" for n in range(200))
    agents = f"agents:\n  a: &a {{{wide}}}\n  b: {{<<: [{', '.join(['*a'] * 51)}]}}\n"
    assert problems(tmp_path, agents) == [
        "agents.yaml:2:6: not valid YAML: merges (<<) copy more than 10,000 keys"
    ]


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
            TASKS + "    name: drafts\n",
            "tasks.yaml:6:11: tasks.draft.name: must be 'draft', as the task is called; "
            "leave it out, or rename one",
        ),
        (
            TASKS + "    output_pydantic: Plan\n",
            "tasks.yaml:6:22: tasks.draft.output_pydantic: must be package.module:attribute of "
            "your own Python",
        ),
        (
            TASKS + "    guardrail: [a]\n",
            "tasks.yaml:6:16: tasks.draft.guardrail: must be text that says what to check, or "
            "package.module:function",
        ),
        (
            TASKS + "    tool_failure_policy: shrug\n",
            "tasks.yaml:6:26: tasks.draft.tool_failure_policy: must be 'ignore', 'warn' or "
            "'raise', not 'shrug'",
        ),
        (
            TASKS + "    security_config: high\n",
            "tasks.yaml:6:22: tasks.draft.security_config: must be a mapping, not 'high'",
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
            TASKS + "    context: []\n    context_from: []\n",
            "tasks.yaml:6:5: tasks.draft.context: context and context_from mean the same; keep one",
        ),
        (
            TASKS.replace("Draft it", "2026-99-99"),
            "tasks.yaml:3:18: tasks.draft.description: must be text, not timestamp 2026-99-99; "
            "put it in quotes: '2026-99-99'",
        ),
        (
            TASKS + "    human_input: !!bool maybe\n",
            "tasks.yaml:6:18: tasks.draft.human_input: must be true or false, not bool maybe",
        ),
        (
            TASKS + "    guardrail_max_retries: true\n",
            "tasks.yaml:6:28: tasks.draft.guardrail_max_retries: must be a whole number, "
            "not bool true",
        ),
        (
            TASKS + "    tools: [text_statistic]\n",
            "tasks.yaml:6:13: tasks.draft.tools: unknown tool 'text_statistic'; "
            "did you mean 'text_statistics'?",
        ),
        (
            TASKS + "    tools: [zzz]\n",
            "tasks.yaml:6:13: tasks.draft.tools: unknown tool 'zzz'; "
            "write package.module:attribute, or of crew/tools.py one of content_calendar, "
            "text_statistics",
        ),
        (
            TASKS + "    human_input: maybe\n",
            "tasks.yaml:6:18: tasks.draft.human_input: must be true or false, not 'maybe'",
        ),
        (
            TASKS + "    guardrail_max_retries: -1\n",
            "tasks.yaml:6:28: tasks.draft.guardrail_max_retries: must be at least 0, not -1",
        ),
        (
            TASKS + "    output_file: ../x.md\n",
            "tasks.yaml:6:18: tasks.draft.output_file: '../x.md' must be a path inside the run's "
            "directory; write it relative and without '..', for example plan.md",
        ),
        (
            "tasks:\n  draft: !mine {agent: writer}\n",
            "tasks.yaml:2:10: tasks.draft: expected the keys of a task, not a value of type !mine",
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
        ("a: &a {<<: *a}\n", "tasks.yaml:1:4: not valid YAML: only a mapping that has ended can"),
        ("a: {<<: b}\n", "tasks.yaml:1:9: not valid YAML: only a mapping that has ended can"),
        ("[a]: b\n", "tasks.yaml:1:1: not valid YAML: a name must be text, not a list"),
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


@pytest.mark.parametrize(
    "path", ["journal.ndjson", "worker.log", "./Worker.LOG", ".\\journal.ndjson", "crewai/x"]
)
def test_an_output_file_that_is_the_runs_own_is_refused(tmp_path: Path, path: str) -> None:
    found = problems(tmp_path, tasks=TASKS + f"    output_file: '{path}'\n")
    assert "is a file of the run's own" in found[0]


def test_an_output_file_in_a_folder_may_be_called_like_the_runs_own(tmp_path: Path) -> None:
    crew = load_texts(tmp_path, AGENTS, TASKS + "    output_file: logs/worker.log\n")
    assert crew.tasks[0].output_file == "logs/worker.log"


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


def test_mistakes_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(
        tmp_path, tasks="tasks:\n  draft:\n    tols: x\n    description: 1\n    agent: nobody\n"
    )
    assert [line.split(": ")[0] for line in found] == [
        "tasks.yaml:2:3",
        "tasks.yaml:3:5",
        "tasks.yaml:4:18",
        "tasks.yaml:5:12",
    ]


def test_a_thousand_mistakes_of_very_many_are_noted_and_twenty_shown(tmp_path: Path) -> None:
    agents = AGENTS + "".join(f"    k{n}: 1\n" for n in range(1_100))
    with pytest.raises(ConfigError) as caught:
        load_texts(tmp_path, agents)
    assert len(caught.value.problems) == 1_000
    assert str(caught.value).splitlines()[-1] == "and 980 more"


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


_KEY = st.sampled_from(
    [
        *AgentConfig.model_fields,
        *TaskConfig.model_fields,
        *("agents", "tasks", "writer", "draft", "context_from", "<<", "1", "?"),
    ]
)
_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["writer", "draft", "a/b.md", "2026-13-01", "!!float x", "&a 1", "*a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEY, inner, max_size=4),
    max_leaves=12,
)


@given(tasks=_VALUE, quoted=st.booleans())
def test_whatever_the_files_say_is_a_crew_or_told(
    tmp_path_factory: pytest.TempPathFactory, tasks: object, quoted: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = json.dumps(tasks, ensure_ascii=quoted)
    with contextlib.suppress(ConfigError):
        load_texts(folder, tasks=text if quoted else text.replace('"', ""))


def test_who_loads_nothing_needs_no_pydantic() -> None:
    script = "import sys, sidecar.worker.config; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
