from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sidecar.errors import SettingsError
from sidecar.settings import SETTINGS, Settings
from tests.support.sidecar import ROOT


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
        ("ORIGINS", "http://localhost:*"),
        ("ORIGINS", "http://*.example.com"),
        ("ORIGINS", "http://"),
        ("ORIGINS", "http://:3000"),
        ("ORIGINS", "http://user@localhost:3000"),
        ("ORIGINS", "http://user:pw@localhost:3000"),
        ("ORIGINS", "http://localhost:99999"),
        ("ORIGINS", "http://localhost:"),
        ("ORIGINS", "http://[::1"),
        ("ORIGINS", "http://[::x]:1"),
        ("ORIGINS", "http://two words"),
        ("HOST", "::1%lo"),
        ("HOST", "0.0.0.0"),
        ("HOST", "example.com"),
        ("CREW", "my_crew"),
        ("CREW", "a=m:A,m:B"),
        ("CREW", "a=m:A,a=m:B"),
        ("CREW", "a b=m:A"),
        ("CREW", "synthetic=m:A"),
        ("CREW", "a=m:A,b=m"),
        ("TOKEN", "secret"),
    ],
)
def test_a_setting_that_cannot_be_honoured_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"SIDECAR_{name}"):
        load(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PORT", "x", "SIDECAR_PORT='x' must be a whole number from 0 to 65535"),
        ("PING", "0", "SIDECAR_PING='0' must be seconds from 0.05 to 3600"),
        ("SYNTHETIC", "on", "SIDECAR_SYNTHETIC='on' must be 1 or 0"),
        ("LOG", "mysql", "SIDECAR_LOG='mysql' is not a log: use sqlite (default) or memory"),
        (
            "RESUME",
            "ask",
            "SIDECAR_RESUME='ask' is not known: use auto (runs carry on after the sidecar died) "
            "or never (they are interrupted)",
        ),
        ("WORKERS", "x", "SIDECAR_WORKERS='x' is not known: use auto, fork or spawn"),
        ("CREW", "x", "SIDECAR_CREW='x' must look like package.module:attribute"),
        (
            "ORIGINS",
            "http://localhost:3000, *",
            "SIDECAR_ORIGINS has '*'; an origin is scheme://host[:port] and nothing more, such as "
            "http://localhost:3000 (no path, no wildcard)",
        ),
    ],
)
def test_a_refusal_says_what_was_written_and_what_may_be(name: str, value: str, text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(**{name: value})
    assert str(refusal.value) == text


@pytest.mark.parametrize("name", ["MAX_RUNS", "RETAIN", "RUN_TIMEOUT", "PING"])
def test_bounds_are_as_the_table_says(name: str) -> None:
    (setting,) = (one for one in SETTINGS if one.variable == f"SIDECAR_{name}")
    low, high = setting.takes.removeprefix("seconds, ").split(" to ")
    for bound in (low, high):
        assert getattr(load(**{name: bound}), setting.name) == float(bound)
    for outside in ("-1", high + "0"):
        with pytest.raises(SettingsError, match=re.escape(f"from {low} to {high}")):
            load(**{name: outside})


def test_what_is_optional_is_none_until_it_is_set() -> None:
    assert (load().crew, load().zygote) == (None, None)
    settings = load(CREW="app.crews:Blog", ZYGOTE="run/zygote")
    assert (settings.crew, settings.zygote) == ("app.crews:Blog", Path("run/zygote"))


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com", "http://[::1]:3000", "http://127.0.0.1", "http://my_host:1"],
)
def test_an_origin_is_taken_as_a_browser_sends_it(origin: str) -> None:
    assert load(ORIGINS=origin).origins == (origin,)
    assert load(ORIGINS=origin.upper()).origins == (origin,)


def test_every_setting_can_be_set_by_its_variable() -> None:
    written = {
        "host": "localhost",
        "log": "memory",
        "origins": "https://app.example.com",
        "workers": "spawn",
        "resume": "never",
        "crew": "a:b",
        "retain": "10",
        "synthetic": "1",
        "echo": "1",
    }
    assert [one.name for one in SETTINGS] == [one.name for one in fields(Settings)]
    for setting in SETTINGS:
        changed = Settings.load({setting.variable: written.get(setting.name, "2")})
        differing = [
            one.name
            for one in fields(Settings)
            if getattr(changed, one.name) != getattr(Settings(), one.name)
        ]
        assert differing == [setting.name]


def test_code_and_documents_name_no_variable_that_the_table_lacks() -> None:
    places = [*(ROOT / "sidecar").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    named = {
        variable
        for place in places
        for variable in re.findall(r"SIDECAR_[A-Z_]*[A-Z]", place.read_text(encoding="utf-8"))
    }
    # SIDECAR_TOKEN is refused; the table has none that works. The other is told to crews.
    told = {"SIDECAR_TOKEN", "SIDECAR_RUN_DIR"}
    assert named - {setting.variable for setting in SETTINGS} == told


def test_workers_fork_on_linux_and_spawn_elsewhere() -> None:
    assert load().workers == "fork"
    assert load(platform="darwin").workers == "spawn"
    assert load(WORKERS="spawn").workers == "spawn"
    with pytest.raises(SettingsError, match="needs Linux"):
        load(platform="win32", WORKERS="fork")


def test_the_address_of_an_ipv6_host_has_brackets() -> None:
    assert load().url == "http://127.0.0.1:8770"
    assert load(HOST="localhost", PORT="1").url == "http://localhost:1"
    assert load(HOST="::1").url == "http://[::1]:8770"


def test_crews_are_default_and_the_folders_with_both_files(tmp_path: Path) -> None:
    for name in ("blog", "half", "default"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agents.yaml").touch()
    (tmp_path / "blog" / "tasks.yaml").touch()
    assert load(CONFIG=str(tmp_path)).crews == ("default", "blog")
    assert load(CONFIG=str(tmp_path / "none")).crews == ("default",)
    assert load(CONFIG=str(tmp_path), CREW="m:c").crews == ("default",)


def test_several_crews_have_names() -> None:
    settings = load(CREW="blog=app.crews:Blog, story = app.flow:Story,plan=crew.jsonc")
    assert settings.crews == ("blog", "story", "plan")
    assert settings.targets == {
        "blog": "app.crews:Blog",
        "story": "app.flow:Story",
        "plan": "crew.jsonc",
    }
    assert load(CREW="app.crews:Blog").targets == {"default": "app.crews:Blog"}
    assert load().targets == {}
