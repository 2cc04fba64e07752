"""How crews and their models are made: build.py, models.py, config.py, environment.py."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.worker.contracts import check, is_examined, kickoff, make_crew, shout, storage


@check
def check_storage_is_looked_up_at_each_use() -> None:
    """The environment is the run's after the fork only, and engine/storage.py gives the outputs of
    tasks a folder of their own. If CrewAI reads it at import, what a crew remembers is looked for
    in the wrong place."""
    from crewai_core.paths import db_storage_path

    for _ in range(2):
        with storage() as folder:
            assert Path(db_storage_path()) == folder
            make_crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
            assert list(folder.glob("*.db"))


@check
def check_a_kickoff_empties_the_outputs_that_its_crew_was_made_with() -> None:
    """engine/storage.py: `Crew._task_output_handler.storage` and its constructor are private. If
    they moved, runs share one database, which each kickoff empties."""
    from crewai.memory.storage.kickoff_task_outputs_storage import KickoffTaskOutputsSQLiteStorage
    from crewai_core import lock_store

    from sidecar.worker.engine import storage as storages

    own = KickoffTaskOutputsSQLiteStorage.__init__
    before = make_crew()
    with storage() as folder:
        storages.keep_in(folder)
        storages.attach(before)
        for crew in (before, make_crew()):
            path = Path(crew._task_output_handler.storage.db_path)
            assert path.parent == folder
            crew.kickoff(inputs={"message": "tea", "kind": "Tea"})
            assert len(crew._task_output_handler.load()) == 1
    KickoffTaskOutputsSQLiteStorage.__init__ = own  # type: ignore[method-assign]
    lock_store.set_lock_backend(None)


@check
def check_a_backend_takes_every_lock_of_a_run_and_their_names_are_paths() -> None:
    """engine/locks.py: if `set_lock_backend` is gone or a name is no `kind:path` any more, each
    run leaves a file in the system's temp folder for ever. Read crewai_core/lock_store.py."""
    from sidecar.worker.engine import locks

    system = Path(tempfile.gettempdir())
    before = set(system.glob("crewai:*"))
    with storage() as folder:
        locks.keep_in(folder)
        make_crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
        assert list(folder.glob("crewai:*.lock"))
    assert not set(system.glob("crewai:*")) - before


@check
def check_inputs_are_filled_in_once() -> None:
    """build.py: a brief with {braces} is data. If CrewAI fills them in again, escape them."""
    prompts: list[str] = []

    def sink(_source: Any, event: Any) -> None:
        if event.type == "llm_call_started":
            prompts.append(str(event.messages))

    kickoff(make_crew(), sink, "a {kind} of {unknown} {message}")
    assert "a {kind} of {unknown} {message}" in prompts[0]


@check
def check_hosted_models_are_made_natively() -> None:
    """models.py: OpenAI, compatible servers and OpenRouter without litellm. If a route moved,
    `create` fails with CrewAI's own words; adjust `provider`."""
    from sidecar.worker.engine.models import choose, create

    for variables, name in (
        ({"OPENAI_API_KEY": "sk-0123456789"}, "OpenAICompletion"),
        ({"OPENROUTER_API_KEY": "sk-or-0123456789"}, "OpenAICompatibleCompletion"),
        (
            {"OPENAI_API_KEY": "sk-0123456789", "OPENAI_BASE_URL": "http://localhost:1/v1"}
            | {"OPENAI_MODEL": "vendor/any"},
            "OpenAICompletion",
        ),
    ):
        llm = create(choose(variables))
        assert type(llm).__name__ == name
        assert type(llm).__module__.startswith("crewai.llms.providers.openai")
    assert llm.model == "vendor/any"
    assert llm.base_url == "http://localhost:1/v1"


