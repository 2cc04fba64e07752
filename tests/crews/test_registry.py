"""The crews of this folder have every option that CrewAI's crews, tasks and agents have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.crews.registry import CREWS, FAILING

_FIELDS: Final = (
    "import json; from crewai import Agent, Crew, Task;"
    "print(json.dumps(sorted({*Agent.model_fields, *Crew.model_fields, *Task.model_fields})))"
)

_LEFT_OUT: Final = {
    "what CrewAI itself writes down": (
        "agent_executor agent_knowledge_context checkpoint_inputs checkpoint_kickoff_event_id "
        "checkpoint_original_description checkpoint_original_expected_output checkpoint_train crew "
        "crew_knowledge_context delegations end_time entity_type execution_context execution_logs "
        "knowledge knowledge_search_query knowledge_storage processed_by_agents prompt_context "
        "retry_count start_time task_execution_output_json_files token_usage tools_errors "
        "tools_handler tools_results usage_metrics used_tools cache_handler id output"
    ),
    "deprecated, and without effect": "allow_code_execution code_execution_mode",
    "wants a service on the internet, or another agent server": "a2a apps from_repository",
    "of other frameworks' agents": "adapted_agent",
    "needs a training first": "trained_agents_file",
    "texts of CrewAI's own; the crew's prompt_file is the way to others": "i18n",
    "of summaries alone, when a window is full": "use_better_compaction",
}
"""Options by the reason why no crew here has them."""


@pytest.mark.long
def test_every_option_of_crewais_models_is_used_by_a_crew() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", _FIELDS], capture_output=True, text=True, check=True, timeout=120
    )
    options = set(json.loads(asked.stdout.splitlines()[-1]))
    themes = {target.partition(":")[0].rpartition(".")[2] for target in CREWS.values()}
    files = [Path(__file__).with_name(f"{theme}.py") for theme in (*sorted(themes), "making")]
    text = "\n".join(file.read_text() for file in files)
    used = {name for name in options if re.search(rf"\b{name}(=|\": )", text)}
    left_out = {name for names in _LEFT_OUT.values() for name in names.split()}
    assert options - used == left_out


def test_there_are_crews_of_every_theme_and_few_that_fail() -> None:
    assert len(CREWS) >= 150
    assert CREWS.keys() > FAILING
    assert len(FAILING) <= 10
