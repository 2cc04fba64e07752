"""`crew-sidecar doctor` in real folders, with the real CrewAI; test_doctor.py has the page's."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sidecar.doctor import Finding, _python, as_text
from sidecar.worker.engine.versions import NEEDED
from tests.support.releases import another_crewai
from tests.support.sidecar import BOUND, ROOT, Sidecar, clean_environment

KEY = "sk-proj-0123456789abcdef"
THEIRS = """
from crewai import Agent, Crew, Task

print("made at import")
baker = Agent(role="Baker", goal="Bake", backstory="Bakes.")
bake = Task(name="bake", description="Bake {what}", expected_output="Bread", agent=baker)
bakery = Crew(agents=[baker], tasks=[bake])
"""


def doctor(folder: Path, *words: str, **environ: str) -> tuple[int, dict[str, list[Any]], str]:
    """Exit code, findings by check, and everything that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "doctor", "--json", *words],
        cwd=folder,
        env=clean_environment(PYTHONPATH=environ.pop("PYTHONPATH", str(ROOT)), **environ),
        capture_output=True, text=True, timeout=BOUND,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["ok"] is (done.returncode == 0)
    by_check: dict[str, list[Any]] = {}
    for finding in told["findings"]:
        by_check.setdefault(finding["check"], []).append(finding)
    return done.returncode, by_check, done.stdout + done.stderr


def with_crewai(folder: Path, version: str, *, imported: bool = False) -> str:
    """For PYTHONPATH."""
    return os.pathsep.join([str(another_crewai(folder, version, imported=imported)), str(ROOT)])


def test_a_folder_that_is_well_is_told_with_its_crew_and_whose_key_it_has(tmp_path: Path) -> None:
    (tmp_path / "bakery.py").write_text(THEIRS)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nOPENAI_MODEL=gpt-4o\n")
    words = ("--crew", "bakery:bakery", "--port", "0")
    code, found, said = doctor(tmp_path, *words, CREW_MODEL="")
    assert code == 0, said
    states = {check: [one["state"] for one in all] for check, all in found.items()}
    checks = ("python", "crewai", "crew", "data", "temp", "port")
    assert states == {check: ["ok"] for check in checks}
    (crew,) = found["crew"]
    assert "bake (Baker); inputs {what}" in crew["says"]
    assert "OPENAI_API_KEY of .env" in crew["says"]
    assert KEY not in said
    assert not (tmp_path / ".sidecar").exists()


def test_a_crew_that_cannot_be_built_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "agents.yaml").write_text("a:\n  role: R\n  gaol: G\n  backstory: B\n")
    (tmp_path / "config" / "tasks.yaml").write_text(
        "t: {description: D, expected_output: E, agent: a}\n"
    )
    code, found, _ = doctor(tmp_path, "--port", "0")
    assert code == 1
    (crew,) = found["crew"]
    assert crew["state"] == "wrong"
    assert "agents.yaml:3" in crew["says"] or "line 3" in crew["says"], crew
    assert "gaol" in crew["says"]


def test_a_module_that_ends_its_process_is_told_and_what_it_printed_is_not(tmp_path: Path) -> None:
    (tmp_path / "bakery.py").write_text(
        f"import os, sys\nprint({KEY!r}, file=sys.stderr)\nos._exit(3)"
    )
    code, found, said = doctor(tmp_path, "--crew", "bakery:bakery", "--port", "0")
    assert code == 1
    (told,) = found["crewai"]
    assert told["says"].endswith("with exit code 3")
    assert KEY not in said


def test_the_pythons_are_those_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    low, high = (int(minor) for minor in re.findall(r"3\.(\d+)", project["requires-python"]))
    states = {minor: _python((3, minor, 0)).state for minor in range(low - 1, high + 1)}
    good = dict.fromkeys(range(low, high), "ok")
    assert states == {low - 1: "wrong", **good, high: "wrong"}
    assert _python((3, high, 0)).fix.endswith(f"python3.{high - 1} -m venv .venv")


def test_without_a_key_it_says_what_answers_instead_and_what_to_do() -> None:
    code, found, _ = doctor(ROOT, "--port", "0", CREW_MODEL="")
    assert code == 0
    (model,) = found["model"]
    assert (model["state"], "made up" in model["says"]) == ("note", True)
    assert "OPENAI_API_KEY=" in model["fix"]


