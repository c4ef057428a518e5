"""A submission takes no other file's place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ensemble.errors import DataError
from ensemble.files import write_json
from ensemble.report.submission_place import refuse_other_work, submission_place
from ensemble.runs import DatasetRuns

STORED = Path(__file__).parents[2] / "data" / "v1"


@pytest.mark.parametrize("place", ["folds.csv", "blends/blend/blend.csv", "new/sent.csv"])
def test_nothing_is_sent_into_the_runs(place: str, tmp_path: Path) -> None:
    runs = DatasetRuns(tmp_path / "runs" / "toy")
    with pytest.raises(DataError, match=r"expected a place outside of .*runs/toy.* Give another --submission"):
        refuse_other_work(submission_place(runs.folder / place, "blend"), "toy", runs)


def test_a_table_with_another_json_beside_it_is_no_submission(tmp_path: Path) -> None:
    for name in ("folds.csv", "folds.json"):
        shutil.copy(STORED / name, tmp_path)
    place, runs = submission_place(tmp_path / "folds.csv", "blend"), DatasetRuns(tmp_path / "runs" / "toy")
    why = r"no submission of ours \(folds\.json beside it has no 'submission', 'submission_sha256'\)"
    with pytest.raises(DataError, match=why):
        refuse_other_work(place, "toy", runs)
    write_json(tmp_path / "folds.json", {"version": 1, "submission": "folds.csv", "submission_sha256": "0" * 64})
    refuse_other_work(place, "toy", runs)
