from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.errors import SettingsError
from sidecar.settings import Settings


def load(platform: str = "linux", **environ: str) -> Settings:
    return Settings.load({f"SIDECAR_{k}": v for k, v in environ.items()}, platform=platform)


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.log) == ("127.0.0.1", 8770, "sqlite")
    assert (settings.max_runs, settings.queue, settings.run_timeout) == (4, 100, 900.0)
    assert settings.origins == ("http://localhost:3000", "http://127.0.0.1:3000")
    assert settings == Settings()


def test_flags_win_over_the_environment_and_blanks_count_as_unset() -> None:
    settings = Settings.load(
        {"SIDECAR_PORT": "1", "SIDECAR_DATA": "env", "SIDECAR_LOG": " "},
        {"port": "2", "data": None},
    )
    assert (settings.port, settings.data, settings.log) == (2, Path("env"), "sqlite")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("MAX_RUNS", "0"),
        ("QUEUE", "-1"),
        ("RUN_TIMEOUT", "0"),
        ("RUN_TIMEOUT", "nan"),
        ("RETAIN", "1"),
        ("LOG", "mysql"),
        ("WORKERS", "thread"),
        ("ORIGINS", "http://localhost:3000/"),
        ("ORIGINS", "*"),
        ("ORIGINS", "localhost:3000"),
        ("HOST", "0.0.0.0"),
        ("HOST", "example.com"),
        ("CREW", "my_crew"),
        ("TOKEN", "secret"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"SIDECAR_{name}"):
        load(**{name: value})


def test_workers_fork_on_linux_and_spawn_elsewhere() -> None:
    assert load().workers == "fork"
    assert load(platform="darwin").workers == "spawn"
    assert load(WORKERS="spawn").workers == "spawn"
    with pytest.raises(SettingsError, match="needs Linux"):
        load(platform="win32", WORKERS="fork")


def test_crews_are_default_and_the_folders_with_both_files(tmp_path: Path) -> None:
    for name in ("blog", "half", "default"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agents.yaml").touch()
    (tmp_path / "blog" / "tasks.yaml").touch()
    assert load(CONFIG=str(tmp_path)).crews == ("default", "blog")
    assert load(CONFIG=str(tmp_path / "none")).crews == ("default",)
    assert load(CONFIG=str(tmp_path), CREW="m:c").crews == ("default",)
