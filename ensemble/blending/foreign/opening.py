"""Open a table by the ending of its name."""

from __future__ import annotations

from pathlib import Path

from ensemble.blending.foreign.csv_file import open_csv
from ensemble.blending.foreign.npz_file import open_npz
from ensemble.blending.foreign.parquet_file import open_parquet
from ensemble.blending.foreign.table import OpenTable
from ensemble.errors import DataError

OPENERS = {".csv": open_csv, ".parquet": open_parquet, ".npz": open_npz}


def open_table(path: Path) -> OpenTable:
    """Open a table whose name ends in one of ``OPENERS``, in any case.

    Raises:
        DataError: The file is missing, damaged, or is not what its name says.
        ArtefactError: It is a prediction table of ours, of another version.
    """
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise DataError(f"{path}: expected a file that ends in {', '.join(OPENERS)}")
    if not path.is_file():
        raise DataError(f"{path}: {'expected a file, got a folder' if path.is_dir() else 'the file is missing'}")
    return opener(path)