@check
def check_a_bare_provider_has_a_model_that_crewai_makes_natively() -> None:
    """models.py `_PROVIDERS`: each name of a provider, its variables and its default model. If one
    fails with CrewAI's words on litellm or a model, its provider or default has another name now;
    a provider that is missing in the table must be put into it."""
    from crewai import llm as crewai

    from sidecar.worker.engine import models

    known = {**models._ALIASES, **{name: name for name in models._PROVIDERS}}
    if is_examined():
        assert known.keys() | {"openai", "openrouter"} == crewai.PROVIDER_ALIASES.keys()
    for name, provider in models._PROVIDERS.items():
        if provider.model is not None and name in crewai.SUPPORTED_NATIVE_PROVIDERS:
            # Where CrewAI can make it without a package that only some have installed.
            environ = {provider.keys[0]: "0123456789"}
            choice = models.for_agent(name, models.named("offline"), environ)
            assert (choice.provider, choice.source) == (name, provider.keys[0])
            os.environ.update(environ)
            try:
                llm = models.create(choice)
            except ValueError as error:
                if "native provider not available" not in str(error):
                    raise
            else:
                assert type(llm).__module__.startswith("crewai.llms.providers."), llm
            finally:
                del os.environ[provider.keys[0]]


@check
def check_default_model_without_a_key_can_be_recognised() -> None:
    """standin.py `hopeless`: an agent without a model gets CrewAI's OpenAI default, without a
    key, and the offline model answers in its place. If CrewAI refuses such an agent at once, catch
    that in `targets.make`."""
    from crewai import Agent

    from sidecar.worker.engine.models import named
    from sidecar.worker.engine.standin import hopeless

    agent = Agent(role="R", goal="G", backstory="B")
    assert hopeless(agent.llm, named("offline"))


_NOT_IN_YAML = {
    "Agent": {
        "agent_executor": "made by CrewAI for each task",
        "checkpoint": "writes keys in plain text; the run has a journal of its own",
        "config": "a second way to say all of this",
        "entity_type": "always the same",
        "executor_class": "CrewAI's own; ours is told with every event",
        "from_repository": "role, goal and backstory would come from an account at CrewAI",
        "i18n": "CrewAI's own prompts, from a file of theirs",
    },
    "Crew": {
        "agents": "agents.yaml",
        "tasks": "tasks.yaml",
        "checkpoint": "writes keys in plain text; the run has a journal of its own",
        "config": "a second way to say all of this",
        "entity_type": "always the same",
        "output_log_file": "the run's log has it all, and nothing else is written to the folder",
        "share_crew": "sends prompts to CrewAI",
        "stream": "the tap has every token; it would change what kickoff returns",
        "tracing": "sends prompts to CrewAI",
    },
    "Task": {
        "config": "a second way to say all of this",
        "prompt_context": "written by CrewAI",
    },
}
"""Fields that a user sets in Python only, with the reason."""


@check
def check_config_keys_are_all_that_crewai_takes() -> None:
    """keys.py: each key of an agent or task must be an argument of CrewAI's; remove or rename those
    that are not. Each argument of CrewAI's must be a key, one that CrewAI calls its runtime's own
    (crewai/project/json_loader.py), or in _NOT_IN_YAML with a reason: add a new one to one of them.
    """
    from crewai import Agent, Crew, Task
    from crewai.project import crew_base, json_loader

    from sidecar.worker.config.keys import AgentConfig, TaskConfig, Team

    for crewai, ours, runtime, written in (
        (Agent, AgentConfig, json_loader._AGENT_RUNTIME_FIELDS, crew_base.AgentConfig),
        (Task, TaskConfig, json_loader._TASK_RUNTIME_FIELDS, crew_base.TaskConfig),
        (Crew, Team, json_loader._CREW_RUNTIME_FIELDS, Crew),
    ):
        fields, keys = set(crewai.model_fields), set(ours.model_fields)
        reasons = set(_NOT_IN_YAML[crewai.__name__])
        assert not is_examined() or not keys - fields, keys - fields
        assert not keys & reasons, keys & reasons
        assert not fields - keys - runtime - reasons, fields - keys - runtime - reasons
        # What CrewAI types as YAML; `callbacks` of a task is no field of its Task.
        stated = set(written.__annotations__) & fields
        assert not stated - keys - runtime - reasons, stated - keys - runtime - reasons


