"""What the doctor says of a CrewAI that lacks something that is needed."""

from __future__ import annotations

import json
import subprocess
import sys

from sidecar.worker.engine import versions
from tests.worker.harness import PROJECT, clean_environment

PROGRAM = """
import json
from sidecar.worker import doctor
from sidecar.worker.engine import needs, versions

one = needs.Need("nothing is reviewed", ("crewai.gone:provider", "crewai:Crew"))
needs.NEEDS = {"reviews": one}
print(json.dumps(doctor._of_crewai(versions.installed())))
"""


def test_what_is_gone_from_an_installed_release_is_wrong_by_name_with_what_breaks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT, env=clean_environment(), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    version, told = json.loads(done.stdout.splitlines()[-1])
    here = versions.installed()
    assert version["state"] == "ok"
    assert told == {
        "check": "crewai",
        "state": "wrong",
        "says": f"reviews: nothing is reviewed, as {here} has no crewai.gone:provider",
        "fix": f"pip install 'crewai=={versions.EXAMINED}'",
    }
