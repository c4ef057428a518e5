"""``folds.csv``, the one split that all members of a dataset share, and ``folds.json``, how it was made.

``folds.json`` is written first and ``folds.csv`` last: the presence of ``folds.csv`` means that both stand.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ArtefactError, FoldError, first_few
from ensemble.files import read_json, sha256_of_bytes, sha256_of_file, write_json, write_text
from ensemble.folds.wish import start_anew
from ensemble.tables import read_table
from ensemble.versions import check_version

if TYPE_CHECKING:
    from ensemble.runs import DatasetRuns

FORMAT_VERSION = 1
MADE = "made"
_COLUMNS = ("image_id", "group", "fold")


@dataclass(frozen=True, eq=False)
class FoldFile:
    """The folds of N images.

    Attributes:
        image_ids: Shape (N,), text, unique. From ``read_folds`` in ascending order, from ``ensure_folds`` in the order
            of the dataset's training rows.
        groups: Shape (N,), text, or None if every image is independent.
        folds: Shape (N,), int16, 0 to K - 1, each there at least once.
        n_folds: The number of folds K.
        sha256: Hex digest of ``folds.csv``.
        holdout_in_folds: Whether the holdout's rows were added to the training rows.
        fold_seed: The splitter's seed; None for a fold file of one's own.
        source: ``"made"`` by the splitter, or the name of the user's file.
        content_hash: ``Dataset.content_hash`` when the folds were made.
        groups_source: Where the groups came from, for people to read.
    """

    image_ids: NDArray[np.str_]
    groups: NDArray[np.str_] | None
    folds: NDArray[np.int16]
    n_folds: int
    sha256: str
    holdout_in_folds: bool
    fold_seed: int | None
    source: str
    content_hash: str
    groups_source: str

    def rows(self, index: NDArray[np.intp]) -> FoldFile:
        """The same folds with the rows in the order of ``index``."""
        groups = None if self.groups is None else self.groups[index]
        return replace(self, image_ids=self.image_ids[index], groups=groups, folds=self.folds[index])


def write_folds(paths: DatasetRuns, folds: FoldFile) -> None:
    """Write ``folds.json`` and ``folds.csv``; ``folds.sha256`` is not looked at.

    Args:
        paths: Of the dataset's runs.
        folds: Rows in ascending order of ``image_ids``.
    """
    text = _as_csv(folds)
    facts = {
        "version": FORMAT_VERSION,
        "n_folds": folds.n_folds,
        "fold_seed": folds.fold_seed,
        "holdout_in_folds": folds.holdout_in_folds,
        "grouped": folds.groups is not None,
        "groups_source": folds.groups_source,
        "source": folds.source,
        "content_hash": folds.content_hash,
        "sha256": sha256_of_bytes(text.encode("utf-8")),
    }
    write_json(paths.folds_json, facts)
    write_text(paths.folds_csv, text)


def _as_csv(folds: FoldFile) -> str:
    groups = [""] * len(folds.folds) if folds.groups is None else folds.groups.tolist()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(zip(folds.image_ids.tolist(), groups, folds.folds.tolist(), strict=True))
    return stream.getvalue()


def read_folds(paths: DatasetRuns) -> FoldFile:
    """Read the folds that stand.

    Raises:
        ArtefactError: ``folds.csv`` or ``folds.json`` is missing, damaged or of another version.
        FoldError: ``folds.csv`` was changed after it was written.
    """
    if not paths.folds_csv.exists():
        raise ArtefactError(
            f"{paths.folds_csv}: the fold file is missing. It is written when the first member is trained: "
            f"python -m ensemble.train recipes/cnn2.yaml --all-folds --data DIR{_beside(paths)}"
        )
    facts = _read_facts(paths)
    sha256 = sha256_of_file(paths.folds_csv)
    if sha256 != facts["sha256"]:
        raise FoldError(
            f"{paths.folds_csv} was changed after it was written (sha256 {sha256[:12]}…, {paths.folds_json.name} says "
            f"{facts['sha256'][:12]}…). Members may have been trained on the old folds: put the old file back, or "
            f"{start_anew(paths.folds_csv)} and give a fold file of your own with --folds FILE"
        )
    table = read_table(paths.folds_csv)
    return FoldFile(
        image_ids=table.column("image_id"),
        groups=table.column("group") if facts["grouped"] else None,
        folds=table.column("fold").astype(np.int16),
        **{name: facts[name] for name in _FACTS},
    )


def _beside(paths: DatasetRuns) -> str:
    """Which datasets have folds there: a folder that was renamed is another dataset."""
    others = sorted(path.parent.name for path in paths.folder.parent.glob("*/folds.csv"))
    if not others:
        return ""
    return (
        f". {paths.folder.parent} holds {first_few(others)}: a dataset is called after its folder, or name: in its "
        "dataset.yaml"
    )


_FACTS = ("n_folds", "sha256", "holdout_in_folds", "fold_seed", "source", "content_hash", "groups_source")


def _read_facts(paths: DatasetRuns) -> dict[str, Any]:
    if not paths.folds_json.exists():
        raise ArtefactError(
            f"{paths.folds_csv} stands without {paths.folds_json.name}, so nothing says how it was made. To use "
            "folds of your own, move it elsewhere and give it with --folds FILE"
        )
    facts = read_json(paths.folds_json)
    check_version(paths.folds_json, facts, what="fold file", reads=FORMAT_VERSION)
    if missing := sorted({*_FACTS, "grouped"} - set(facts)):
        raise ArtefactError(f"{paths.folds_json}: the entries {', '.join(missing)} are missing: the file is damaged")
    return facts