@check
def check_tools_of_the_toolbox_may_be_functions_or_crewais_own() -> None:
    """build.py `_tools`: a `BaseTool` is taken as it is, a function becomes one under its name in
    the toolbox. If a function is refused, see how `crewai.tools.tool` makes a tool of it."""
    from sidecar.worker.config import load
    from sidecar.worker.engine.build import from_config
    from sidecar.worker.engine.models import named

    def whisper(text: str) -> str:
        """Say it more softly."""
        return text.lower()

    own = shout()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agents.yaml").write_text("a: {role: A, goal: G, backstory: B, tools: [loud]}")
        (folder / "tasks.yaml").write_text(
            "t: {description: D, expected_output: E, agent: a, tools: [soft, loud]}"
        )
        config = load(folder, {"loud": own, "soft": whisper})
        crew = from_config(config, named("offline"), {}, folder).crew
    assert crew is not None
    assert crew.agents[0].tools == [own]
    tools = crew.tasks[0].tools or []
    assert tools[1:] == [own]
    assert (tools[0].name, tools[0].run(text="TEA")) == ("soft", "tea")


@check
def check_telemetry_is_off() -> None:
    """environment.py: with these variables CrewAI sends nothing. If a check fails, prompts may
    be leaving the machine: find the new switch before anything else."""
    from crewai.telemetry.telemetry import Telemetry

    assert Telemetry().ready is False
    assert not any(
        "Span" in thread.name or "Otel" in thread.name for thread in threading.enumerate()
    )


@check
def check_template_variables_look_as_ours() -> None:
    """build.py `fill` replaces the same placeholders as CrewAI does at kickoff, so that a
    description given later reads like one given at the start."""
    from crewai.utilities.string_utils import interpolate_only

    from sidecar.worker.engine.build import fill

    text = 'a {x} {x-y} {_z1} {"json": 1} { x } {1} {{x}}'
    inputs: dict[str, Any] = {"x": 1, "x-y": "two", "_z1": [3]}
    assert fill(text, inputs) == interpolate_only(text, inputs)


@check
def check_an_executors_state_needs_no_class_of_its_own() -> None:
    """CrewAI derives a class for every executor and makes a state of it which the executor then
    drops; warm.py gives it one class that is derived already. If this breaks, the first task of
    a run begins some 25 ms later: see Flow._create_initial_state for where the class comes from."""
    from sidecar.worker.engine import warm

    executor: Any = warm.executor_class()
    plain = executor._initial_state_t

    def derived_for_an_agent() -> int:
        gc.disable()  # a class that nobody uses any more counts too
        before = len(plain.__subclasses__())
        [agent] = make_crew().agents
        agent.create_agent_executor()
        assert type(agent.agent_executor._state) is plain
        after = len(plain.__subclasses__())
        gc.enable()
        return after - before

    assert derived_for_an_agent() == 1
    warm.up()
    assert derived_for_an_agent() == 0


@check
def check_a_rehearsal_leaves_nothing_on_the_disk() -> None:
    """An idle worker rehearses (warm.py) and may be killed at any time. If this breaks, CrewAI
    writes when it makes an agent or its executor: rehearse less."""
    from sidecar.worker.engine import warm

    warm.up()
    kept = {name: os.environ.get(name) for name in ("CREWAI_STORAGE_DIR", "HOME", "TMPDIR")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(dict.fromkeys(kept, folder))
        tempfile.tempdir = None
        try:
            warm.rehearse()
            assert os.listdir(folder) == []
        finally:
            for name, value in kept.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            tempfile.tempdir = None


@check
def check_a_class_of_models_that_is_made_later_is_asked_like_the_others() -> None:
    """asking.py puts itself before `BaseLLM.__init_subclass__`, where there is one. If
    a user's class of models can't be made then, or isn't wrapped, see how CrewAI wraps `call`."""
    from sidecar.worker.engine import asking
    from sidecar.worker.engine.offline import OfflineLLM

    asking.install()
    heard: list[Any] = []

    class Later(OfflineLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append(asking.asking())
            return super().call(messages, *args, **kwargs)

    llm = Later(model="offline")
    make_crew(llm=llm).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert [one.llm for one in heard if one is not None] == [llm]
