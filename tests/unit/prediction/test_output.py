"""Where decisions go: never over what is predicted, nor over what is there; and nothing of a killed call stays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ensemble.errors import DataError
from ensemble.prediction.images import ImageFile, ImageList
from ensemble.prediction.output import PredictionWriter, check_output
from ensemble.submission import plain_template


@pytest.mark.parametrize(
    ("source", "probabilities"),
    [("scans.csv", False), ("scans.unreadable.csv", False), ("scans.probabilities.csv", True)],
)
def test_what_is_predicted_is_never_replaced_or_removed(source: str, probabilities: bool, tmp_path: Path) -> None:
    (tmp_path / source).write_text("id\na\n")
    with pytest.raises(DataError, match=rf"{source} would be replaced or removed.*Give another name"):
        check_output(tmp_path / "scans.csv", tmp_path / source, probabilities=probabilities, overwrite=True)


def test_a_table_of_probabilities_may_be_predicted_where_none_is_written(tmp_path: Path) -> None:
    source = tmp_path / "scans.probabilities.csv"
    source.touch()
    check_output(tmp_path / "scans.csv", source, probabilities=False, overwrite=False)


@pytest.mark.parametrize("there", ["out.csv", "out.unreadable.csv", "out.probabilities.csv"])
def test_what_is_there_stays_unless_it_may_be_replaced(there: str, tmp_path: Path) -> None:
    (tmp_path / there).touch()
    with pytest.raises(DataError, match=rf"{there} is there already\. Give --overwrite"):
        check_output(tmp_path / "out.csv", tmp_path / "scans", probabilities=True, overwrite=False)
    check_output(tmp_path / "out.csv", tmp_path / "scans", probabilities=True, overwrite=True)


def test_what_a_killed_call_left_is_removed(tmp_path: Path) -> None:
    for name in ("out.csv", "out.unreadable.csv", "out.probabilities.csv"):
        (tmp_path / f".{name}.0123.tmp").touch()
        os.utime(tmp_path / f".{name}.0123.tmp", (0, 0))
    images = ImageList((ImageFile("a", tmp_path / "a.png"),), plain_template(np.array(["a"]), ("c",)))
    with PredictionWriter(tmp_path / "out.csv", images, ("c",), probabilities=True):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.probabilities.csv"]
