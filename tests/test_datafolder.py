from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from sidecar.datafolder import DataFolder
from sidecar.errors import StoreError


def test_a_folder_is_for_one_sidecar_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.open()
    with pytest.raises(StoreError, match="another sidecar uses the data folder"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.close()
    assert (tmp_path / "data" / ".gitignore").read_text() == "*\n"


def test_a_gitignore_and_a_lock_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    (tmp_path / "lock").write_text("of another time\n")
    folder = DataFolder(tmp_path)
    folder.open()
    folder.close()
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert (tmp_path / "lock").read_text() == "of another time\n"


@pytest.mark.parametrize("theirs", ["README.md", ".git", "package.json", "runs.py"])
def test_somebody_elses_folder_is_refused_and_left_as_it_was(tmp_path: Path, theirs: str) -> None:
    (tmp_path / theirs).touch()
    with pytest.raises(StoreError, match=r"isn't a sidecar's.*SIDECAR_DATA.*\.sidecar") as refusal:
        DataFolder(tmp_path).open()
    assert theirs in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == [theirs]


@pytest.mark.parametrize(
    "there", [".DS_Store", "lost+found", "log.sqlite3", "runs", ".gitignore", "stderr.log"]
)
def test_what_a_sidecar_or_a_system_leaves_in_a_folder_is_no_somebody(
    tmp_path: Path, there: str
) -> None:
    (tmp_path / there).mkdir() if there == "runs" else (tmp_path / there).touch()
    folder = DataFolder(tmp_path)
    folder.open()
    (tmp_path / "put here later").touch()
    folder.close()
    folder.open()
    folder.close()


@pytest.mark.parametrize(
    "name",
    [".gitignore", "lock", "zygote.log", "workers.log", "runs", "log.sqlite3", "log.sqlite3-wal"],
)
@pytest.mark.parametrize("to", ["there", "nowhere"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str, to: str) -> None:
    (tmp_path / "there").write_text("precious")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / name).symlink_to(tmp_path / to)
    with pytest.raises(StoreError, match=f"{name} is a link"):
        DataFolder(data).open()
    assert (tmp_path / "there").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert [path.name for path in data.iterdir()] == [name]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to(tmp_path / "big disk")
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.close()
    assert (tmp_path / "big disk" / "lock").is_file()


def test_a_folder_that_others_can_read_becomes_its_owners_alone_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    folder = DataFolder(tmp_path)
    with caplog.at_level(logging.WARNING):
        folder.open()
        folder.close()
        folder.open()
        folder.close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    (said,) = caplog.messages
    assert "0755" in said
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_folder_of_another_user_that_others_can_read_is_used_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chmod", refused)
    folder = DataFolder(tmp_path)
    with caplog.at_level(logging.WARNING):
        folder.open()
        folder.close()
    assert "SIDECAR_DATA" in caplog.text


def test_a_path_that_can_not_be_a_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="SIDECAR_DATA"):
        DataFolder(tmp_path / "file").open()


def test_tidying_keeps_what_the_run_wrote(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    for run in ("r_1", "r_2"):
        folder.make_run_folder(run)
        (folder.run_folder(run) / "crewai").mkdir()
    (folder.run_folder("r_2") / "plan.md").touch()
    folder.tidy("r_1")
    folder.tidy("r_2")
    folder.tidy("r_none")
    folder.close()
    left = sorted(str(p.relative_to(folder.path / "runs")) for p in folder.path.glob("runs/**/*"))
    assert left == ["r_2", "r_2/plan.md"]


def test_what_is_removed_is_the_folder_of_a_run_and_nothing_else(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    folder.make_run_folder("r_1")
    (folder.run_folder("r_1") / "out").mkdir()
    (folder.run_folder("r_1") / "out" / "plan.md").touch()
    (tmp_path / "r_mine").mkdir()
    folder.remove(["r_1", "r_none", "", ".", "..", "../..", "r_1/../../../r_mine"])
    folder.close()
    assert list(folder.path.glob("runs/*")) == []
    assert (tmp_path / "r_mine").is_dir()
