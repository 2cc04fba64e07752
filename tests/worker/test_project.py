"""Which crew a folder has, without importing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.worker.project import BadProject, choose, find

CREW = "from crewai.project import CrewBase\n\n@CrewBase\nclass Team:\n    pass\n"
FLOW = "from crewai.flow.flow import Flow, start\n\nclass Story(Flow[dict]):\n    pass\n"
RUN = "def run():\n    crewai.kickoff()\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def project(kind: str = "crew", more: str = "", name: str = "my-team") -> str:
    return f'[project]\nname = "{name}"\n{more}\n[tool.crewai]\ntype = "{kind}"\n'


@pytest.mark.parametrize(
    ("kind", "files", "target"),
    [
        ("crew", {"src/my_team/crew.py": CREW, "src/my_team/main.py": RUN}, "my_team.crew:Team"),
        ("crew", {"my_team/crew.py": CREW}, "my_team.crew:Team"),
        ("crew", {"crew.py": CREW, "main.py": RUN, "tools/x.py": ""}, "crew:Team"),
        ("crew", {"src/crew.py": CREW}, "crew:Team"),
        ("crew", {"src/other/crew.py": CREW}, "other.crew:Team"),
        ("crew", {"src/my_team/main.py": "import crewai\n" + RUN}, "my_team.main:run"),
        ("flow", {"src/my_team/main.py": FLOW, "src/my_team/crew.py": CREW}, "my_team.main:Story"),
        ("flow", {"src/my_team/main.py": RUN, "src/my_team/flow.py": FLOW}, "my_team.flow:Story"),
        ("flow", {"main.py": FLOW}, "main:Story"),
        ("crew", {"src/my_team/crew.py": CREW + "x = ("}, "my_team.crew:Team"),
        # The likeliest of the project's own package, before a better one of any other.
        (
            "crew",
            {"src/my_team/main.py": "import crewai\n" + RUN, "examples/crew.py": CREW},
            "my_team.main:run",
        ),
    ],
)
def test_a_projects_crew_is_found_in_each_layout(
    tmp_path: Path, kind: str, files: dict[str, str], target: str
) -> None:
    found = find(write(tmp_path, {"pyproject.toml": project(kind), **files}))
    assert found is not None
    assert (found.target, found.kind) == (target, "flow" if "Story" in target else "crew")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import crewai\nteam = crewai.Crew(agents=[], tasks=[])\n", "team"),
        ("from crewai import Agent\nhelper: Agent = Agent(role='r')\n", "helper"),
        ("import crewai\nclass Team:\n    def crew(self):\n        pass\n", "Team"),
        ("import crewai\nasync def build_crew():\n    pass\n", "build_crew"),
        ("import crewai\ndef team() -> 'crewai.Crew':\n    pass\n", "team"),
        ("import crewai\ndef run():\n    pass\ndef kickoff():\n    pass\n", "kickoff"),
        (FLOW + "class Longer(Story):\n    pass\n", "Longer"),
        (FLOW + "class Other(Flow):\n    pass\ndef kickoff():\n    Story().kickoff()\n", "Story"),
        (CREW + "def run():\n    Team().crew().kickoff()\n", "Team"),
    ],
)
def test_the_likeliest_name_of_a_module_is_taken(tmp_path: Path, source: str, name: str) -> None:
    found = find(write(tmp_path, {"pyproject.toml": project(), "crew.py": source}))
    assert found is not None
    assert found.target == f"crew:{name}"


def test_the_script_that_crewai_run_would_start_names_the_package(tmp_path: Path) -> None:
    scripts = '[project.scripts]\nrun_crew = "inner.main:run"\n'
    files = {"src/inner/crew.py": CREW, "src/my_team/crew.py": CREW}
    found = find(write(tmp_path, {"pyproject.toml": project(more=scripts), **files}))
    assert found is not None
    assert found.target == "inner.crew:Team"


def test_a_definition_is_a_file_of_the_project(tmp_path: Path) -> None:
    text = project() + 'definition = "crew.jsonc"\n'
    write(tmp_path, {"pyproject.toml": text, "crew.jsonc": "{}"})
    found = find(tmp_path)
    assert found is not None
    assert found.target == "crew.jsonc"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (project(), "there is none in crew.py, main.py, flow.py"),
        (project() + 'definition = "../crew.jsonc"\n', "no file in this folder"),
        (project() + "definition = 7\n", "must be the path of a file"),
        ("[tool.crewai]\ntype =", "pyproject.toml is not TOML"),
    ],
)
def test_a_project_without_its_crew_says_what_was_looked_for(
    tmp_path: Path, text: str, says: str
) -> None:
    write(tmp_path, {"pyproject.toml": text})
    with pytest.raises(BadProject, match=says):
        find(tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["crewai"]\n'},
        {"pyproject.toml": "crewai ="},
        {"crew.py": CREW},
    ],
)
def test_a_folder_that_is_no_crewai_project_has_none(tmp_path: Path, files: dict[str, str]) -> None:
    assert find(write(tmp_path, files)) is None


def test_a_named_crew_goes_first_then_the_project_then_config(tmp_path: Path) -> None:
    config = tmp_path / "config"
    write(tmp_path, {"pyproject.toml": project(), "crew.py": CREW, "config/agents.yaml": ""})

    def target(named: str | None = None, crew: str = "default", at: Path = config) -> str | None:
        found = choose(named, crew, at, tmp_path)
        return None if found is None else found.target

    assert target("a:b") == "a:b"
    assert target() == "crew:Team"
    assert target(crew="blog", at=config / "blog") is None
    assert target(at=tmp_path / "elsewhere") is None
    (tmp_path / "pyproject.toml").unlink()
    assert target() is None
    (config / "agents.yaml").unlink()
    assert target() == "crew:Team"
