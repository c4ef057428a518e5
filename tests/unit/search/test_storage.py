"""A study's journal after a writer that was killed, and on a full disk."""

from __future__ import annotations

import resource
from pathlib import Path

import optuna
import pytest

from ensemble.errors import StorageError
from ensemble.search.storage import open_storage


def _study(journal: Path) -> optuna.Study:
    return optuna.create_study(storage=open_storage(str(journal)), study_name="s", load_if_exists=True)


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    _study(journal).ask()
    with journal.open("ab") as stream:
        stream.write(b'{"op_code": 4, "worker')
    _study(journal).ask()
    assert len(_study(journal).trials) == 2


def test_a_full_disk_is_one_error_and_the_journal_goes_on_later(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    study = _study(journal)
    study.ask()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 20, limit[1]))
    try:
        with pytest.raises(StorageError, match=r"study\.journal: it cannot be written \(File too large\)"):
            study.ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert journal.read_bytes().endswith(b"\n")
    _study(journal).ask()
    assert len(_study(journal).trials) == 2
