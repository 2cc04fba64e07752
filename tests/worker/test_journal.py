"""The file of whole outputs, with what crashes and full disks do to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.channel import MAX_LINE, MAX_STRING, Kept, truncate
from sidecar.worker.journal import FORKED, JOURNAL, Journal
from sidecar.worker.line.redact import Redactor

LONG = "ü" * MAX_STRING
CUT = truncate(LONG)[0]


def finished(**outputs: str) -> list[Kept]:
    """Tasks whose names are their tids, too."""
    return [{"tid": tid, "name": tid, "output": output} for tid, output in outputs.items()]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, Redactor(("hunter2hunter2",)).text)


def test_an_output_that_the_log_cut_is_whole_again(journal: Journal) -> None:
    journal.write("plan", LONG)
    journal.write("short", "text")
    assert journal.restore(finished(plan=CUT, short="text")) == finished(plan=LONG, short="text")


def test_what_is_kept_is_decided_elsewhere(journal: Journal) -> None:
    journal.write("plan", LONG)
    assert journal.restore([]) == []
    assert journal.restore(finished(unknown="text")) == finished(unknown="text")


def test_without_a_file_the_logs_text_has_to_do(journal: Journal) -> None:
    assert journal.restore(finished(plan=CUT)) == finished(plan=CUT)


def test_the_last_line_of_a_task_counts(journal: Journal) -> None:
    for ending in ("first", "second"):
        journal.write("plan", LONG + ending)
    assert journal.restore(finished(plan=CUT)) == finished(plan=LONG + "second")


def test_a_line_that_is_not_of_the_output_in_the_log_does_not_count(journal: Journal) -> None:
    journal.write("plan", LONG)
    journal.write("plan", f"another {LONG}")
    assert journal.restore(finished(plan=CUT)) == finished(plan=LONG)


@pytest.mark.parametrize("lost", [1, 2, 1000])
def test_a_torn_line_is_passed_over_and_spoils_no_other(
    journal: Journal, tmp_path: Path, lost: int
) -> None:
    journal.write("plan", f"{LONG} of the first attempt")
    journal.write("plan", f"{LONG} torn")
    file = tmp_path / JOURNAL
    os.truncate(file, file.stat().st_size - lost)
    assert journal.restore(finished(plan=CUT)) == finished(plan=f"{LONG} of the first attempt")
    journal.write("trends", LONG)
    restored = journal.restore(finished(plan=CUT, trends=CUT))
    # What lacks nothing but its newline was whole: the next line's beginning ended it.
    ending = " torn" if lost == 1 else " of the first attempt"
    assert restored == finished(plan=LONG + ending, trends=LONG)


def test_any_text_comes_back_as_it_was(journal: Journal) -> None:
    text = 'lone \ud83d surrogate, "quotes"\r\n\0\x1b' + LONG
    journal.write("plan", text)
    assert journal.restore(finished(plan=truncate(text)[0])) == finished(plan=text)


def test_secrets_are_masked(journal: Journal, tmp_path: Path) -> None:
    journal.write("plan", "the password is hunter2hunter2")
    assert "hunter2" not in (tmp_path / JOURNAL).read_text()


def test_an_enormous_output_is_left_to_the_log(journal: Journal, tmp_path: Path) -> None:
    journal.write("plan", "x" * MAX_LINE)
    assert not (tmp_path / JOURNAL).exists()


def test_a_full_disk_is_an_error_to_the_writer(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / JOURNAL).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        journal.write("plan", "text")


def test_what_a_forked_run_has_whole_is_adopted_under_the_forks_own_tids(
    journal: Journal, tmp_path: Path
) -> None:
    journal.write("1.1", LONG)
    journal.write("1.2", "short")
    (tmp_path / JOURNAL).rename(tmp_path / FORKED)
    kept: list[Kept] = [
        {"tid": "0.1", "name": "plan", "output": CUT, "source": "1.1"},
        {"tid": "0.2", "name": "text", "output": "short", "source": "1.2"},
        {"tid": "1.1", "name": "own", "output": CUT},
    ]
    journal.adopt(kept)
    (tmp_path / FORKED).unlink()
    assert [one["output"] for one in journal.restore(kept)] == [LONG, "short", CUT]
    assert len((tmp_path / JOURNAL).read_text().splitlines()) == 1, "only what the log has cut"


def test_a_fork_of_a_run_without_a_file_has_the_logs_text(journal: Journal, tmp_path: Path) -> None:
    kept: list[Kept] = [{"tid": "0.1", "name": "plan", "output": CUT, "source": "1.1"}]
    journal.adopt(kept)
    assert journal.restore(kept) == kept
    assert not (tmp_path / JOURNAL).exists()
