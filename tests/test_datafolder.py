from __future__ import annotations

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
