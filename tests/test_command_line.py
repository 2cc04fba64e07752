"""The command line: what it says of itself, and what it says to a mistake."""

from __future__ import annotations

import platform
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

from sidecar import __version__
from sidecar.__main__ import main
from sidecar.settings import SETTINGS, markdown
from tests.support.sidecar import ROOT


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/crew-sidecar"])
    # argparse wraps to the terminal's width.
    monkeypatch.setenv("COLUMNS", "1000")


def refused(*words: str) -> int:
    """The exit code of a command line that does not get as far as a sidecar."""
    with pytest.raises(SystemExit) as left:
        main(words)
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_version_names_product_crewai_and_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == (
        f"crew-sidecar {__version__}, crewai {metadata.version('crewai')}, "
        f"Python {platform.python_version()}\n"
    )


def test_the_version_says_when_there_is_no_crewai(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert main(["--version"]) == 0
    assert "crewai not installed, Python" in capsys.readouterr().out


def test_the_version_does_not_wait_for_crewai() -> None:
    program = (
        "import sys; from sidecar.__main__ import main; main(['--version']); "
        "sys.exit('crewai' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)


def test_help_has_each_flag_with_its_variable_and_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refused("--help") == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: crew-sidecar [-h] [--host HOST] [--port PORT]")
    flags = [setting for setting in SETTINGS if setting.flag]
    assert [one.name for one in flags] == ["host", "port", "data", "config", "crew"]
    for one in flags:
        (line,) = (line for line in said.splitlines() if line.strip().startswith(f"--{one.name} "))
        assert f"({one.variable}" in line
        assert line.endswith(f", {one.default})" if one.default else f"({one.variable})")


def test_a_command_that_takes_the_flags_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("serve", "run", "runs", "threads"):
        assert refused(command, "--help") == 0
        assert "(SIDECAR_PORT, 8770)" in capsys.readouterr().out


def test_started_as_a_module_it_calls_itself_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", "--bogus"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: python -m sidecar [-h]")
    assert "`python -m sidecar --help` lists what there is" in done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--prot", "5"], "unknown argument --prot: did you mean --port?"),
        (["--prot=5", "serve"], "unknown argument --prot=5: did you mean --port?"),
        (["serve", "--prot", "5"], "unknown argument --prot: did you mean --port?"),
        (["--max-runs", "3"], "set SIDECAR_MAX_RUNS in the environment"),
        (["compare", "--data", "x"], "set SIDECAR_DATA in the environment"),
        (["serve", "now"], "unknown argument now: `crew-sidecar --help` lists what there is"),
        (["serv"], "invalid choice: 'serv' (choose from"),
        (["run"], "what is the crew to work on?"),
        (["threads", "--rename", "tea"], "--rename: expected 2 arguments"),
        (["threads", "--delete", "a", "--rename", "a", "b"], "not allowed with argument --delete"),
        (["--port"], "--port: expected one argument"),
    ],
)
def test_a_wrong_word_is_exit_code_2_and_a_hint(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(*words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: crew-sidecar")
    assert hint in said.err


@pytest.mark.parametrize(
    "words", [["--port", "x"], ["--port", "x", "serve"], ["serve", "--port", "x"]]
)
def test_a_flag_counts_before_and_after_its_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err == (
        "sidecar: SIDECAR_PORT='x' must be a whole number from 0 to 65535\n"
    )


def test_the_flag_nearest_to_its_end_wins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "x", "serve", "--port", "y"]) == 1
    assert "SIDECAR_PORT='y'" in capsys.readouterr().err


def test_settings_are_printed_as_the_readme_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    assert printed == markdown() + "\n"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert printed in readme, "README.md: put what `python -m sidecar settings` prints there"
    assert readme.count("| `SIDECAR_") == sum(one.shown for one in SETTINGS)
    assert [one.name for one in SETTINGS if not one.shown] == ["echo"]


def test_a_wheel_takes_its_version_from_the_package() -> None:
    """Where the program is a checkout, there is no metadata to ask."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "sidecar.__version__"}
