"""Which interpreter gets the fuzzing client, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autobahn.suite import MISSING, SuiteError, find_interpreter, fuzz, install


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **more}


def test_where_there_is_none_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as refusal:
        find_interpreter(environ(tmp_path))
    assert str(refusal.value) == MISSING
    assert "pyenv install 2.7.18" in MISSING


def test_a_shim_that_runs_nothing_is_passed_over_for_the_version_itself(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python2.7", "exit 127")
    real = program(tmp_path / ".pyenv/versions/2.7.18/bin/python2.7", "exit 0")
    assert find_interpreter(environ(tmp_path)) == str(real)


def test_one_that_was_named_is_taken_or_nothing(tmp_path: Path) -> None:
    found = program(tmp_path / "bin" / "python2.7", "exit 0")
    named = program(tmp_path / "mine", "exit 0")
    assert find_interpreter(environ(tmp_path)) == str(found)
    assert find_interpreter(environ(tmp_path, PYTHON2=str(named))) == str(named)
    with pytest.raises(SuiteError):
        find_interpreter(environ(tmp_path, PYTHON2=str(tmp_path / "none")))


def test_it_is_installed_once(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    pip = program(tmp_path / "python", f'echo x >> {calls}; mkdir -p "$PYTHONUSERBASE"')
    for _ in range(2):
        install(str(pip), tmp_path / "base")
    assert calls.read_text() == "x\n"


def test_an_installation_that_fails_shows_what_pip_said(tmp_path: Path) -> None:
    pip = program(tmp_path / "python", "echo no such package; exit 1")
    with pytest.raises(SuiteError, match="no such package"):
        install(str(pip), tmp_path / "base")
    assert not (tmp_path / "base" / "installed").exists()


def test_a_suite_that_stops_half_way_is_no_result(tmp_path: Path) -> None:
    script = "echo 'Ok, will run 2 test cases against 1 servers'; echo 'Running test case ID 1'"
    heard: list[tuple[int, int]] = []
    with pytest.raises(SuiteError, match="did not get through"):
        fuzz(
            str(program(tmp_path / "python", script)),
            tmp_path / "base",
            "ws://127.0.0.1:1/echo",
            tmp_path / "out",
            lambda begun, total: heard.append((begun, total)),
        )
    assert heard == [(1, 2)]