def test_a_crewai_that_is_not_supported_is_told_and_not_imported(tmp_path: Path) -> None:
    path = with_crewai(tmp_path / "path", "1.14.7")
    code, found, _ = doctor(tmp_path, "--port", "0", PYTHONPATH=path)
    assert code == 1
    assert found["crewai"] == [
        {
            "check": "crewai",
            "state": "wrong",
            "says": f"crewai 1.14.7 is installed; crew-sidecar needs {NEEDED}",
            "fix": f"pip install -U 'crewai{NEEDED}'",
        }
    ]
    assert "crew" not in found
    assert found["data"][0]["state"] == "ok", "the rest is looked at all the same"


def test_what_an_older_crewai_cannot_do_is_told_by_name_and_is_not_wrong(tmp_path: Path) -> None:
    path = with_crewai(tmp_path, "1.15.18", imported=True)
    code, found, said = doctor(ROOT, "--port", "0", PYTHONPATH=path)
    assert code == 0, said
    version, *lacks = found["crewai"]
    assert version["says"].startswith("1.15.18, imported in ")
    assert [(one["state"], one["says"].partition(":")[0]) for one in lacks] == [("note", "abort")]
    assert lacks[0]["fix"] == f"pip install -U 'crewai{NEEDED}'"


def test_a_newer_crewai_than_any_that_was_tried_is_a_note(tmp_path: Path) -> None:
    path = with_crewai(tmp_path, "1.15.99", imported=True)
    code, found, _ = doctor(ROOT, "--port", "0", PYTHONPATH=path)
    assert code == 0
    assert [one["state"] for one in found["crewai"]] == ["ok", "note"]
    assert found["crewai"][1]["says"].startswith("1.15.99 is newer than 1.15.")


def test_who_has_the_port_is_told(tmp_path: Path, sidecar: Sidecar) -> None:
    served = sidecar.url.rpartition(":")[2]
    # The unsupported release saves what is not asked about here, six seconds of imports.
    path = with_crewai(tmp_path / "path", "1.14.7")
    _, found, _ = doctor(tmp_path, "--port", served, PYTHONPATH=path)
    (port,) = found["port"]
    assert (port["state"], port["says"]) == ("ok", f"a sidecar is at {sidecar.url}, and ready")
    with socket.create_server(("127.0.0.1", 0)) as another:
        taken = another.getsockname()[1]
        # It answers nothing: closing it is what ends the question.
        another.settimeout(BOUND)
        _, found, _ = doctor(tmp_path, "--port", str(taken), PYTHONPATH=path)
    (port,) = found["port"]
    assert (port["state"], port["says"]) == (
        "wrong", f"{taken} on 127.0.0.1 is taken by another program",
    )  # fmt: skip
    assert port["fix"].startswith("choose another: --port ")


def test_a_data_folder_that_cannot_be_is_told_and_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    path = with_crewai(tmp_path / "path", "1.14.7")
    data = tmp_path / "file" / "data"
    _, found, _ = doctor(tmp_path, "--port", "0", "--data", str(data), PYTHONPATH=path)
    (told,) = found["data"]
    assert told["state"] == "wrong"
    assert told["says"] == f"{data} can't be a folder, as {tmp_path / 'file'} is a file"
    assert "SIDECAR_DATA" in told["fix"]


@pytest.mark.parametrize(
    ("states", "last"),
    [
        (["ok", "note"], "Nothing is wrong."),
        (["wrong", "ok"], "One thing is wrong."),
        (["wrong", "wrong"], "2 things are wrong."),
    ],
)
def test_the_text_ends_with_how_many_are_wrong_and_holds_no_control_characters(
    states: list[Any], last: str
) -> None:
    text = as_text([Finding("crew", one, "a\x1b[2Jb\nc", "do\x07 it\nand that") for one in states])
    lines = text.splitlines()
    assert lines[-1] == last
    assert lines[1].endswith("a [2Jb c")
    assert [line.strip() for line in lines[2:4]] == ["do  it", "and that"]


def test_prices_that_cannot_be_used_are_a_note_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "bakery.py").write_text(THEIRS)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "prices.yaml").write_text("models: 3\n")
    _, found, said = doctor(tmp_path, "--crew", "bakery:bakery", "--port", "0")
    (note,) = found["prices"]
    assert note["state"] == "note", said
    assert note["says"].startswith("config/prices.yaml:1:9: models must be a mapping")
