"""How a crew goes on after a crash: kept.py."""

from __future__ import annotations

from typing import Any

from tests.worker.contracts import check, kickoff


def _relay(llm: Any, tasks: int = 3, asynchronous: int = 0, **options: Any) -> Any:
    """Tasks task_1 to task_n of one agent, the first few of them asynchronous."""
    from crewai import Agent, Crew, Task

    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
    made = [
        Task(
            name=f"task_{number}",
            description=f"Number {number} on {{message}}",
            expected_output="Text",
            agent=writer,
            async_execution=number <= asynchronous,
        )
        for number in range(1, tasks + 1)
    ]
    return Crew(agents=[writer], tasks=list(made), **options)


def _answering() -> Any:
    """An offline model that answers at once, also in CrewAI's ReAct format, and keeps prompts."""
    from sidecar.worker.engine.offline import OfflineLLM

    class Answering(OfflineLLM):
        _prompts: list[str] = []  # noqa: RUF012  (pydantic copies them for each instance)

        def supports_function_calling(self) -> bool:
            return False

        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            self._prompts.append(repr(messages))
            return f"Thought: done\nFinal Answer: answer {len(self._prompts)}"

    return Answering(model="offline")


@check
def check_a_crew_told_of_a_checkpoint_goes_on_after_its_finished_tasks() -> None:
    """kept.py: with `checkpoint_kickoff_event_id` set, a crew starts at its first task without
    an output, says nothing of those before and gives their outputs to the others as context; it
    still says crew_kickoff_started, at which tap.py prepares it. If not, wrap
    `Crew._execute_tasks` and give it a start_index."""
    from sidecar.worker.engine.kept import put_back

    llm = _answering()
    crew = _relay(llm)
    crew.tasks[2].context = [crew.tasks[0]]
    events: list[Any] = []
    put_back(crew, {"task_1": "KEPT ONE", "task_2": "KEPT TWO"}, {"message": "tea"})
    result = kickoff(crew, lambda _source, event: events.append(event))
    assert result.raw == "answer 1"
    (prompt,) = llm._prompts
    assert "Number 3 on tea" in prompt
    assert "KEPT ONE" in prompt
    assert "KEPT TWO" not in prompt  # its context says task_1 alone
    types = [event.type for event in events]
    assert types.count("crew_kickoff_started") == types.count("task_started") == 1, types
    outputs = [(one.name, one.raw, one.agent) for one in result.tasks_output]
    assert outputs == [
        ("task_1", "KEPT ONE", "Writer"),
        ("task_2", "KEPT TWO", "Writer"),
        ("task_3", "answer 1", "Writer"),
    ]


@check
def check_a_crew_goes_on_among_asynchronous_tasks() -> None:
    """kept.py: skipped tasks that were asynchronous count as finished, and one that was not
    is done. If not, keep none of them."""
    from sidecar.worker.engine.kept import put_back

    llm = _answering()
    crew = _relay(llm, asynchronous=2)
    put_back(crew, {"task_1": "KEPT ONE"}, {"message": "tea"})
    kickoff(crew, lambda _source, _event: None)
    second, third = llm._prompts
    assert "Number 2 on tea" in second
    assert "Number 3 on tea" in third
    assert "KEPT ONE" in third
    assert "answer 1" in third


@check
def check_a_hierarchical_crew_goes_on_after_its_finished_tasks() -> None:
    """kept.py: the same when a manager hands out the work, with tasks of nobody's."""
    from crewai import Process

    from sidecar.worker.engine.kept import put_back

    llm = _answering()
    crew = _relay(llm, process=Process.hierarchical, manager_llm=llm)
    for task in crew.tasks:
        task.agent = None
    put_back(crew, {"task_1": "KEPT ONE"}, {"message": "tea"})
    kickoff(crew, lambda _source, _event: None)
    second, third = llm._prompts
    assert "Number 2 on tea" in second
    assert "KEPT ONE" in second
    assert "Number 3 on tea" in third


@check
def check_a_crew_whose_tasks_are_all_finished_asks_no_model() -> None:
    """kept.py: kickoff then returns the last output, and `planning` is the only thing that
    would ask a model all the same. If not, don't kick off at all in that case."""
    from sidecar.worker.engine.kept import put_back

    llm = _answering()
    crew = _relay(llm, planning=True, planning_llm=llm)
    kept = {f"task_{number}": f"KEPT {number}" for number in range(1, 4)}
    put_back(crew, kept, {"message": "tea"})
    result = kickoff(crew, lambda _source, _event: None)
    assert result.raw == "KEPT 3"
    assert llm._prompts == []


@check
def check_a_condition_sees_what_was_kept_and_its_structure() -> None:
    """kept.py: a conditional task asks about the output before it, which has `pydantic` or
    `json_dict` again where the text can be read. If the names moved, conditions fail after a
    crash."""
    from crewai import Task
    from crewai.tasks.conditional_task import ConditionalTask
    from crewai.tasks.output_format import OutputFormat
    from pydantic import BaseModel

    from sidecar.worker.engine.kept import put_back

    class Score(BaseModel):
        points: int

    fenced = 'Here it is:\n```json\n{"points": 7}\n```'
    for field, raw, wanted in (
        ("output_pydantic", '{"points": 7}', Score(points=7)),
        ("output_pydantic", fenced, Score(points=7)),
        ("output_pydantic", "seven", None),
        ("output_pydantic", '{"points": "many"}', None),
        ("output_json", fenced, {"points": 7}),
        ("output_json", "seven", None),
    ):
        llm = _answering()
        crew = _relay(llm, tasks=1)
        writer = crew.agents[0]
        texts: dict[str, Any] = {"description": "D", "expected_output": "T", "agent": writer}
        structure: dict[str, Any] = {field: Score}
        first = Task(name="first", **texts, **structure)
        seen: list[Any] = []

        def condition(output: Any, seen: list[Any] = seen) -> bool:
            seen.append(output)
            return False

        crew.tasks[:] = [first, ConditionalTask(condition=condition, **texts)]
        put_back(crew, {"first": raw}, {})
        result = kickoff(crew, lambda _source, _event: None)
        (output,) = seen
        assert (output.pydantic or output.json_dict) == wanted, (field, raw)
        is_json = field == "output_json"
        assert output.output_format == (OutputFormat.JSON if is_json else OutputFormat.PYDANTIC)
        assert result.raw == raw
        assert llm._prompts == []


@check
def check_a_task_is_told_as_completed_after_its_callbacks() -> None:
    """kept.py: a kept task's callback, which writes its output_file, is not called again: it
    must have been before task_completed. If it comes after, call it when putting back."""
    order: list[str] = []
    crew = _relay(_answering(), tasks=1)
    crew.tasks[0].callback = lambda _output: order.append("callback")

    def sink(_source: Any, event: Any) -> None:
        if event.type == "task_completed":
            order.append(event.type)

    kickoff(crew, sink)
    assert order == ["callback", "task_completed"], order
